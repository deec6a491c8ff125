//! An axum router as it is: on Lambda, on Cloud Run, on a laptop.

use axum::{Json, Router, extract::Path, routing::get};
use omnifn::Context;
use serde::Serialize;

#[derive(Serialize)]
struct Greeting {
    hello: String,
    attempt: u32,
}

async fn greet(Path(name): Path<String>, context: axum::Extension<Context>) -> Json<Greeting> {
    Json(Greeting { hello: name, attempt: context.attempt.unwrap_or(1) })
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
    use omnifn::{Context, Event, Function, Outcome, Request};

    #[tokio::test]
    async fn a_router_answers_without_a_server() {
        let function = Function::new(omnifn::service(router()));
        let request = Request::get("https://example.com/hello/Ada").body("".into()).unwrap();
        let outcome = function.invoke(Event::Http(request), Context::new("1")).await.unwrap();
        let Outcome::Response(response) = outcome else { panic!("{outcome:?}") };
        assert_eq!(response.into_body().text().await.unwrap(), r#"{"hello":"Ada","attempt":1}"#);
    }
}
