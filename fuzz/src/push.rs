//! Any text where WeChat puts what people write, through every step of a push: nobody can forge who wrote,
//! what sort of push it is and which message; what a user wrote as a text arrives whole.

use std::sync::LazyLock;

use bytes::Bytes;

use crate::id::AppId;
use crate::protocol::push::{Kind, Push};
use crate::protocol::{Credentials, Mode, Sealed};
use crate::wechat;

mod place;

use place::{OTHERS, Place, TEXTS};

static CREDENTIALS: LazyLock<[Credentials; 3]> =
    LazyLock::new(|| Mode::ALL.map(wechat::credentials));

/// What each place gives with a harmless text.
static HARMLESS: LazyLock<Vec<Push>> = LazyLock::new(|| {
    let read = |place: &Place| received(place, "x").expect("a harmless text is read");
    TEXTS.iter().chain(&OTHERS).map(read).collect()
});

/// What a text is made of beside ASCII. The first two get out of a place, and into it again.
const WORDS: [&str; 22] = [
    "",
    "",
    "]]>",
    "]]]]><![CDATA[>",
    "<![CDATA[",
    "]]></Content>",
    "</xml>",
    "<xml>",
    "<FromUserName>victim</FromUserName>",
    "<MsgType>event</MsgType>",
    "<Event><![CDATA[subscribe]]></Event>",
    "<MsgId>9</MsgId>",
    "<CreateTime>9</CreateTime>",
    "<InfoType>unauthorized</InfoType>",
    "<Encrypt><![CDATA[ZmFrZQ==]]></Encrypt>",
    "<!--",
    "<!DOCTYPE x>",
    "<a k='",
    "&#16;",
    "中文",
    "😀",
    "\u{fffe}",
];

/// The first byte, an ASCII digit at best, chooses the place. The rest is the text: as it is when a blank comes
/// first, else bytes above ASCII stand for words, because noise hardly ever spells one.
pub fn check(data: &[u8]) {
    let Some((place, text)) = data.split_first() else {
        return;
    };
    let at = usize::from(place.wrapping_sub(b'0')) % HARMLESS.len();
    let harmless = &HARMLESS[at];
    let place = TEXTS.get(at).unwrap_or_else(|| &OTHERS[at - TEXTS.len()]);
    let text = match text.split_first() {
        Some((b' ', text)) => String::from_utf8_lossy(text).into_owned(),
        _ => spelled(place, text),
    };
    let push = received(place, &text);
    if at < TEXTS.len() {
        arrives_whole(push.as_ref(), &text, harmless);
    }
    // Elsewhere a text that breaks its document is malformed at worst.
    if let Some(push) = push {
        forges_nothing(&push, harmless);
    }
}

fn spelled(place: &Place, text: &[u8]) -> String {
    let mut spelled = String::new();
    for byte in text {
        match byte {
            0..=0x7F => spelled.push(char::from(*byte)),
            _ => match usize::from(byte & 0x7F) % WORDS.len() {
                0 => spelled += place.end,
                1 => spelled += place.begin,
                word => spelled += WORDS[word],
            },
        }
    }
    spelled
}

fn arrives_whole(push: Option<&Push>, text: &str, harmless: &Push) {
    let push = push.expect("every text is read");
    // A split that a user writes by hand cannot be told from one that the platform makes.
    let carried = text.replace("]]]]><![CDATA[>", "]]>");
    let carried: String = carried.chars().filter(|c| wechat::is_xml(*c)).collect();
    assert_eq!(push.fields().get("Content"), Some(carried.as_str()));
    assert_eq!(push.fields().iter().len(), harmless.fields().iter().len());
    assert_eq!(push.dedupe_key(), harmless.dedupe_key());
}

fn forges_nothing(push: &Push, harmless: &Push) {
    assert_eq!(push.from(), harmless.from());
    assert_eq!(push.kind(), harmless.kind());
    assert_eq!(push.msg_type(), harmless.msg_type());
    assert_eq!(push.event(), harmless.event());
    assert_eq!(push.msg_id(), harmless.msg_id());
    assert_eq!(push.to(), harmless.to());
    assert_eq!(push.create_time(), harmless.create_time());
    if push.kind() == Kind::Message {
        assert_eq!(push.dedupe_key(), harmless.dedupe_key());
    }
}

/// Sends it as the platform would, through every step. None when it is malformed.
fn received(place: &Place, text: &str) -> Option<Push> {
    let document = place.document(text, "");
    let sealed = wechat::seal(document.as_bytes());
    let encrypt = ["<Encrypt><![CDATA[", &sealed, "]]></Encrypt>"].concat();
    let (query, body) = match place.mode {
        Mode::Plain => (wechat::query(None), document.clone()),
        Mode::Secure => (
            wechat::query(Some(&sealed)),
            ["<xml>", &encrypt, "</xml>"].concat(),
        ),
        // The plain document with its encrypted twin inside.
        Mode::Compatible => (wechat::query(Some(&sealed)), place.document(text, &encrypt)),
    };
    let credentials = CREDENTIALS.iter().find(|known| known.mode() == place.mode);
    let credentials = credentials.expect("credentials for every mode");
    let opened = Sealed::parse(&query)
        .expect("a query")
        .verify(credentials)
        .expect("a right signature")
        .open(credentials, Bytes::from(body))
        .expect("a right envelope");
    assert_eq!(opened.body(), document.as_bytes());
    let account = AppId::parse(wechat::APP_ID).expect("an AppID");
    Push::parse(&account, opened.body()).ok()
}
