//! The least that a Pub/Sub handler must do: hyper, the event's attributes in a map, the message decoded and parsed.

use std::collections::HashMap;
use std::convert::Infallible;
use std::error::Error;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::header::HeaderMap;
use hyper::{Request, Response, StatusCode};
use serde::Deserialize;

#[derive(Deserialize)]
struct Published<'a> {
    #[serde(borrow)]
    message: Message<'a>,
}

#[derive(Deserialize)]
struct Message<'a> {
    data: &'a str,
}

#[derive(Deserialize)]
struct Order {
    id: u64,
    item: String,
    quantity: u32,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> std::io::Result<()> {
    bare_http::serve(receive).await
}

async fn receive(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let mut response = Response::default();
    *response.status_mut() = match handle(request).await {
        Ok(()) => StatusCode::NO_CONTENT,
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR,
    };
    Ok(response)
}

async fn handle(request: Request<Incoming>) -> Result<(), Box<dyn Error + Send + Sync>> {
    let (parts, body) = request.into_parts();
    let attributes = attributes(&parts.headers);
    if !["id", "source", "type"].iter().all(|name| attributes.contains_key(*name)) {
        return Err("the CloudEvent is not complete".into());
    }
    let body = body.collect().await?.to_bytes();
    let published: Published<'_> = serde_json::from_slice(&body)?;
    let order: Order = serde_json::from_slice(&STANDARD.decode(published.message.data)?)?;
    if order.quantity == 0 || order.item.is_empty() {
        return Err(format!("order {} is of nothing", order.id).into());
    }
    Ok(())
}

fn attributes(headers: &HeaderMap) -> HashMap<String, String> {
    let own = headers.iter().filter_map(|(name, value)| {
        let name = name.as_str().strip_prefix("ce-")?;
        Some((name.to_owned(), value.to_str().ok()?.to_owned()))
    });
    own.collect()
}
