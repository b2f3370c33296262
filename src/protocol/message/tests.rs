//! Values against the platform's examples, their limits, and the list that documents them.

use std::collections::BTreeSet;

use bytes::Bytes;
use serde_json::Value;

use super::*;
use crate::clock::Timestamp;
use crate::id::AppId;

const TO_MESSAGE: Channel = Channel::PassiveReply(Answering::Message);
const TO_EVENT: Channel = Channel::PassiveReply(Answering::Event);

fn json(message: impl Into<Message>) -> String {
    String::from_utf8(message.into().to_json(&OpenId::new("oABC"))).unwrap()
}

fn event() -> Push {
    let body = "<xml><ToUserName>gh_1</ToUserName><FromUserName>oABC</FromUserName>\
                <CreateTime>1</CreateTime><MsgType>event</MsgType><Event>CLICK</Event></xml>";
    Push::parse(&AppId::parse("wx1").unwrap(), &Bytes::from(body)).unwrap()
}

fn article() -> Article {
    Article::new("t", "https://e.com/a")
        .description("d")
        .picture("https://e.com/a.jpg")
}

fn page() -> MiniProgramPage {
    MiniProgramPage::new("wx0011", "pages/a?id=1")
        .title("t")
        .thumb("T3")
}

fn menu(items: usize) -> MsgMenu {
    (0..items).fold(MsgMenu::new(), |menu, index| {
        menu.item(index.to_string(), "满意")
    })
}

/// Every type with all that it can hold, in the order of the list.
fn full() -> [Message; 12] {
    [
        Text::new("a").into(),
        Image::new("m").into(),
        Voice::new("m").into(),
        Video::new("m")
            .thumb("t")
            .title("t")
            .description("d")
            .into(),
        music().high_quality_url("https://e.com/h.mp3").into(),
        News::new(article()).into(),
        MpNews::new("m").into(),
        MpNewsArticle::new("a").into(),
        menu(2).head("h").tail("t").into(),
        WxCard::new("c").into(),
        page().into(),
        TransferToCustomerService::new().to("a@b").into(),
    ]
}

fn music() -> Music {
    Music::new("T2")
        .title("曲")
        .description("d")
        .url("https://e.com/l.mp3")
}

#[test]
fn every_type_goes_out_as_the_platforms_examples_have_it() {
    let link = "您好，已收到。\n查看 <a href=\"https://example.com/o/1\">订单</a>";
    let program = "<a href=\"https://example.com\" data-miniprogram-appid=\"wx0011\" data-miniprogram-path=\"pages/a?id=1\">打开小程序</a>";
    let satisfied = MsgMenu::new()
        .head("满意吗？")
        .item("101", "满意")
        .item("102", "不满意")
        .tail("谢谢");
    for (message, expected) in [
        (
            Message::from(link),
            r#"{"touser":"oABC","msgtype":"text","text":{"content":"您好，已收到。\n查看 <a href=\"https://example.com/o/1\">订单</a>"}}"#,
        ),
        (
            program.into(),
            r#"{"touser":"oABC","msgtype":"text","text":{"content":"<a href=\"https://example.com\" data-miniprogram-appid=\"wx0011\" data-miniprogram-path=\"pages/a?id=1\">打开小程序</a>"}}"#,
        ),
        (
            Image::new("M1").into(),
            r#"{"touser":"oABC","msgtype":"image","image":{"media_id":"M1"}}"#,
        ),
        (
            Voice::new("M2").into(),
            r#"{"touser":"oABC","msgtype":"voice","voice":{"media_id":"M2"}}"#,
        ),
        (
            Video::new("M3")
                .thumb("T1")
                .title("标题")
                .description("说明")
                .into(),
            r#"{"touser":"oABC","msgtype":"video","video":{"media_id":"M3","thumb_media_id":"T1","title":"标题","description":"说明"}}"#,
        ),
        (
            music().high_quality_url("https://e.com/h.mp3").into(),
            r#"{"touser":"oABC","msgtype":"music","music":{"title":"曲","description":"d","musicurl":"https://e.com/l.mp3","hqmusicurl":"https://e.com/h.mp3","thumb_media_id":"T2"}}"#,
        ),
        (
            News::new(article()).into(),
            r#"{"touser":"oABC","msgtype":"news","news":{"articles":[{"title":"t","description":"d","url":"https://e.com/a","picurl":"https://e.com/a.jpg"}]}}"#,
        ),
        (
            MpNews::new("M4").into(),
            r#"{"touser":"oABC","msgtype":"mpnews","mpnews":{"media_id":"M4"}}"#,
        ),
        (
            MpNewsArticle::new("A1").into(),
            r#"{"touser":"oABC","msgtype":"mpnewsarticle","mpnewsarticle":{"article_id":"A1"}}"#,
        ),
        (
            satisfied.into(),
            r#"{"touser":"oABC","msgtype":"msgmenu","msgmenu":{"head_content":"满意吗？","list":[{"id":"101","content":"满意"},{"id":"102","content":"不满意"}],"tail_content":"谢谢"}}"#,
        ),
        (
            WxCard::new("C1").into(),
            r#"{"touser":"oABC","msgtype":"wxcard","wxcard":{"card_id":"C1"}}"#,
        ),
        (
            page().into(),
            r#"{"touser":"oABC","msgtype":"miniprogrampage","miniprogrampage":{"title":"t","appid":"wx0011","pagepath":"pages/a?id=1","thumb_media_id":"T3"}}"#,
        ),
        (
            Text::new("由助手生成").ai(),
            r#"{"touser":"oABC","msgtype":"text","text":{"content":"由助手生成"},"aimsgcontext":{"is_ai_msg":1}}"#,
        ),
        (
            Image::new("M1").by("a01@gh_abc"),
            r#"{"touser":"oABC","msgtype":"image","image":{"media_id":"M1"},"customservice":{"kf_account":"a01@gh_abc"}}"#,
        ),
    ] {
        assert_eq!(message.check(), Ok(()), "{expected}");
        assert_eq!(json(message), expected);
    }
}

#[test]
fn a_text_loses_what_would_need_an_escape_and_nothing_else() {
    let text =
        Text::new("您好\r\n\"a\"\u{7}\t\\u4f60<a href=\"https://x.cn/?a=1&b=2\">链接</a>😀\u{7f}");
    assert_eq!(
        json(text),
        r#"{"touser":"oABC","msgtype":"text","text":{"content":"您好\n\"a\"\\u4f60<a href=\"https://x.cn/?a=1&b=2\">链接</a>😀"#
            .to_owned()
            + "\u{7f}\"}}"
    );
}

fn too_long(field: &'static str, limit: usize) -> Result<(), MessageError> {
    Err(MessageError::TooLong {
        field,
        length: limit + 1,
        limit,
    })
}

fn too_many(field: &'static str, limit: usize) -> Result<(), MessageError> {
    Err(MessageError::TooMany {
        field,
        count: limit + 1,
        limit,
    })
}

/// A text of so many bytes, of characters of three where they fit.
fn bytes(count: usize) -> String {
    "中".repeat(count / 3) + &"a".repeat(count % 3)
}

#[test]
fn each_limit_is_kept_at_and_refused_beyond() {
    let (long, longer) = (bytes(MAX_FIELD_BYTES), bytes(MAX_FIELD_BYTES + 1));
    let articles = |count| (0..count).map(|_| article()).collect::<News>();
    type Pair = (Message, Message);
    let field = |make: &dyn Fn(&str) -> Message| -> Pair { (make(&long), make(&longer)) };
    let customer = Channel::CustomerMessage;
    for (channel, (within, beyond), expected) in [
        (
            customer,
            (
                bytes(MAX_TEXT_BYTES).into(),
                bytes(MAX_TEXT_BYTES + 1).into(),
            ),
            too_long("the text", 2048),
        ),
        (
            TO_MESSAGE,
            (
                bytes(MAX_TEXT_BYTES).into(),
                bytes(MAX_TEXT_BYTES + 1).into(),
            ),
            too_long("the text", 2048),
        ),
        (
            customer,
            (articles(1).into(), articles(2).into()),
            too_many("the list of articles", 1),
        ),
        (
            TO_MESSAGE,
            (articles(1).into(), articles(2).into()),
            too_many("the list of articles", 1),
        ),
        (
            TO_EVENT,
            (articles(8).into(), articles(9).into()),
            too_many("the list of articles", 8),
        ),
        (
            customer,
            (menu(10).into(), menu(11).into()),
            too_many("the menu's list", 10),
        ),
        (
            customer,
            (
                menu(1).item(bytes(64), "a").into(),
                menu(1).item(bytes(65), "a").into(),
            ),
            too_long("a menu item's id", 64),
        ),
        (
            customer,
            (
                menu(1).item("1", bytes(128)).into(),
                menu(1).item("1", bytes(129)).into(),
            ),
            too_long("a menu item's content", 128),
        ),
        (
            customer,
            (
                menu(1).head(bytes(1024)).into(),
                menu(1).head(bytes(1025)).into(),
            ),
            too_long("the menu's head_content", 1024),
        ),
        (
            customer,
            (
                menu(1).tail(bytes(1024)).into(),
                menu(1).tail(bytes(1025)).into(),
            ),
            too_long("the menu's tail_content", 1024),
        ),
        (
            customer,
            field(&|id| Image::new(id).into()),
            too_long("the image's media_id", 2048),
        ),
        (
            customer,
            field(&|text| page().title(text).into()),
            too_long("the mini program card's title", 2048),
        ),
        (
            customer,
            field(&|url| News::new(article().picture(url)).into()),
            too_long("an article's picurl", 2048),
        ),
        (
            customer,
            field(&|url| music().high_quality_url(url).into()),
            too_long("the music's hqmusicurl", 2048),
        ),
    ] {
        assert_eq!(within.check_for(channel), Ok(()), "{expected:?}");
        assert_eq!(beyond.check_for(channel), expected);
    }
}

#[test]
fn what_must_be_there_is_missed() {
    let customer = Channel::CustomerMessage;
    let empty = |field| Err(MessageError::Empty { field });
    let bare_music = || Message::from(Music::new("T"));
    for (message, channel, expected) in [
        ("".into(), customer, empty("the text")),
        ("\u{0}\t".into(), TO_MESSAGE, empty("the text")),
        ("0".into(), customer, Ok(())),
        ("0".into(), TO_MESSAGE, Ok(())),
        (
            Image::new("").into(),
            customer,
            empty("the image's media_id"),
        ),
        (
            Voice::new("").into(),
            TO_EVENT,
            empty("the voice's media_id"),
        ),
        (
            Video::new("m").into(),
            customer,
            empty("the video's thumb_media_id"),
        ),
        (Video::new("m").into(), TO_MESSAGE, Ok(())),
        (bare_music(), customer, empty("the music's title")),
        (bare_music(), TO_MESSAGE, Ok(())),
        (
            Music::new("").into(),
            TO_MESSAGE,
            empty("the music's thumb_media_id"),
        ),
        (
            News::from_iter([]).into(),
            TO_EVENT,
            empty("the list of articles"),
        ),
        (
            News::new(Article::new("", "u")).into(),
            customer,
            empty("an article's title"),
        ),
        (
            News::new(Article::new("t", "")).into(),
            TO_EVENT,
            empty("an article's url"),
        ),
        (News::new(Article::new("t", "u")).into(), customer, Ok(())),
        (MsgMenu::new().into(), customer, empty("the menu's list")),
        (
            MiniProgramPage::new("wx1", "p").title("t").into(),
            customer,
            empty("the mini program card's thumb_media_id"),
        ),
        (Text::new("a").by(""), customer, empty("the kf_account")),
    ] {
        assert_eq!(message.check_for(channel), expected, "{message:?}");
    }
    for account in ["a01", "@gh_abc", "a01@"] {
        let expected = Err(MessageError::Form {
            field: "the kf_account",
            form: "name@account",
        });
        assert_eq!(Text::new("a").by(account).check(), expected, "{account}");
        let transfer = Message::from(TransferToCustomerService::new().to(account));
        assert_eq!(transfer.check_for(TO_MESSAGE), expected, "{account}");
    }
}

#[test]
fn every_channel_refuses_what_it_does_not_know() {
    let refused = |what, channel| Err(MessageError::Channel { what, channel });
    for (message, entry) in full().into_iter().zip(VOCABULARY) {
        let name = entry.msg_type;
        let customer = match entry.customer_message {
            true => Ok(()),
            false => refused(name, "customer message"),
        };
        let passive = match entry.passive_reply {
            true => Ok(()),
            false => refused(name, "passive reply"),
        };
        assert_eq!(message.check(), customer, "{name}");
        assert_eq!(message.check_for(TO_MESSAGE), passive, "{name}");
        if entry.rust != "TransferToCustomerService" {
            assert_eq!(message.check_for(TO_EVENT), passive, "{name}");
        }
    }
    let transfer = Message::from(TransferToCustomerService::new());
    assert_eq!(
        transfer.check_for(TO_EVENT),
        refused("transfer_customer_service", "passive reply")
    );
    // Nothing that must be seen is silently left out.
    assert_eq!(
        Text::new("a").ai().check_for(TO_MESSAGE),
        refused("the mark of an AI", "passive reply")
    );
    assert_eq!(
        Text::new("a").by("a@b").check_for(TO_MESSAGE),
        refused("a customer-service account", "passive reply")
    );
}

#[test]
fn every_error_names_what_is_wrong_and_what_to_do() {
    let shown = |message: Message, channel| {
        let error = message.check_for(channel).unwrap_err();
        format!("{error}: {}", error.remedy())
    };
    let customer = Channel::CustomerMessage;
    insta::assert_snapshot!(
        [
            shown("".into(), customer),
            shown("a".repeat(2049).into(), customer),
            shown(menu(11).into(), customer),
            shown(Text::new("a").by("a"), customer),
            shown(menu(1).into(), TO_MESSAGE),
        ]
        .join("\n"),
        @r"
    the text is empty: give it, or say nothing: return () or None
    the text has 2049 bytes; at most 2048 are allowed: shorten it, or say it in several messages; each takes one place of the sending window
    the menu's list has 11 entries; at most 10 are allowed: keep the first, or say it in several messages
    the kf_account is not written as name@account: copy it from the console
    msgmenu cannot be part of a passive reply: say it through the other channel, or leave it out
    "
    );
}

/// The names of everything in a JSON value that has no parts.
fn leaves(value: &Value, path: &str, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(members) => {
            for (name, member) in members {
                let dot = if path.is_empty() { "" } else { "." };
                leaves(member, &format!("{path}{dot}{name}"), found);
            }
        }
        Value::Array(entries) => {
            for entry in entries {
                leaves(entry, &format!("{path}[]"), found);
            }
        }
        _ => {
            found.insert(path.to_owned());
        }
    }
}

fn json_members(message: &Message) -> BTreeSet<String> {
    let whole: Value = serde_json::from_str(&json(message.clone())).unwrap();
    let mut found = BTreeSet::new();
    leaves(&whole[message.body.msg_type()], "", &mut found);
    found
}

fn xml_members(message: &Message) -> BTreeSet<String> {
    let push = match message.body {
        Body::TransferToCustomerService(_) => {
            let body = "<xml><ToUserName>gh_1</ToUserName><FromUserName>oABC</FromUserName>\
                        <CreateTime>1</CreateTime><MsgType>text</MsgType><Content>a</Content><MsgId>1</MsgId></xml>";
            Push::parse(&AppId::parse("wx1").unwrap(), &Bytes::from(body)).unwrap()
        }
        _ => event(),
    };
    let reply = message
        .to_passive(&push, Timestamp::from_seconds(7))
        .unwrap();
    let read = Push::parse(
        &AppId::parse("wx1").unwrap(),
        &Bytes::from(reply.document().to_owned()),
    );
    let names: BTreeSet<String> = read
        .unwrap()
        .fields()
        .iter()
        .map(|(path, _)| path.to_owned())
        .collect();
    let frame = [
        "ToUserName",
        "FromUserName",
        "CreateTime",
        "MsgType",
        "ArticleCount",
    ];
    names
        .into_iter()
        .filter(|name| !frame.contains(&name.as_str()))
        .collect()
}

#[test]
fn the_list_names_what_the_values_write() {
    for (message, entry) in full().into_iter().zip(VOCABULARY) {
        let name = entry.msg_type;
        assert_eq!(message.body.entry(), &entry, "{name}");
        let listed = |pick: fn(&Field) -> Option<Member>| -> BTreeSet<String> {
            let members = entry.fields.iter().filter_map(pick);
            members.map(|member| member.path.to_owned()).collect()
        };
        if entry.customer_message {
            assert_eq!(json_members(&message), listed(|field| field.json), "{name}");
        }
        if entry.passive_reply {
            assert_eq!(xml_members(&message), listed(|field| field.xml), "{name}");
        }
        let rust = format!("{:?}", message.body);
        assert!(rust.starts_with(entry.rust), "{rust}");
    }
}

/// Every type with as little as each channel takes: as a customer message, as a passive reply.
fn least() -> [(Message, Message); 12] {
    let same = |message: Message| (message.clone(), message);
    [
        same("a".into()),
        same(Image::new("m").into()),
        same(Voice::new("m").into()),
        (Video::new("m").thumb("t").into(), Video::new("m").into()),
        (music().into(), Music::new("t").into()),
        same(News::new(Article::new("t", "u")).into()),
        same(MpNews::new("m").into()),
        same(MpNewsArticle::new("a").into()),
        same(menu(1).into()),
        same(WxCard::new("c").into()),
        same(page().into()),
        same(TransferToCustomerService::new().into()),
    ]
}

#[test]
fn what_the_list_calls_required_is_what_the_least_message_has() {
    for ((customer, passive), entry) in least().into_iter().zip(VOCABULARY) {
        let name = entry.msg_type;
        let listed = |pick: fn(&Field) -> Option<Member>| -> BTreeSet<String> {
            let members = entry.fields.iter().filter_map(pick);
            // An article is always written whole.
            let needed = members.filter(|member| member.is_required || name == "news");
            needed.map(|member| member.path.to_owned()).collect()
        };
        if entry.customer_message {
            assert_eq!(customer.check(), Ok(()), "{name}");
            assert_eq!(
                json_members(&customer),
                listed(|field| field.json),
                "{name}"
            );
        }
        if entry.passive_reply {
            assert_eq!(xml_members(&passive), listed(|field| field.xml), "{name}");
        }
    }
}
