//! WeChat's push client against servers that answer rightly, wrongly, late and oddly.

use std::collections::HashMap;
use std::collections::HashSet;
use std::sync::Arc;
use std::sync::Mutex;
use std::time::Duration;

use tokio::io::AsyncReadExt;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;
use tokio::net::TcpStream;
use wxhook::clock::Timestamp;
use wxhook::id::AppId;
use wxhook::secret::PushToken;
use wxhook::simulator::platform::Windows;
use wxhook::simulator::pusher::ERROR_TIP;
use wxhook::simulator::pusher::Feed;
use wxhook::simulator::pusher::Gesture;
use wxhook::simulator::pusher::Identity;
use wxhook::simulator::pusher::LoadPlan;
use wxhook::simulator::pusher::Mode;
use wxhook::simulator::pusher::Push;
use wxhook::simulator::pusher::Pusher;
use wxhook::simulator::pusher::PusherError;
use wxhook::simulator::pusher::ReplyFault;
use wxhook::simulator::pusher::Target;
use wxhook::simulator::pusher::TargetError;
use wxhook::simulator::pusher::Verdict;
use wxhook::simulator::seal;
use wxhook::simulator::seal::SealError;

use super::APP;
use super::USER;
use super::access_token;
use super::clock;
use super::raw;
use super::send;
use super::served;

pub(super) const TOKEN: &str = "mpInboundT0ken";
pub(super) const KEY: &str = "q7Lm2ZxT9vB4kRfW1sYd8HcN6uJgP3oEaXiQ0wVtKzC";
pub(super) const ORIGINAL_ID: &str = "gh_5f2c9a7d10be";

/// A request as the server saw it.
#[derive(Debug, Clone)]
pub(super) struct Seen {
    query: HashMap<String, String>,
    pub(super) body: String,
    connection: usize,
}

/// What a server does with the request with this number, counted from 0.
type Answering = dyn Fn(usize, &Seen) -> Answered + Send + Sync;

pub(super) enum Answered {
    /// Writes this, byte for byte, and keeps the connection.
    Bytes(String),
    /// Writes this and closes the connection.
    Last(String),
    /// Says nothing for longer than anybody waits.
    Silence,
}

pub(super) struct Server {
    pub(super) url: String,
    pub(super) seen: Arc<Mutex<Vec<Seen>>>,
}

pub(super) fn ok(body: &str) -> Answered {
    let length = body.len();
    Answered::Bytes(format!(
        "HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n{body}"
    ))
}

/// A server that ends with the test's runtime.
pub(super) async fn server(
    answering: impl Fn(usize, &Seen) -> Answered + Send + Sync + 'static,
) -> Server {
    let answering: Arc<Answering> = Arc::new(answering);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/wechat?tenant=7", listener.local_addr().unwrap());
    let seen = Arc::new(Mutex::new(Vec::new()));
    let all = Arc::clone(&seen);
    tokio::spawn(async move {
        for connection in 0.. {
            let (stream, _) = listener.accept().await.unwrap();
            tokio::spawn(serve(
                stream,
                connection,
                Arc::clone(&answering),
                Arc::clone(&all),
            ));
        }
    });
    Server { url, seen }
}

async fn serve(
    mut stream: TcpStream,
    connection: usize,
    answering: Arc<Answering>,
    all: Arc<Mutex<Vec<Seen>>>,
) {
    while let Some(seen) = read_request(&mut stream, connection).await {
        let number = {
            let mut all = all.lock().unwrap();
            all.push(seen.clone());
            all.len() - 1
        };
        match answering(number, &seen) {
            Answered::Bytes(bytes) => stream.write_all(bytes.as_bytes()).await.unwrap(),
            Answered::Last(bytes) => return stream.write_all(bytes.as_bytes()).await.unwrap(),
            Answered::Silence => std::future::pending().await,
        }
    }
}

/// The next request; a client of ours sends it only after the answer to the last.
async fn read_request(stream: &mut TcpStream, connection: usize) -> Option<Seen> {
    let mut bytes = Vec::new();
    loop {
        if let Some(seen) = parse(&bytes, connection) {
            return Some(seen);
        }
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    }
}

fn parse(bytes: &[u8], connection: usize) -> Option<Seen> {
    let text = std::str::from_utf8(bytes).ok()?;
    let (head, body) = text.split_once("\r\n\r\n")?;
    let length = head
        .lines()
        .find_map(|line| line.strip_prefix("Content-Length: "))
        .map_or(0, |value| value.parse().unwrap());
    let query = head.split(' ').nth(1)?.split_once('?')?.1;
    let pairs = query.split('&').map(|pair| pair.split_once('=').unwrap());
    (body.len() == length).then(|| Seen {
        query: pairs.map(|(k, v)| (k.to_owned(), v.to_owned())).collect(),
        body: body.to_owned(),
        connection,
    })
}

impl Seen {
    pub(super) fn value(&self, name: &str) -> &str {
        self.query.get(name).map_or("", String::as_str)
    }

    pub(super) fn element(&self, name: &str) -> Option<&str> {
        between(&self.body, name)
    }

    pub(super) fn opened(&self) -> String {
        let sealed = self.element("Encrypt").unwrap();
        String::from_utf8(seal::open(&key(), APP, sealed).unwrap()).unwrap()
    }
}

pub(super) fn between<'a>(document: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = document.split_once(&format!("<{name}>"))?;
    let (inner, _) = rest.split_once(&format!("</{name}>"))?;
    let bare = inner.strip_prefix("<![CDATA[")?;
    bare.strip_suffix("]]>")
}

fn key() -> wxhook::secret::AesKey {
    seal::decode_key(KEY).unwrap()
}

fn identity(url: &str, mode: Mode) -> Identity {
    Identity {
        url: url.to_owned(),
        app_id: AppId::parse(APP).unwrap(),
        token: PushToken::new(TOKEN),
        key: mode.is_sealed().then(key),
        mode,
        original_id: ORIGINAL_ID.to_owned(),
    }
}

pub(super) fn pusher(url: &str, mode: Mode) -> Pusher {
    Pusher::new(identity(url, mode), clock(), 7).unwrap()
}

fn reply(content: &str) -> String {
    format!(
        "<xml><ToUserName><![CDATA[{USER}]]></ToUserName><FromUserName><![CDATA[{ORIGINAL_ID}]]></FromUserName>\
         <CreateTime>1718003000</CreateTime><MsgType>text</MsgType><Content>{content}</Content></xml>"
    )
}

fn sealed_reply(app_id: &str, document: &str) -> String {
    let sealed = seal::seal(&key(), app_id, [b'r'; 16], document.as_bytes());
    let signature = seal::sign(&[TOKEN, "1718000000", "k2f81cQz", &sealed]);
    format!(
        "<xml><Encrypt><![CDATA[{sealed}]]></Encrypt><MsgSignature><![CDATA[{signature}]]></MsgSignature>\
         <TimeStamp>1718000000</TimeStamp><Nonce>k2f81cQz</Nonce></xml>"
    )
}

#[tokio::test]
async fn each_mode_sends_what_wechat_sends() {
    for mode in [Mode::Plain, Mode::Compatible, Mode::Secure] {
        let server = server(|_, _| ok("success")).await;
        let mut pusher = pusher(&server.url, mode);
        let push = pusher.make(Gesture::Text("a]]>b <您好>".to_owned()), USER);
        let report = pusher.push(&push).await;
        assert_eq!(report.verdict(), &Verdict::Success, "{mode}");

        let seen = server.seen.lock().unwrap()[0].clone();
        let signed = [TOKEN, seen.value("timestamp"), seen.value("nonce")];
        assert_eq!(seen.value("signature"), seal::sign(&signed), "{mode}");
        assert_eq!(
            (seen.value("openid"), seen.value("tenant")),
            (USER, "7"),
            "{mode}"
        );
        assert_eq!(
            seen.value("encrypt_type") == "aes",
            mode.is_sealed(),
            "{mode}"
        );
        assert_eq!(seen.element("ToUserName"), Some(ORIGINAL_ID), "{mode}");
        assert_eq!(
            seen.element("FromUserName").is_none(),
            mode == Mode::Secure,
            "{mode}"
        );
        if mode.is_sealed() {
            let sealed = seen.element("Encrypt").unwrap();
            let signature = seal::sign(&[signed[0], signed[1], signed[2], sealed]);
            assert_eq!(seen.value("msg_signature"), signature, "{mode}");
            assert_eq!(seen.opened(), push.document, "{mode}");
        } else {
            assert_eq!(seen.body, push.document);
        }
    }
}

#[test]
fn documents_are_written_as_wechat_writes_them() {
    let now = Timestamp::from_seconds(1_718_000_001);
    let document = |gesture| Push::new(gesture, USER, ORIGINAL_ID, now, 24_601).document;
    insta::assert_snapshot!(document(Gesture::Text("a]]>b".into())), @r"
    <xml><ToUserName><![CDATA[gh_5f2c9a7d10be]]></ToUserName>
    <FromUserName><![CDATA[oJb3Uw5c9XkQm1T0s7Zr2LhVnA_8]]></FromUserName>
    <CreateTime>1718000001</CreateTime>
    <MsgType><![CDATA[text]]></MsgType>
    <Content><![CDATA[a]]]]><![CDATA[>b]]></Content>
    <MsgId>24601</MsgId>
    </xml>
    ");
    insta::assert_snapshot!(document(Gesture::Click { key: "ORDER".into() }), @r"
    <xml><ToUserName><![CDATA[gh_5f2c9a7d10be]]></ToUserName>
    <FromUserName><![CDATA[oJb3Uw5c9XkQm1T0s7Zr2LhVnA_8]]></FromUserName>
    <CreateTime>1718000001</CreateTime>
    <MsgType><![CDATA[event]]></MsgType>
    <Event><![CDATA[CLICK]]></Event>
    <EventKey><![CDATA[ORDER]]></EventKey>
    </xml>
    ");
    let given =
        "<xml><FromUserName>oX</FromUserName><MsgType>event</MsgType><Event>SCAN</Event></xml>";
    let push = Push::new(Gesture::Document(given.into()), USER, ORIGINAL_ID, now, 1);
    assert_eq!(
        (push.open_id.as_str(), push.original_id.as_str()),
        ("oX", ORIGINAL_ID)
    );
    assert_eq!(
        push.scene,
        Some(wxhook::simulator::platform::Scene::ScanCode)
    );
}

/// The verdict as its class, and the fault of an invalid answer.
async fn verdict_on(mode: Mode, body: String) -> Verdict {
    let server = server(move |_, _| ok(&body)).await;
    let mut pusher = pusher(&server.url, mode).with_repeats(0);
    let push = pusher.make(Gesture::Text("hi".to_owned()), USER);
    pusher.push(&push).await.verdict().clone()
}

#[tokio::test]
async fn good_answers_are_told_apart() {
    let sealed = || sealed_reply(APP, &reply("a &amp; &#x60a8;"));
    let in_parts = reply("<![CDATA[a & ]]>&#24744;");
    for (name, mode, body, class, sees) in [
        ("success", Mode::Secure, "success".into(), "success", None),
        ("empty", Mode::Secure, String::new(), "empty", None),
        (
            "plain",
            Mode::Plain,
            reply("a &amp; 您"),
            "reply",
            Some("a & 您"),
        ),
        (
            "CDATA and text",
            Mode::Plain,
            in_parts,
            "reply",
            Some("a & 您"),
        ),
        ("sealed", Mode::Secure, sealed(), "reply", Some("a & 您")),
        (
            "sealed, compatible",
            Mode::Compatible,
            sealed(),
            "reply",
            Some("a & 您"),
        ),
        (
            "plain, compatible",
            Mode::Compatible,
            reply("b"),
            "reply",
            Some("b"),
        ),
    ] {
        let verdict = verdict_on(mode, body).await;
        assert_eq!(
            (verdict.class(), verdict.user_sees()),
            (class, sees),
            "{name}"
        );
    }
}

#[tokio::test]
async fn wrong_answers_are_told_apart() {
    let sealed = sealed_reply(APP, &reply("a"));
    let image = reply("a").replace("<MsgType>text", "<MsgType>image");
    let swapped = reply("a").replace(USER, "x").replace(ORIGINAL_ID, USER);
    let in_brackets = reply("a").replace("1718003000", "[1718003000]");
    let unsigned = sealed.replace("k2f81cQz", "other");
    let for_another = sealed_reply("wx1", &reply("a"));
    let sealed_noise = sealed_reply(APP, "success");
    use ReplyFault::*;
    for (name, mode, body, expected) in [
        ("quoted", Mode::Plain, "\"success\"".to_owned(), NotXml),
        (
            "with a newline",
            Mode::Plain,
            "success\n".to_owned(),
            NotXml,
        ),
        ("HTML", Mode::Plain, "<html></html>".to_owned(), NotXml),
        (
            "two roots",
            Mode::Plain,
            "<xml></xml><xml></xml>".to_owned(),
            NotXml,
        ),
        (
            "cut off",
            Mode::Plain,
            reply("a").replace("</xml>", ""),
            NotXml,
        ),
        ("no text", Mode::Plain, reply(""), Missing("Content")),
        ("long text", Mode::Plain, reply(&"您".repeat(683)), TooLong),
        ("not exchanged", Mode::Plain, swapped, Names),
        ("time in brackets", Mode::Plain, in_brackets, CreateTime),
        (
            "type and branch differ",
            Mode::Plain,
            image,
            Missing("Image/MediaId"),
        ),
        (
            "a type of the API",
            Mode::Plain,
            reply("a").replace(">text<", ">wxcard<"),
            MessageType,
        ),
        ("sealed in plain mode", Mode::Plain, sealed.clone(), Sealed),
        ("plain in secure mode", Mode::Secure, reply("a"), NotSealed),
        ("wrong signature", Mode::Secure, unsigned, Signature),
        (
            "another receive-id",
            Mode::Secure,
            for_another,
            Envelope(SealError::ReceiveId),
        ),
        ("sealed success", Mode::Secure, sealed_noise, NotXml),
    ] {
        let verdict = verdict_on(mode, body).await;
        assert_eq!(verdict, Verdict::Invalid(expected), "{name}");
        assert_eq!(verdict.user_sees(), Some(ERROR_TIP), "{name}");
    }
}

#[tokio::test]
async fn http_is_read_in_every_form_that_servers_write() {
    let chunked = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3;x=y\r\nsuc\r\n4\r\ncess\r\n0\r\nA: b\r\n\r\n";
    let until_closed = "HTTP/1.0 200 OK\r\n\r\nsuccess";
    let continued = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200\r\ncontent-LENGTH:7\r\n\r\nsuccess";
    let shortened = "HTTP/1.1 200 OK\r\nContent-Length: 70\r\n\r\nsuccess";
    let bytes = |text: &str| Answered::Bytes(text.to_owned());
    let last = |text: &str| Answered::Last(text.to_owned());
    let answers = move |number: usize| match number {
        0 => bytes(chunked),
        1 => bytes(continued),
        2 => last(until_closed),
        3 => last(shortened),
        4 => last(""),
        5 => last("SSH-2.0-OpenSSH\r\n\r\n"),
        6 => last("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n"),
        _ => last("HTTP/1.1 503 Busy\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"),
    };
    let server = server(move |number, _| answers(number)).await;
    let mut pusher = pusher(&server.url, Mode::Plain).with_repeats(0);
    let mut verdicts = Vec::new();
    for _ in 0..8 {
        let push = pusher.make(Gesture::Follow, USER);
        verdicts.push(pusher.push(&push).await.verdict().clone());
    }
    let good = Verdict::Success;
    let broken = Verdict::Broken;
    let expected = [
        &good,
        &good,
        &good,
        &broken,
        &broken,
        &broken,
        &broken,
        &Verdict::Status(503),
    ];
    assert_eq!(verdicts.iter().collect::<Vec<_>>(), expected);
    let connections: Vec<usize> = server
        .seen
        .lock()
        .unwrap()
        .iter()
        .map(|s| s.connection)
        .collect();
    assert_eq!(connections, [0, 0, 0, 1, 2, 3, 4, 5]);
}

#[tokio::test]
async fn a_failed_push_is_repeated_as_the_same_message_newly_sealed() {
    let server = server(|number, _| match number {
        0 => Answered::Bytes("HTTP/1.1 500 Oh\r\nContent-Length: 0\r\n\r\n".into()),
        1 => Answered::Silence,
        2 => ok("oops"),
        _ => ok("success"),
    })
    .await;
    let mut pusher = pusher(&server.url, Mode::Secure).with_limit(Duration::from_millis(200));
    let push = pusher.make(Gesture::Text("hi".to_owned()), USER);
    let report = pusher.push(&push).await;
    let verdicts: Vec<&Verdict> = report.attempts.iter().map(|a| &a.verdict).collect();
    let invalid = Verdict::Invalid(ReplyFault::NotXml);
    let expected = [
        &Verdict::Status(500),
        &Verdict::TimedOut,
        &invalid,
        &Verdict::Success,
    ];
    assert_eq!(verdicts, expected);
    let seen = server.seen.lock().unwrap();
    assert!(seen.iter().all(|seen| seen.opened() == push.document));
    let nonces: HashSet<&str> = seen.iter().map(|seen| seen.value("nonce")).collect();
    let sealed: HashSet<_> = seen.iter().map(|seen| seen.element("Encrypt")).collect();
    assert_eq!((nonces.len(), sealed.len()), (4, 4));
}

#[tokio::test]
async fn repeats_end_after_three() {
    let server = server(|_, _| ok("oops")).await;
    let mut pusher = pusher(&server.url, Mode::Plain);
    let push = pusher.make(Gesture::Unfollow, USER);
    assert_eq!(pusher.push(&push).await.attempts.len(), 4);
}

#[tokio::test]
async fn nobody_listening_is_told_from_a_broken_answer() {
    let address = super::listener().local_addr().unwrap();
    let mut pusher = pusher(&format!("http://{address}"), Mode::Plain).with_repeats(0);
    let push = pusher.make(Gesture::Follow, USER);
    assert_eq!(pusher.push(&push).await.verdict(), &Verdict::NotConnected);
}

#[tokio::test]
async fn a_url_is_verified_by_its_exact_echo() {
    for (name, before, after, expected) in [("exact", "", "", true), ("newline", "", "\n", false)] {
        let server = server(move |_, seen| {
            let signed = [TOKEN, seen.value("timestamp"), seen.value("nonce")];
            assert_eq!(seen.value("signature"), seal::sign(&signed));
            ok(&format!("{before}{}{after}", seen.value("echostr")))
        })
        .await;
        let verification = pusher(&server.url, Mode::Secure).verify_url().await;
        assert_eq!(
            (verification.is_right, verification.status),
            (expected, Some(200)),
            "{name}"
        );
    }
}

#[tokio::test]
async fn a_load_is_distinct_counted_and_in_order_for_each_user() {
    let server = server(|number, _| match number {
        10 => Answered::Bytes("HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n".into()),
        _ => ok("success"),
    })
    .await;
    let plan = LoadPlan {
        gesture: Gesture::Text("no {number}".to_owned()),
        rate: Some(5000.0),
        count: 300,
        connections: 4,
        users: 7,
        first_message_id: 1,
    };
    let mut pusher = pusher(&server.url, Mode::Secure).with_repeats(0);
    let report = pusher.load(&plan).await;
    assert_eq!(
        (report.total(), report.good(), report.failed()),
        (300, 299, 1)
    );
    assert_eq!(report.latency_microseconds.len(), 300);
    assert_eq!(
        report.first_problem.as_deref(),
        Some("refused with HTTP status 503")
    );
    assert!(report.wall_time >= Duration::from_millis(59));
    let seen = server.seen.lock().unwrap();
    let mut latest: HashMap<String, i64> = HashMap::new();
    let mut contents = HashSet::new();
    for request in seen.iter() {
        let document = request.opened();
        let content = between(&document, "Content").unwrap();
        let number: i64 = content.strip_prefix("no ").unwrap().parse().unwrap();
        assert!(document.contains(&format!("<MsgId>{}</MsgId>", number + 1)));
        contents.insert(number);
        let user = request.value("openid").to_owned();
        assert_eq!(user.len(), 28);
        let before = latest.insert(user, number).unwrap_or(-1);
        assert!(before < number, "{number} came after {before}");
    }
    assert_eq!((contents.len(), latest.len()), (300, 7));
}

#[tokio::test]
async fn a_push_opens_the_window_on_a_platform_elsewhere() {
    let served = served(Windows::On);
    let token = access_token(&served).await;
    let server = server(|_, _| ok("success")).await;
    let feed = Feed::remote(served.skin.url()).unwrap();
    let mut pusher = pusher(&server.url, Mode::Plain).with_feed(feed);
    let (refused, _) = raw(served.skin.url(), &send(&token, "a")).await;
    let push = pusher.make(Gesture::Text("hi".to_owned()), USER);
    pusher.push(&push).await;
    let (sent, _) = raw(served.skin.url(), &send(&token, "a")).await;
    assert!(refused.contains("45015") && sent.ends_with(r#""ok"}"#));
    served.skin.stop().unwrap();
}

#[test]
fn what_cannot_push_is_refused_before_it_tries() {
    for (url, expected) in [
        ("https://example.com/wechat", TargetError::Scheme),
        ("http:///wechat", TargetError::Authority),
        ("http://host:x/", TargetError::Authority),
        ("http://[::1]x/", TargetError::Authority),
        ("http://user@host/", TargetError::Authority),
        ("http://host/a b", TargetError::Character),
        ("http://host/\r\nX: y", TargetError::Character),
    ] {
        assert_eq!(Target::parse(url), Err(expected), "{url}");
    }
    for (url, loopback) in [
        ("http://127.0.0.1:80", true),
        ("http://[::1]:8080/x?y", true),
        ("http://localhost", true),
        ("http://10.0.0.1/", false),
        ("http://127.0.0.1.example.com/", false),
    ] {
        assert_eq!(Target::parse(url).unwrap().is_loopback(), loopback, "{url}");
    }
    let mut keyless = identity("http://127.0.0.1", Mode::Secure);
    keyless.key = None;
    let error = Pusher::new(keyless, clock(), 1).unwrap_err();
    assert_eq!(error, PusherError::KeyMissing(Mode::Secure));
}
