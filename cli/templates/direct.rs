//! A function that is called with a payload, and answers with one.

use omnifn::{Context, Payload, Result};
use serde::{Deserialize, Serialize};

#[derive(Deserialize)]
struct Question {
    name: String,
}

#[derive(Serialize)]
struct Answer {
    hello: String,
}

async fn greet(Payload(question): Payload<Question>, _: Context) -> Result<Payload<Answer>> {
    Ok(Payload(Answer { hello: question.name }))
}

fn main() -> Result<()> {
    omnifn::run(greet)
}

#[cfg(test)]
mod tests {
    use super::greet;
    use omnifn::{Function, testing};
    use std::collections::BTreeMap;

    #[tokio::test]
    async fn a_question_is_answered_on_every_cloud() {
        let function = Function::new(greet);
        let question = testing::payload(&BTreeMap::from([("name", "Ada")]));
        let answer = testing::invoke(&function, question.clone()).answer().await.unwrap();
        assert_eq!(answer.to_string(), r#"{"hello":"Ada"}"#);
        testing::assert_parity(&function, [question]).await;
    }
}
