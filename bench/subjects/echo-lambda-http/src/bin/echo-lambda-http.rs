//! The echo on `lambda_http` and one thread.

use echo_lambda_http::echo;
use lambda_http::{Error, run, service_fn};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    run(service_fn(echo)).await
}
