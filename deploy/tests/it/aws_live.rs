//! A real account, when `OMNIFN_LIVE_AWS=1` says so: with the credentials and the region that AWS's own tools find. Makes a
//! function without triggers called `omnifn-live-<number of the process>`, and removes it. It costs nothing to speak of.

use omnifn_deploy::{
    Deployer, Deployment, Scope, Settings, Silent, aws::Aws, package::Provider, testing,
};

#[tokio::test]
async fn a_function_is_deployed_to_a_real_account_and_removed() {
    if std::env::var_os("OMNIFN_LIVE_AWS").is_none_or(|value| value != "1") {
        return;
    }
    let deployer = Deployer::new(Aws::builder().build().await.unwrap());
    let scope = Scope::new("omnifn", "live", &format!("f{}", std::process::id())).unwrap();
    let code = testing::archive(Provider::Aws, "first");
    let first = Deployment::new(scope.clone(), Settings::default(), code).unwrap();
    let outcome = try_it(&deployer, &first).await;
    // Whatever came of it, nothing stays there.
    deployer.remove(&scope, &Silent).await.unwrap();
    outcome.unwrap();
    assert_eq!(deployer.status(&scope).await.unwrap(), []);
}

async fn try_it(deployer: &Deployer, first: &Deployment) -> omnifn_deploy::Result<()> {
    deployer.deploy(first, &Silent).await?;
    assert!(deployer.plan(first).await?.is_empty(), "a second deploy plans nothing");
    let mut second = first.clone();
    second.code = testing::archive(Provider::Aws, "second");
    second.settings.memory = "512MiB".parse().expect("an amount of memory");
    deployer.deploy(&second, &Silent).await?;
    assert!(deployer.plan(&second).await?.is_empty(), "a second deploy plans nothing");
    deployer.shift(&second.scope, "1", 25).await?;
    let releases = deployer.releases(&second.scope).await?;
    let percents: Vec<_> = releases.iter().map(|release| release.percent).collect();
    assert_eq!(percents, [75, 25], "{releases:?}");
    Ok(())
}
