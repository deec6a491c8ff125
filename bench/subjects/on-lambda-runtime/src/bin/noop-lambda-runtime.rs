//! `lambda_runtime`'s own cost: the payload stays raw JSON, the answer is constant.

use lambda_runtime::{Error, LambdaEvent, run, service_fn};
use serde_json::value::RawValue;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    run(service_fn(handler)).await
}

async fn handler(event: LambdaEvent<Box<RawValue>>) -> Result<&'static str, Error> {
    let _ = event.payload.get().len();
    Ok("ok")
}
