//! Customer messages (客服消息): the calls, and what their outcome means for the message.

use bytes::Bytes;
use serde::Serialize;

use crate::api::endpoint::{Done, Outgoing, endpoints};
use crate::api::{CallError, Delivery, RequestError, Settings};
use crate::id::OpenId;
use crate::platform::download::Received;
use crate::platform::error::{Class, ErrorCode};
use crate::platform::exchange::{Answer, ExchangeError, Payload};
use crate::protocol::message::Message;
use crate::quota::Limit;

endpoints! {
    SendMessage => Answer {
        call: Post "/cgi-bin/message/custom/send",
        page: "发送客服消息",
        send: (SendMessage::outgoing),
        check: SendMessage::limits,
        quota: "custom_send",
        repeat: Harmful,
        codes: [40003, 40007, 40008, 43019, 44004, 45002, 45008, 45015, 45047, 45098, 45099, 48002, 48008, 61452, 65401, 70000],
        limits: "text: 2048 bytes; news: 1 article; 5 within 48 h of a user's message, 3 within 1 min of a menu tap, follow or scan",
    }
    Typing => Done {
        call: Post "/cgi-bin/message/custom/typing",
        page: "客服输入状态",
        send: json,
        accepts: [45081],
        codes: [40200, 45072, 45080],
        limits: "within 30 s of a message of the user; lasts about 15 s, or until a message is sent",
    }
}

/// Sends a customer message. There is no idempotency key: twice would be seen twice.
///
/// A handler's replies go out better by being returned: then they are stored before they leave.
#[derive(Debug, Clone)]
pub struct SendMessage {
    body: Body,
}

#[derive(Debug, Clone)]
enum Body {
    Typed(OpenId, Box<Message>),
    Exact(Bytes),
}

impl SendMessage {
    /// This message to this user.
    pub fn new(user: OpenId, message: impl Into<Message>) -> Self {
        let body = Body::Typed(user, Box::new(message.into()));
        Self { body }
    }

    /// A body that was written before.
    pub(super) const fn exact(body: Bytes) -> Self {
        let body = Body::Exact(body);
        Self { body }
    }

    fn limits(&self) -> Result<(), RequestError> {
        match &self.body {
            Body::Typed(_, message) => message
                .check()
                .map_err(|error| RequestError::new("message", error.to_string())),
            Body::Exact(_) => Ok(()),
        }
    }

    fn outgoing(&self) -> Result<Outgoing, RequestError> {
        let json = match &self.body {
            Body::Typed(user, message) => Bytes::from(message.to_json(user)),
            Body::Exact(body) => body.clone(),
        };
        Ok(Outgoing {
            payload: Payload::Json(json),
            ..Outgoing::nothing()
        })
    }
}

/// Shows the user that an answer is being written, or no longer. That it is shown already (45081) is
/// no error; no error of this call should keep a reply from being sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Typing {
    /// The user.
    pub touser: OpenId,
    /// What is shown.
    pub command: TypingCommand,
}

/// What [`Typing`] shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum TypingCommand {
    /// An answer is being written.
    #[serde(rename = "Typing")]
    Begin,
    /// No longer.
    #[serde(rename = "CancelTyping")]
    Cancel,
}

/// What the outcome of the call means for the message.
pub(super) fn delivery(outcome: Result<Received, CallError>, settings: &Settings) -> Delivery {
    match outcome {
        Ok(Received::Json(answer)) => Delivery::Sent { rid: answer.rid },
        Ok(Received::File(_)) | Err(CallError::Answer { .. } | CallError::Stopped) => {
            Delivery::Unknown {
                reason: "the platform's answer was not seen".to_owned(),
            }
        }
        Err(CallError::Exchange(error)) => unanswered(error, settings),
        // A minute is waited out; a day is not.
        Err(CallError::Exhausted(error)) if error.limit == Limit::Minute => {
            not_sent(error.to_string(), None)
        }
        Err(
            error @ (CallError::NoSecret { .. } | CallError::Request(_) | CallError::Exhausted(_)),
        ) => Delivery::Impossible {
            reason: error.to_string(),
        },
        Err(error @ (CallError::Token(_) | CallError::NotRenewed { .. })) => {
            not_sent(error.to_string(), error.code().map(|code| code.0))
        }
    }
}

fn unanswered(error: ExchangeError, settings: &Settings) -> Delivery {
    match error {
        ExchangeError::Refused { code, message, rid } => refused(code, &message, rid, settings),
        error if error.surely_not_executed() => not_sent(error.to_string(), None),
        error => Delivery::Unknown {
            reason: error.to_string(),
        },
    }
}

fn refused(code: ErrorCode, message: &str, rid: Option<String>, settings: &Settings) -> Delivery {
    let meaning = explain(code, message);
    if code.may_have_acted() && !(code == ErrorCode::BUSY && settings.busy_means_not_sent) {
        return Delivery::Unknown {
            reason: format!("the platform answered code {code}: {meaning}"),
        };
    }
    match code.class() {
        Class::Ok | Class::AlreadyDone => Delivery::Sent { rid },
        Class::Token | Class::Transient | Class::Quota => not_sent(meaning, Some(code.0)),
        Class::Permission
        | Class::Bug
        | Class::User
        | Class::Risk
        | Class::Config
        | Class::Content
        | Class::Unknown => Delivery::Refused {
            code: code.0,
            meaning,
            rid,
        },
    }
}

/// The table's words, and the platform's own where the table has none.
fn explain(code: ErrorCode, message: &str) -> String {
    let (meaning, remedy) = (code.meaning(), code.remedy());
    match code.class() {
        Class::Unknown => format!("{meaning} ({message:?}): {remedy}"),
        _ => format!("{meaning}: {remedy}"),
    }
}

fn not_sent(reason: String, code: Option<i64>) -> Delivery {
    Delivery::NotSent { reason, code }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transport::TransportError;

    fn word(delivery: &Delivery) -> &'static str {
        match delivery {
            Delivery::Sent { .. } => "sent",
            Delivery::Refused { .. } => "refused",
            Delivery::Impossible { .. } => "impossible",
            Delivery::NotSent { .. } => "not sent",
            Delivery::Unknown { .. } => "unknown",
        }
    }

    fn answered(code: i64) -> Result<Received, CallError> {
        Err(CallError::Exchange(ExchangeError::Refused {
            code: ErrorCode(code),
            message: String::new(),
            rid: None,
        }))
    }

    #[test]
    fn every_code_has_its_consequence_for_the_message() {
        for (code, expected) in [
            (-1, "not sent"),
            (4, "unknown"),
            (40001, "not sent"),
            (40003, "refused"),
            (45009, "not sent"),
            (45011, "not sent"),
            (45015, "refused"),
            (45047, "refused"),
            (45065, "sent"),
            (48001, "refused"),
            (48004, "refused"),
            (49003, "refused"),
            (70000, "refused"),
            (987_654, "refused"),
        ] {
            let found = delivery(answered(code), &Settings::default());
            assert_eq!(word(&found), expected, "{code}");
        }
    }

    #[test]
    fn busy_is_unknown_where_the_operator_says_so() {
        let settings = Settings {
            busy_means_not_sent: false,
            ..Settings::default()
        };
        assert_eq!(word(&delivery(answered(-1), &settings)), "unknown");
    }

    #[test]
    fn what_was_not_answered_is_unknown_unless_it_surely_was_not_executed() {
        let excerpt = String::new;
        let transport = ExchangeError::Transport;
        let status = |status| ExchangeError::Status {
            status,
            excerpt: excerpt(),
        };
        for (expected, error) in [
            (
                "not sent",
                transport(TransportError::NotConnected { reason: excerpt() }),
            ),
            (
                "unknown",
                transport(TransportError::TimedOut { limit_seconds: 8 }),
            ),
            (
                "unknown",
                transport(TransportError::Broken { reason: excerpt() }),
            ),
            ("unknown", status(500)),
            ("unknown", status(502)),
            ("unknown", status(503)),
            ("unknown", status(504)),
            ("not sent", status(302)),
            ("not sent", status(404)),
            ("not sent", status(412)),
            ("unknown", ExchangeError::Page { excerpt: excerpt() }),
            ("unknown", ExchangeError::Empty),
            ("unknown", ExchangeError::TooLong),
        ] {
            let shown = error.to_string();
            let found = delivery(Err(CallError::Exchange(error)), &Settings::default());
            assert_eq!(word(&found), expected, "{shown}");
        }
    }
}
