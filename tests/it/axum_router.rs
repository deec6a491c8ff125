//! An axum 0.8 router as it is, its layers and extractors included.

use axum::{
    Extension, Json, Router,
    extract::{Path, Query, State},
    middleware,
    routing::{get, post},
};
use omnifn::{Body, Context, Event, Function, Outcome, Request, Response};
use std::collections::BTreeMap;

fn router() -> Router {
    Router::new()
        .route(
            "/hello/{name}",
            get(|Path(name): Path<String>, State(greeting): State<&'static str>| async move {
                format!("{greeting} {name}")
            }),
        )
        .route(
            "/query",
            get(|Query(query): Query<BTreeMap<String, String>>| async move { Json(query) }),
        )
        .route("/echo", post(|body: axum::body::Bytes| async move { body }))
        .route(
            "/id",
            get(|Extension(context): Extension<Context>| async move {
                context.invocation_id.to_string()
            }),
        )
        .layer(middleware::map_response(|mut response: axum::response::Response| async move {
            response.headers_mut().insert("x-layer", "1".parse().unwrap());
            response
        }))
        .with_state("hello")
}

async fn call(request: Request) -> Response {
    let function = Function::new(omnifn::service(router()));
    match function.invoke(Event::Http(request), Context::new("id-1")).await.unwrap() {
        Outcome::Response(response) => response,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_router_runs_as_it_is() {
    for (path, status, body) in [
        ("https://example.com/hello/Ada", 200, "hello Ada"),
        ("/query?b=2&a=1", 200, r#"{"a":"1","b":"2"}"#),
        ("/id", 200, "id-1"),
        ("/nowhere", 404, ""),
        ("/echo", 405, ""),
    ] {
        let response = call(Request::get(path).body(Body::empty()).unwrap()).await;
        assert_eq!(response.status(), status, "{path}");
        assert_eq!(response.headers()["x-layer"], "1");
        assert_eq!(response.into_body().text().await.unwrap(), body, "{path}");
    }
    let response = call(Request::post("/echo").body(vec![0, 0xff].into()).unwrap()).await;
    assert_eq!(response.into_body().bytes().await.unwrap(), &[0, 0xff][..]);
}
