//! The proxy that lets calls go wrong, between two programs that speak HTTP.

use omnifn_deploy::testing::{Cut, Proxy};
use std::net::SocketAddr;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};

/// Answers every request with its own number.
async fn upstream() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        for number in 0.. {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = vec![0; 4096];
            let _ = stream.read(&mut request).await;
            let answer = format!("HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\n{number}");
            let _ = stream.write_all(answer.as_bytes()).await;
        }
    });
    address
}

/// The status line and the body, or nothing.
async fn get(proxy: &Proxy) -> String {
    get_with(proxy, "").await
}

async fn get_with(proxy: &Proxy, headers: &str) -> String {
    let address = proxy.endpoint().replace("http://", "");
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request =
        format!("GET /things?x=1 HTTP/1.1\r\nhost: here\r\nconnection: close\r\n{headers}\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    let _ = stream.read_to_string(&mut answer).await;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_default();
    let status = head.split(' ').nth(1).unwrap_or_default();
    format!("{status} {body}").trim().to_owned()
}

#[tokio::test]
async fn one_call_goes_wrong_and_the_others_pass() {
    let throttled = Cut::answer(429, &[("x-amzn-errortype", "TooManyRequestsException")], "{}");
    for (cut, expected) in [
        (Cut::Refused, ["200 0", "", "200 1"]),
        // The provider got the call.
        (Cut::AnswerLost, ["200 0", "", "200 2"]),
        (throttled, ["200 0", "429 {}", "200 1"]),
    ] {
        let proxy = Proxy::start(upstream().await, Some((1, cut.clone()))).await;
        for expected in expected {
            assert_eq!(get(&proxy).await, expected, "{cut:?}");
        }
        assert_eq!(proxy.calls(), vec!["GET /things?x=1"; 3]);
        assert_eq!(proxy.count(), 3);
    }
}

#[tokio::test]
async fn a_throttled_call_is_answered_as_the_asked_service_would() {
    let target = "x-amz-target: AWSEvents.PutRule\r\n";
    for (service, more, expected) in [
        ("iam", "", "400 <ErrorResponse><Error><Type>Sender</Type><Code>Throttling</Code>"),
        ("sts", "", "400 <ErrorResponse><Error><Type>Sender</Type><Code>Throttling</Code>"),
        ("sns", "", "429 <ErrorResponse><Error><Type>Sender</Type><Code>Throttled</Code>"),
        ("s3", "", "503 <Error><Code>SlowDown</Code>"),
        ("lambda", "", "429 {\"Reason\":"),
        ("scheduler", "", "429 {\"Message\":"),
        ("events", target, "400 {\"__type\":\"ThrottlingException\""),
        ("", "", "429 {\"error\":{\"code\":429"),
    ] {
        let proxy = Proxy::start(upstream().await, Some((0, Cut::Throttled))).await;
        let scope = format!("Credential=x/20261125/eu-west-1/{service}/aws4_request");
        let signature = if service.is_empty() {
            "Bearer x"
        } else {
            &format!("AWS4-HMAC-SHA256 {scope}, Signature=0")
        };
        let answer = get_with(&proxy, &format!("authorization: {signature}\r\n{more}")).await;
        assert!(answer.starts_with(expected), "{service}: {answer}");
        assert_eq!(get(&proxy).await, "200 0");
    }
}
