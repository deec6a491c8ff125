//! What a reply tells each provider.

use crate::Judged;
use http::StatusCode;
use omnifn_core::{Response, Trigger};
use omnifn_runtime_aws::{AwsCodec, Reply, testing::unwrap_http};
use omnifn_runtime_gcp::GcpCodec;
use serde_json::Value;

impl Judged for AwsCodec {
    fn is_success(trigger: Trigger, reply: Reply) -> bool {
        let Reply::Response(document) = reply else { return false };
        match trigger {
            Trigger::Http => {
                unwrap_http(&document).is_ok_and(|response| is_answer(response.status()))
            }
            Trigger::Queue | Trigger::Storage | Trigger::Database => {
                let answer: Value = serde_json::from_slice(&document).expect("an answer is JSON");
                // The ones that are named are delivered again.
                answer["batchItemFailures"].as_array().is_none_or(Vec::is_empty)
            }
            _ => true,
        }
    }
}

impl Judged for GcpCodec {
    fn is_success(_: Trigger, reply: Response) -> bool {
        is_answer(reply.status())
    }
}

fn is_answer(status: StatusCode) -> bool {
    status.is_success()
}
