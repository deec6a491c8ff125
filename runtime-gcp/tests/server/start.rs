//! What keeps a server from starting, and how it says so.

use omnifn_core::{App, Context, Environment, Host, Platform as _, Request, Result};
use omnifn_runtime_gcp::CloudRun;

fn app() -> App {
    App::new()
        .function("order", async |_: Request, _: Context| "order")
        .function("ship", async |_: Request, _: Context| "ship")
}

async fn error(app: App, variables: &[(&str, &str)]) -> String {
    let host = Host::new(variables.iter().copied().collect());
    CloudRun.run(app, host).await.unwrap_err().to_string()
}

#[tokio::test]
async fn a_port_that_is_none_or_is_taken_is_named() {
    assert_eq!(
        error(app(), &[("PORT", "abc")]).await,
        "`PORT` is `abc`, but must be a port number from 1 to 65535"
    );
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    assert_eq!(
        error(app(), &[("PORT", &port), ("HOST", "127.0.0.1")]).await,
        format!(
            "port {port} is in use: end the process that has it, or set `PORT` or `--port` to another port"
        )
    );
}

#[tokio::test]
async fn an_unknown_function_is_answered_with_those_there_are() {
    assert_eq!(
        error(app(), &[("OMNIFN_FUNCTION", "bill")]).await,
        "there is no function `bill`; there are `order`, `ship`"
    );
    assert_eq!(
        error(app(), &[("K_SERVICE", "shop"), ("FUNCTION_TARGET", "bill")]).await,
        "this binary has the functions `order`, `ship`: set `OMNIFN_FUNCTION` or `FUNCTION_TARGET` to one of them"
    );
}

#[tokio::test]
async fn a_failing_init_ends_the_start_before_the_port_is_opened() {
    let app = app().init(async || Result::<u8>::Err("no database".into()));
    // A port that could not be opened: the init's error comes first.
    assert_eq!(error(app, &[("PORT", "1"), ("HOST", "203.0.113.1")]).await, "no database");
}

#[test]
fn the_platform_is_found_by_its_variables() {
    let detect = |names: &[&str]| CloudRun.detect(&names.iter().map(|name| (*name, "x")).collect());
    for name in ["K_SERVICE", "PORT", "FUNCTION_TARGET", "FUNCTION_SIGNATURE_TYPE"] {
        assert!(detect(&[name]), "{name}");
    }
    assert!(!detect(&[]) && !detect(&["HOST", "OMNIFN_FUNCTION", "HOME"]));
    assert!(CloudRun.is_concurrent(&Environment::default()));
    assert_eq!(CloudRun.name(), "gcp_cloud_run");
}
