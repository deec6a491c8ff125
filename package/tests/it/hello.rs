//! `examples/hello`, built and packed for AWS, unpacked as Lambda does, and invoked.

use omnifn_local::{Binary, Lambda, Options};
use omnifn_package::{Architecture, Build, Cargo, Progress, Project, Target};
use std::{
    fs,
    io::{Cursor, Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    os::unix::fs::PermissionsExt as _,
    path::Path,
    time::Duration,
};

fn get(address: SocketAddr) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    stream.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

#[tokio::test]
async fn the_archive_of_hello_starts_and_answers() {
    if !crate::BUILDS_HERE {
        return;
    }
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("../Cargo.toml");
    let project = Project::load(Cargo::new().offline(true), Some(&manifest)).unwrap();
    let mut build = Build::new(&project);
    build.package("hello").unwrap().target(Target::aws(Architecture::X86_64)).profile("dev");
    let mut said = Vec::new();
    let built = build.run(&mut |progress| {
        if let Progress::Said(line) = progress {
            said.push(line.to_owned());
        }
    });
    let artifact = built.unwrap_or_else(|error| panic!("{error}\n{}", said.join("\n"))).remove(0);
    let functions = artifact.functions.as_deref().unwrap();
    assert_eq!(functions.len(), 1, "{functions:?}");

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bootstrap");
    let mut archive = zip::ZipArchive::new(Cursor::new(&artifact.archive)).unwrap();
    let mut entry = archive.by_name("bootstrap").unwrap();
    let mut bytes = Vec::new();
    entry.read_to_end(&mut bytes).unwrap();
    fs::write(&path, bytes).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(entry.unix_mode().unwrap())).unwrap();

    let lambda = Lambda::start(&Binary::new(&path), &functions[0], Options::default()).unwrap();
    lambda.ready().await.unwrap();
    let address = lambda.address();
    let answer = tokio::task::spawn_blocking(move || get(address)).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    lambda.stop().await;
}
