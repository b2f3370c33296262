//! Makes sense of an answer's body: lenient where the platform is known to be odd. Pure.

use std::net::IpAddr;

use serde_json::Value;

use crate::platform::error::ErrorCode;

/// What a body turned out to be.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Decoded {
    /// A JSON object, and the code it carries; 0 when it carries none.
    Object {
        /// The whole object.
        value: Value,
        /// Its code.
        code: ErrorCode,
        /// Its text, without the request id at its end.
        message: String,
        /// The platform's request id.
        rid: Option<String>,
    },
    /// Nothing but blanks.
    Empty,
    /// A page for browsers: a gateway, a captive portal, a wrong address.
    Html,
    /// Something else.
    Other,
}

/// Reads a body. A byte-order mark, blanks around it, bytes behind it, raw control characters and
/// wrong UTF-8 inside strings are survived.
pub(crate) fn decode(body: &[u8]) -> Decoded {
    let body = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body);
    let body = body.trim_ascii();
    match body.first() {
        None => Decoded::Empty,
        Some(b'<') => Decoded::Html,
        Some(b'{') => parse(body).map_or(Decoded::Other, object),
        Some(_) => Decoded::Other,
    }
}

/// The first JSON value; when it cannot be read as it is, once more with what JSON forbids replaced.
fn parse(body: &[u8]) -> Option<Value> {
    first_value(body).or_else(|| {
        let text = String::from_utf8_lossy(body);
        let cleaned: String = text
            .chars()
            .map(|c| if c.is_control() { ' ' } else { c })
            .collect();
        first_value(cleaned.as_bytes())
    })
}

fn first_value(body: &[u8]) -> Option<Value> {
    serde_json::Deserializer::from_slice(body)
        .into_iter()
        .next()?
        .ok()
}

fn object(value: Value) -> Decoded {
    // Old device interfaces wrap the code.
    let carrier = match value.get("base_resp") {
        Some(inner) if value.get("errcode").is_none() => inner,
        _ => &value,
    };
    let Some(code) = code_of(carrier.get("errcode")) else {
        return Decoded::Other;
    };
    let said = carrier.get("errmsg").and_then(Value::as_str).unwrap_or("");
    let (message, rid) = split_rid(said);
    let (message, rid) = (message.to_owned(), rid.map(str::to_owned));
    Decoded::Object {
        value,
        code,
        message,
        rid,
    }
}

/// A number, or a number in a string. Absent is success; anything else is no answer of the platform.
fn code_of(errcode: Option<&Value>) -> Option<ErrorCode> {
    match errcode {
        None | Some(Value::Null) => Some(ErrorCode::OK),
        Some(Value::Number(number)) => number.as_i64().map(ErrorCode),
        Some(Value::String(text)) => text.trim().parse().ok().map(ErrorCode),
        Some(_) => None,
    }
}

/// Splits the request id off the end of a text: `… rid: 6b0a1c2d-0a1b2c3d-4e5f6071`.
fn split_rid(message: &str) -> (&str, Option<&str>) {
    let Some(at) = message.rfind("rid:") else {
        return (message.trim(), None);
    };
    let (before, marked) = message.split_at(at);
    let rid = marked.trim_start_matches("rid:").trim();
    if is_rid(rid) {
        (before.trim().trim_end_matches(','), Some(rid))
    } else {
        (message.trim(), None)
    }
}

fn is_rid(text: &str) -> bool {
    let is_group = |group: &str| group.len() == 8 && group.bytes().all(|b| b.is_ascii_hexdigit());
    let mut groups = text.split('-');
    groups
        .by_ref()
        .take(3)
        .filter(|group| is_group(group))
        .count()
        == 3
        && groups.next().is_none()
}

/// The address in a refusal because of the IP whitelist, as the platform wrote it.
pub(crate) fn seen_address(message: &str) -> Option<&str> {
    address_behind(message, "invalid ip ").or_else(|| address_behind(message, "requestIP:"))
}

/// The address in a refusal because of the IP whitelist, and the one beside it as IPv6.
///
/// `invalid ip 203.0.113.9 ipv6 ::ffff:203.0.113.9, not in whitelist` and
/// `access clientip is not registered requestIP: 203.0.113.9` are the shapes seen.
pub(crate) fn seen_addresses(message: &str) -> Option<(IpAddr, Option<IpAddr>)> {
    let first = seen_address(message)?.parse().ok()?;
    let second = address_behind(message, " ipv6 ").and_then(|text| text.parse().ok());
    Some((first, second))
}

fn address_behind<'a>(message: &'a str, marker: &str) -> Option<&'a str> {
    let at = message.find(marker)? + marker.len();
    let rest = message.get(at..)?.trim_start();
    let end = rest
        .find(|c: char| !(c.is_ascii_hexdigit() || matches!(c, '.' | ':')))
        .unwrap_or(rest.len());
    let address = rest.get(..end)?;
    address.parse::<IpAddr>().ok().map(|_| address)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn code_and_message(body: &[u8]) -> (i64, String, Option<String>) {
        match decode(body) {
            Decoded::Object {
                code, message, rid, ..
            } => (code.0, message, rid),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn odd_answers_are_understood() {
        let rid = "6b0a1c2d-0a1b2c3d-4e5f6071";
        let with_rid = format!(r#"{{"errcode":40013,"errmsg":"invalid appid rid: {rid}"}}"#);
        let comma = format!(r#"{{"errcode":40013,"errmsg":"invalid appid, rid: {rid}"}}"#);
        for (name, body, code, message, expected_rid) in [
            (
                "plain",
                br#"{"errcode":0,"errmsg":"ok"}"#.as_slice(),
                0,
                "ok",
                None,
            ),
            ("no code", br#"{"ip_list":[]}"#, 0, "", None),
            ("null code", br#"{"errcode":null}"#, 0, "", None),
            (
                "a code in a string",
                br#"{"errcode":" -1 ","errmsg":"busy"}"#,
                -1,
                "busy",
                None,
            ),
            (
                "wrapped",
                br#"{"base_resp":{"errcode":9,"errmsg":"x"}}"#,
                9,
                "x",
                None,
            ),
            (
                "a mark, blanks, a tail",
                b"\xef\xbb\xbf \n{\"errcode\":7}garbage",
                7,
                "",
                None,
            ),
            (
                "control characters",
                b"{\"errcode\":7,\"errmsg\":\"a\x01\nb\"}",
                7,
                "a  b",
                None,
            ),
            (
                "wrong UTF-8",
                b"{\"errcode\":7,\"errmsg\":\"a\xff\"}",
                7,
                "a\u{fffd}",
                None,
            ),
            ("large", br#"{"errcode":268488001}"#, 268_488_001, "", None),
            (
                "a rid",
                with_rid.as_bytes(),
                40013,
                "invalid appid",
                Some(rid),
            ),
            (
                "a rid behind a comma",
                comma.as_bytes(),
                40013,
                "invalid appid",
                Some(rid),
            ),
            (
                "no rid",
                br#"{"errcode":1,"errmsg":"grid: none"}"#,
                1,
                "grid: none",
                None,
            ),
        ] {
            let expected = (code, message.to_owned(), expected_rid.map(str::to_owned));
            assert_eq!(code_and_message(body), expected, "{name}");
        }
    }

    #[test]
    fn what_is_no_answer_of_the_platform_is_told_apart() {
        for (name, body, expected) in [
            ("empty", b" \r\n".as_slice(), Decoded::Empty),
            ("a page", b"<!DOCTYPE html><html>", Decoded::Html),
            ("a list", b"[1]", Decoded::Other),
            ("half an object", br#"{"errcode":0"#, Decoded::Other),
            (
                "a code that is none",
                br#"{"errcode":true}"#,
                Decoded::Other,
            ),
            ("a broken code", br#"{"errcode":1.5}"#, Decoded::Other),
            ("binary", b"\xff\xd8\xff", Decoded::Other),
        ] {
            assert_eq!(decode(body), expected, "{name}");
        }
    }

    #[test]
    fn the_address_that_the_platform_saw_is_found() {
        for (message, expected) in [
            (
                "invalid ip 203.0.113.9 ipv6 ::ffff:203.0.113.9, not in whitelist",
                Some("203.0.113.9"),
            ),
            (
                "invalid ip 2001:db8::7, not in whitelist",
                Some("2001:db8::7"),
            ),
            (
                "access clientip is not registered requestIP: 203.0.113.9",
                Some("203.0.113.9"),
            ),
            ("access clientip is not registered hint: [x]", None),
            ("invalid ip , not in whitelist", None),
        ] {
            assert_eq!(seen_address(message), expected, "{message}");
        }
    }

    proptest! {
        #[test]
        fn noise_never_panics(noise in any::<Vec<u8>>(), message in any::<String>()) {
            decode(&noise);
            decode(json!({"errcode": 1, "errmsg": message}).to_string().as_bytes());
            let _ = seen_address(&message);
        }

        #[test]
        fn any_code_survives(code in any::<i64>()) {
            prop_assert_eq!(code_and_message(json!({"errcode": code}).to_string().as_bytes()).0, code);
            let text = json!({"errcode": code.to_string()}).to_string();
            prop_assert_eq!(code_and_message(text.as_bytes()).0, code);
        }
    }
}
