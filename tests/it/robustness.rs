//! No input may panic or hang a codec: every fixture's body, cut off anywhere and with any byte changed, sent to a
//! function of every trigger.

use omnifn::{Body, Codec, Trigger, http::request::Parts};
use omnifn_core::testing::Fixture;
use omnifn_runtime_aws::AwsCodec;
use omnifn_runtime_gcp::GcpCodec;
use std::{fs, path::Path};

fn fixtures(provider: &str) -> Vec<Fixture> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures").join(provider);
    let mut found = Vec::new();
    for trigger in fs::read_dir(folder).unwrap() {
        for file in fs::read_dir(trigger.unwrap().path()).unwrap() {
            found.push(Fixture::parse(&fs::read_to_string(file.unwrap().path()).unwrap()));
        }
    }
    found
}

fn mangle<C: Codec>(codec: &C, fixture: &Fixture) {
    let (parts, body) = fixture.request().into_parts();
    let send = |parts: Parts, body: Vec<u8>| {
        for trigger in Trigger::ALL {
            // Whether it is read or refused does not matter here.
            let _ = codec.decode(*trigger, parts.clone(), Body::from(body.clone()));
        }
    };
    // Long bodies are alike in many places.
    let step = (body.len() / 200).max(3);
    for length in (0..=body.len()).step_by(step) {
        send(parts.clone(), body[..length].to_vec());
    }
    for at in (0..body.len()).step_by(step) {
        for byte in [b'"', b'{', 0xff] {
            let mut body = body.to_vec();
            body[at] = byte;
            send(parts.clone(), body);
        }
    }
    for name in parts.headers.keys() {
        let mut parts = parts.clone();
        parts.headers.insert(name, omnifn::http::HeaderValue::from_bytes(b"\xff%zz,;=").unwrap());
        send(parts, body.to_vec());
    }
}

#[test]
fn no_event_of_lambda_panics() {
    for fixture in fixtures("aws") {
        mangle(&AwsCodec::default(), &fixture);
    }
}

#[test]
fn no_request_of_google_panics() {
    for fixture in fixtures("gcp") {
        mangle(&GcpCodec, &fixture);
    }
}
