//! An axum router as it is: on Lambda, on Cloud Run, on a laptop.

use axum::{Json, Router, extract::Path, routing::get};
use serde::Serialize;

#[derive(Serialize)]
struct Greeting {
    hello: String,
}

async fn greet(Path(name): Path<String>) -> Json<Greeting> {
    Json(Greeting { hello: name })
}

fn router() -> Router {
    Router::new()
        .route("/", get(|| async { "try /hello/{name}\n" }))
        .route("/hello/{name}", get(greet))
}

fn main() -> omnifn::Result<()> {
    omnifn::run(omnifn::service(router()))
}

#[cfg(test)]
mod tests {
    use super::router;
    use omnifn::{Function, testing};

    #[tokio::test]
    async fn a_router_answers_the_same_on_every_cloud() {
        let function = Function::new(omnifn::service(router()));
        let request = testing::request("GET", "https://example.com/hello/Ada").sample();
        let answer = testing::invoke(&function, request.clone()).answer().await.unwrap();
        assert_eq!(answer.to_string(), r#"200 {"hello":"Ada"}"#);
        testing::assert_parity(&function, [request]).await;
    }
}
