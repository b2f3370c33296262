//! The real transport, against real sockets.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::stream;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use wxhook::transport::{
    Body, HttpTransport, Method, Request, Response, Settings, Transport, TransportError,
};

async fn listening() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

fn request(address: SocketAddr, body: Body) -> Request {
    Request {
        method: Method::Post,
        url: format!("http://{address}/cgi-bin/x?access_token=87_hidden"),
        content_type: Some("application/json; charset=utf-8".into()),
        bearer: None,
        body,
        timeout: Duration::from_secs(5),
    }
}

async fn send(request: Request) -> Result<Response, TransportError> {
    let settings = Settings {
        https: false,
        plain_http: true,
        ..Settings::default()
    };
    HttpTransport::new(&settings).unwrap().send(request).await
}

/// Reads until the peer has sent `end`, or ended.
async fn read_until(stream: &mut TcpStream, end: &[u8]) -> String {
    let mut seen = Vec::new();
    let mut buffer = [0; 1024];
    while !seen.ends_with(end) {
        match stream.read(&mut buffer).await {
            Ok(count) if count > 0 => seen.extend_from_slice(&buffer[..count]),
            _ => break,
        }
    }
    String::from_utf8(seen).unwrap()
}

/// Answers one request, which ends with `end`, and returns what it was.
async fn answer_once(listener: TcpListener, end: &'static [u8], answer: &'static [u8]) -> String {
    let (mut stream, _) = listener.accept().await.unwrap();
    let seen = read_until(&mut stream, end).await;
    stream.write_all(answer).await.unwrap();
    seen
}

async fn body_of(response: Response) -> Result<Vec<u8>, TransportError> {
    let chunks: Vec<_> = response.body.collect().await;
    let chunks: Result<Vec<Bytes>, _> = chunks.into_iter().collect();
    Ok(chunks?.concat())
}

const OK: &[u8] =
    b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}";

#[tokio::test]
async fn a_refused_connection_surely_was_not_executed() {
    let (listener, address) = listening().await;
    drop(listener);
    let error = send(request(address, Body::Empty)).await.unwrap_err();
    assert!(
        matches!(error, TransportError::NotConnected { .. }),
        "{error:?}"
    );
    assert!(error.surely_not_executed() && !format!("{error:?}").contains("hidden"));
}

#[tokio::test]
async fn a_name_that_does_not_exist_surely_was_not_executed() {
    let mut unknown = request(([127, 0, 0, 1], 1).into(), Body::Empty);
    unknown.url = "http://name.invalid/".to_owned();
    let error = send(unknown).await.unwrap_err();
    assert!(
        matches!(error, TransportError::NotConnected { .. }),
        "{error:?}"
    );
}

#[tokio::test]
async fn a_failed_handshake_surely_was_not_executed() {
    let (listener, address) = listening().await;
    let server = tokio::spawn(answer_once(
        listener,
        b"",
        b"not TLS at all, not at all\r\n",
    ));
    let settings = Settings {
        https: false,
        ..Settings::default()
    };
    let mut secured = request(address, Body::Empty);
    secured.url = format!("https://{address}/");
    let error = HttpTransport::new(&settings)
        .unwrap()
        .send(secured)
        .await
        .unwrap_err();
    assert!(
        matches!(error, TransportError::NotConnected { .. }),
        "{error:?}"
    );
    server.await.unwrap();
}

#[tokio::test]
async fn a_connection_that_breaks_before_the_request_is_whole_surely_was_not_executed() {
    let (listener, address) = listening().await;
    let server = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        read_until(&mut stream, b"first").await
    });
    let first = stream::iter([Ok(Bytes::from("first"))]);
    let body = Body::Stream {
        length: 11,
        chunks: first.chain(stream::pending()).boxed(),
    };
    let error = send(request(address, body)).await.unwrap_err();
    assert!(
        matches!(error, TransportError::Unfinished { .. }),
        "{error:?}"
    );
    assert!(error.surely_not_executed() && !format!("{error:?}").contains("hidden"));
    assert!(server.await.unwrap().ends_with("first"));
}

#[tokio::test]
async fn connections_that_are_reset_while_they_are_idle_cost_no_request() {
    const REQUESTS: usize = 50;
    let (listener, address) = listening().await;
    let (answered, mut has_answer) = tokio::sync::mpsc::channel::<()>(1);
    let (gone, mut is_gone) = tokio::sync::mpsc::channel::<()>(1);
    let server = tokio::spawn(async move {
        for _ in 0..REQUESTS {
            let (mut stream, _) = listener.accept().await.unwrap();
            read_until(&mut stream, b"{}").await;
            stream.write_all(OK).await.unwrap();
            has_answer.recv().await.unwrap();
            stream.set_zero_linger().unwrap();
            drop(stream);
            gone.send(()).await.unwrap();
        }
    });
    let settings = Settings {
        https: false,
        plain_http: true,
        ..Settings::default()
    };
    let transport = HttpTransport::new(&settings).unwrap();
    for number in 0..REQUESTS {
        let sent = transport.send(request(address, Body::Bytes("{}".into())));
        let response = sent.await.unwrap_or_else(|e| panic!("{number}: {e}"));
        assert_eq!(body_of(response).await.unwrap(), b"{}");
        answered.send(()).await.unwrap();
        is_gone.recv().await.unwrap();
    }
    server.await.unwrap();
}

#[tokio::test]
async fn a_connection_that_breaks_after_the_request_may_have_been_executed() {
    let (listener, address) = listening().await;
    let server = tokio::spawn(answer_once(listener, b"{}", b""));
    let error = send(request(address, Body::Bytes("{}".into())))
        .await
        .unwrap_err();
    assert!(matches!(error, TransportError::Broken { .. }), "{error:?}");
    assert!(!error.surely_not_executed() && !format!("{error:?}").contains("hidden"));
    assert!(server.await.unwrap().ends_with("{}"));
}

#[tokio::test]
async fn a_body_that_breaks_off_is_broken() {
    let (listener, address) = listening().await;
    let half = b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{";
    let server = tokio::spawn(answer_once(listener, b"{}", half));
    let response = send(request(address, Body::Bytes("{}".into())))
        .await
        .unwrap();
    let error = body_of(response).await.unwrap_err();
    assert!(matches!(error, TransportError::Broken { .. }), "{error:?}");
    server.await.unwrap();
}

#[tokio::test]
async fn an_answer_that_does_not_come_in_time_may_have_been_executed() {
    let (listener, address) = listening().await;
    let mut slow = request(address, Body::Bytes("{}".into()));
    slow.timeout = Duration::from_millis(100);
    let error = send(slow).await.unwrap_err();
    assert!(
        matches!(error, TransportError::TimedOut { .. }),
        "{error:?}"
    );
    assert!(!error.surely_not_executed());
    drop(listener);
}

#[tokio::test]
async fn an_answer_that_came_while_the_process_stood_still_is_taken() {
    let (listener, address) = listening().await;
    let listener = listener.into_std().unwrap();
    listener.set_nonblocking(false).unwrap();
    let (asked, is_asked) = tokio::sync::oneshot::channel::<()>();
    let (answered, is_answered) = std::sync::mpsc::channel::<()>();
    let limit = Duration::from_millis(200);
    let server = std::thread::spawn(move || {
        use std::io::{Read as _, Write as _};
        let (mut stream, _) = listener.accept().unwrap();
        let mut seen = Vec::new();
        while !seen.ends_with(b"{}") {
            let mut buffer = [0; 1024];
            let count = stream.read(&mut buffer).unwrap();
            seen.extend_from_slice(&buffer[..count]);
        }
        asked.send(()).unwrap();
        stream.write_all(OK).unwrap();
        // Longer than the limit; nobody says anything.
        let (_keep, silence) = std::sync::mpsc::channel::<()>();
        let _ = silence.recv_timeout(limit * 2);
        answered.send(()).unwrap();
    });
    let mut hurried = request(address, Body::Bytes("{}".into()));
    hurried.timeout = limit;
    let stand_still = async {
        is_asked.await.unwrap();
        // This blocks the only thread of the client.
        is_answered.recv().unwrap();
    };
    let (response, ()) = tokio::join!(send(hurried), stand_still);
    assert_eq!(response.unwrap().status, 200);
    server.join().unwrap();
}

#[tokio::test]
async fn every_body_has_its_exact_length_in_the_head_and_is_never_chunked() {
    let pieces = || stream::iter(["ab", "cd", "ef"].map(|piece| Ok(Bytes::from(piece)))).boxed();
    for (name, body, length, end) in [
        ("nothing", Body::Empty, 0, b"\r\n\r\n".as_slice()),
        ("bytes", Body::Bytes("你好".into()), 6, "你好".as_bytes()),
        (
            "a stream",
            Body::Stream {
                length: 6,
                chunks: pieces(),
            },
            6,
            b"abcdef",
        ),
    ] {
        let (listener, address) = listening().await;
        let server = tokio::spawn(answer_once(listener, end, OK));
        let response = send(request(address, body)).await.unwrap();
        assert_eq!(
            (response.status, response.content_type.as_deref()),
            (200, Some("application/json")),
            "{name}"
        );
        assert_eq!(body_of(response).await.unwrap(), b"{}", "{name}");
        let seen = server.await.unwrap().to_ascii_lowercase();
        let lengths = seen.matches("content-length:").count();
        assert!(
            seen.contains(&format!("content-length: {length}\r\n")) && lengths == 1,
            "{name}: {seen}"
        );
        assert!(
            !seen.contains("transfer-encoding") && seen.contains(" http/1.1\r\n"),
            "{name}: {seen}"
        );
    }
}

#[tokio::test]
async fn a_stream_of_another_length_than_announced_surely_was_not_executed() {
    for length in [5, 7] {
        let (listener, address) = listening().await;
        let server = tokio::spawn(answer_once(listener, b"abcdef", b""));
        let chunks = stream::iter(["ab", "cd", "ef"].map(|piece| Ok(Bytes::from(piece)))).boxed();
        let error = send(request(address, Body::Stream { length, chunks }))
            .await
            .unwrap_err();
        assert!(
            matches!(error, TransportError::Unfinished { .. }),
            "{length}: {error:?}"
        );
        assert!(error.surely_not_executed(), "{length}");
        server.await.unwrap();
    }
}

#[tokio::test]
async fn an_answer_streams_while_it_comes() {
    let (listener, address) = listening().await;
    let (go_on, told) = tokio::sync::oneshot::channel::<()>();
    let server = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        read_until(&mut stream, b"\r\n\r\n").await;
        let head = b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nfirst";
        stream.write_all(head).await.unwrap();
        told.await.unwrap();
        stream.write_all(b"later").await.unwrap();
    });
    let mut response = send(request(address, Body::Empty)).await.unwrap();
    assert_eq!(response.body.next().await.unwrap().unwrap(), "first");
    go_on.send(()).unwrap();
    assert_eq!(response.body.next().await.unwrap().unwrap(), "later");
    server.await.unwrap();
}

#[tokio::test]
async fn redirects_are_not_followed() {
    let (listener, address) = listening().await;
    let away = b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n";
    let server = tokio::spawn(answer_once(listener, b"\r\n\r\n", away));
    assert_eq!(
        send(request(address, Body::Empty)).await.unwrap().status,
        302
    );
    server.await.unwrap();
}

#[tokio::test]
async fn plain_http_is_refused_where_no_host_is_configured_with_it() {
    let (listener, address) = listening().await;
    let settings = Settings {
        https: false,
        plain_http: false,
        ..Settings::default()
    };
    let transport = HttpTransport::new(&settings).unwrap();
    let error = transport
        .send(request(address, Body::Empty))
        .await
        .unwrap_err();
    assert!(
        matches!(error, TransportError::NotConnected { .. }),
        "{error:?}"
    );
    assert!(!format!("{error:?}").contains("hidden"));
    drop(listener);
}

#[test]
fn https_works_with_the_systems_certificates_or_says_what_is_missing() {
    if let Err(error) = HttpTransport::new(&Settings::default()) {
        assert!(error.to_string().contains("ca-certificates"), "{error}");
    }
}
