//! A function of events that have no type of their own: CloudEvents.

use omnifn::{CloudEvent, Context, Result};

async fn on_shipped(event: CloudEvent, _: Context) -> Result<()> {
    println!("{} from {}", event.ty, event.source);
    Ok(())
}

fn main() -> Result<()> {
    omnifn::run(on_shipped)
}

#[cfg(test)]
mod tests {
    use super::on_shipped;
    use omnifn::{Function, testing};
    use std::collections::BTreeMap;

    #[tokio::test]
    async fn an_event_arrives_from_every_cloud() {
        let function = Function::new(on_shipped);
        let data = BTreeMap::from([("id", 7)]);
        let event = testing::cloud_event("order.shipped").json(&data).sample();
        let answer = testing::invoke(&function, event.clone()).answer().await.unwrap();
        assert_eq!(answer.to_string(), "done");
        testing::assert_parity(&function, [event]).await;
    }
}
