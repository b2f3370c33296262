//! Why there is no access token, in words that say what to do.

use std::sync::Arc;
use std::time::Duration;

use crate::platform::decode::seen_address;
use crate::platform::error::{CONFIRMATION_PAUSES, Class, ErrorCode};
use crate::platform::exchange::ExchangeError;
use crate::store::tokens::TokensError;
use crate::transport::TransportError;

/// Why there is no access token. All who waited for one renewal get the same one.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum TokenError {
    /// The platform refused to give one.
    #[error("no access token: the platform answered code {code} ({meaning}): {remedy}")]
    Refused {
        /// The code.
        code: ErrorCode,
        /// What it means at the token endpoint.
        meaning: &'static str,
        /// What to do, with the address to add to the whitelist when the platform named it.
        remedy: String,
        /// The platform's request id.
        rid: Option<String>,
    },
    /// The platform could not be reached, or what answered was not the platform.
    #[error("no access token: {source}")]
    Exchange {
        /// What came instead of an answer.
        source: Arc<ExchangeError>,
    },
    /// The platform's answer holds no token that could be used.
    #[error("no access token: the platform's answer has {fault}")]
    Answer {
        /// What is wrong with the answer.
        fault: &'static str,
    },
    /// The last renewal failed, and it is too early for another one.
    #[error("{source}; asked again in {} s at the earliest", retry_in.as_secs().max(1))]
    Paused {
        /// How long no renewal is tried yet.
        retry_in: Duration,
        /// What the last renewal met.
        source: Box<TokenError>,
    },
    /// The question for a JS-SDK ticket was not answered well.
    #[error("no {kind} ticket: {source}")]
    Ticket {
        /// The platform's word for the kind of ticket.
        kind: &'static str,
        /// The platform's code, when it refused.
        code: Option<ErrorCode>,
        /// What came instead of a ticket.
        source: Arc<dyn std::error::Error + Send + Sync>,
    },
    /// The central token service gave none.
    #[error("no access token: the token service at {service} {fault}")]
    Service {
        /// Where it is.
        service: String,
        /// What it did instead.
        fault: String,
    },
    /// Too many tokens were asked for in a short time: something uses them up.
    #[error(
        "no access token: they were asked for too often; look for a second system that asks for \
         this account's tokens, or for a stand-in that gives them too short a life"
    )]
    TooOften,
    /// Another process has asked the platform, and its answer is not there yet.
    #[error("no access token yet: another process is asking for it")]
    AskedElsewhere,
    /// There is no token in hand, and without the store it is not known whether another process has
    /// one. Only with the plain endpoint, where asking would end that one's life.
    #[error("no access token: {source}; the plain token endpoint is not asked without it")]
    Store {
        /// What the store met.
        source: TokensError,
    },
    /// The renewal was stopped: the server stops.
    #[error("no access token: the renewal was stopped")]
    Interrupted,
}

impl TokenError {
    /// The error for what came instead of a token.
    pub(super) fn from_exchange(error: ExchangeError) -> Self {
        match error {
            ExchangeError::Refused { code, message, rid } => Self::Refused {
                code,
                meaning: meaning(code),
                remedy: remedy(code, &message),
                rid,
            },
            error => Self::Exchange {
                source: Arc::new(error),
            },
        }
    }

    /// The error for a question that took longer than this.
    pub(super) fn out_of_time(limit: Duration) -> Self {
        let limit_seconds = limit.as_secs();
        let error = TransportError::TimedOut { limit_seconds };
        Self::from_exchange(ExchangeError::Transport(error))
    }

    /// The platform's code, when it refused.
    pub fn code(&self) -> Option<ErrorCode> {
        match self {
            Self::Refused { code, .. } => Some(*code),
            Self::Ticket { code, .. } => *code,
            Self::Paused { source, .. } => source.code(),
            _ => None,
        }
    }

    /// Whether another try after a moment may do better.
    pub(super) fn is_passing(&self) -> bool {
        match self {
            Self::Refused { code, .. } => code.may_have_acted(),
            Self::Exchange { .. } => true,
            _ => false,
        }
    }

    /// How long to wait after this failure, when it was waited so long after the one before.
    ///
    /// What a person must settle is asked for rarely: every refused try is logged by the platform, and
    /// may prompt the account's administrator; the code itself says how long asking is useless.
    pub(super) fn pause_after(&self, earlier: Option<Duration>) -> Duration {
        if self.code().is_some_and(awaits_confirmation) {
            let mut longer = CONFIRMATION_PAUSES.into_iter();
            let next = longer.find(|pause| earlier.is_none_or(|earlier| *pause > earlier));
            return next.unwrap_or(CONFIRMATION_PAUSES[CONFIRMATION_PAUSES.len() - 1]);
        }
        let (first, longest) = self.pauses();
        earlier.map_or(first, |earlier| (earlier * 2).clamp(first, longest))
    }

    /// The first pause, and the longest.
    fn pauses(&self) -> (Duration, Duration) {
        let seconds = Duration::from_secs;
        let ten_minutes = seconds(600);
        if let Some(wait) = self.code().and_then(ErrorCode::wait) {
            return (wait, wait.max(ten_minutes));
        }
        match self {
            Self::Refused { code, .. } => match code.class() {
                Class::Transient => (seconds(1), seconds(60)),
                Class::Quota => (seconds(60), seconds(3600)),
                _ => (seconds(60), ten_minutes),
            },
            Self::Ticket { .. } => (seconds(15), seconds(60)),
            Self::Answer { .. } => (seconds(60), ten_minutes),
            _ => (seconds(1), seconds(60)),
        }
    }
}

/// An administrator was asked, and has not answered yet.
const fn awaits_confirmation(code: ErrorCode) -> bool {
    matches!(code.0, 89501..=89505)
}

/// At the token endpoint 40001 speaks of the AppSecret: no access token is sent there.
fn meaning(code: ErrorCode) -> &'static str {
    match code.0 {
        40001 => "the AppSecret is not valid",
        _ => code.meaning(),
    }
}

fn remedy(code: ErrorCode, message: &str) -> String {
    match (code.0, seen_address(message)) {
        (40001, _) => ErrorCode(40125).remedy().to_owned(),
        (_, Some(address)) => format!(
            "add {address} to the IP whitelist in the console; it takes effect after 5 to 10 minutes"
        ),
        (_, None) => code.remedy().to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(code: i64, message: &str) -> TokenError {
        TokenError::from_exchange(ExchangeError::Refused {
            code: ErrorCode(code),
            message: message.to_owned(),
            rid: None,
        })
    }

    #[test]
    fn what_a_person_must_settle_is_asked_for_as_rarely_as_its_code_says() {
        for (code, minutes) in [
            (89503, [1, 2, 5, 10, 10]),
            (89501, [1, 2, 5, 10, 10]),
            (89506, [1440; 5]),
            (89507, [60; 5]),
            (40243, [10; 5]),
            (40164, [5, 10, 10, 10, 10]),
            (40125, [1, 2, 4, 8, 10]),
            (45009, [1, 2, 4, 8, 16]),
        ] {
            let mut earlier = None;
            for minutes in minutes {
                let pause = refused(code, "").pause_after(earlier);
                assert_eq!(pause, Duration::from_secs(minutes * 60), "{code}");
                earlier = Some(pause);
            }
        }
        let after_a_ban = refused(-1, "").pause_after(Some(Duration::from_secs(86_400)));
        assert_eq!(
            after_a_ban,
            Duration::from_secs(60),
            "another failure is another matter"
        );
    }

    #[test]
    fn every_refusal_says_what_to_do() {
        let texts = [
            refused(
                40164,
                "invalid ip 203.0.113.9 ipv6 ::ffff:203.0.113.9, not in whitelist",
            ),
            refused(40164, "invalid ip, not in whitelist"),
            refused(
                61004,
                "access clientip is not registered requestIP: 203.0.113.9",
            ),
            refused(40001, "invalid credential"),
            refused(40125, "invalid appsecret"),
            refused(40013, "invalid appid"),
            refused(40243, ""),
            refused(89503, ""),
            refused(45009, "reach max api daily quota limit"),
            refused(-1, "system error"),
        ]
        .map(|error| error.to_string());
        insta::assert_snapshot!(texts.join("\n"), @"
        no access token: the platform answered code 40164 (the caller's IP is not in the whitelist): add 203.0.113.9 to the IP whitelist in the console; it takes effect after 5 to 10 minutes
        no access token: the platform answered code 40164 (the caller's IP is not in the whitelist): add this server's outgoing IP to the IP whitelist in the console; it takes effect after 5 to 10 minutes
        no access token: the platform answered code 61004 (the caller's IP is not registered): add 203.0.113.9 to the IP whitelist in the console; it takes effect after 5 to 10 minutes
        no access token: the platform answered code 40001 (the AppSecret is not valid): enter the AppSecret anew, or reset it in the console
        no access token: the platform answered code 40125 (the AppSecret is not valid): enter the AppSecret anew, or reset it in the console
        no access token: the platform answered code 40013 (the AppID is not valid): check the AppID, upper and lower case too
        no access token: the platform answered code 40243 (the AppSecret is frozen): unfreeze it in the console; it takes effect after 10 minutes
        no access token: the platform answered code 89503 (this call needs an administrator's confirmation): an administrator must confirm in WeChat, once for this IP
        no access token: the platform answered code 45009 (the daily quota is used up): wait for the next day, or clear the quota (10 times a month)
        no access token: the platform answered code -1 (the platform is busy (system error)): try again later; whether the call was executed is not known
        ");
    }
}
