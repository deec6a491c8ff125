//! No input may panic or hang a codec: every fixture's message, cut off anywhere and with any byte changed, sent to the
//! function that it was meant for, and some of them to functions of every other trigger.

use omnifn::{Body, Codec, Trigger, http::HeaderValue, http::request::Parts};
use omnifn_core::testing::Fixture;
use omnifn_runtime_aws::AwsCodec;
use omnifn_runtime_gcp::GcpCodec;
use std::{fs, path::Path};

/// A large fixture is changed in so many places, evenly, that the whole takes seconds.
const PLACES: usize = 250;
/// Of these, so many go to the functions that the message was not meant for.
const ELSEWHERE: usize = 25;

/// Those of every folder: there is one for each trigger.
fn fixtures(provider: &str) -> Vec<(Trigger, Fixture)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures").join(provider);
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        let trigger = entry.file_name().to_string_lossy().parse().unwrap();
        for file in fs::read_dir(entry.path()).unwrap() {
            let text = fs::read_to_string(file.unwrap().path()).unwrap();
            found.push((trigger, Fixture::parse(&text)));
        }
    }
    found
}

fn mangle<C: Codec>(codec: &C, trigger: Trigger, fixture: &Fixture) {
    let (parts, body) = fixture.request().into_parts();
    // Whether it is read or refused does not matter here.
    let send = |trigger: Trigger, parts: &Parts, body: Vec<u8>| {
        let _ = codec.decode(trigger, parts.clone(), Body::from(body));
    };
    for other in Trigger::ALL {
        let places = if *other == trigger { PLACES } else { ELSEWHERE };
        for at in (0..body.len()).step_by((body.len() / places).max(1)) {
            send(*other, &parts, body[..at].to_vec());
            for byte in [b'"', b'{', b'9', 0xff] {
                let mut body = body.to_vec();
                body[at] = byte;
                send(*other, &parts, body);
            }
        }
        for name in parts.headers.keys() {
            let mut parts = parts.clone();
            parts.headers.insert(name, HeaderValue::from_bytes(b"\xff%zz,;=").unwrap());
            send(*other, &parts, body.to_vec());
        }
        send(*other, &parts, body.to_vec());
    }
}

#[test]
fn no_event_of_lambda_panics() {
    for (trigger, fixture) in fixtures("aws") {
        mangle(&AwsCodec::default(), trigger, &fixture);
    }
}

#[test]
fn no_request_of_google_panics() {
    for (trigger, fixture) in fixtures("gcp") {
        mangle(&GcpCodec, trigger, &fixture);
    }
}
