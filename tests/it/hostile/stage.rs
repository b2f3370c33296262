//! How a table of hostile requests is played: each over a socket of its own, then a good push.

use std::collections::BTreeSet;
use std::io::{Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use wxhook::metric::Check;
use wxhook::protocol::Mode;
use wxhook::simulator::seal;
use wxhook::store::PushState;

use crate::support::{Answer, LIMIT, now};
use crate::webhook::{APP_ID, Door, KEY, NOW, TOKEN, signed_at};

/// What must become of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum By {
    /// This check refuses it.
    Check(Check),
    /// The HTTP parser refuses it, before anything of ours sees it.
    Http,
    /// It is authentic, as far as its mode can tell: kept as malformed, never an event.
    Malformed,
    /// It is taken for the repeat that it is.
    Repeat,
    /// It is right, and stored once.
    Taken,
}

/// How the bytes travel.
#[derive(Debug, Clone)]
pub(crate) enum Bytes {
    /// All at once.
    Whole(Vec<u8>),
    /// And nothing more: our side of the connection is closed.
    Cut(Vec<u8>),
    /// These first, then the rest when an answer to them has come.
    Then(Vec<u8>, Vec<u8>),
}

/// One hostile request.
#[derive(Debug, Clone)]
pub(crate) struct Row {
    pub(crate) name: String,
    pub(crate) bytes: Bytes,
    pub(crate) status: u16,
    pub(crate) by: By,
}

impl Row {
    pub(crate) fn new(name: &str, bytes: impl Into<Vec<u8>>, status: u16, by: By) -> Self {
        Self {
            name: name.to_owned(),
            bytes: Bytes::Whole(bytes.into()),
            status,
            by,
        }
    }

    /// Refused by a check of ours.
    pub(crate) fn refused(
        name: &str,
        bytes: impl Into<Vec<u8>>,
        status: u16,
        check: Check,
    ) -> Self {
        Self::new(name, bytes, status, By::Check(check))
    }

    pub(crate) fn cut(mut self) -> Self {
        if let Bytes::Whole(bytes) = self.bytes {
            self.bytes = Bytes::Cut(bytes);
        }
        self
    }
}

/// A nonce that no other request has.
pub(crate) fn fresh_nonce() -> String {
    static NONCES: AtomicU64 = AtomicU64::new(1_000_000);
    NONCES.fetch_add(1, Ordering::Relaxed).to_string()
}

/// A query that is signed now.
pub(crate) fn signed() -> String {
    signed_at(NOW, &fresh_nonce(), TOKEN)
}

/// Sixteen bytes that no other envelope begins with.
fn fresh_random() -> [u8; 16] {
    let digits = format!("{:0>16}", fresh_nonce());
    digits.into_bytes().try_into().unwrap()
}

/// A text message that no other is the repeat of.
pub(crate) fn text_message() -> String {
    let id = fresh_nonce();
    format!(
        "<xml><ToUserName><![CDATA[gh_1]]></ToUserName><FromUserName><![CDATA[o{id}]]></FromUserName>\
         <CreateTime>{NOW}</CreateTime><MsgType><![CDATA[text]]></MsgType>\
         <Content><![CDATA[你好]]></Content><MsgId>{id}</MsgId></xml>"
    )
}

/// What wraps a ciphertext, and the query that goes with it.
pub(crate) fn sealed_as(encrypt: &str) -> (String, String) {
    sealed_at(NOW, encrypt)
}

/// The same, signed in that second.
fn sealed_at(seconds: i64, encrypt: &str) -> (String, String) {
    let nonce = fresh_nonce();
    let signature = seal::sign(&[TOKEN, &seconds.to_string(), &nonce, encrypt]);
    let query = signed_at(seconds, &nonce, TOKEN);
    (
        format!("{query}&encrypt_type=aes&msg_signature={signature}"),
        format!("<xml><Encrypt><![CDATA[{encrypt}]]></Encrypt></xml>"),
    )
}

/// The ciphertext of a document, as the platform makes it: another one each time.
pub(crate) fn ciphertext(inner: &str) -> String {
    ciphertext_for(APP_ID, inner)
}

/// The same for another account with the same key.
pub(crate) fn ciphertext_for(app_id: &str, inner: &str) -> String {
    let key = seal::decode_key(KEY).unwrap();
    seal::seal(&key, app_id, fresh_random(), inner.as_bytes())
}

/// A right query and body for a document, in this mode.
pub(crate) fn right(mode: Mode, inner: &str) -> (String, String) {
    right_at(mode, NOW, inner)
}

/// The same, signed in that second.
pub(crate) fn right_at(mode: Mode, seconds: i64, inner: &str) -> (String, String) {
    match mode {
        Mode::Plain => (signed_at(seconds, &fresh_nonce(), TOKEN), inner.to_owned()),
        Mode::Secure | Mode::Compatible => sealed_at(seconds, &ciphertext(inner)),
    }
}

/// A request with a body, on a connection that ends with it.
pub(crate) fn request(method: &str, target: &str, headers: &str, body: &str) -> String {
    let length = body.len();
    format!(
        "{method} {target} HTTP/1.1\r\nHost: t\r\nConnection: close\r\n{headers}Content-Length: {length}\r\n\r\n{body}"
    )
}

/// A push with this query.
pub(crate) fn push(query: &str, body: &str) -> String {
    request("POST", &format!("/wechat?{query}"), "", body)
}

fn play(address: SocketAddr, bytes: &Bytes) -> Answer {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(LIMIT)).unwrap();
    // A server may answer and close before it has read everything.
    match bytes {
        Bytes::Whole(bytes) => drop(stream.write_all(bytes)),
        Bytes::Cut(bytes) => {
            drop(stream.write_all(bytes));
            stream.shutdown(Shutdown::Write).unwrap();
        }
        Bytes::Then(first, rest) => {
            drop(stream.write_all(first));
            drop(stream.peek(&mut [0]));
            drop(stream.write_all(rest));
        }
    }
    let mut read = Vec::new();
    let mut more = [0; 4096];
    loop {
        if let Some(answer) = whole_answer(&read) {
            return answer;
        }
        match stream.read(&mut more) {
            Ok(length @ 1..) => read.extend_from_slice(&more[..length]),
            Ok(0) | Err(_) => {
                return Answer {
                    status: 0,
                    head: String::from_utf8_lossy(&read).into_owned(),
                    body: String::new(),
                };
            }
        }
    }
}

/// The first answer in these bytes, once it is whole. What was refused before its body was read lingers for a
/// second before it is closed; nobody has to wait for that.
fn whole_answer(bytes: &[u8]) -> Option<Answer> {
    let text = String::from_utf8_lossy(bytes);
    // Who waits to be asked for a body is asked first.
    let text = text
        .strip_prefix("HTTP/1.1 100 Continue\r\n\r\n")
        .unwrap_or(&text);
    let (head, body) = text.split_once("\r\n\r\n")?;
    let length = head
        .lines()
        .find_map(|line| line.strip_prefix("content-length: "))?;
    (body.len() >= length.parse::<usize>().ok()?).then(|| Answer {
        status: head[9..12].parse().unwrap_or(0),
        head: head.to_owned(),
        body: body.to_owned(),
    })
}

/// What came of tables.
#[derive(Debug, Default)]
pub(crate) struct Played {
    pub(crate) rows: usize,
    /// What did not become of them what must.
    pub(crate) wrong: Vec<String>,
    /// The answers to refused authentications, without their dates: there may be one only.
    pub(crate) heads: BTreeSet<String>,
}

/// No answer may take longer, on a machine with other work: nobody waits for a time-out but the slow rows.
const ANSWERED_WITHIN: Duration = Duration::from_secs(5);

/// Plays a table at one door, where good pushes need these headers.
pub(crate) fn play_all(door: &Door, mode: Mode, headers: &str, rows: &[Row], played: &mut Played) {
    let Played { wrong, heads, .. } = played;
    played.rows += rows.len();
    for row in rows {
        let before: Vec<u64> = Check::ALL
            .iter()
            .map(|check| door.refused(*check))
            .collect();
        let stored = door.stored().len();
        let began = now();
        let answer = play(door.address, &row.bytes);
        if began.elapsed() > ANSWERED_WITHIN {
            wrong.push(format!(
                "{} ({mode:?}): took {:?}",
                row.name,
                began.elapsed()
            ));
        }
        let refusing: Vec<&str> = Check::ALL
            .iter()
            .zip(before)
            .filter(|(check, before)| door.refused(**check) != *before)
            .map(|(check, _)| check.name())
            .collect();
        let expected: Vec<&str> = match row.by {
            By::Check(check) => vec![check.name()],
            By::Http | By::Malformed | By::Repeat | By::Taken => Vec::new(),
        };
        let kept = door.stored();
        let new = &kept[stored..];
        let is_stored_right = match row.by {
            By::Malformed => matches!(new, [push] if push.state == PushState::Malformed),
            By::Taken => matches!(new, [push] if push.state == PushState::Pending),
            By::Check(_) | By::Http | By::Repeat => new.is_empty(),
        };
        let is_said_right = match row.by {
            By::Malformed | By::Repeat | By::Taken => answer.body == "success",
            By::Check(_) | By::Http => !answer.body.contains("success"),
        };
        if answer.status != row.status || refusing != expected || !is_stored_right || !is_said_right
        {
            wrong.push(format!(
                "{} ({mode:?}): status {} for {}, refused by {refusing:?} for {expected:?}, {} stored, body {:?}",
                row.name, answer.status, row.status, new.len(), answer.body
            ));
        }
        if answer.status == 403 {
            let lines = answer
                .head
                .lines()
                .filter(|line| !line.starts_with("date:"));
            let head: Vec<&str> = lines.collect();
            heads.insert(format!("{}\n\n{}", head.join("\n"), answer.body));
        }
        let (query, body) = right(mode, &text_message());
        let good = request("POST", &format!("/wechat?{query}"), headers, &body);
        let good = play(door.address, &Bytes::Whole(good.into_bytes()));
        let is_taken = door.stored().len() == kept.len() + 1;
        if (good.status, good.body.as_str(), is_taken) != (200, "success", true) {
            wrong.push(format!(
                "{} ({mode:?}): a good push after it: {good:?}",
                row.name
            ));
        }
    }
}
