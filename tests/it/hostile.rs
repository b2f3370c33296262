//! Whatever people write: through the real listener to a handler, which gets exactly what XML can carry, from
//! whom it is, as what it is. And the bounds of a document, at them and beyond.

use std::collections::HashMap;
use std::io::ErrorKind;
use std::net::TcpListener;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use proptest::prelude::*;
use wxhook::clock::{Clock, SystemClock};
use wxhook::dispatch::Router;
use wxhook::http::Settings;
use wxhook::http::source::AllowList;
use wxhook::id::AppId;
use wxhook::protocol::push::{Head, Kind, Push};
use wxhook::protocol::{
    MAX_DEPTH, MAX_DOCUMENT_BYTES, MAX_ELEMENTS, MAX_NAME_BYTES, MAX_TEXT_BYTES, Mode,
};
use wxhook::simulator::seal;
use wxhook::store::Inbox;
use wxhook::{Content, OpenId, State};

use crate::dispatch::kit::{House, Platform, eventually, quick};
use crate::support::post;
use crate::webhook::{APP_ID, Door, KEY, NOW, TOKEN, door, open_door, signed_at};

mod document;
mod elsewhere;
mod envelope;
mod modes;
mod query;
mod replayed;
mod slow;
pub(crate) mod stage;
mod wire;

use stage::{Played, Row, play_all};

/// What a handler was given: user, text, type and id of the message.
type Received = Arc<Mutex<HashMap<String, (String, String, Option<String>)>>>;

async fn note(
    user: OpenId,
    Content(text): Content,
    push: Arc<Push>,
    State(received): State<Received>,
) {
    let what = (
        text,
        push.msg_type().to_owned(),
        push.msg_id().map(str::to_owned),
    );
    let user = user.as_str().to_owned();
    received.lock().unwrap().insert(user, what);
}

/// The platform's document of a text message.
fn document(user: &str, id: usize, written: &str, last: &str) -> String {
    format!(
        "<xml><ToUserName><![CDATA[gh_1]]></ToUserName><FromUserName><![CDATA[{user}]]></FromUserName>\
         <CreateTime>{NOW}</CreateTime><MsgType><![CDATA[text]]></MsgType>\
         <Content><![CDATA[{written}]]></Content><MsgId>{id}</MsgId>{last}</xml>"
    )
}

/// Pushes a document as the platform would in this mode, and gives the status of the answer.
fn push(door: &Door, mode: Mode, make: impl Fn(&str) -> String) -> u16 {
    let inner = make("");
    // Each push has a nonce of its own, as the platform's have.
    static NONCES: AtomicU64 = AtomicU64::new(1);
    let nonce = NONCES.fetch_add(1, Ordering::Relaxed).to_string();
    let query = signed_at(NOW, &nonce, TOKEN);
    if mode == Mode::Plain {
        return post(door.address, &format!("/wechat?{query}"), &inner).status;
    }
    let key = seal::decode_key(KEY).unwrap();
    let sealed = seal::seal(&key, APP_ID, [7; 16], inner.as_bytes());
    let encrypt = format!("<Encrypt><![CDATA[{sealed}]]></Encrypt>");
    let body = match mode {
        Mode::Compatible => make(&encrypt),
        Mode::Plain | Mode::Secure => format!("<xml>{encrypt}</xml>"),
    };
    let signature = seal::sign(&[TOKEN, &NOW.to_string(), &nonce, &sealed]);
    let target = format!("/wechat?{query}&encrypt_type=aes&msg_signature={signature}");
    post(door.address, &target, &body).status
}

/// What XML 1.0 can carry of a text. A split that somebody writes by hand is taken for one of the platform's.
fn carried(written: &str) -> String {
    let joined = written.replace("]]]]><![CDATA[>", "]]>");
    let is_carried = |c: &char| match u32::from(*c) {
        9 | 10 | 13 => true,
        code => code >= 32 && code != 0xFFFE && code != 0xFFFF,
    };
    joined.chars().filter(is_carried).collect()
}

/// Every text from a user of its own, through listener, store and engine; then what the handler got.
fn all_arrive(mode: Mode, texts: &[String]) {
    let runtime = tokio::runtime::Builder::new_multi_thread();
    let runtime = { runtime }.worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        let door = door(mode);
        let received = Received::default();
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::start());
        let inbox: Arc<dyn Inbox> = Arc::clone(&door.inbox) as _;
        let house = House::over(inbox, Platform::scripted([]), clock);
        let routes = Router::new().fallback(note);
        let engine = house.engine(routes, Arc::clone(&received), quick());
        for (number, written) in texts.iter().enumerate() {
            let make = |last: &str| document(&format!("o{number}"), number, written, last);
            let status = tokio::task::block_in_place(|| push(&door, mode, make));
            assert_eq!(status, 200, "{written:?}");
        }
        eventually(async || (received.lock().unwrap().len() >= texts.len()).then_some(())).await;
        engine.stop().await;
        let received = received.lock().unwrap();
        assert_eq!(received.len(), texts.len());
        for (number, written) in texts.iter().enumerate() {
            let expected = (
                carried(written),
                "text".to_owned(),
                Some(number.to_string()),
            );
            assert_eq!(
                received.get(&format!("o{number}")),
                Some(&expected),
                "{written:?}"
            );
        }
    });
}

#[test]
fn a_handler_gets_the_worst_texts_whole_in_every_mode() {
    let controls = (0..=0x20).map(|code| format!("a{}b", char::from(code)));
    let attacks = [
        "",
        " ",
        "]]>",
        "]]]]><![CDATA[>",
        "]]",
        "]]></Content><MsgId>9</MsgId><Content><![CDATA[",
        "]]></Content><FromUserName><![CDATA[victim]]></FromUserName><MsgType>event</MsgType></xml>",
        "]]></Content></xml><xml><Content><![CDATA[",
        "<xml><FromUserName><![CDATA[victim]]></FromUserName><Event>subscribe</Event></xml>",
        "<Encrypt><![CDATA[ZmFrZQ==]]></Encrypt>",
        "]]></Content><Encrypt><![CDATA[ZmFrZQ==]]></Encrypt><Content><![CDATA[",
        "<!DOCTYPE x [<!ENTITY e SYSTEM \"file:///etc/passwd\">]>&e;",
        "]]><!-- <?x",
        "&lt;&#16;&amp;",
        "{{ 7 * 7 }} {% raw %} ${x} #{x} %s %n",
        "\u{feff}\u{fffe}\u{ffff}\u{202e}😀/::)",
        "0",
    ];
    let texts: Vec<String> = controls.chain(attacks.map(str::to_owned)).collect();
    for mode in Mode::ALL {
        all_arrive(mode, &texts);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 6, ..ProptestConfig::default() })]

    #[test]
    fn a_handler_gets_any_text_whole(
        mode in proptest::sample::select(&Mode::ALL),
        any in proptest::collection::vec(any::<String>(), 24),
        hostile in proptest::collection::vec(
            r"([a-z]|\PC|]]>|]]></Content>|<!\[CDATA\[|<!--|</?(Content|MsgId|FromUserName|Encrypt|xml)>|\{\{|&#1;|[\x00-\x1f]){0,24}",
            24,
        ),
    ) {
        all_arrive(mode, &[any, hostile].concat());
    }
}

#[test]
fn what_escapes_from_any_other_element_is_malformed_and_forges_nothing() {
    let account = AppId::parse(APP_ID).unwrap();
    let inner = |kind: &str, before: &str, element: &str, written: &str, behind: &str| {
        let document = format!(
            "<xml><ToUserName>gh_1</ToUserName><FromUserName>o1</FromUserName><CreateTime>1</CreateTime>\
             <MsgType>{kind}</MsgType>{before}<{element}><![CDATA[{written}]]></{element}>{behind}</xml>"
        );
        Bytes::from(document)
    };
    for (kind, before, element, behind) in [
        ("location", "", "Label", "<MsgId>7</MsgId>"),
        ("link", "", "Title", "<MsgId>7</MsgId>"),
        ("link", "", "Description", "<MsgId>7</MsgId>"),
        ("voice", "<MsgId>7</MsgId>", "Recognition", ""),
        ("event", "<Event>subscribe</Event>", "EventKey", ""),
        (
            "event",
            "<Event>user_enter_tempsession</Event>",
            "SessionFrom",
            "",
        ),
    ] {
        let forge = |header: &str| format!("]]></{element}>{header}<x><![CDATA[");
        let harmless = inner(kind, before, element, "x", behind);
        let expected = Push::parse(&account, &harmless).unwrap();
        for header in [
            "<FromUserName>victim</FromUserName>",
            "<MsgType>text</MsgType>",
            "<CreateTime>9</CreateTime>",
            "<ToUserName>gh_9</ToUserName>",
        ] {
            let body = inner(kind, before, element, &forge(header), behind);
            assert_eq!(
                Head::read(&account, &body).kind,
                Kind::Malformed,
                "{element} {header}"
            );
        }
        // What nobody takes for a header may come through: it is shown among the fields, and believed nowhere.
        let forged = format!(
            "]]></{element}><MsgId>9</MsgId><Event>subscribe</Event><InfoType>t</InfoType><x><![CDATA[]]></x><{element}_><![CDATA["
        );
        let closed = |body: Bytes| {
            let text = String::from_utf8(body.to_vec()).unwrap();
            let (before, behind) = text.rsplit_once(&format!("]]></{element}>")).unwrap();
            Bytes::from(format!("{before}]]></{element}_>{behind}"))
        };
        let body = closed(inner(kind, before, element, &forged, behind));
        if let Ok(push) = Push::parse(&account, &body) {
            let told = |push: &Push| {
                (
                    push.msg_id().map(str::to_owned),
                    push.event().map(str::to_owned),
                )
            };
            assert_eq!(told(&push), told(&expected), "{element}");
            assert_eq!(push.kind(), expected.kind(), "{element}");
        }
    }
    let voice = "<xml><FromUserName>o1</FromUserName><MsgType>voice</MsgType><Event>subscribe</Event></xml>";
    let event = "<xml><FromUserName>o1</FromUserName><MsgType>event</MsgType><Event>e</Event><MsgId>9</MsgId><MsgID>8</MsgID></xml>";
    for (document, told) in [(voice, (None, None)), (event, (None, Some("e")))] {
        let push = Push::parse(&account, &Bytes::from_static(document.as_bytes())).unwrap();
        assert_eq!((push.msg_id(), push.event()), told, "{document}");
    }
}

/// What becomes of a document with this behind its headers.
fn kind_of(more: &str) -> Kind {
    let document = format!(
        "<xml><FromUserName>o1</FromUserName><MsgType>event</MsgType><Event>e</Event>{more}</xml>"
    );
    let account = AppId::parse(APP_ID).unwrap();
    let body = Bytes::from(document);
    let kind = Head::read(&account, &body).kind;
    assert_eq!(Push::parse(&account, &body).is_ok(), kind == Kind::Event);
    kind
}

#[test]
fn a_document_is_read_at_each_of_its_bounds_and_not_beyond() {
    // The root is the first level; root and three headers are the first four elements.
    let deep = |levels: usize| {
        let levels = levels - 1;
        "<a>".repeat(levels) + &"</a>".repeat(levels)
    };
    let many = |elements: usize| "<a/>".repeat(elements - 4);
    let name = |bytes: usize| format!("<{}/>", "n".repeat(bytes));
    let text = |bytes: usize| format!("<a>{}</a>", "x".repeat(bytes));
    let section = |bytes: usize| format!("<a><![CDATA[{}]]></a>", "x".repeat(bytes));
    let long = |bytes: usize| {
        let headers =
            "<xml><FromUserName>o1</FromUserName><MsgType>event</MsgType><Event>e</Event></xml>";
        " ".repeat(bytes - headers.len())
    };
    for (name, at, beyond) in [
        ("depth", deep(MAX_DEPTH), deep(MAX_DEPTH + 1)),
        ("elements", many(MAX_ELEMENTS), many(MAX_ELEMENTS + 1)),
        ("name", name(MAX_NAME_BYTES), name(MAX_NAME_BYTES + 1)),
        ("text", text(MAX_TEXT_BYTES), text(MAX_TEXT_BYTES + 1)),
        (
            "section",
            section(MAX_TEXT_BYTES - 12),
            section(MAX_TEXT_BYTES + 1),
        ),
        (
            "document",
            long(MAX_DOCUMENT_BYTES),
            long(MAX_DOCUMENT_BYTES + 1),
        ),
    ] {
        assert_eq!(kind_of(&at), Kind::Event, "{name} at its bound");
        assert_eq!(kind_of(&beyond), Kind::Malformed, "{name} beyond its bound");
    }
}

#[test]
fn a_text_of_a_mebibyte_and_bytes_that_are_no_text_are_answered_and_kept() {
    let door = door(Mode::Secure);
    let status = |user: &str, written: &str| {
        push(&door, Mode::Secure, |last| document(user, 1, written, last))
    };
    assert_eq!(status("o1", &"字".repeat((1 << 20) / 3 + 1)), 413);
    assert_eq!(status("o2", &"x".repeat(MAX_TEXT_BYTES + 1)), 200);
    assert_eq!(status("o3", &"x".repeat(MAX_TEXT_BYTES)), 200);
    let marked = |last: &str| {
        let document = document("o4", 4, "x", last);
        format!("\u{feff}<?xml version=\"1.0\"?>\n{document}\n")
    };
    assert_eq!(push(&door, Mode::Secure, marked), 200);
    let kinds: Vec<Kind> = door.stored().iter().map(|push| push.kind).collect();
    assert_eq!(kinds, [Kind::Malformed, Kind::Message, Kind::Message]);

    let cut = document("o5", 5, "@", "").into_bytes();
    let at = cut.iter().position(|byte| *byte == b'@').unwrap();
    let cut = [&cut[..at], b"\xE4\xB8", &cut[at + 1..]].concat();
    let push = Push::parse(&AppId::parse(APP_ID).unwrap(), &Bytes::from(cut)).unwrap();
    assert_eq!(push.fields().get("Content"), Some("\u{fffd}"));
}

/// One table in one mode, at a door of its own.
fn play(mode: Mode, settings: Settings, rows: impl FnOnce(&Door) -> Vec<Row>, played: &mut Played) {
    let door = open_door(mode, settings);
    let rows = rows(&door);
    play_all(&door, mode, "", &rows, played);
}

/// A door that takes pushes from WeChat through one proxy, which is us.
fn play_elsewhere(mode: Mode, played: &mut Played) {
    let settings = Settings {
        allow_list: AllowList {
            wechat: false,
            networks: vec!["203.0.113.0/24".parse().unwrap()],
        },
        trusted_proxies: vec!["127.0.0.1".parse().unwrap()],
        ..Settings::default()
    };
    let (door, rows) = (open_door(mode, settings), elsewhere::rows(mode));
    play_all(&door, mode, elsewhere::FROM_WECHAT, &rows, played);
}

#[test]
fn each_hostile_request_is_refused_by_the_check_that_is_there_for_it_and_all_look_alike() {
    // Documents name it; it must never be called.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let address = listener.local_addr().unwrap();
    let short = Settings {
        request_budget: Duration::from_millis(800),
        ..Settings::default()
    };
    let mut played = Played::default();
    for mode in Mode::ALL {
        let usual = Settings::default;
        play(mode, usual(), |_| query::rows(mode), &mut played);
        play(
            mode,
            usual(),
            |_| document::rows(mode, address),
            &mut played,
        );
        play(mode, usual(), |_| wire::rows(mode), &mut played);
        play(
            mode,
            usual(),
            |door| replayed::rows(door, mode),
            &mut played,
        );
        play(mode, short.clone(), |_| slow::rows(mode), &mut played);
        play_elsewhere(mode, &mut played);
        if mode.is_encrypted() {
            play(mode, usual(), |_| envelope::rows(mode), &mut played);
        }
    }
    let Played { rows, wrong, heads } = played;
    assert!(wrong.is_empty(), "of {rows} rows:\n{}", wrong.join("\n"));
    assert_eq!(heads.len(), 1, "failed authentications differ: {heads:#?}");
    let called = listener.accept().map(drop).unwrap_err().kind();
    assert_eq!(called, ErrorKind::WouldBlock, "somebody fetched something");
    println!("{rows} hostile requests were refused");
    assert!(rows >= 750, "{rows}");
}
