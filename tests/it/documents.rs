//! Documents are checked when an event is decoded, and read when they are asked for: whatever is done to an event, what the
//! check lets through is read.

use omnifn::{Body, Codec, Event, Trigger};
use omnifn_core::testing::Fixture;
use omnifn_runtime_aws::AwsCodec;
use omnifn_runtime_gcp::GcpCodec;
use std::{fs, path::Path};

/// Reads what an event holds; a reader that finds less than the check did panics in a build with assertions. Whether it was
/// let through.
fn read<C: Codec>(codec: &C, fixture: &Fixture, body: Vec<u8>) -> bool {
    let (parts, _) = fixture.request().into_parts();
    let Ok(decoded) = codec.decode(Trigger::Database, parts, Body::from(body)) else {
        return false;
    };
    let Event::Database(batch) = decoded.event else { panic!("no change of a document") };
    for change in &batch.items {
        for document in [Some(&change.key), change.old.as_ref(), change.new.as_ref()] {
            let Some(document) = document else { continue };
            assert_eq!(document.len(), document.clone().into_fields().len());
        }
    }
    true
}

#[test]
fn what_the_check_lets_through_is_read() {
    let mut taken = 0;
    for provider in ["aws", "gcp"] {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures").join(provider);
        for file in fs::read_dir(folder.join("database")).unwrap() {
            let fixture = Fixture::parse(&fs::read_to_string(file.unwrap().path()).unwrap());
            let body = fixture.request().into_body();
            for at in (0..body.len()).step_by(5) {
                for byte in [b'"', b'1', b'\\', 0, 0x12, 0xff] {
                    let mut body = body.to_vec();
                    body[at] = byte;
                    taken += usize::from(match provider {
                        "aws" => read(&AwsCodec::default(), &fixture, body),
                        _ => read(&GcpCodec, &fixture, body),
                    });
                }
            }
        }
    }
    assert!(taken > 1000, "only {taken} events were let through");
}
