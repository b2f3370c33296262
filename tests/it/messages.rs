//! Everything that we say: against the platform's documents, and before the referee.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use proptest::prelude::*;
use serde_json::Value;
use wxhook::app::{Exit, Server};
use wxhook::clock::Timestamp;
use wxhook::id::{AppId, OpenId};
use wxhook::protocol::envelope;
use wxhook::protocol::message::{
    Answering, Article, Channel, Entry, Field, Image, List, Member, Message, MiniProgramPage,
    MpNews, MpNewsArticle, MsgMenu, Music, News, Text, TransferToCustomerService, VOCABULARY,
    Video, Voice, Words, WxCard, without_links,
};
use wxhook::protocol::push::Push;
use wxhook::protocol::{Credentials, Fresh, Mode, Opened, RetiredError, Rotating, Sealed};
use wxhook::secret::{AesKey, AppSecret, PushToken};
use wxhook::simulator::platform::{Call, Platform, Settings};
use wxhook::simulator::pusher::{self, Gesture, Identity, Verdict, judge};
use wxhook::simulator::seal;
use wxhook::{Content, Router};

use crate::main_job::{APP_ID, SECRET, StandIn, config, push_once};
use crate::support::eventually;

const USER: &str = "oJb3Uw5c9XkQm1T0s7Zr2LhVnA_8";
const ORIGINAL_ID: &str = "gh_5f2c9a7d10be";
const TOKEN: &str = "mpInboundT0ken";
const ENCODED_KEY: &str = "q7Lm2ZxT9vB4kRfW1sYd8HcN6uJgP3oEaXiQ0wVtKzC";

fn path(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(name)
}

fn file(name: &str) -> String {
    std::fs::read_to_string(path(name)).unwrap()
}

fn account() -> AppId {
    AppId::parse(APP_ID).unwrap()
}

fn key() -> AesKey {
    envelope::decode_key(ENCODED_KEY).unwrap()
}

/// The current secrets, or the same as previous ones.
fn credentials(mode: Mode, are_current: bool) -> Credentials {
    let token = PushToken::new(TOKEN);
    let (token, key) = match are_current {
        true => (Rotating::only(token), Rotating::only(key())),
        false => (
            Rotating {
                current: PushToken::new("n3wT0ken"),
                previous: Some(token),
            },
            Rotating {
                current: AesKey::new([9; 32]),
                previous: Some(key()),
            },
        ),
    };
    Credentials::new(account(), mode, token, Some(key)).unwrap()
}

fn gesture(gesture: Gesture) -> pusher::Push {
    let now = Timestamp::from_seconds(1_718_000_001);
    pusher::Push::new(gesture, USER, ORIGINAL_ID, now, 24_601)
}

/// A user's message, and an event.
fn written() -> pusher::Push {
    gesture(Gesture::Text("你好".to_owned()))
}

fn followed() -> pusher::Push {
    gesture(Gesture::Follow)
}

/// Sends the push as WeChat does, and opens it as the endpoint does.
fn opened(push: &pusher::Push, credentials: &Credentials) -> Opened {
    let (timestamp, nonce) = ("1718000000", "904211378");
    let signature = seal::sign(&[TOKEN, timestamp, nonce]);
    let mut query = format!("signature={signature}&timestamp={timestamp}&nonce={nonce}");
    let mut body = push.document.clone();
    if credentials.mode().is_encrypted() {
        let key = seal::decode_key(ENCODED_KEY).unwrap();
        let sealed = seal::seal(&key, APP_ID, [7; 16], body.as_bytes());
        let signature = seal::sign(&[TOKEN, timestamp, nonce, &sealed]);
        write!(query, "&encrypt_type=aes&msg_signature={signature}").unwrap();
        body = format!("<xml><Encrypt><![CDATA[{sealed}]]></Encrypt></xml>");
    }
    let verified = Sealed::parse(&query).unwrap().verify(credentials).unwrap();
    verified.open(credentials, Bytes::from(body)).unwrap()
}

fn fresh() -> Fresh {
    Fresh {
        random: *b"0123456789abcdef",
        nonce: 904_211_378,
        timestamp: Timestamp::from_seconds(1_718_000_000),
    }
}

/// What WeChat makes of our answer.
fn judged(message: &Message, push: &pusher::Push, mode: Mode) -> Verdict {
    let credentials = credentials(mode, true);
    let opened = opened(push, &credentials);
    let read = Push::parse(&account(), opened.body()).unwrap();
    let reply = message
        .to_passive(&read, Timestamp::from_seconds(1_718_000_002))
        .unwrap();
    let body = opened.answer(&reply, &credentials, &fresh()).unwrap();
    let identity = Identity {
        url: String::new(),
        app_id: account(),
        token: PushToken::new(TOKEN),
        key: Some(seal::decode_key(ENCODED_KEY).unwrap()),
        mode: match mode {
            Mode::Plain => pusher::Mode::Plain,
            Mode::Compatible => pusher::Mode::Compatible,
            Mode::Secure => pusher::Mode::Secure,
        },
        original_id: ORIGINAL_ID.to_owned(),
    };
    judge(&identity, push, 200, body.as_bytes())
}

fn article() -> Article {
    Article::new("文章", "https://example.com/a?x=1&y=2")
        .description("摘要")
        .picture("https://example.com/p.jpg")
}

fn music() -> Music {
    Music::new("t1")
        .title("曲")
        .description("说明")
        .url("https://example.com/a.mp3")
        .high_quality_url("https://example.com/hq.mp3")
}

/// One message of each type that both channels know, and those that only one of them knows.
fn both() -> [Message; 6] {
    [
        Text::new("您好\n第二行 a]]>b").into(),
        Image::new("m1").into(),
        Voice::new("m2").into(),
        Video::new("m3")
            .thumb("t")
            .title("标题")
            .description("说明")
            .into(),
        music().into(),
        News::new(article()).into(),
    ]
}

fn customer_only() -> [Message; 5] {
    [
        MpNews::new("m").into(),
        MpNewsArticle::new("a").into(),
        MsgMenu::new()
            .head("满意吗？")
            .item("101", "满意")
            .item("102", "不满意")
            .tail("谢谢")
            .into(),
        WxCard::new("c").into(),
        MiniProgramPage::new("wx0011", "pages/a?id=1")
            .title("t")
            .thumb("t")
            .into(),
    ]
}

fn transfer() -> Message {
    TransferToCustomerService::new().to("agent1@example").into()
}

/// The documents break a line before `MsgType` for the reader's sake; otherwise every byte counts.
#[test]
fn every_passive_reply_is_the_document_that_wechat_expects() {
    let opened = opened(&written(), &credentials(Mode::Plain, true));
    let push = Push::parse(&account(), opened.body()).unwrap();
    for (seconds, message) in (1_718_003_000..).zip(both().into_iter().chain([transfer()])) {
        let name = message.body.msg_type();
        let document = file(&format!("tests/fixtures/reply_{name}.xml"));
        let expected = document.replacen("</CreateTime>\n<MsgType>", "</CreateTime><MsgType>", 1);
        let reply = message.to_passive(&push, Timestamp::from_seconds(seconds));
        assert_eq!(reply.unwrap().document(), expected, "{name}");
    }
}

#[test]
fn what_was_not_given_is_left_out_and_zero_is_given() {
    let opened = opened(&written(), &credentials(Mode::Plain, true));
    let push = Push::parse(&account(), opened.body()).unwrap();
    let said = |message: Message| {
        let reply = message
            .to_passive(&push, Timestamp::from_seconds(7))
            .unwrap();
        let (_, said) = reply.document().split_once("]]></MsgType>").unwrap();
        said.strip_suffix("</xml>").unwrap().to_owned()
    };
    for (message, expected) in [
        ("0".into(), "<Content><![CDATA[0]]></Content>"),
        (
            Video::new("m").title("").into(),
            "<Video><MediaId><![CDATA[m]]></MediaId></Video>",
        ),
        (
            Music::new("t").into(),
            "<Music><ThumbMediaId><![CDATA[t]]></ThumbMediaId></Music>",
        ),
        (TransferToCustomerService::new().into(), ""),
    ] {
        assert_eq!(said(message), expected);
    }
}

#[test]
fn a_sealed_reply_is_the_known_one_byte_for_byte() {
    let vectors: Value = serde_json::from_str(&file("tests/fixtures/vectors.json")).unwrap();
    let own = vectors["own"].as_array().unwrap();
    let vector = own
        .iter()
        .find(|vector| vector["id"] == "own-reply")
        .unwrap();
    let part = |name: &str| vector[name].as_str().unwrap();
    assert_eq!(
        (part("token"), part("encoding_aes_key")),
        (TOKEN, ENCODED_KEY)
    );

    let credentials = credentials(Mode::Secure, true);
    let opened = opened(&written(), &credentials);
    let push = Push::parse(&account(), opened.body()).unwrap();
    let reply = Message::from("好的")
        .to_passive(&push, Timestamp::from_seconds(1_718_000_002))
        .unwrap();
    assert_eq!(reply.document(), part("msg"));
    assert_eq!(
        opened.answer(&reply, &credentials, &fresh()).unwrap(),
        format!(
            "<xml><Encrypt><![CDATA[{}]]></Encrypt><MsgSignature><![CDATA[{}]]></MsgSignature>\
             <TimeStamp>{}</TimeStamp><Nonce><![CDATA[{}]]></Nonce></xml>",
            part("encrypt"),
            part("msg_signature"),
            part("timestamp"),
            part("nonce")
        )
    );
}

#[test]
fn wechat_takes_every_passive_reply_in_every_mode() {
    for mode in Mode::ALL {
        for message in both().into_iter().chain([transfer()]) {
            let Verdict::Reply(reply) = judged(&message, &written(), mode) else {
                panic!("{message:?}: {}", judged(&message, &written(), mode));
            };
            assert_eq!(reply.message_type, message.body.msg_type());
            assert_eq!(reply.was_sealed, mode.is_encrypted());
        }
        let many: News = (0..8).map(|_| article()).collect();
        assert!(judged(&many.into(), &followed(), mode).is_good());
    }
}

#[test]
fn a_reply_is_sealed_with_the_secrets_that_opened_the_push() {
    let rotated = credentials(Mode::Secure, false);
    let opened = opened(&written(), &rotated);
    assert_eq!(opened.how(), "secure, previous token and key");
    let push = Push::parse(&account(), opened.body()).unwrap();
    let reply = Message::from("好的")
        .to_passive(&push, Timestamp::from_seconds(7))
        .unwrap();
    let body = opened.answer(&reply, &rotated, &fresh()).unwrap();
    let between = |begin: &str, end: &str| {
        let (_, rest) = body.split_once(begin).unwrap();
        rest.split_once(end).unwrap().0.to_owned()
    };
    let sealed = between("<Encrypt><![CDATA[", "]]>");
    let signature = between("<MsgSignature><![CDATA[", "]]>");
    let expected = seal::sign(&[TOKEN, "1718000000", "904211378", &sealed]);
    assert_eq!(signature, expected);
    let key = seal::decode_key(ENCODED_KEY).unwrap();
    let document = seal::open(&key, APP_ID, &sealed).unwrap();
    assert_eq!(document, reply.document().as_bytes());

    // Another account's credentials, or these after the operator retired the old secrets.
    let retired = credentials(Mode::Secure, true);
    assert_eq!(opened.answer(&reply, &retired, &fresh()), Err(RetiredError));
}

#[test]
fn a_notice_is_not_answered() {
    let body = "<xml><AppId>wx1</AppId><InfoType>authorized</InfoType></xml>";
    let notice = Push::parse(&account(), &Bytes::from(body)).unwrap();
    let refused = Message::from("a").to_passive(&notice, Timestamp::from_seconds(7));
    assert_eq!(
        refused.unwrap_err().to_string(),
        "a notice can only be acknowledged, not answered"
    );
}

/// The platform with a token for one account.
fn platform() -> (Platform, String) {
    let settings = Settings::for_account(account(), AppSecret::new(SECRET));
    let mut platform = Platform::new(settings, 7);
    let ask = serde_json::json!({
        "grant_type": "client_credential", "appid": APP_ID, "secret": SECRET,
    });
    let answer = platform.handle(
        Timestamp::from_seconds(1_718_000_000),
        &call("/cgi-bin/stable_token", "", ask.to_string().into()),
    );
    let answer: Value = serde_json::from_str(&answer.body).unwrap();
    let token = answer["access_token"].as_str().unwrap().to_owned();
    (platform, token)
}

fn call(path: &str, token: &str, body: Bytes) -> Call {
    Call {
        method: "POST".to_owned(),
        path: path.to_owned(),
        host: "api.weixin.qq.com".to_owned(),
        query: format!("access_token={token}"),
        has_content_length: true,
        body,
        ..Call::default()
    }
}

fn send(platform: &mut Platform, token: &str, message: &Message) -> Option<i64> {
    let body = message.to_json(&OpenId::new(USER));
    let call = call("/cgi-bin/message/custom/send", token, body.into());
    platform
        .handle(Timestamp::from_seconds(1_718_000_001), &call)
        .code
}

#[test]
fn wechat_takes_every_customer_message_and_refuses_what_the_check_refuses() {
    let (mut platform, token) = platform();
    for message in both().into_iter().chain(customer_only()) {
        assert_eq!(message.check(), Ok(()));
        let framed = message.clone().by("a01@gh_abc").ai();
        for message in [&message, &framed] {
            assert_eq!(send(&mut platform, &token, message), Some(0), "{message:?}");
        }
    }
    let delivered: Vec<_> = platform
        .deliveries_after(0)
        .map(|delivery| {
            let speaker = delivery.kf_account.as_deref();
            (&*delivery.message_type, speaker, delivery.is_ai)
        })
        .collect();
    let types = VOCABULARY.iter().filter(|entry| entry.customer_message);
    let expected: Vec<_> = types
        .flat_map(|entry| {
            let speaker = Some("a01@gh_abc");
            [
                (entry.msg_type, None, false),
                (entry.msg_type, speaker, true),
            ]
        })
        .collect();
    assert_eq!(delivered, expected);

    let menu = |items: usize| {
        (0..items).fold(MsgMenu::new(), |menu, index| {
            menu.item(index.to_string(), "a")
        })
    };
    for (message, code) in [
        (Message::from(""), 44004),
        ("a".repeat(2049).into(), 45002),
        (Image::new("").into(), 40007),
        (Voice::new("").into(), 40007),
        (Video::new("m").into(), 40007),
        (Music::new("t").title("t").description("d").into(), 44004),
        (Music::new("t").url("u").title("t").into(), 44004),
        (News::new(article()).and(article()).into(), 45008),
        (News::new(Article::new("", "u")).into(), 44003),
        (MpNews::new("").into(), 40007),
        (MpNewsArticle::new("").into(), 53600),
        (menu(0).into(), 45098),
        (menu(11).into(), 45098),
        (menu(1).item("a", "a".repeat(129)).into(), 45099),
        (WxCard::new("").into(), 44004),
        (
            MiniProgramPage::new("", "p").title("t").thumb("t").into(),
            40166,
        ),
        (
            MiniProgramPage::new("w", "").title("t").thumb("t").into(),
            40165,
        ),
        (Text::new("a").by("a01"), 61452),
        (transfer(), 40008),
    ] {
        assert!(message.check().is_err(), "{message:?}");
        assert_eq!(
            send(&mut platform, &token, &message),
            Some(code),
            "{message:?}"
        );
    }
}

/// Texts with whatever could break out of JSON, XML or a template.
fn any_text() -> impl Strategy<Value = String> {
    let awkward = prop_oneof![
        Just("]]>".to_owned()),
        Just("]]]]><![CDATA[>".to_owned()),
        Just("]".to_owned()),
        Just("</Content></xml>".to_owned()),
        Just("<a href=\"x\">y</a>".to_owned()),
        Just("\\u4f60&lt;&#0;{{x}}%s".to_owned()),
        Just("\r\n\t\0\u{b}\u{1f}\u{7f}\u{85}\u{2028}\u{fffe}\u{ffff}\u{feff}".to_owned()),
        any::<char>().prop_map(String::from),
        ".{0,8}",
    ];
    proptest::collection::vec(awkward, 0..12).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn any_text_arrives_as_it_was_said_in_a_passive_reply(text in any_text(), mode in 0_usize..3) {
        let said = Words::new(text.clone());
        prop_assume!(!said.trim().is_empty());
        let message = Message::from(text);
        prop_assert_eq!(message.check_for(Channel::PassiveReply(Answering::Message)), Ok(()));

        // Our own reader, which sees what comes in, reads the same.
        let opened = opened(&written(), &credentials(Mode::Plain, true));
        let push = Push::parse(&account(), opened.body()).unwrap();
        let reply = message.to_passive(&push, Timestamp::from_seconds(7)).unwrap();
        let echo = Push::parse(&account(), &Bytes::from(reply.document().to_owned()));
        let echo = echo.unwrap();
        prop_assert_eq!(echo.fields().get("Content"), Some(said.as_str()));
        prop_assert_eq!((echo.from().as_str(), echo.to()), (ORIGINAL_ID, USER));

        // And so does WeChat.
        let Verdict::Reply(reply) = judged(&message, &written(), Mode::ALL[mode]) else {
            return Err(TestCaseError::fail(judged(&message, &written(), Mode::ALL[mode]).to_string()));
        };
        prop_assert_eq!(reply.content, Some(said.to_string()));
    }

    #[test]
    fn any_text_arrives_as_it_was_said_in_a_customer_message(text in any_text()) {
        let said = Words::new(text.clone());
        prop_assume!(!said.is_empty());
        let message = Message::from(text);
        let body: Value = serde_json::from_slice(&message.to_json(&OpenId::new(USER))).unwrap();
        prop_assert_eq!(body["text"]["content"].as_str(), Some(said.as_str()));

        // WeChat refuses escapes; there is none.
        let (mut platform, token) = platform();
        prop_assert_eq!(send(&mut platform, &token, &message), Some(0));
        let delivery = platform.deliveries_after(0).next().unwrap();
        prop_assert_eq!(delivery.content.as_deref(), Some(said.as_str()));
    }
}

async fn answer(Content(text): Content) -> (String, Image, Vec<Message>) {
    let menu = MsgMenu::new().item("1", "满意").item("2", "不满意");
    let rest = vec![menu.into(), News::new(article()).by("a01@gh_abc").ai()];
    (without_links(&text), Image::new("m1"), rest)
}

#[test]
fn a_handler_says_several_things_of_several_types_in_its_order() {
    let stand_in = StandIn::start();
    let directory = tempfile::tempdir().unwrap();
    let data_dir = directory.path().to_str().unwrap();
    let config = config(&stand_in.url, data_dir, &[]);
    let routes = Router::<()>::new().fallback(answer).with_state(()).unwrap();
    let server = Server::start(config, routes).unwrap();
    let seen = push_once(server.webhook_address(), "<a href='x'>y</a>");
    assert_eq!(seen["verdict"], "success", "{seen}");
    let platform: &Arc<Mutex<Platform>> = &stand_in.platform;
    eventually("four messages", || {
        (platform.lock().unwrap().delivery_count() >= 4).then_some(())
    });
    let told: Vec<_> = platform
        .lock()
        .unwrap()
        .deliveries_after(0)
        .map(|delivery| {
            let content = delivery.content.clone().unwrap_or_default();
            (delivery.message_type.clone(), content, delivery.is_ai)
        })
        .collect();
    let said = |kind: &str, content: &str, is_ai| (kind.to_owned(), content.to_owned(), is_ai);
    assert_eq!(
        told,
        [
            said("text", "<\u{200B}a href='x'>y<\u{200B}/a>", false),
            said("image", "", false),
            said("msgmenu", "满意\n不满意", false),
            said("news", "文章", true),
        ]
    );
    assert_eq!(server.stop(), Exit::Clean);
}

/// The members of one form, the required ones in bold.
fn members(entry: &Entry, is_said: bool, pick: fn(&Field) -> Option<Member>) -> String {
    let shown: Vec<String> = entry
        .fields
        .iter()
        .filter_map(pick)
        .map(|member| match member.is_required {
            true => format!("**`{}`**", member.path),
            false => format!("`{}`", member.path),
        })
        .collect();
    match (is_said, shown.is_empty()) {
        (false, _) => "–".to_owned(),
        (true, true) => "✓".to_owned(),
        (true, false) => format!("✓ {}", shown.join(", ")),
    }
}

fn limits(entry: &Entry) -> String {
    let name = |field: &Field| {
        let member = field.json.or(field.xml).unwrap();
        let last = member.path.rsplit(['.', '/']).next().unwrap();
        format!("`{last}` ≤ {} B", field.max_bytes)
    };
    let list = entry.list.map(|list| {
        let List {
            name,
            max_entries,
            max_entries_to_event,
        } = list;
        match max_entries == max_entries_to_event {
            true => format!("`{name}` ≤ {max_entries}"),
            false => format!("`{name}` ≤ {max_entries}；被动回复事件 / passive to an event ≤ {max_entries_to_event}"),
        }
    });
    let all: Vec<String> = list
        .into_iter()
        .chain(entry.fields.iter().map(name))
        .collect();
    all.join(", ")
}

fn page() -> String {
    let mut page = "\
# 能说的一切 · Everything that can be said

<!-- Written by `cargo test --test it messages`, from `wxhook::protocol::message::VOCABULARY`. -->

每种消息在 Rust 里是一个值；客服消息与被动回复是同一个值，能走哪条路由值自己回答（`check_for`）。粗体为必填。
任何一种客服消息都可以用客服账号说（`.by(\"name@account\")`），也可以带平台的 AI 标识（`.ai()`）；被动回复两者都没有。

Each kind of message is a Rust value; a customer message and a passive reply are the same value, which tells which
way it can go (`check_for`). Bold members are required. Every customer message may be said by a customer-service
account (`.by(\"name@account\")`) and carry the platform's mark of an AI (`.ai()`); a passive reply can do neither.

| 类型 Type | Rust | 客服消息 Customer message (JSON) | 被动回复 Passive reply (XML) | 上限 Limits | 说明 | Notes |
|---|---|---|---|---|---|---|
"
    .to_owned();
    for entry in VOCABULARY {
        let customer = members(&entry, entry.customer_message, |field| field.json);
        let passive = members(&entry, entry.passive_reply, |field| field.xml);
        writeln!(
            page,
            "| `{}` | `{}` | {customer} | {passive} | {} | {} | {} |",
            entry.msg_type,
            entry.rust,
            limits(&entry),
            entry.note_chinese,
            entry.note_english
        )
        .unwrap();
    }
    page
}

#[test]
fn the_page_of_messages_says_what_the_code_can_say() {
    let (place, page) = (path("docs/messages.md"), page());
    let found = std::fs::read_to_string(&place).unwrap_or_default();
    if found != page {
        std::fs::write(&place, page).unwrap();
        panic!("docs/messages.md was out of date; it has been written anew: commit it");
    }
}
