//! What stands in the URL: wrong, missing, doubled, stale, of another mode.

use wxhook::metric::Check;
use wxhook::protocol::Mode;
use wxhook::simulator::seal;

use super::stage::{
    Row, ciphertext, fresh_nonce, push, request, right, right_at, sealed_as, signed, text_message,
};
use crate::webhook::{NOW, TOKEN, signed_at};

/// The query's parameters, of which some are changed.
struct Query(Vec<(String, String)>);

impl Query {
    fn of(query: &str) -> Self {
        let pair = |pair: &str| {
            let (name, value) = pair.split_once('=').unwrap();
            (name.to_owned(), value.to_owned())
        };
        Self(query.split('&').map(pair).collect())
    }

    fn with(mut self, name: &str, change: impl Fn(&str) -> String) -> Self {
        for (known, value) in &mut self.0 {
            if known == name {
                *value = change(value);
            }
        }
        self
    }

    fn without(mut self, name: &str) -> Self {
        self.0.retain(|(known, _)| known != name);
        self
    }

    fn and(mut self, name: &str, value: &str) -> Self {
        self.0.push((name.to_owned(), value.to_owned()));
        self
    }

    fn text(&self) -> String {
        let pairs = self.0.iter().map(|(name, value)| format!("{name}={value}"));
        pairs.collect::<Vec<_>>().join("&")
    }
}

fn flipped(text: &str, at: usize) -> String {
    let other = |digit: char| if digit == '0' { '1' } else { '0' };
    let flip = |(index, digit)| if index == at { other(digit) } else { digit };
    text.chars().enumerate().map(flip).collect()
}

/// The rows of a mode. Every one begins with a request that would be taken.
pub(super) fn rows(mode: Mode) -> Vec<Row> {
    let mut rows = of_form(mode);
    rows.extend(of_verifications());
    rows.extend(of_signatures(mode));
    rows.extend(of_time(mode));
    rows.extend(of_modes(mode));
    rows
}

fn changed(
    mode: Mode,
    name: &str,
    status: u16,
    check: Check,
    change: impl Fn(Query) -> Query,
) -> Row {
    let (query, body) = right(mode, &text_message());
    let query = change(Query::of(&query)).text();
    Row::refused(name, push(&query, &body), status, check)
}

fn of_form(mode: Mode) -> Vec<Row> {
    let invalid = |name: &str, change: &dyn Fn(Query) -> Query| {
        changed(mode, name, 400, Check::Query, change)
    };
    let long = "7".repeat(129);
    let mut rows = vec![invalid("no query at all", &|_| Query(Vec::new()))];
    for parameter in ["signature", "timestamp", "nonce"] {
        rows.push(invalid(&format!("no {parameter}"), &|query| {
            query.without(parameter)
        }));
        rows.push(invalid(&format!("empty {parameter}"), &|query| {
            query.with(parameter, |_| String::new())
        }));
        rows.push(invalid(&format!("{parameter} twice, the same"), &|query| {
            let value = query
                .0
                .iter()
                .find(|(name, _)| name == parameter)
                .unwrap()
                .1
                .clone();
            query.and(parameter, &value)
        }));
        rows.push(invalid(
            &format!("{parameter} twice, the second empty"),
            &|query| query.and(parameter, ""),
        ));
        rows.push(invalid(&format!("oversized {parameter}"), &|query| {
            query.with(parameter, |_| long.clone())
        }));
        rows.push(invalid(
            &format!("{parameter} with broken escapes"),
            &|query| query.with(parameter, |value| format!("{value}%zz")),
        ));
        rows.push(invalid(
            &format!("{parameter} that is no UTF-8"),
            &|query| query.with(parameter, |value| format!("{value}%ff")),
        ));
    }
    for (name, timestamp) in [
        ("negative timestamp", "-1"),
        ("timestamp with a sign", "%2B1700000000"),
        ("hexadecimal timestamp", "0x6553f100"),
        ("timestamp with a blank", "1700000000+"),
        ("timestamp with a point", "1700000000.0"),
        ("timestamp in Arabic digits", "%D9%A1%D9%A2"),
        ("timestamp of 13 digits", "1700000000000"),
        ("timestamp beyond 64 bits", "99999999999999999999"),
    ] {
        rows.push(invalid(name, &|query| {
            query.with("timestamp", |_| timestamp.to_owned())
        }));
    }
    for (name, kind) in [
        ("unknown encryption", "rot13"),
        ("empty encryption", ""),
        ("wide encryption", "aes256"),
    ] {
        rows.push(invalid(name, &|query| {
            query.without("encrypt_type").and("encrypt_type", kind)
        }));
    }
    rows.push(invalid("openid twice", &|query| {
        query.and("openid", "o1").and("openid", "o2")
    }));
    rows.push(invalid("oversized openid", &|query| {
        query.and("openid", &long)
    }));
    for (parameter, values) in [
        ("echostr", ["1", "2"]),
        ("encrypt_type", ["raw", "raw"]),
        ("msg_signature", ["0", "0"]),
    ] {
        rows.push(invalid(&format!("{parameter} given twice"), &|query| {
            let [first, second] = values;
            let query = query.without(parameter);
            query.and(parameter, first).and(parameter, second)
        }));
    }
    let target = format!("/wechat?{}", signed());
    if mode == Mode::Plain {
        rows.push(Row::refused(
            "a verification with nothing to echo",
            request("GET", &target, "", ""),
            400,
            Check::Echo,
        ));
    }
    rows
}

/// Questions of the console that lack something, or have it twice.
fn of_verifications() -> Vec<Row> {
    let invalid = |name: &str, change: &dyn Fn(Query) -> Query| {
        let query = change(Query::of(&signed()).and("echostr", "5833258582299191661"));
        let target = format!("/wechat?{}", query.text());
        let name = format!("a verification with {name}");
        Row::refused(&name, request("GET", &target, "", ""), 400, Check::Query)
    };
    let mut rows = vec![
        invalid("two things to echo", &|query| query.and("echostr", "2")),
        invalid("the same to echo twice", &|query| {
            query.and("echostr", "5833258582299191661")
        }),
    ];
    for parameter in ["signature", "timestamp", "nonce"] {
        rows.push(invalid(&format!("no {parameter}"), &|query| {
            query.without(parameter)
        }));
        rows.push(invalid(&format!("an empty {parameter}"), &|query| {
            query.with(parameter, |_| String::new())
        }));
    }
    rows
}

/// Changes the signature.
fn signature(change: impl Fn(&str) -> String) -> impl Fn(Query) -> Query {
    move |query| query.with("signature", &change)
}

fn of_signatures(mode: Mode) -> Vec<Row> {
    let forged = |name: &str, change: &dyn Fn(Query) -> Query| {
        changed(mode, name, 403, Check::Signature, change)
    };
    let by = |parts: &[&str]| {
        let made = seal::sign(parts);
        move |query: Query| query.with("signature", |_| made.clone())
    };
    let unsorted = |query: Query| {
        let value = |name: &str| {
            query
                .0
                .iter()
                .find(|(known, _)| known == name)
                .unwrap()
                .1
                .clone()
        };
        // One part is hashed as it is: the three in the order of the query, not of their bytes.
        let made = seal::sign(&[&format!("{TOKEN}{}{}", value("timestamp"), value("nonce"))]);
        query.with("signature", |_| made.clone())
    };
    let mut rows = vec![
        forged("first digit flipped", &signature(|text| flipped(text, 0))),
        forged("last digit flipped", &signature(|text| flipped(text, 39))),
        forged("upper case", &signature(|text| text.to_uppercase())),
        forged("one digit less", &signature(|text| text[1..].to_owned())),
        forged("one digit more", &signature(|text| format!("{text}0"))),
        forged("zeros", &signature(|_| "0".repeat(40))),
        forged("a blank behind", &signature(|text| format!("{text}+"))),
        forged("a null behind", &signature(|text| format!("{text}%00"))),
        forged("of another token", &by(&["other", &NOW.to_string(), "77"])),
        forged("without a token", &by(&[&NOW.to_string(), "77"])),
        forged(
            "of the AppID as token",
            &by(&["wx0123456789abcdef", &NOW.to_string(), "77"]),
        ),
        forged("unsorted", &unsorted),
        forged("around another nonce", &|query: Query| {
            query.with("nonce", |nonce| format!("{nonce}1"))
        }),
        forged("around another timestamp", &|query: Query| {
            query.with("timestamp", |_| (NOW + 1).to_string())
        }),
        forged("a leading zero before the timestamp", &|query: Query| {
            query.with("timestamp", |text| format!("0{text}"))
        }),
        forged("a line break in the nonce", &|query: Query| {
            query.with("nonce", |nonce| format!("{nonce}%0d%0aX-Y:%20z"))
        }),
    ];
    // The same forgery, asking for the echo: nothing is reflected.
    let query = signed_at(NOW, &fresh_nonce(), "other");
    let target = format!("/wechat?{query}&echostr=%3Cscript%3E");
    rows.push(Row::refused(
        "a forged verification",
        request("GET", &target, "", ""),
        403,
        Check::Signature,
    ));
    rows
}

fn of_time(mode: Mode) -> Vec<Row> {
    let at = |name: &str, seconds: i64| {
        let (query, body) = right_at(mode, seconds, &text_message());
        Row::refused(name, push(&query, &body), 403, Check::Freshness)
    };
    vec![
        at("a second too old", NOW - 601),
        at("a second too new", NOW + 601),
        at("a day old", NOW - 86_400),
        at("of 1970", 0),
        at("of the year 33658", 999_999_999_999),
    ]
}

fn of_modes(mode: Mode) -> Vec<Row> {
    let (plain, document) = (signed(), text_message());
    let (sealed, body) = sealed_as(&ciphertext(&text_message()));
    if mode == Mode::Plain {
        let garbage = format!("{plain}&encrypt_type=aes&msg_signature=00");
        return vec![
            Row::refused("encrypted", push(&sealed, &body), 403, Check::Unexpected),
            Row::refused(
                "said to be encrypted",
                push(&garbage, &document),
                403,
                Check::Unexpected,
            ),
            Row::refused(
                "in capitals",
                push(&sealed.replace("aes", "AES"), &body),
                403,
                Check::Unexpected,
            ),
            Row::refused(
                "without its signature",
                push(&format!("{}&encrypt_type=aes", signed()), &body),
                400,
                Check::Query,
            ),
        ];
    }
    let downgraded = |name: &str, more: &str, body: &str| {
        let query = format!("{}{more}", signed());
        Row::refused(name, push(&query, body), 403, Check::Downgrade)
    };
    let decorated = document.replace("</xml>", &format!("{}</xml>", &body[5..body.len() - 6]));
    let msg_signature = |name: &str, change: &dyn Fn(&str) -> String| {
        let (query, body) = right(mode, &text_message());
        let query = Query::of(&query).with("msg_signature", |text| change(text));
        Row::refused(name, push(&query.text(), &body), 403, Check::MsgSignature)
    };
    let other = ciphertext(&text_message());
    let (_, stolen) = sealed_as(&other);
    vec![
        downgraded("in plaintext", "", &document),
        downgraded(
            "in plaintext, with the previous token's honour",
            "&encrypt_type=raw",
            &document,
        ),
        downgraded("in capitals", "&encrypt_type=RAW", &document),
        downgraded("in plaintext, as a verification", "&echostr=1", &document),
        downgraded(
            "in plaintext, with a msg_signature",
            "&msg_signature=00",
            &document,
        ),
        downgraded("encrypted and said to be plain", "&encrypt_type=raw", &body),
        downgraded("in plaintext around a ciphertext", "", &decorated),
        changed(mode, "no msg_signature", 400, Check::Query, |query| {
            query.without("msg_signature")
        }),
        changed(mode, "empty msg_signature", 400, Check::Query, |query| {
            query.with("msg_signature", |_| String::new())
        }),
        changed(mode, "msg_signature twice", 400, Check::Query, |query| {
            query.and("msg_signature", "00")
        }),
        changed(mode, "encrypt_type twice", 400, Check::Query, |query| {
            query.and("encrypt_type", "raw")
        }),
        msg_signature("msg_signature flipped", &|text| flipped(text, 39)),
        msg_signature("msg_signature in capitals", &|text| text.to_uppercase()),
        msg_signature("msg_signature cut", &|text| text[..39].to_owned()),
        msg_signature("the URL's signature as msg_signature", &|_| {
            seal::sign(&[TOKEN, &NOW.to_string(), "77"])
        }),
        msg_signature("msg_signature of another token", &|_| {
            seal::sign(&["other", &NOW.to_string(), "77", &other])
        }),
        Row::refused(
            "around another ciphertext",
            push(&sealed, &stolen),
            403,
            Check::MsgSignature,
        ),
    ]
}
