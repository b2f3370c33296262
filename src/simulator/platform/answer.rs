//! What the platform answers: its JSON, its request ids, its HTML pages.

use serde::Deserialize;
use serde::Serialize;

use crate::clock::Timestamp;
use crate::simulator::random::Random;

/// One HTTP answer, and what goes wrong on its way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The HTTP status: 200 for every answer of the API itself, errors included.
    pub status: u16,
    /// The content type.
    pub content_type: &'static str,
    /// The body.
    pub body: String,
    /// The `errcode` in the body, when there is one.
    pub code: Option<i64>,
    /// What the network does to it.
    pub fault: Option<WireFault>,
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
    /// It arrives late.
    Delay {
        /// Milliseconds by which it is late.
        milliseconds: u64,
    },
    /// Its head and half of its body arrive; then the connection is reset.
    Half,
}

/// The content type as the platform writes it, odd parameter included.
const JSON: &str = "application/json; encoding=utf-8";
const HTML: &str = "text/html";

impl Answer {
    pub(super) fn json(body: String) -> Self {
        Self {
            status: 200,
            content_type: JSON,
            body,
            code: None,
            fault: None,
        }
    }

    pub(super) fn ok() -> Self {
        Self {
            code: Some(0),
            ..Self::json(r#"{"errcode":0,"errmsg":"ok"}"#.to_owned())
        }
    }

    pub(super) fn refusal(refusal: &Refusal, now: Timestamp, random: &mut Random) -> Self {
        let message = format!("{} rid: {}", refusal.text(), request_id(now, random));
        let body = serde_json::json!({ "errcode": refusal.code, "errmsg": message });
        Self {
            code: Some(refusal.code),
            ..Self::json(body.to_string())
        }
    }

    pub(super) fn bad_gateway() -> Self {
        Self::page(502, "502 Bad Gateway")
    }

    pub(super) fn not_found() -> Self {
        Self::page(404, "404 Not Found")
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
}

impl Refusal {
    pub(super) const fn code(code: i64) -> Self {
        Self {
            code,
            message: None,
        }
    }

    pub(super) const fn with_message(code: i64, message: Option<String>) -> Self {
        Self { code, message }
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
        40008 => "invalid message type",
        40013 => "invalid appid",
        40014 => "invalid access_token",
        40033 => "invalid charset. please check your request, if include \\uxxxx will create fail!",
        40097 => "invalid args",
        40125 => "invalid appsecret",
        40164 => "invalid ip 203.0.113.9 ipv6 ::ffff:203.0.113.9, not in whitelist",
        40243 => "AppSecret已被冻结，请登录MP解冻后再次调用。",
        41001 => "access_token missing",
        41002 => "appid missing",
        41004 => "appsecret missing",
        42001 => "access_token expired",
        43001 => "require GET method",
        43002 => "require POST method",
        44002 => "empty post data",
        44004 => "empty content",
        45002 => "content size out of limit",
        45008 => "article size out of limit",
        45009 => "reach max api daily quota limit",
        45011 => "api minute-quota reach limit, must slower, retry next minute",
        45015 => "response out of time limit or subscription is canceled",
        45047 => "out of response count limit",
        47001 => "data format error",
        48001 => "api unauthorized",
        48002 => "user block receive message",
        48004 => "api forbidden for irregularities, view detail on mp.weixin.qq.com",
        50002 => "user limited",
        _ => "simulated refusal",
    }
}
