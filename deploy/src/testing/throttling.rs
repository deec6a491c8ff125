//! What a provider's service answers whoever asks too often.

use hyper::http::request::Parts;

/// A status, headers and a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Throttling {
    pub(super) status: u16,
    pub(super) headers: &'static [(&'static str, &'static str)],
    pub(super) body: &'static str,
}

/// Without a signature of AWS's, it is Google who is asked.
const GOOGLE: Throttling = Throttling {
    status: 429,
    headers: &[("content-type", "application/json")],
    body: r#"{"error":{"code":429,"message":"Quota exceeded","status":"RESOURCE_EXHAUSTED"}}"#,
};
/// IAM, STS (docs.aws.amazon.com/IAM/latest/APIReference/CommonErrors.html).
const QUERY: Throttling = Throttling {
    status: 400,
    headers: &[("content-type", "text/xml")],
    body: "<ErrorResponse><Error><Type>Sender</Type><Code>Throttling</Code><Message>Rate exceeded</Message></Error>\
           <RequestId>1</RequestId></ErrorResponse>",
};
/// `ThrottledException` in botocore's model 1.44 of SNS.
const SNS: Throttling = Throttling {
    status: 429,
    headers: &[("content-type", "text/xml")],
    body: "<ErrorResponse><Error><Type>Sender</Type><Code>Throttled</Code><Message>Rate exceeded</Message></Error>\
           <RequestId>1</RequestId></ErrorResponse>",
};
/// docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html.
const S3: Throttling = Throttling {
    status: 503,
    headers: &[("content-type", "application/xml")],
    body: "<Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message><RequestId>1</RequestId></Error>",
};
/// EventBridge, `CloudWatch` Logs and others whose call stands in `x-amz-target`.
const JSON: Throttling = Throttling {
    status: 400,
    headers: &[("content-type", "application/x-amz-json-1.1")],
    body: r#"{"__type":"ThrottlingException","message":"Rate exceeded"}"#,
};
/// In botocore's model 1.44 of Lambda.
const LAMBDA: Throttling = Throttling {
    status: 429,
    headers: &[
        ("content-type", "application/json"),
        ("x-amzn-errortype", "TooManyRequestsException"),
    ],
    body: r#"{"Reason":"CallerRateLimitExceeded","Type":"User","message":"Rate exceeded"}"#,
};
/// Other services with paths, such as the Scheduler.
const REST: Throttling = Throttling {
    status: 429,
    headers: &[("content-type", "application/json"), ("x-amzn-errortype", "ThrottlingException")],
    body: r#"{"Message":"Rate exceeded"}"#,
};

/// In the form of the service that the request is for.
pub(super) fn answer(request: &Parts) -> Throttling {
    let signature = request.headers.get("authorization").and_then(|value| value.to_str().ok());
    let scope = signature.and_then(scope).unwrap_or_default();
    match scope.split('/').nth(2) {
        None => GOOGLE,
        Some("iam" | "sts") => QUERY,
        Some("sns") => SNS,
        Some("s3") => S3,
        Some("lambda") => LAMBDA,
        Some(_) if request.headers.contains_key("x-amz-target") => JSON,
        Some(_) => REST,
    }
}

/// `20261125/eu-west-1/lambda/aws4_request` of a signature.
pub(super) fn scope(signature: &str) -> Option<&str> {
    let (_, after) = signature.split_once("Credential=")?;
    let (_, scope) = after.split(',').next()?.split_once('/')?;
    Some(scope)
}
