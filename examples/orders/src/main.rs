//! A shop in one binary: orders come in by HTTP, are shipped from a queue and counted every night.

use omnifn::{
    App, Context, IntoOutput as _, Message, Payload, Request, Response, Result, StatusCode,
    TimerEvent, discard, each, http::Method,
};
use serde::{Deserialize, Serialize};
use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
};

fn main() -> Result<()> {
    omnifn::run(app())
}

fn app() -> App {
    App::new()
        .state(Shop::default())
        .function("create", create)
        .function("ship", each(ship).concurrency(4))
        .function("report", report)
}

#[derive(Clone, Debug, Deserialize, Serialize)]
struct Order {
    id: u64,
    item: String,
    quantity: u32,
}

/// What the functions share. A shop of more than one instance keeps its orders in a database, opened by `App::init`.
#[derive(Default)]
struct Shop(Mutex<BTreeMap<u64, Order>>);

impl Shop {
    fn add(&self, order: Order) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(order.id, order);
    }

    fn all(&self) -> Vec<Order> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }
}

/// `GET` lists the orders, `POST /orders` takes one.
async fn create(request: Request, context: Context) -> Result<Response> {
    let shop = context.state::<Shop>()?;
    match (request.method(), request.uri().path()) {
        (&Method::GET, _) => Payload(shop.all()).into_output(),
        (&Method::POST, "/orders") => {
            let order: Order = match request.into_body().json().await {
                Ok(order) => order,
                Err(error) => return (StatusCode::BAD_REQUEST, format!("{error}\n")).into_output(),
            };
            shop.add(order.clone());
            (StatusCode::CREATED, Payload(order)).into_output()
        }
        _ => StatusCode::NOT_FOUND.into_output(),
    }
}

/// Ships one order. A message that is no order can never be shipped: it is dropped rather than delivered for ever.
async fn ship(message: Message, _: Context) -> Result<()> {
    let order: Order = message.json().map_err(|error| discard(error.into_source()))?;
    if order.quantity == 0 {
        return Err("there is nothing to ship".into());
    }
    tracing::info!(order = order.id, item = order.item, "shipped");
    Ok(())
}

/// Counts the orders.
async fn report(timer: TimerEvent, context: Context) -> Result<()> {
    let orders = context.state::<Shop>()?.all();
    tracing::info!(timer = timer.name, orders = orders.len(), "report");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::app;
    use omnifn::{Batch, Context, Event, Message, Outcome, Request, TimerEvent, testing};
    use std::time::UNIX_EPOCH;

    #[tokio::test]
    async fn an_order_is_taken_listed_and_counted() {
        let functions = app().start().await.unwrap();
        let order = r#"{"id":7,"item":"book","quantity":2}"#;
        let post = Request::post("/orders").body(order.into()).unwrap();
        let outcome =
            functions.invoke("create", Event::Http(post), Context::new("1")).await.unwrap();
        let Outcome::Response(response) = outcome else { panic!("{outcome:?}") };
        assert_eq!(response.status(), 201);

        let get = Request::get("/orders").body("".into()).unwrap();
        let outcome =
            functions.invoke("create", Event::Http(get), Context::new("2")).await.unwrap();
        let Outcome::Response(response) = outcome else { panic!("{outcome:?}") };
        assert_eq!(response.into_body().text().await.unwrap(), format!("[{order}]"));

        let timer = Event::Timer(TimerEvent::new("nightly", UNIX_EPOCH));
        functions.invoke("report", timer, Context::new("3")).await.unwrap();
    }

    #[tokio::test]
    async fn one_bad_message_does_not_poison_the_batch() {
        let functions = app().start().await.unwrap();
        let message = |id: &'static str, data: &'static str| Message::new(id, "queue", data);
        let batch = Batch::new(vec![
            message("good", r#"{"id":1,"item":"book","quantity":1}"#),
            message("empty", r#"{"id":2,"item":"book","quantity":0}"#),
            message("no order", "hello"),
        ]);
        let outcome =
            functions.invoke("ship", Event::Queue(batch), Context::new("1")).await.unwrap();
        let Outcome::Batch(outcome) = outcome else { panic!("{outcome:?}") };
        assert_eq!(outcome.failed, ["empty"]);
    }

    #[tokio::test]
    async fn every_cloud_ships_the_same_orders() {
        let functions = app().start().await.unwrap();
        let logs = testing::capture_logs();
        let order = |quantity: u32| {
            let order = super::Order { id: 7, item: "book".to_owned(), quantity };
            testing::message("").json(&order)
        };
        let orders = testing::batch([order(2), order(0).id("empty"), testing::message("no order")]);
        let ship = functions.get("ship").unwrap();
        let answer = testing::invoke(ship, orders.clone()).answer().await.unwrap();
        assert_eq!(answer.to_string(), "failed: empty");
        assert!(logs.contains("shipped item=book order=7"), "{logs:?}");
        testing::assert_parity(ship, [orders]).await;
    }
}
