//! A batch of SQS messages on `lambda_runtime`, written for speed: the event stays raw and is read into borrowed
//! structs, each message is parsed, and those that fail are reported.

use std::borrow::Cow;

use lambda_runtime::{Error, LambdaEvent, run, service_fn};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

#[derive(Deserialize)]
struct Event<'a> {
    #[serde(borrow, rename = "Records")]
    records: Vec<Record<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Record<'a> {
    message_id: &'a str,
    #[serde(borrow)]
    body: Cow<'a, str>,
}

#[derive(Deserialize)]
struct Order<'a> {
    id: u64,
    #[serde(borrow)]
    item: Cow<'a, str>,
    quantity: u32,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Answer {
    batch_item_failures: Vec<Failure>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Failure {
    item_identifier: String,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    run(service_fn(handler)).await
}

async fn handler(event: LambdaEvent<Box<RawValue>>) -> Result<Answer, Error> {
    let event: Event<'_> = serde_json::from_str(event.payload.get())?;
    let failed = event.records.iter().filter(|record| ship(&record.body).is_err());
    let failures = failed.map(|record| Failure { item_identifier: record.message_id.to_owned() });
    Ok(Answer { batch_item_failures: failures.collect() })
}

fn ship(body: &str) -> Result<(), Error> {
    let order: Order<'_> = serde_json::from_str(body)?;
    if order.quantity == 0 || order.item.is_empty() {
        return Err(format!("order {} is of nothing", order.id).into());
    }
    Ok(())
}
