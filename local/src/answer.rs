//! What a cloud's caller gets, in a form that can be compared between clouds: that of the test kit, which this is.

use crate::{http_v2, provider::aws_codec, runtime_api::Reply};
use bytes::Bytes;
use http::Response;
use omnifn_core::{
    Trigger,
    testing::{Inverse as _, Sample},
};
use omnifn_runtime_aws::Reply as LambdaReply;
use omnifn_runtime_gcp::GcpCodec;

pub use omnifn_core::testing::{Answer, Difference, IGNORED_HEADERS, differences};

/// What Lambda's caller gets when the messages of `sample` were answered so.
pub(crate) fn from_lambda(sample: &Sample, mut replies: Vec<Reply>) -> Answer {
    // A stream is no document that could be read as one: its prelude came apart from its body.
    if let (Trigger::Http, [streamed @ Reply::Streamed { .. }]) = (sample.trigger(), &mut *replies)
    {
        return match http_v2::response(streamed) {
            Ok(response) => Answer::Response(response),
            Err(message) => Answer::Failed { error_type: None, message },
        };
    }
    let replies = replies.into_iter().map(posted).collect();
    aws_codec().unwrap(sample, replies).settled(sample)
}

/// A reply as the function posted it.
fn posted(reply: Reply) -> LambdaReply {
    match reply {
        Reply::Success(body) | Reply::Streamed { body, .. } => LambdaReply::Response(body),
        Reply::Error { ref body, .. } => {
            let error_type = reply.error_type().unwrap_or_else(|| "Unknown".to_owned());
            LambdaReply::Error { error_type, body: body.clone() }
        }
    }
}

/// What Google's sender makes of the responses to the requests of `sample`.
pub(crate) fn from_cloud_run(sample: &Sample, responses: Vec<Response<Bytes>>) -> Answer {
    let responses = responses.into_iter().map(|response| response.map(Into::into)).collect();
    GcpCodec.unwrap(sample, responses).settled(sample)
}

#[cfg(test)]
mod tests {
    use super::{Answer, differences, from_cloud_run, from_lambda};
    use crate::{Sample, Trigger, runtime_api::Reply, sample};
    use bytes::Bytes;
    use http::Response;

    #[track_caller]
    fn check(left: &Answer, right: &Answer, expected: &[&str]) {
        let found = differences(("aws", left), ("gcp", right));
        let found: Vec<_> = found.iter().map(ToString::to_string).collect();
        assert_eq!(found, expected);
    }

    fn sample(trigger: Trigger) -> Sample {
        sample::of(trigger).pop().unwrap()
    }

    fn response(status: u16, body: &'static str) -> Vec<Response<Bytes>> {
        vec![Response::builder().status(status).body(body.into()).unwrap()]
    }

    #[test]
    fn a_message_that_fails_on_one_cloud_only_is_a_difference() {
        let sample = sample(Trigger::Queue);
        let id = sample.event().ids().remove(0);
        let body = format!("{{\"batchItemFailures\":[{{\"itemIdentifier\":\"{id}\"}}]}}");
        let aws = from_lambda(sample.event(), vec![Reply::Success(body.into())]);
        let gcp = from_cloud_run(sample.event(), response(204, ""));
        check(&aws, &gcp, &[&format!("failed items: aws has {id}, gcp has none")]);
        check(&aws, &from_cloud_run(sample.event(), response(500, "")), &[]);
        check(&from_lambda(sample.event(), vec![Reply::error("Crash", "")]), &aws, &[]);
    }

    #[test]
    fn failing_is_the_same_on_every_cloud() {
        let sample = sample(Trigger::Timer);
        let aws = from_lambda(sample.event(), vec![Reply::error("Function.Full", "disk full")]);
        let gcp = from_cloud_run(sample.event(), response(500, "no"));
        check(&aws, &gcp, &[]);
        let done = from_lambda(sample.event(), vec![Reply::Success("null".into())]);
        let found = differences(("aws", &done), ("gcp", &gcp));
        assert_eq!(found[0].what, "outcome");
    }

    #[test]
    fn an_event_in_answer_is_compared_across_modes() {
        let sample = sample(Trigger::Event);
        let structured = "{\"type\":\"t\",\"specversion\":\"1.0\",\"id\":\"1\",\"source\":\"s\",\
                          \"datacontenttype\":\"application/json\",\"data\":{\"a\":1}}";
        let aws = from_lambda(sample.event(), vec![Reply::Success(structured.into())]);
        let binary = Response::builder()
            .header("ce-specversion", "1.0")
            .header("ce-id", "1")
            .header("ce-source", "s")
            .header("ce-type", "t")
            .header("content-type", "application/json")
            .body("{\"a\":1}".into())
            .unwrap();
        check(&aws, &from_cloud_run(sample.event(), vec![binary]), &[]);
    }
}
