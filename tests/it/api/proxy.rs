//! The way out through a proxy: a tiny real one that forwards plain requests and opens tunnels.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use wxhook::transport::{
    Body, EgressProxy, HttpTransport, Method, Request, Settings, Transport, TransportError,
};

/// `me:pass word`, as a proxy's user and password travel.
const AUTHORISED: &str = "proxy-authorization: basic bwu6cgfzcyb3b3jk\r\n";
const OK: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}";

async fn listening() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

fn through(proxy: SocketAddr) -> std::sync::Arc<HttpTransport> {
    let proxy = format!("http://me:pass%20word@{proxy}");
    let settings = Settings {
        https: false,
        plain_http: true,
        proxy: Some(EgressProxy::parse(&proxy).unwrap()),
        ..Settings::default()
    };
    HttpTransport::new(&settings).unwrap()
}

fn request(url: &str) -> Request {
    Request {
        bearer: None,
        method: Method::Post,
        url: format!("{url}/cgi-bin/x?access_token=87_hidden"),
        content_type: None,
        body: Body::Empty,
        timeout: Duration::from_secs(5),
    }
}

async fn head(stream: &mut TcpStream) -> String {
    let mut seen = Vec::new();
    while !seen.ends_with(b"\r\n\r\n") {
        match stream.read_u8().await {
            Ok(byte) => seen.push(byte),
            Err(_) => break,
        }
    }
    String::from_utf8(seen).unwrap().to_ascii_lowercase()
}

#[tokio::test]
async fn plain_requests_go_through_the_proxy_with_its_password() {
    let (listener, address) = listening().await;
    let proxy = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let seen = head(&mut stream).await;
        stream.write_all(OK).await.unwrap();
        seen
    });
    let sent = through(address)
        .send(request("http://api.example:81"))
        .await;
    assert_eq!(sent.unwrap().status, 200);
    let seen = proxy.await.unwrap();
    assert!(
        seen.starts_with("post http://api.example:81/cgi-bin/x?"),
        "{seen}"
    );
    assert!(seen.contains(AUTHORISED), "{seen}");
}

#[tokio::test]
async fn https_goes_through_a_tunnel_in_which_the_proxy_sees_only_a_name() {
    let (listener, address) = listening().await;
    let (platform, platform_address) = listening().await;
    let proxy = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let seen = head(&mut stream).await;
        let mut onward = TcpStream::connect(platform_address).await.unwrap();
        stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.unwrap();
        drop(copy_bidirectional(&mut stream, &mut onward).await);
        seen
    });
    let platform = tokio::spawn(async move {
        let (mut stream, _) = platform.accept().await.unwrap();
        let mut hello = [0; 2];
        stream.read_exact(&mut hello).await.unwrap();
        hello
    });
    let error = through(address)
        .send(request("https://api.example"))
        .await
        .unwrap_err();
    assert!(
        matches!(error, TransportError::NotConnected { .. }),
        "{error:?}"
    );
    let seen = proxy.await.unwrap();
    assert!(
        seen.starts_with("connect api.example:443 http/1.1\r\n"),
        "{seen}"
    );
    assert!(
        seen.contains(AUTHORISED) && !seen.contains("hidden"),
        "{seen}"
    );
    assert_eq!(
        platform.await.unwrap(),
        [22, 3],
        "a handshake of TLS came out"
    );
}

#[tokio::test]
async fn a_proxy_that_refuses_is_no_connection_and_its_password_is_not_shown() {
    let (listener, address) = listening().await;
    let proxy = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        head(&mut stream).await;
        let refusal = b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n";
        stream.write_all(refusal).await.unwrap();
    });
    let transport = through(address);
    let error = transport
        .send(request("https://api.example"))
        .await
        .unwrap_err();
    assert!(
        matches!(error, TransportError::NotConnected { .. }),
        "{error:?}"
    );
    let shown = format!("{error} {error:?} {transport:?}");
    for secret in ["pass%20word", "pass word", "bWU6cGFzcyB3b3Jk", "hidden"] {
        assert!(!shown.contains(secret), "{secret}: {shown}");
    }
    proxy.await.unwrap();
}

#[tokio::test]
async fn stand_ins_on_this_machine_are_reached_without_the_proxy() {
    let (listener, address) = listening().await;
    let (nobody, dead_proxy) = listening().await;
    drop(nobody);
    let platform = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        head(&mut stream).await;
        stream.write_all(OK).await.unwrap();
    });
    let url = format!("http://{address}");
    let sent = through(dead_proxy).send(request(&url)).await;
    assert_eq!(sent.unwrap().status, 200);
    platform.await.unwrap();
}
