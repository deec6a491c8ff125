//! A function of documents in a database.

use omnifn::{Context, DocumentChange, Result, each};

async fn index(change: DocumentChange, _: Context) -> Result<()> {
    match &change.new {
        Some(document) => println!("index {}: {}", change.key.to_json(), document.to_json()),
        None => println!("forget {}", change.key.to_json()),
    }
    Ok(())
}

fn main() -> Result<()> {
    omnifn::run(each(index))
}

#[cfg(test)]
mod tests {
    use super::index;
    use omnifn::{Function, each, testing};
    use std::collections::BTreeMap;

    #[tokio::test]
    async fn a_new_document_is_indexed_on_every_cloud() {
        let function = Function::new(each(index));
        let key = BTreeMap::from([("id", "7")]);
        let document = BTreeMap::from([("id", "7"), ("item", "book")]);
        let changes = testing::batch([testing::change("orders", key).created(&document)]);
        let answer = testing::invoke(&function, changes.clone()).answer().await.unwrap();
        assert_eq!(answer.to_string(), "all handled");
        testing::assert_parity(&function, [changes]).await;
    }
}
