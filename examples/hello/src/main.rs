//! One HTTP function.

use omnifn::{Context, Request};

async fn hello(request: Request, _: Context) -> String {
    format!("hello from {}\n", request.uri().path())
}

fn main() -> omnifn::Result<()> {
    omnifn::run(hello)
}
