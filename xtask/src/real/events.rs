//! Events as AWS sends them, as far as the emulator's checks need them.

use serde_json::{Value, json};

/// A request through an HTTP API (payload format 2.0) or a function URL.
pub(super) fn http_api(method: &str, path: &str, body: &str) -> Vec<u8> {
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    bytes(&json!({
        "version": "2.0", "routeKey": "$default", "rawPath": path, "rawQueryString": query,
        "cookies": ["session=abc"],
        "headers": {
            "content-type": "application/json", "host": "abcdefghij.execute-api.us-east-1.amazonaws.com",
            "x-forwarded-for": "203.0.113.7", "x-forwarded-port": "443", "x-forwarded-proto": "https"
        },
        "requestContext": {
            "accountId": "123456789012", "apiId": "abcdefghij",
            "domainName": "abcdefghij.execute-api.us-east-1.amazonaws.com", "domainPrefix": "abcdefghij",
            "http": {
                "method": method, "path": path, "protocol": "HTTP/1.1", "sourceIp": "203.0.113.7",
                "userAgent": "curl/8.5.0"
            },
            "requestId": "JKJaXmPLvHcESHA=", "routeKey": "$default", "stage": "$default",
            "time": "12/Mar/2026:19:03:58 +0000", "timeEpoch": 1_773_342_238_000_u64
        },
        "body": body, "isBase64Encoded": false
    }))
}

/// A request through a REST API: both forms of the headers, and the stage in the context's path.
pub(super) fn rest_api(method: &str, path: &str, body: &str) -> Vec<u8> {
    bytes(&json!({
        "resource": "/{proxy+}", "path": path, "httpMethod": method,
        "headers": {"Content-Type": "application/json", "Host": "abcdefghij.execute-api.us-east-1.amazonaws.com"},
        "multiValueHeaders": {
            "Content-Type": ["application/json"], "Host": ["abcdefghij.execute-api.us-east-1.amazonaws.com"]
        },
        "queryStringParameters": null, "multiValueQueryStringParameters": null,
        "pathParameters": {"proxy": path.trim_start_matches('/')}, "stageVariables": null,
        "requestContext": {
            "accountId": "123456789012", "apiId": "abcdefghij", "resourceId": "123456", "stage": "prod",
            "requestId": "c6af9ac6-7b61-11e6-9a41-93e8deadbeef", "resourcePath": "/{proxy+}", "httpMethod": method,
            "path": format!("/prod{path}"), "protocol": "HTTP/1.1", "requestTime": "12/Mar/2026:19:03:58 +0000",
            "requestTimeEpoch": 1_773_342_238_000_u64, "domainName": "abcdefghij.execute-api.us-east-1.amazonaws.com",
            "identity": {"sourceIp": "203.0.113.7", "userAgent": "curl/8.5.0"}
        },
        "body": body, "isBase64Encoded": false
    }))
}

/// A request through a load balancer.
pub(super) fn load_balancer(method: &str, path: &str, body: &str) -> Vec<u8> {
    bytes(&json!({
        "requestContext": {"elb": {
            "targetGroupArn": "arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/orders/0123456789abcdef"
        }},
        "httpMethod": method, "path": path, "queryStringParameters": {},
        "headers": {
            "content-type": "application/json", "host": "orders.example.com", "x-forwarded-for": "203.0.113.7",
            "x-forwarded-port": "443", "x-forwarded-proto": "https"
        },
        "body": body, "isBase64Encoded": false
    }))
}

/// A request through VPC Lattice, event structure 2.0.
pub(super) fn lattice(method: &str, path: &str, body: &str) -> Vec<u8> {
    let arn = |kind: &str| format!("arn:aws:vpc-lattice:us-east-1:123456789012:{kind}");
    bytes(&json!({
        "version": "2.0", "path": path, "method": method,
        "headers": {
            "content-type": ["application/json"], "host": ["orders.7d67968.vpc-lattice-svcs.us-east-1.on.aws"],
            "x-forwarded-for": ["10.0.2.100"]
        },
        "queryStringParameters": {}, "body": body, "isBase64Encoded": false,
        "requestContext": {
            "serviceNetworkArn": arn("servicenetwork/sn-0bf3f2882e9cc805a"),
            "serviceArn": arn("service/svc-0a40eebed65f8d69c"),
            "targetGroupArn": arn("targetgroup/tg-6d0ecf831eec9f09"),
            "identity": {"sourceVpcArn": "arn:aws:ec2:us-east-1:123456789012:vpc/vpc-0b8276c84697e7339", "type": "NONE"},
            "region": "us-east-1", "timeEpoch": "1773342238000000"
        }
    }))
}

/// A batch of messages, each by its id and its body.
pub(super) fn queue(messages: &[(&str, &str)]) -> Vec<u8> {
    let records: Vec<Value> = messages
        .iter()
        .map(|(id, body)| {
            json!({
                "messageId": id, "receiptHandle": "AQEBwJnKyrHigUMZj6rYigCgxlaS3SLy0a", "body": body,
                "attributes": {
                    "ApproximateReceiveCount": "1", "SentTimestamp": "1545082649183",
                    "SenderId": "AIDAIENQZJOLO23YVJ4VO", "ApproximateFirstReceiveTimestamp": "1545082649185"
                },
                "messageAttributes": {}, "md5OfBody": "e4e68fb7bd0e697a0ae8f1bb342846b3", "eventSource": "aws:sqs",
                "eventSourceARN": "arn:aws:sqs:us-east-1:123456789012:orders", "awsRegion": "us-east-1"
            })
        })
        .collect();
    bytes(&json!({ "Records": records }))
}

/// What an EventBridge rule sends on a schedule.
pub(super) fn timer() -> Vec<u8> {
    bytes(&json!({
        "version": "0", "id": "53dc4d37-cffa-4f76-80c9-8b7d4a4d2eaa", "detail-type": "Scheduled Event",
        "source": "aws.events", "account": "123456789012", "time": "2026-03-12T19:03:58Z", "region": "us-east-1",
        "resources": ["arn:aws:events:us-east-1:123456789012:rule/nightly"], "detail": {}
    }))
}

fn bytes(event: &Value) -> Vec<u8> {
    event.to_string().into_bytes()
}
