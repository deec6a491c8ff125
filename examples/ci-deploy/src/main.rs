//! Packages two functions and deploys each to both clouds, all at the same time. `AWS_REGION`, `GOOGLE_CLOUD_PROJECT` and
//! `GOOGLE_CLOUD_REGION` say where; `AWS_ENDPOINT_URL` and `GCP_ENDPOINT_URL` stand in for the clouds' own addresses.
#![expect(clippy::print_stdout, reason = "it is a program")]

use omnifn::deploy::{
    Deployer, Deployment, Plan, Scope, Settings, Silent,
    aws::Aws,
    gcp::{Gcp, GcpCredentials},
    package::{Architecture, Build, Cargo, Kind, Project, Provider, Target},
    settings::{Auth, Binding, HttpBinding},
};

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let project = Project::load(&Cargo::new(), None)?;
    let mut build = Build::new(&project);
    build.package("hello")?.package("orders")?.profile(variable("PROFILE", "release"));
    build.target(Target::aws(Architecture::X86_64)).target(Target::gcp(Kind::Source)?);
    let (aws, gcp) = (Deployer::new(Aws::builder().build().await?), Deployer::new(google()?));
    let mut planned = Vec::new();
    for artifact in build.run(&mut |_| {})? {
        let deployer = if artifact.provider == Provider::Aws { &aws } else { &gcp };
        let function = if artifact.binary == "orders" { "create" } else { "hello" };
        let mut url = HttpBinding::default();
        url.auth = Auth::None;
        let mut settings = Settings::default();
        settings.triggers.insert("url".to_owned(), Binding::Http(url));
        let scope = Scope::new("shop", &variable("STAGE", "dev"), function)?;
        let deployment = Deployment::new(scope, settings, artifact)?;
        let plan = deployer.plan(&deployment).await?;
        println!("{} {function}: {} changes", plan.provider, plan.steps.len());
        plan.steps.iter().for_each(|step| println!("  {step}"));
        planned.push(apply(deployer.clone(), deployment, plan));
    }
    // One that fails stops no other: running again goes on from there.
    for deployed in planned.into_iter().collect::<tokio::task::JoinSet<_>>().join_all().await {
        println!("{}", deployed?);
    }
    Ok(())
}

async fn apply(deployer: Deployer, deployment: Deployment, plan: Plan) -> anyhow::Result<String> {
    let known = deployer.apply(&plan, Some(&deployment.code), &Silent).await?;
    let url = known.url().unwrap_or("nowhere");
    Ok(format!("{} {} answers at {url}", plan.provider, plan.scope.function))
}

fn google() -> omnifn::deploy::Result<Gcp> {
    let gcp = Gcp::builder().project(variable("GOOGLE_CLOUD_PROJECT", ""));
    let gcp = gcp.region(variable("GOOGLE_CLOUD_REGION", ""));
    match std::env::var("GCP_ENDPOINT_URL") {
        Ok(url) => gcp.endpoint(url).credentials(GcpCredentials::Token("local".to_owned())).build(),
        Err(_) => gcp.build(),
    }
}

fn variable(name: &str, default: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| default.to_owned())
}
