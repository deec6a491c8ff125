// The context is missing.
use omnifn::Request;

async fn hello(_: Request) -> &'static str {
    "x"
}

fn main() {
    let _ = omnifn::run(hello);
}
