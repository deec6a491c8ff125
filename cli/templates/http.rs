//! An HTTP function.

use omnifn::{Context, Payload, Request};
use serde::Serialize;

#[derive(Serialize)]
struct Greeting {
    hello: String,
}

async fn greet(request: Request, _: Context) -> Payload<Greeting> {
    let name = request.uri().path().trim_matches('/');
    let name = if name.is_empty() { "world" } else { name };
    Payload(Greeting { hello: name.to_owned() })
}

fn main() -> omnifn::Result<()> {
    omnifn::run(greet)
}

#[cfg(test)]
mod tests {
    use super::greet;
    use omnifn::{Function, testing};

    #[tokio::test]
    async fn somebody_is_greeted_on_every_cloud() {
        let function = Function::new(greet);
        let request = testing::request("GET", "https://example.com/Ada");
        let answer = testing::invoke(&function, request.sample()).answer().await.unwrap();
        assert_eq!(answer.to_string(), r#"200 {"hello":"Ada"}"#);
        let request = testing::request("GET", "https://example.com/Ada");
        testing::assert_parity(&function, [request.sample()]).await;
    }
}
