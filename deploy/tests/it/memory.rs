//! The provider in memory, and through it what is the same for all of them.

use omnifn_deploy::{
    Action, Deployer, Deployment, Error, Event, Resource, ResourceId, Scope, Settings, Silent,
    memory::{Fault, InMemory},
    package::Provider,
    settings::Binding,
    testing,
};
use serde_json::json;
use std::sync::Mutex;

fn rich() -> Deployment {
    let settings: Settings = serde_json::from_value(json!({
        "memory": "512MiB",
        "env": { "RUST_LOG": "info" },
        "secrets": { "DB_URL": "orders-db-url" },
        "triggers": {
            "orders": { "type": "queue", "batch-size": 10 },
            "returns": { "type": "queue", "topic": "returns" },
        },
    }))
    .unwrap();
    let scope = Scope::new("shop", "test", "orders").unwrap();
    Deployment::new(scope, settings, testing::archive(Provider::Aws, "first")).unwrap()
}

#[tokio::test]
async fn it_keeps_what_every_provider_promises() {
    testing::conformance(InMemory::default, &rich()).await;
    testing::conformance(InMemory::default, &testing::deployment(Provider::Aws, "plain")).await;
}

#[tokio::test]
async fn it_converges_whichever_step_goes_wrong() {
    for fault in Fault::ALL {
        let cloud = |call: Option<usize>| async move {
            let cloud = InMemory::default();
            if let Some(call) = call {
                cloud.fail(call, *fault);
            }
            let calls = cloud.clone();
            let changes = move || {
                calls.calls().iter().filter(|call| *call != "read").count()
                    > call.unwrap_or_default()
            };
            (Deployer::new(cloud), changes)
        };
        let runs = testing::converges(cloud, &rich()).await;
        assert_eq!(runs.len(), 4, "function, traffic and two triggers: {runs:?}");
        assert!(runs.iter().all(|run| run.failures == 1), "{runs:?}");
    }
}

#[tokio::test]
async fn planning_reads_and_does_nothing_else() {
    let cloud = InMemory::default();
    let deployer = Deployer::new(cloud.clone());
    deployer.plan(&rich()).await.unwrap();
    deployer.plan_removal(&rich().scope).await.unwrap();
    assert_eq!(cloud.calls(), ["read", "read"]);
    assert!(cloud.resources().is_empty());
}

#[tokio::test]
async fn what_omnifn_did_not_make_is_left_alone_unless_it_is_to_be_adopted() {
    let cloud = InMemory::default();
    let mut deployment = rich();
    let id = ResourceId::new("function", deployment.scope.resource_name(63));
    cloud.insert_foreign(&Resource::new(id.clone(), json!({ "memory": "1GiB" })));
    let deployer = Deployer::new(cloud.clone());
    let error = deployer.plan(&deployment).await.unwrap_err();
    assert!(
        matches!(error, Error::NotOurs { .. }) && error.to_string().contains("adopt = true"),
        "{error}"
    );
    deployer.remove(&deployment.scope, &Silent).await.unwrap();
    assert!(cloud.resources().contains_key(&id.to_string()), "and it is not removed");
    deployment.settings.adopt = true;
    let (plan, _) = deployer.deploy(&deployment, &Silent).await.unwrap();
    assert_eq!((plan.steps[0].action, &plan.steps[0].id), (Action::Update, &id));
    deployer.remove(&deployment.scope, &Silent).await.unwrap();
    assert!(cloud.resources().is_empty(), "now it is ours");
}

#[tokio::test]
async fn what_cannot_be_had_is_told_before_anything_is_read() {
    let cloud = InMemory::default();
    let mut deployment = rich();
    deployment.settings.memory = "64MiB".parse().unwrap();
    let error = Deployer::new(cloud.clone()).plan(&deployment).await.unwrap_err();
    assert_eq!(error.to_string(), "`memory`: it is 64MiB, but aws allows 128MiB or more");
    assert!(cloud.calls().is_empty());
}

#[tokio::test]
async fn each_step_is_told_and_an_error_says_which_one_failed() {
    let cloud = InMemory::default();
    cloud.fail(2, Fault::Refused);
    let told = Mutex::new(Vec::new());
    let tell = |event: Event<'_>| {
        if let Event::Started { step, number, all, .. } = event {
            told.lock().unwrap().push(format!("{number}/{all} {step}"));
        }
    };
    let error = Deployer::new(cloud).deploy(&rich(), &tell).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "create trigger/shop-test-orders-orders failed after 2 of 4 steps; running again is safe and goes on from here"
    );
    assert!(error.is_transient());
    assert_eq!(told.into_inner().unwrap()[0], "1/4 create function/shop-test-orders");
}

#[test]
fn triggers_of_different_kinds_are_refused() {
    let settings: Settings = serde_json::from_value(json!({
        "triggers": { "orders": { "type": "queue" }, "url": { "type": "http" } },
    }))
    .unwrap();
    assert!(matches!(settings.triggers["orders"], Binding::Queue(_)));
    let scope = Scope::new("shop", "test", "orders").unwrap();
    let error =
        Deployment::new(scope, settings, testing::archive(Provider::Aws, "first")).unwrap_err();
    assert_eq!(
        error.to_string(),
        "`triggers`: `orders` and `url` are of different kinds, but a function handles one: deploy a function for each"
    );
}

#[test]
fn keys_that_nobody_knows_are_refused() {
    for wrong in [
        json!({ "memori": "256MiB" }),
        json!({ "aws": { "rolle": "x" } }),
        json!({ "triggers": { "a": { "type": "queue", "batchsize": 1 } } }),
        json!({ "triggers": { "a": { "type": "cron" } } }),
        json!({ "memory": 256 }),
    ] {
        serde_json::from_value::<Settings>(wrong).unwrap_err();
    }
}
