//! What a person must do about a refusal that no program can settle, and how long to wait for it.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use std::time::Duration;

use crate::clock::Timestamp;
use crate::platform::decode::seen_addresses;
use crate::platform::error::ErrorCode;
use crate::platform::exchange::ExchangeError;

/// A refusal that a person must settle: the platform's risk control, a frozen secret, a whitelist.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Advice {
    /// What is to be done, in English.
    pub english: String,
    /// What is to be done, in Chinese.
    pub chinese: String,
    /// How long nothing is gained by asking again.
    pub wait: Duration,
    /// The address from which the platform saw the call come, when it said so.
    pub seen: Option<SeenAddress>,
}

/// The addresses that the platform names when it refuses a caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SeenAddress {
    /// The one to add to the whitelist.
    pub ip: IpAddr,
    /// A second entry that is needed, when the call came by IPv6 and not by IPv4 in its disguise.
    pub ipv6: Option<Ipv6Addr>,
}

impl fmt::Display for SeenAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.ip.fmt(f)?;
        match self.ipv6 {
            Some(ipv6) if IpAddr::V6(ipv6) != self.ip => write!(f, ", {ipv6}"),
            _ => Ok(()),
        }
    }
}

/// Finds the addresses in the text of a refusal: `invalid ip A ipv6 B, not in whitelist` (40164) and
/// `access clientip is not registered requestIP: A` (61004), older spellings included.
pub fn address_in(message: &str) -> Option<SeenAddress> {
    let (ip, ipv6) = seen_addresses(message)?;
    let ipv6 = match ipv6 {
        Some(IpAddr::V6(ipv6)) if ipv6.to_ipv4_mapped().is_none() => Some(ipv6),
        _ => None,
    };
    Some(SeenAddress { ip, ipv6 })
}

/// What a person must do about a code and the text beside it; `None` when no person need act, or
/// when waiting alone does not help.
pub fn advice(code: ErrorCode, message: &str) -> Option<Advice> {
    let is_settled_by_people =
        code.is_risk_control() || code.is_whitelist() || code == ErrorCode::FROZEN_SECRET;
    let wait = code.wait().filter(|_| is_settled_by_people)?;
    let seen = address_in(message);
    let [english, chinese] = texts(code, seen);
    Some(Advice {
        english,
        chinese,
        wait,
        seen,
    })
}

fn texts(code: ErrorCode, seen: Option<SeenAddress>) -> [String; 2] {
    let [ip, ip_in_chinese] = match seen {
        Some(seen) => [seen.to_string(), format!(" {seen} ")],
        None => [
            "this server's outgoing IP".into(),
            "本服务器的出口 IP".into(),
        ],
    };
    let whitelist = ["or switch the IP whitelist on", "或启用 IP 白名单"];
    match code.0 {
        89507 => [
            format!(
                "an administrator refused {ip}: blocked for 1 hour; talk to the administrator before the next try, {} and add it",
                whitelist[0]
            ),
            format!(
                "管理员拒绝了{ip_in_chinese}，1 小时内不能再调用；下次尝试前请先联系管理员，{}并加入该 IP",
                whitelist[1]
            ),
        ],
        89506 => [
            format!(
                "an administrator refused {ip} repeatedly: blocked for 24 hours; talk to the administrator before the next try, {} and add it",
                whitelist[0]
            ),
            format!(
                "管理员多次拒绝了{ip_in_chinese}，24 小时内不能再调用；下次尝试前请先联系管理员，{}并加入该 IP",
                whitelist[1]
            ),
        ],
        89501..=89505 => [
            format!(
                "an administrator must confirm {ip} in WeChat, in the template message that was sent, within 30 minutes; {} and add it",
                whitelist[0]
            ),
            format!(
                "请管理员 30 分钟内在微信的模板消息中确认{ip_in_chinese}；{}并加入该 IP",
                whitelist[1]
            ),
        ],
        40243 => [
            "the AppSecret is frozen: unfreeze it in the console; it takes effect after 10 minutes"
                .into(),
            "AppSecret 已被冻结：在后台解冻，10 分钟后生效".into(),
        ],
        61004 => [
            format!(
                "add {ip} to the whitelist of whoever makes the call (the account, or the third-party platform); it takes effect after 5 to 10 minutes"
            ),
            format!("把{ip_in_chinese}加入调用方（账号或第三方平台）的白名单，5 到 10 分钟后生效"),
        ],
        _ => [
            format!(
                "add {ip} to the IP whitelist in the console; it takes effect after 5 to 10 minutes"
            ),
            format!("在后台把{ip_in_chinese}加入 IP 白名单，5 到 10 分钟后生效"),
        ],
    }
}

/// When the platform handled the call with this request id, by its own clock: the first eight of its
/// hexadecimal digits are seconds since 1970.
pub fn request_time(rid: &str) -> Option<Timestamp> {
    let digits = rid.split('-').next()?;
    if digits.len() != 8 || !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        return None;
    }
    let seconds = u32::from_str_radix(digits, 16).ok()?;
    Some(Timestamp::from_seconds(i64::from(seconds)))
}

impl ExchangeError {
    /// What a person must do about it, when one must.
    pub fn advice(&self) -> Option<Advice> {
        match self {
            Self::Refused { code, message, .. } => advice(*code, message),
            _ => None,
        }
    }

    /// The address from which the platform saw the call come, when it said so.
    pub fn seen_address(&self) -> Option<SeenAddress> {
        match self {
            Self::Refused { message, .. } => address_in(message),
            _ => None,
        }
    }

    /// When the platform handled the call, by its own clock.
    pub fn request_time(&self) -> Option<Timestamp> {
        self.rid().and_then(request_time)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_refusal_that_a_person_must_settle_says_what_when_and_for_which_address() {
        let mapped = "invalid ip 203.0.113.9 ipv6 ::ffff:203.0.113.9, not in whitelist";
        let native = "invalid ip 203.0.113.9 ipv6 2001:db8::7, not in whitelist";
        let old = "access clientip is not registered hint: [xx] requestIP: 203.0.113.9";
        let texts = [
            (40164, mapped),
            (40164, native),
            (40164, "invalid ip 203.0.113.9, not in whitelist"),
            (
                61004,
                "access clientip is not registered requestIP: 203.0.113.9",
            ),
            (61004, old),
            (61004, "access clientip is not registered hint: [xx]"),
            (
                45035,
                "access clientip is not registered, not in ip-white-list",
            ),
            (40090, "bad client ip"),
            (40243, ""),
            (89501, ""),
            (89503, ""),
            (89507, ""),
            (89506, ""),
        ]
        .map(|(code, message)| {
            let Advice {
                english,
                chinese,
                wait,
                ..
            } = advice(ErrorCode(code), message).unwrap();
            format!("{code} after {} s: {english} / {chinese}", wait.as_secs())
        });
        insta::assert_snapshot!(texts.join("\n"));
    }

    #[test]
    fn what_waiting_does_not_help_has_no_advice() {
        for code in [0, -1, 40001, 40125, 45009, 45011, 48001, 123_456] {
            assert_eq!(advice(ErrorCode(code), ""), None, "{code}");
        }
    }

    #[test]
    fn a_request_id_tells_when_the_platform_handled_the_call() {
        for (rid, seconds) in [
            ("617682e0-0a1b2c3d-4e5f6071", Some(1_635_156_704)),
            ("6aac005a-00000000-ffffffff", Some(1_789_657_178)),
            ("ffffffff-0-0", Some(4_294_967_295)),
            ("617682e-0", None),
            ("+17682e0-0", None),
            ("", None),
        ] {
            let found = request_time(rid).map(Timestamp::seconds);
            assert_eq!(found, seconds, "{rid}");
        }
    }
}
