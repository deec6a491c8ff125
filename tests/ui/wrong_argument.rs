// No cloud sends a `String`.
use omnifn::{Context, Result};

async fn hello(_: String, _: Context) -> Result<()> {
    Ok(())
}

fn main() {
    let _ = omnifn::run(hello);
}
