//! The echo on `lambda_http` as its template begins: on tokio's default runtime, a thread for each CPU.

use echo_lambda_http::echo;
use lambda_http::{Error, run, service_fn};

#[tokio::main]
async fn main() -> Result<(), Error> {
    run(service_fn(echo)).await
}
