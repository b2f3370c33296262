//! What the platform answers: its JSON, its request ids, its HTML pages.

use bytes::Bytes;
use serde::Deserialize;
use serde::Serialize;
use serde_json::Value;

use super::words;
use crate::clock::Timestamp;
use crate::simulator::random::Random;

/// One HTTP answer, and what goes wrong on its way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The HTTP status: 200 for every answer of the API itself, errors included.
    pub status: u16,
    /// The content type.
    pub content_type: &'static str,
    /// The body, unless it is a file.
    pub body: String,
    /// What is downloaded in place of the body.
    pub file: Option<File>,
    /// The `errcode` in the body, when there is one.
    pub code: Option<i64>,
    /// What the network does to it.
    pub fault: Option<WireFault>,
}

/// A file on its way to the caller.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct File {
    /// The name under which it is offered, in `Content-Disposition`; none for a picture that is shown.
    pub name: Option<String>,
    /// Its bytes.
    pub content: Bytes,
}

/// What the network does to an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
#[non_exhaustive]
pub enum WireFault {
    /// Not one byte of it arrives; the connection is reset.
    Reset {
        /// Milliseconds until the reset.
        after_milliseconds: u64,
    },
    /// It arrives; some time later the connection is reset.
    ResetLater {
        /// Milliseconds until the reset.
        after_milliseconds: u64,
    },
    /// It arrives late.
    Delay {
        /// Milliseconds by which it is late.
        milliseconds: u64,
    },
    /// Its head and half of its body arrive; then the connection is reset.
    Half,
    /// It arrives compressed, although nobody asked for that.
    Gzip,
    /// Its head announces some bytes more than its body has; then the connection is reset.
    WrongLength,
    /// Its `Date` is off.
    Date {
        /// By so many seconds; negative for the past.
        skew_seconds: i64,
    },
}

/// How the body of an answer is deformed. The call is carried out all the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Shape {
    /// The code is a string.
    TextCode,
    /// Every key stands twice; the first time with null.
    DoubledKeys,
    /// The whole stands within `base_resp`, as old interfaces have it.
    Wrapped,
    /// Two megabytes of blanks stand before it.
    Huge,
    /// Nothing is left of it.
    Empty,
    /// A page with status 200 stands in its place, as captive portals do.
    Page,
    /// A message with quotation marks, backslashes and line breaks.
    OddMessage,
}

/// The content type as the platform writes it, odd parameter included.
const JSON: &str = "application/json; encoding=utf-8";
const HTML: &str = "text/html";
/// In which errors of downloads were seen, too.
const TEXT: &str = "text/plain";
/// Bytes before a huge answer: more than any caller should read.
const HUGE_BYTES: usize = 2 * 1024 * 1024;

impl Answer {
    pub(super) fn json(body: String) -> Self {
        Self {
            status: 200,
            content_type: JSON,
            body,
            file: None,
            code: None,
            fault: None,
        }
    }

    /// Success, and what else is told.
    pub(super) fn done(mut members: Value) -> Self {
        members["errcode"] = 0.into();
        members["errmsg"] = "ok".into();
        Self {
            code: Some(0),
            ..Self::json(members.to_string())
        }
    }

    pub(super) fn file(content_type: &'static str, name: &str, content: Bytes) -> Self {
        let file = File {
            name: Some(name.to_owned()),
            content,
        };
        Self {
            content_type,
            file: Some(file),
            ..Self::json(String::new())
        }
    }

    pub(super) fn picture(content_type: &'static str, content: Bytes) -> Self {
        let file = File {
            name: None,
            content,
        };
        Self {
            content_type,
            file: Some(file),
            ..Self::json(String::new())
        }
    }

    pub(super) fn ok() -> Self {
        Self {
            code: Some(0),
            ..Self::json(r#"{"errcode":0,"errmsg":"ok"}"#.to_owned())
        }
    }

    pub(super) fn refusal(refusal: &Refusal, now: Timestamp, random: &mut Random) -> Self {
        Self::refusal_with(refusal, &Value::Null, now, random)
    }

    /// A refusal that tells more than its code and its message.
    pub(super) fn refusal_with(
        refusal: &Refusal,
        members: &Value,
        now: Timestamp,
        random: &mut Random,
    ) -> Self {
        let message = format!("{} rid: {}", refusal.text(), request_id(now, random));
        let mut body = serde_json::json!({ "errcode": refusal.code, "errmsg": message });
        for (name, value) in members.as_object().into_iter().flatten() {
            body[name] = value.clone();
        }
        let content_type = if refusal.as_text { TEXT } else { JSON };
        Self {
            code: Some(refusal.code),
            content_type,
            ..Self::json(body.to_string())
        }
    }

    pub(super) fn bad_gateway() -> Self {
        Self::page(502, "502 Bad Gateway")
    }

    pub(super) fn gateway_timeout() -> Self {
        Self::page(504, "504 Gateway Time-out")
    }

    pub(super) fn shaped(self, shape: Shape) -> Self {
        let body = &self.body;
        let value = || serde_json::from_str::<Value>(body).unwrap_or_default();
        let body = match shape {
            Shape::TextCode => {
                let mut value = value();
                let code = value["errcode"].to_string();
                value["errcode"] = Value::from(code);
                value.to_string()
            }
            Shape::DoubledKeys => {
                let inner = body.trim_start_matches('{');
                let keys = value();
                let keys = keys.as_object().map(serde_json::Map::keys);
                let nulls: String = keys
                    .into_iter()
                    .flatten()
                    .map(|key| format!("{key:?}:null,"))
                    .collect();
                format!("{{{nulls}{inner}")
            }
            Shape::Wrapped => serde_json::json!({ "base_resp": value() }).to_string(),
            Shape::Huge => format!("{}{body}", " ".repeat(HUGE_BYTES)),
            Shape::Empty => String::new(),
            Shape::Page => return Self::page(200, "Welcome to the hotel"),
            Shape::OddMessage => {
                let mut value = value();
                value["errmsg"] = Value::from("a \"quoted\" \\ text\r\nof <two> lines");
                value.to_string()
            }
        };
        Self { body, ..self }
    }

    /// The body as gzip writes it, without any compression.
    pub fn gzipped(&self) -> Vec<u8> {
        let body = self.body.as_bytes();
        // Magic, deflate, no flags, no time, no level, unknown system.
        let mut packed = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255];
        let mut rest = body;
        loop {
            let (block, after) = rest.split_at(rest.len().min(usize::from(u16::MAX)));
            let length = u16::try_from(block.len()).unwrap_or(u16::MAX);
            packed.push(u8::from(after.is_empty()));
            packed.extend_from_slice(&length.to_le_bytes());
            packed.extend_from_slice(&(!length).to_le_bytes());
            packed.extend_from_slice(block);
            rest = after;
            if rest.is_empty() {
                break;
            }
        }
        packed.extend_from_slice(&crc32(body).to_le_bytes());
        packed.extend_from_slice(&(body.len() as u32).to_le_bytes());
        packed
    }

    pub(super) fn not_found() -> Self {
        Self::page(404, "404 Not Found")
    }

    pub(super) fn forbidden() -> Self {
        Self::page(403, "403 Forbidden")
    }

    pub(super) fn length_required() -> Self {
        Self::page(412, "412 Precondition Failed")
    }

    fn page(status: u16, title: &str) -> Self {
        let body = format!(
            "<html>\r\n<head><title>{title}</title></head>\r\n<body>\r\n<center><h1>{title}</h1></center>\r\n</body>\r\n</html>\r\n"
        );
        Self {
            status,
            content_type: HTML,
            body,
            file: None,
            code: None,
            fault: None,
        }
    }

    pub(super) fn with_fault(self, fault: WireFault) -> Self {
        Self {
            fault: Some(fault),
            ..self
        }
    }
}

fn crc32(bytes: &[u8]) -> u32 {
    let step = |mut rest: u32| {
        for _ in 0..8 {
            let low = rest & 1;
            rest >>= 1;
            if low == 1 {
                rest ^= 0xedb8_8320;
            }
        }
        rest
    };
    let crc = bytes.iter().fold(u32::MAX, |crc, byte| {
        step((crc ^ u32::from(*byte)) & 0xff) ^ (crc >> 8)
    });
    !crc
}

/// `rid`: three times eight hex digits, of which the first are the Unix time of the request.
fn request_id(now: Timestamp, random: &mut Random) -> String {
    let drawn = random.next();
    format!(
        "{:08x}-{:08x}-{:08x}",
        now.seconds() as u32,
        (drawn >> 32) as u32,
        drawn as u32
    )
}

/// A business error on its way to the caller.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Refusal {
    code: i64,
    message: Option<String>,
    as_text: bool,
}

impl Refusal {
    pub(super) const fn code(code: i64) -> Self {
        Self::with_message(code, None)
    }

    pub(super) const fn with_message(code: i64, message: Option<String>) -> Self {
        Self {
            code,
            message,
            as_text: false,
        }
    }

    /// The same JSON, in an answer that calls itself plain text.
    pub(super) fn in_plain_text(self) -> Self {
        Self {
            as_text: true,
            ..self
        }
    }

    fn text(&self) -> &str {
        match &self.message {
            Some(message) => message,
            None => known_text(self.code),
        }
    }
}

/// The platform's own words, where they are known.
fn known_text(code: i64) -> &'static str {
    match code {
        -1 => "system error",
        40001 => {
            "invalid credential, access_token is invalid or not latest, could get access_token by \
             getStableAccessToken, more details at https://mmbizurl.cn/s/JtxxFh33r"
        }
        40002 => "invalid grant_type",
        40003 => "invalid openid",
        40007 => "invalid media_id",
        40008 => "invalid message type",
        40013 => "invalid appid",
        40014 => "invalid access_token",
        40033 => "invalid charset. please check your request, if include \\uxxxx will create fail!",
        40097 => "invalid args",
        40125 => "invalid appsecret",
        40164 => "invalid ip 203.0.113.9 ipv6 ::ffff:203.0.113.9, not in whitelist",
        40165 => "invalid weapp pagepath",
        40166 => "invalid weapp appid",
        40243 => "AppSecret已被冻结，请登录MP解冻后再次调用。",
        41001 => "access_token missing",
        41002 => "appid missing",
        41004 => "appsecret missing",
        42001 => "access_token expired",
        43001 => "require GET method",
        43002 => "require POST method",
        43003 => "require https",
        44002 => "empty post data",
        44003 => "empty news data",
        44004 => "empty content",
        45002 => "content size out of limit",
        45008 => "article size out of limit",
        45009 => "reach max api daily quota limit",
        45011 => "api minute-quota reach limit, must slower, retry next minute",
        45015 => "response out of time limit or subscription is canceled",
        45047 => "out of response count limit",
        45098 => "msgmenu list size out of limit",
        45099 => "msgmenu item content size out of limit",
        47001 => "data format error",
        48001 => "api unauthorized",
        48002 => "user block receive message",
        48004 => "api forbidden for irregularities, view detail on mp.weixin.qq.com",
        89501 => "有一次管理员确认尚未处理",
        89503 => "此次调用需要管理员确认，请耐心等候",
        89506 => "24小时内该IP被管理员拒绝调用两次，24小时内不可再使用该IP调用",
        89507 => "1小时内该IP被管理员拒绝调用一次，1小时内不可再使用该IP调用",
        50002 => "user limited",
        53600 => "Article ID invalid",
        61452 => "invalid kf_account",
        _ => words::of(code),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_checksum_is_the_known_one() {
        assert_eq!(crc32(b"123456789"), 0xcbf4_3926);
        assert_eq!(crc32(b""), 0);
    }
}
