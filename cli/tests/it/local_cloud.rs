use crate::project::{BUILDS, Project};
use serde_json::Value;
use std::{
    io::{BufRead as _, BufReader},
    process::{Child, ChildStderr, Command, Stdio},
};

/// `dev`, which is ended by Ctrl-C.
struct Dev {
    child: Child,
    log: BufReader<ChildStderr>,
}

impl Dev {
    fn start(shop: &Project, arguments: &[&str]) -> Self {
        let mut command = shop.command(&[&["dev", "-p", "thumbs"], arguments].concat());
        command.env("CARGO_NET_OFFLINE", "true").env_remove("OMNIFN_TEST_MEMORY");
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let log = BufReader::new(child.stderr.take().unwrap());
        Self { child, log }
    }

    /// The first line that has `text`; lines before it are gone.
    fn line(&mut self, text: &str) -> String {
        let mut all = String::new();
        loop {
            let mut line = String::new();
            assert!(self.log.read_line(&mut line).unwrap() > 0, "{text} is not in {all}");
            if line.contains(text) {
                return line;
            }
            all += &line;
        }
    }

    fn stop(mut self) {
        let id = self.child.id().to_string();
        assert!(Command::new("kill").args(["-INT", &id]).status().unwrap().success());
        assert_eq!(self.child.wait().unwrap().code(), Some(130));
    }
}

impl Drop for Dev {
    fn drop(&mut self) {
        self.child.kill().ok();
    }
}

fn here(shop: &Project, arguments: &[&str], code: i32) -> (String, String) {
    let mut command = shop.command(arguments);
    command.env("CARGO_NET_OFFLINE", "true").env_remove("OMNIFN_TEST_MEMORY");
    crate::project::check(&command.output().unwrap(), code)
}

#[test]
fn dev_serves_the_cloud_that_the_local_stage_is_deployed_to() {
    if !BUILDS {
        return;
    }
    let shop = Project::copy("shop");
    let text = std::fs::read_to_string(shop.path("thumbs/Cargo.toml")).unwrap();
    let (without_triggers, _) = text.split_once("[package.metadata.omnifn.triggers").unwrap();
    shop.write("thumbs/Cargo.toml", without_triggers);
    crate::deploy::program(
        &shop,
        "thumbs",
        r#"{"version":1,"functions":[{"name":"function","trigger":"direct"}]}"#,
    );
    let mut first = Dev::start(&shop, &[]);
    let line = first.line("the local cloud: aws http://127.0.0.1:");
    assert!(line.starts_with("     Serving ") && line.contains("deploy --stage local"), "{line}");
    let status = || here(&shop, &["local", "status", "--format", "json"], 0).0;
    let told: Value = serde_json::from_str(&status()).unwrap();
    assert_eq!(told["pid"], first.child.id());

    let (printed, log) = here(&shop, &["deploy", "thumbs", "--stage", "local"], 0);
    assert!(printed.starts_with("thumbs  aws  us-east-1"), "{printed}{log}");
    assert!(!log.contains("Started the local cloud"), "{log}");

    // A second one uses the same, and leaves it running.
    let mut second = Dev::start(&shop, &[]);
    let line = second.line("the local cloud of process");
    assert!(
        line.starts_with("       Using ") && line.contains(&first.child.id().to_string()),
        "{line}"
    );
    second.stop();
    status();
    first.stop();
    here(&shop, &["local", "status"], 1);

    // Without one, nothing is served; what was deployed is kept.
    let mut without = Dev::start(&shop, &["--no-cloud"]);
    let line = without.line(" ");
    assert!(!line.contains("local cloud"), "{line}");
    here(&shop, &["local", "status"], 1);
    without.stop();
    let (printed, _) = here(&shop, &["status", "thumbs", "--stage", "local"], 0);
    assert!(printed.contains("thumbs    aws    1 100 %"), "{printed}");
    here(&shop, &["local", "stop"], 0);
}
