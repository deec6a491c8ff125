//! What no function should do: another answer on every cloud. `cargo omnifn dev --once` must say so.

use omnifn::{App, Context, Message, Request, Result, each};

async fn greet(_: Request, context: Context) -> &'static str {
    if context.platform == "aws_lambda" { "hello, Lambda\n" } else { "hello\n" }
}

async fn ship(_: Message, context: Context) -> Result<()> {
    if context.platform == "aws_lambda" { Ok(()) } else { Err("only Lambda ships".into()) }
}

fn main() -> Result<()> {
    omnifn::run(App::new().function("greet", greet).function("ship", each(ship)))
}
