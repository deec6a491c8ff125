use super::conformance::chain;
use crate::{Deployer, Deployment, Error, Found, Silent};
use std::future::Future;

/// What came of one run of [`converges`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Run {
    /// Which call went wrong, counted from 0.
    pub call: usize,
    /// How many deploys failed before one succeeded.
    pub failures: usize,
}

/// Deploys once for each call that the provider's API gets, letting that call go wrong, and again until it succeeds: in the end
/// the same is there as after a deploy that nothing disturbed.
///
/// `cloud` makes a new cloud whose call with the given number, counted from 0, goes wrong once, and tells afterwards, by the second
/// function that it returns, whether so many calls were made at all; when they were not, everything has been tried.
///
/// # Panics
/// When it does not converge, or a deploy fails more than three times.
pub async fn converges<C, F, R>(cloud: C, deployment: &Deployment) -> Vec<Run>
where
    C: Fn(Option<usize>) -> F,
    F: Future<Output = (Deployer, R)>,
    R: Fn() -> bool,
{
    let (deployer, _kept) = cloud(None).await;
    deploy(&deployer, deployment)
        .await
        .unwrap_or_else(|error| panic!("the undisturbed deploy failed: {}", chain(&error)));
    let expected = state(&deployer, deployment).await;
    let mut runs = Vec::new();
    for call in 0.. {
        let (deployer, went_wrong) = cloud(Some(call)).await;
        let mut failures = 0;
        while let Err(error) = deploy(&deployer, deployment).await {
            failures += 1;
            assert!(failures <= 3, "call {call}: deploying again does not help: {}", chain(&error));
        }
        if !went_wrong() {
            break;
        }
        let found = state(&deployer, deployment).await;
        assert_eq!(found, expected, "call {call}: the same is there as without the fault");
        let plan = deployer
            .plan(deployment)
            .await
            .unwrap_or_else(|error| panic!("call {call}: {}", chain(&error)));
        assert!(plan.is_empty(), "call {call}: nothing is left to do: {plan:?}");
        runs.push(Run { call, failures });
    }
    runs
}

async fn deploy(deployer: &Deployer, deployment: &Deployment) -> Result<(), Error> {
    deployer.deploy(deployment, &Silent).await.map(drop)
}

/// What is there, without what differs from one cloud to the next.
async fn state(deployer: &Deployer, deployment: &Deployment) -> Vec<(String, crate::Properties)> {
    let found = deployer
        .status(&deployment.scope)
        .await
        .unwrap_or_else(|error| panic!("{}", chain(&error)));
    let urls: Vec<String> =
        found.iter().filter_map(|found| found.outputs.get(crate::URL).cloned()).collect();
    let mut state: Vec<_> = found
        .into_iter()
        .map(|Found { id, properties, .. }| (id.to_string(), without(&urls, properties)))
        .collect();
    state.sort_by(|one, other| one.0.cmp(&other.0));
    state
}

/// Addresses on this machine have a port of their own each time.
fn without(urls: &[String], properties: crate::Properties) -> crate::Properties {
    let text = serde_json::Value::Object(properties).to_string();
    let text =
        urls.iter().filter(|url| !url.is_empty()).fold(text, |text, url| text.replace(url, "URL"));
    serde_json::from_str(&text).expect("an address is no more than a text")
}
