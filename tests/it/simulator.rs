//! The local WeChat over real sockets: what it answers arrives, and what it breaks is broken.

mod commands;
mod courier;
mod events;
mod pusher;

use std::net::TcpListener;
use std::sync::Arc;
use std::sync::Mutex;
use std::time::Duration;

use serde_json::Value;
use tokio::io::AsyncReadExt;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use wxhook::clock::Clock;
use wxhook::clock::SystemClock;
use wxhook::id::AppId;
use wxhook::secret::AppSecret;
use wxhook::simulator::platform::Platform;
use wxhook::simulator::platform::Settings;
use wxhook::simulator::platform::Windows;
use wxhook::simulator::pusher::Target;
use wxhook::simulator::skin::Skin;

const APP: &str = "wx0123456789abcdef";
const SECRET: &str = "0123456789abcdef0123456789abcdef";
const USER: &str = "oJb3Uw5c9XkQm1T0s7Zr2LhVnA_8";

fn clock() -> Arc<dyn Clock> {
    Arc::new(SystemClock::start())
}

fn listener() -> TcpListener {
    TcpListener::bind("127.0.0.1:0").unwrap()
}

struct Served {
    skin: Skin,
    platform: Arc<Mutex<Platform>>,
    target: Target,
}

/// A local platform with one account, served on a free port.
fn served(windows: Windows) -> Served {
    let mut settings = Settings::for_account(AppId::parse(APP).unwrap(), AppSecret::new(SECRET));
    settings.windows = windows;
    let platform = Arc::new(Mutex::new(Platform::new(settings, 7)));
    let skin = Skin::start(listener(), Arc::clone(&platform), clock()).unwrap();
    let target = Target::parse(skin.url()).unwrap();
    Served {
        skin,
        platform,
        target,
    }
}

/// What a raw request gets: every byte until the end, and how the end came.
async fn raw(url: &str, request: &str) -> (String, std::io::Result<()>) {
    let address = url.strip_prefix("http://").unwrap();
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    let end = stream.read_to_end(&mut answer).await.map(drop);
    (String::from_utf8(answer).unwrap(), end)
}

/// Sends the simulator an order, which it must take.
async fn ordered(served: &Served, request: &str) {
    let (answer, end) = raw(served.skin.url(), request).await;
    assert!(
        answer.starts_with("HTTP/1.1 204 ") && end.is_ok(),
        "{request}: {answer}"
    );
}

fn post(path: &str, body: &str) -> String {
    let length = body.len();
    format!(
        "POST {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n{body}"
    )
}

async fn access_token(served: &Served) -> String {
    let path = format!("/cgi-bin/token?grant_type=client_credential&appid={APP}&secret={SECRET}");
    let (status, body) = served.target.fetch(&path).await.unwrap();
    assert_eq!(status, 200);
    let answer: Value = serde_json::from_slice(&body).unwrap();
    answer["access_token"].as_str().unwrap().to_owned()
}

fn send(token: &str, content: &str) -> String {
    let body =
        format!(r#"{{"touser":"{USER}","msgtype":"text","text":{{"content":"{content}"}}}}"#);
    post(
        &format!("/cgi-bin/message/custom/send?access_token={token}"),
        &body,
    )
}

async fn lines(served: &Served, path: &str) -> Vec<Value> {
    let (status, body) = served.target.fetch(path).await.unwrap();
    assert_eq!(status, 200, "{path}");
    let text = String::from_utf8(body).unwrap();
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

#[tokio::test]
async fn a_message_sent_over_the_socket_can_be_looked_at() {
    let served = served(Windows::Off);
    let token = access_token(&served).await;
    let (answer, end) = raw(served.skin.url(), &send(&token, "您好")).await;
    assert!(end.is_ok());
    assert!(
        answer.contains("content-type: application/json; encoding=utf-8"),
        "{answer}"
    );
    assert!(
        answer.ends_with(r#"{"errcode":0,"errmsg":"ok"}"#),
        "{answer}"
    );
    let deliveries = lines(&served, &format!("/simulator/deliveries?openid={USER}")).await;
    assert_eq!(deliveries.len(), 1);
    assert_eq!(deliveries[0]["content"], "您好");
    assert!(
        lines(&served, "/simulator/deliveries?after=1")
            .await
            .is_empty()
    );
    let tokens = lines(&served, "/simulator/tokens").await;
    assert_eq!(tokens[0]["text"], token.as_str());
    let calls = lines(&served, "/simulator/calls").await;
    assert_eq!(calls.len(), 2);
    assert_eq!(
        (&calls[1]["token"], &calls[1]["code"]),
        (&1.into(), &0.into())
    );
    served.skin.stop().unwrap();
}

#[tokio::test]
async fn a_post_without_a_length_is_answered_412() {
    let served = served(Windows::Off);
    let chunked = "POST /cgi-bin/stable_token HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\
                   Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n";
    let (answer, _) = raw(served.skin.url(), chunked).await;
    assert!(answer.starts_with("HTTP/1.1 412 "), "{answer}");
    served.skin.stop().unwrap();
}

#[tokio::test]
async fn broken_answers_are_broken_on_the_wire() {
    let served = served(Windows::Off);
    let token = access_token(&served).await;
    // The fault; whether it delivers; what arrives of the answer.
    let nothing: fn(&str) -> bool = str::is_empty;
    let half: fn(&str) -> bool =
        |answer| answer.starts_with("HTTP/1.1 200") && answer.ends_with("\r\n\r\n{\"errcode\":0,");
    for (fault, delivered, arrives) in [
        (r#"{"fault":"reset"}"#, 0, nothing),
        (r#"{"fault":{"hang":{"milliseconds":30}}}"#, 0, nothing),
        (r#"{"fault":{"lost_answer":{}}}"#, 1, nothing),
        (
            r#"{"fault":{"lost_answer":{"after_milliseconds":30}}}"#,
            1,
            nothing,
        ),
        (r#"[{"fault":"half_answer"}]"#, 1, half),
    ] {
        let before = served.platform.lock().unwrap().delivery_count();
        ordered(&served, &post("/simulator/faults", fault)).await;
        let (answer, end) = raw(served.skin.url(), &send(&token, "a")).await;
        assert!(arrives(&answer), "{fault}: {answer}");
        let kind = end.expect_err(fault).kind();
        assert_eq!(kind, std::io::ErrorKind::ConnectionReset, "{fault}");
        let after = served.platform.lock().unwrap().delivery_count();
        assert_eq!(after - before, delivered, "{fault}");
    }
    let (answer, end) = raw(served.skin.url(), &send(&token, "a")).await;
    assert!(end.is_ok() && answer.ends_with(r#""ok"}"#), "{answer}");
    served.skin.stop().unwrap();
}

#[tokio::test]
async fn late_answers_are_late_and_a_gateway_answers_with_a_page() {
    let served = served(Windows::Off);
    let token = access_token(&served).await;
    let clock = clock();
    for (fault, millis, start) in [
        (
            r#"{"fault":{"delay":{"milliseconds":80}}}"#,
            80,
            "HTTP/1.1 200 ",
        ),
        (r#"{"fault":"bad_gateway"}"#, 0, "HTTP/1.1 502 "),
    ] {
        ordered(&served, &post("/simulator/faults", fault)).await;
        let started = clock.monotonic();
        let (answer, end) = raw(served.skin.url(), &send(&token, "a")).await;
        assert!(
            end.is_ok() && answer.starts_with(start),
            "{fault}: {answer}"
        );
        let took = clock.monotonic() - started;
        assert!(took >= Duration::from_millis(millis), "{fault}: {took:?}");
    }
    let always = r#"{"when":"always","fault":"bad_gateway"}"#;
    ordered(&served, &post("/simulator/faults", always)).await;
    let end = "DELETE /simulator/faults HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    ordered(&served, end).await;
    let (answer, _) = raw(served.skin.url(), &send(&token, "a")).await;
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    assert_eq!(served.platform.lock().unwrap().delivery_count(), 2);
    served.skin.stop().unwrap();
}

#[tokio::test]
async fn time_and_users_can_be_moved_from_outside() {
    let served = served(Windows::On);
    let token = access_token(&served).await;
    let code = async |request: String| {
        let (answer, _) = raw(served.skin.url(), &request).await;
        let body: Value = serde_json::from_str(answer.split("\r\n\r\n").nth(1).unwrap()).unwrap();
        body["errcode"].as_i64().unwrap()
    };
    let told = async |path: &str, body: &str| {
        let (answer, _) = raw(served.skin.url(), &post(path, body)).await;
        answer.split(' ').nth(1).unwrap().to_owned()
    };
    assert_eq!(code(send(&token, "a")).await, 45015);
    let acted = format!(r#"{{"openid":"{USER}","scene":"follow"}}"#);
    assert_eq!(told("/simulator/acted", &acted).await, "204");
    assert_eq!(code(send(&token, "a")).await, 0);
    let passing = r#"{"advance_milliseconds":61000}"#;
    assert_eq!(told("/simulator/clock", passing).await, "204");
    assert_eq!(code(send(&token, "a")).await, 45015);
    let passing = r#"{"advance_milliseconds":7200000}"#;
    assert_eq!(told("/simulator/clock", passing).await, "204");
    assert_eq!(code(send(&token, "a")).await, 42001);
    for (path, body) in [
        ("/simulator/acted", "{}"),
        ("/simulator/faults", r#"{"fault":"earthquake"}"#),
        ("/simulator/clock", "[]"),
    ] {
        assert_eq!(told(path, body).await, "400", "{path}");
    }
    assert_eq!(told("/simulator/nothing", "").await, "404");
    served.skin.stop().unwrap();
}

#[tokio::test]
async fn what_the_help_of_the_platform_shows_is_taken() {
    let served = served(Windows::On);
    for (path, order) in [
        (
            "faults",
            r#"{"path":"/cgi-bin/stable_token","when":{"next":3},"fault":"bad_gateway"}"#,
        ),
        (
            "faults",
            r#"{"host":"127.0.0.1","when":"always","fault":{"code":{"code":-1}}}"#,
        ),
        ("faults", r#"{"fault":{"shape":"doubled_keys"}}"#),
        ("admin", r#"{"app_id":"wx0123456789abcdef","act":"freeze"}"#),
        (
            "admin",
            r#"{"app_id":"wx0123456789abcdef","act":"unfreeze"}"#,
        ),
        (
            "admin",
            r#"{"app_id":"wx0123456789abcdef","act":{"risk_control":true}}"#,
        ),
        (
            "admin",
            r#"{"app_id":"wx0123456789abcdef","act":{"whitelist":["203.0.113.0/24"]}}"#,
        ),
        (
            "admin",
            r#"{"app_id":"wx0123456789abcdef","act":{"confirm":"203.0.113.9"}}"#,
        ),
        (
            "admin",
            r#"{"app_id":"wx0123456789abcdef","act":{"refuse":"203.0.113.9"}}"#,
        ),
        ("acted", r#"{"openid":"oUser","scene":"message"}"#),
        ("clock", r#"{"advance_milliseconds":7200000}"#),
    ] {
        ordered(&served, &post(&format!("/simulator/{path}"), order)).await;
    }
    let (status, body) = served
        .target
        .fetch(&format!("/simulator/prompts?app_id={APP}"))
        .await
        .unwrap();
    assert_eq!((status, body), (200, Vec::new()));
    served.skin.stop().unwrap();
}
