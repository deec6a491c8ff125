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
    let address = proxy.endpoint().replace("http://", "");
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = "GET /things?x=1 HTTP/1.1\r\nhost: here\r\nconnection: close\r\n\r\n";
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
