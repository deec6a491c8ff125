// An HTTP handler answers as if it were a queue's.
use omnifn::{BatchOutcome, Context, Request, Result};

async fn hello(_: Request, _: Context) -> Result<BatchOutcome> {
    Ok(BatchOutcome::success())
}

fn main() {
    let _ = omnifn::run(hello);
}
