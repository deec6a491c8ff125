//! What else goes wrong in the midst of a deploy: credentials that expire, and somebody who deploys the same.

use crate::aws_cloud::{Cloud, aws, deployment};
use omnifn_deploy::{
    Deployer, Deployment, Silent,
    testing::{Cut, chain},
};
use serde_json::json;

fn orders() -> Deployment {
    let orders = json!({ "type": "queue", "batch-size": 10 });
    deployment("orders", json!({ "env": { "A1": "b" }, "triggers": { "orders": orders } }))
}

fn expired() -> Cut {
    let headers =
        [("content-type", "application/json"), ("x-amzn-errortype", "ExpiredTokenException")];
    Cut::answer(
        403,
        &headers,
        r#"{"message":"The security token included in the request is expired"}"#,
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn credentials_that_expire_in_the_midst_are_told_with_the_step_and_the_next_deploy_goes_on() {
    let deployment = orders();
    for call in [
        "POST /2015-03-31/functions",
        "POST /2015-03-31/functions/shop-test-orders/aliases",
        "POST /2015-03-31/event-source-mappings",
    ] {
        let cloud = Cloud::start().await;
        let proxy = cloud.proxy().await;
        proxy.cut(call, expired());
        let deployer = Deployer::new(aws(&proxy.endpoint()).await);
        let error = deployer.deploy(&deployment, &Silent).await.unwrap_err();
        let told = chain(&error);
        assert!(error.is_credentials(), "{call}: {told}");
        assert!(told.contains("steps; running again is safe"), "{call}: {told}");
        assert!(told.contains("is expired"), "{call}: {told}");
        // Asking again with the same credentials would be of no use.
        let calls = proxy.calls();
        assert!(calls.last().is_some_and(|last| last.starts_with(call)), "{calls:?}");

        deployer.deploy(&deployment, &Silent).await.unwrap();
        let plan = deployer.plan(&deployment).await.unwrap();
        assert!(plan.is_empty(), "{call}: {plan:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_deploys_at_once_make_nothing_twice_and_end_as_one() {
    let deployment = orders();
    for _ in 0..5 {
        let cloud = Cloud::start().await;
        let (one, other) = (cloud.deployer().await, cloud.deployer().await);
        let (first, second) =
            tokio::join!(one.deploy(&deployment, &Silent), other.deploy(&deployment, &Silent));
        // One of them may be told that somebody was faster; both may not.
        let failures: Vec<_> =
            [&first, &second].iter().filter_map(|done| done.as_ref().err().map(chain)).collect();
        assert!(failures.len() < 2, "{failures:?}");
        one.deploy(&deployment, &Silent).await.unwrap();
        let plan = other.plan(&deployment).await.unwrap();
        assert!(plan.is_empty(), "{failures:?}: {plan:?}");
        let there = one.status(&deployment.scope).await.unwrap();
        let mut kinds: Vec<_> = there.iter().map(|found| found.id.to_string()).collect();
        kinds.sort();
        let all = kinds.len();
        kinds.dedup();
        assert_eq!(kinds.len(), all, "{kinds:?}");
        let releases = one.releases(&deployment.scope).await.unwrap();
        assert!(releases.len() <= 2, "{releases:?}");
    }
}
