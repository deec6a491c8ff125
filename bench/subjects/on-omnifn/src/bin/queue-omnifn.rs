//! Each message of a queue is parsed: SQS on Lambda, Pub/Sub on Cloud Run.

use omnifn::{Context, Message, Result, each};
use serde::Deserialize;

#[derive(Deserialize)]
struct Order {
    id: u64,
    item: String,
    quantity: u32,
}

fn main() -> Result<()> {
    omnifn::run(each(ship))
}

async fn ship(message: Message, _: Context) -> Result<()> {
    let order: Order = message.json()?;
    if order.quantity == 0 || order.item.is_empty() {
        return Err(format!("order {} is of nothing", order.id).into());
    }
    Ok(())
}
