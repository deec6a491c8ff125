use crate::{Action, Deployer, Deployment, Error, Plan, Provider, Rollout, Silent};

/// What every provider promises, checked one by one, each on a cloud of its own that `provider` makes. Deployments must be such
/// that the provider can have them; the richer, the better.
///
/// # Panics
/// When a promise does not hold; the message says which.
pub async fn conformance<P: Provider + 'static>(provider: impl Fn() -> P, deployment: &Deployment) {
    a_second_deploy_plans_nothing(&Deployer::new(provider()), deployment).await;
    a_changed_setting_is_one_update(&Deployer::new(provider()), deployment).await;
    new_code_is_a_new_release(&Deployer::new(provider()), deployment).await;
    held_traffic_stays_where_it_is(&Deployer::new(provider()), deployment).await;
    a_trigger_that_is_not_wanted_any_more_goes(&Deployer::new(provider()), deployment).await;
    removing_leaves_nothing(&Deployer::new(provider()), deployment).await;
    a_plan_that_was_reviewed_fits_until_something_changes(&Deployer::new(provider()), deployment)
        .await;
}

async fn deploy(deployer: &Deployer, deployment: &Deployment) -> Plan {
    match deployer.deploy(deployment, &Silent).await {
        Ok((plan, _)) => plan,
        Err(error) => panic!("deploying {} failed: {}", deployment.scope, chain(&error)),
    }
}

async fn plan(deployer: &Deployer, deployment: &Deployment) -> Plan {
    match deployer.plan(deployment).await {
        Ok(plan) => plan,
        Err(error) => panic!("planning {} failed: {}", deployment.scope, chain(&error)),
    }
}

/// What an error says, with all its causes: for a test that fails.
pub fn chain(error: &Error) -> String {
    let mut text = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(error) = source {
        text = format!("{text}: {error}");
        source = error.source();
    }
    text
}

async fn a_second_deploy_plans_nothing(deployer: &Deployer, deployment: &Deployment) {
    let first = deploy(deployer, deployment).await;
    assert!(
        first.steps.iter().all(|step| step.action == Action::Create),
        "on an empty cloud everything is made: {first:?}"
    );
    let second = plan(deployer, deployment).await;
    assert!(second.is_empty(), "a second deploy plans nothing: {second:?}");
    let listed = deployer
        .list(&deployment.scope.app, &deployment.scope.stage)
        .await
        .expect("functions can be listed");
    assert_eq!(listed, std::slice::from_ref(&deployment.scope), "what is deployed is listed");
}

async fn a_changed_setting_is_one_update(deployer: &Deployer, deployment: &Deployment) {
    deploy(deployer, deployment).await;
    let mut changed = deployment.clone();
    changed.settings.env.insert("OMNIFN_TEST_COLOUR".into(), "blue".into());
    let plan = plan(deployer, &changed).await;
    assert!(
        plan.steps.iter().all(|step| step.action == Action::Update),
        "a changed setting makes nothing new: {plan:?}"
    );
    let text = serde_json::to_string(&plan).expect("a plan can be written down");
    assert!(!text.contains("blue"), "no value of a variable stands in a plan: {text}");
    deploy(deployer, &changed).await;
    assert!(
        self::plan(deployer, &changed).await.is_empty(),
        "a changed setting is there afterwards"
    );
}

async fn new_code_is_a_new_release(deployer: &Deployer, deployment: &Deployment) {
    deploy(deployer, deployment).await;
    let scope = &deployment.scope;
    let before = deployer.releases(scope).await.expect("there are releases");
    assert_eq!(
        before.iter().map(|release| u32::from(release.percent)).sum::<u32>(),
        100,
        "all traffic goes somewhere: {before:?}"
    );
    let mut changed = deployment.clone();
    changed.code = super::archive::archive_like(&deployment.code, "second");
    deploy(deployer, &changed).await;
    let after = deployer.releases(scope).await.expect("there are releases");
    assert_eq!(after.len(), before.len() + 1, "new code is a new release: {after:?}");
    assert_eq!(
        (after[0].percent, after[1].percent),
        (100, 0),
        "it gets all of the traffic: {after:?}"
    );
    deployer.rollback(scope, None).await.expect("one can go back");
    let back = deployer.releases(scope).await.expect("there are releases");
    assert_eq!(
        (back[0].percent, back[1].percent),
        (0, 100),
        "going back moves the traffic: {back:?}"
    );
    assert_eq!(back.len(), after.len(), "going back makes no release");
}

async fn held_traffic_stays_where_it_is(deployer: &Deployer, deployment: &Deployment) {
    deploy(deployer, deployment).await;
    let mut changed = deployment.clone();
    changed.code = super::archive::archive_like(&deployment.code, "third");
    changed.rollout = Rollout::Hold;
    deploy(deployer, &changed).await;
    let scope = &deployment.scope;
    let releases = deployer.releases(scope).await.expect("there are releases");
    assert_eq!(
        (releases[0].percent, releases[1].percent),
        (0, 100),
        "held traffic stays: {releases:?}"
    );
    deployer.shift(scope, &releases[0].id, 25).await.expect("traffic can be shared");
    let releases = deployer.releases(scope).await.expect("there are releases");
    assert_eq!(
        (releases[0].percent, releases[1].percent),
        (25, 75),
        "traffic is shared: {releases:?}"
    );
    deployer.promote(scope).await.expect("the newest can be promoted");
    let releases = deployer.releases(scope).await.expect("there are releases");
    assert_eq!(
        (releases[0].percent, releases[1].percent),
        (100, 0),
        "the newest has it all: {releases:?}"
    );
}

async fn a_trigger_that_is_not_wanted_any_more_goes(deployer: &Deployer, deployment: &Deployment) {
    deploy(deployer, deployment).await;
    let mut changed = deployment.clone();
    changed.settings.triggers.clear();
    let plan = deploy(deployer, &changed).await;
    let is_there = !deployment.settings.triggers.is_empty()
        && deployment.trigger != omnifn_core::Trigger::Direct;
    assert_eq!(
        plan.steps.iter().any(|step| step.action == Action::Delete),
        is_there,
        "what is not wanted any more is deleted: {plan:?}"
    );
    assert!(self::plan(deployer, &changed).await.is_empty(), "it is gone afterwards");
}

async fn removing_leaves_nothing(deployer: &Deployer, deployment: &Deployment) {
    deploy(deployer, deployment).await;
    let scope = &deployment.scope;
    let removed = deployer.remove(scope, &Silent).await;
    let plan = removed.unwrap_or_else(|error| panic!("removing failed: {}", chain(&error)));
    assert!(
        plan.steps.iter().all(|step| step.action == Action::Delete),
        "removing deletes: {plan:?}"
    );
    let left = deployer.status(scope).await.expect("what is there can be read");
    assert!(left.is_empty(), "nothing is left: {left:?}");
    let listed = deployer.list(&scope.app, &scope.stage).await.expect("functions can be listed");
    assert!(listed.is_empty(), "nothing is listed: {listed:?}");
    let again = deployer.remove(scope, &Silent).await.expect("removing again is no error");
    assert!(again.is_empty(), "there is nothing to remove: {again:?}");
}

async fn a_plan_that_was_reviewed_fits_until_something_changes(
    deployer: &Deployer,
    deployment: &Deployment,
) {
    let reviewed = serde_json::to_string(&plan(deployer, deployment).await)
        .expect("a plan can be written down");
    let reviewed = serde_json::from_str(&reviewed).expect("and read again");
    plan(deployer, deployment).await.check(&reviewed).expect("it fits");
    let mut changed = deployment.clone();
    changed.settings.memory = crate::Memory::from_mib(deployment.settings.memory.mib() * 2);
    let error =
        plan(deployer, &changed).await.check(&reviewed).expect_err("other settings do not fit");
    assert!(matches!(error, Error::Stale { .. }), "{error}");
    deploy(deployer, deployment).await;
    let error =
        plan(deployer, deployment).await.check(&reviewed).expect_err("what is there has changed");
    assert!(matches!(error, Error::Stale { .. }), "{error}");
}
