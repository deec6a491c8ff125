// The error is not an error.
use omnifn::{Context, Request};

struct Mine;

async fn hello(_: Request, _: Context) -> Result<&'static str, Mine> {
    Err(Mine)
}

fn main() {
    let _ = omnifn::run(hello);
}
