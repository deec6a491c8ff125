//! Pub/Sub on axum and the SDK of CloudEvents.

use axum::Router;
use axum::http::StatusCode;
use axum::routing::{get, post};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use cloudevents::{Data, Event};
use serde::Deserialize;

#[derive(Deserialize)]
struct Published {
    message: Message,
}

#[derive(Deserialize)]
struct Message {
    data: String,
}

#[derive(Deserialize)]
struct Order {
    id: u64,
    item: String,
    quantity: u32,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> std::io::Result<()> {
    on_axum::serve(Router::new().route("/", post(receive).merge(get(async || "hello")))).await
}

async fn receive(event: Event) -> StatusCode {
    match handle(event) {
        Ok(()) => StatusCode::NO_CONTENT,
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

fn handle(mut event: Event) -> Result<(), Box<dyn std::error::Error>> {
    let published: Published = match event.take_data().2 {
        Some(Data::Json(value)) => serde_json::from_value(value)?,
        Some(Data::Binary(bytes)) => serde_json::from_slice(&bytes)?,
        Some(Data::String(text)) => serde_json::from_str(&text)?,
        None => return Err("the event has no data".into()),
    };
    let order: Order = serde_json::from_slice(&STANDARD.decode(published.message.data)?)?;
    if order.quantity == 0 || order.item.is_empty() {
        return Err(format!("order {} is of nothing", order.id).into());
    }
    Ok(())
}
