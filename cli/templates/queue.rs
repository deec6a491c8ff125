//! A function of messages: a failed one is delivered again, the others are done.

use omnifn::{Context, Message, Result, discard, each};
use serde::Deserialize;

#[derive(Deserialize)]
struct Order {
    id: u64,
    quantity: u32,
}

async fn ship(message: Message, _: Context) -> Result<()> {
    // No order, and it never will be: acknowledged, logged, not delivered again.
    let order: Order = message.json().map_err(|error| discard(error.into_source()))?;
    if order.quantity == 0 {
        return Err("there is nothing to ship".into());
    }
    println!("shipped order {}", order.id);
    Ok(())
}

fn main() -> Result<()> {
    omnifn::run(each(ship))
}

#[cfg(test)]
mod tests {
    use super::ship;
    use omnifn::{Function, each, testing};

    #[tokio::test]
    async fn one_bad_message_does_not_poison_the_batch() {
        let function = Function::new(each(ship));
        let messages = testing::batch([
            testing::message(r#"{"id":1,"quantity":2}"#),
            testing::message(r#"{"id":2,"quantity":0}"#).id("empty"),
            testing::message("no order"),
        ]);
        let answer = testing::invoke(&function, messages.clone()).answer().await.unwrap();
        assert_eq!(answer.to_string(), "failed: empty");
        testing::assert_parity(&function, [messages]).await;
    }
}
