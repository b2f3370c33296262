//! The whole accept path of a secure push beside the cryptography that it cannot do without.
//!
//! `cargo bench --bench push_path [-- part of a case's name]`. Both are measured in turns within one process, because only their
//! ratio means anything: the same machine is a different machine a minute later.

#![expect(clippy::print_stdout, reason = "a benchmark prints what it measured")]

use std::hint::black_box;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use aes::cipher::{Array, BlockModeDecrypt as _, InnerIvInit as _, KeyInit as _};
use bytes::Bytes;
use sha1::{Digest as _, Sha1};
use wxhook::id::AppId;
use wxhook::protocol::push::Kind;
use wxhook::protocol::{Credentials, Mode, Rotating, Sealed, envelope, signature};
use wxhook::secret::{AesKey, PushToken};

/// Turns of path and floor; odd, so that the median is one of them.
const ROUNDS: usize = 11;

/// How long one turn lasts.
const TURN: Duration = Duration::from_millis(150);

/// Calls between two looks at the clock.
const BATCH: u32 = 200;

const APP_ID: &str = "wx0123456789abcdef";
const TOKEN: &str = "mpInboundT0ken";
const KEY: [u8; 32] = *b"0123456789abcdefghijklmnopqrstuv";
const TIMESTAMP: &str = "1718000000";
const NONCE: &str = "904211378";

/// A push to measure with. An event is dearer than a message by the hash of its whole document; its ratio
/// is shown, not judged.
struct Load {
    name: &'static str,
    body_bytes: usize,
    is_event: bool,
    /// The ratio that must be reached, and the goal.
    limits: Option<(f64, f64)>,
}

const LOADS: [Load; 4] = [
    Load {
        name: "message, 0.6 KB",
        body_bytes: 620,
        is_event: false,
        limits: Some((2.4, 2.0)),
    },
    Load {
        name: "event, 0.6 KB",
        body_bytes: 620,
        is_event: true,
        limits: None,
    },
    Load {
        name: "message, 4 KB",
        body_bytes: 4096,
        is_event: false,
        limits: Some((2.0, 1.6)),
    },
    Load {
        name: "event, 4 KB",
        body_bytes: 4096,
        is_event: true,
        limits: None,
    },
];

struct Case {
    query: String,
    body: Bytes,
    encrypted: String,
    credentials: Credentials,
}

fn main() -> ExitCode {
    let wanted = std::env::args()
        .skip(1)
        .find(|argument| !argument.starts_with("--"));
    let wanted = wanted.unwrap_or_default();
    let mut missed = false;
    println!(
        "{:<16} {:>8} {:>8} {:>6}  {:<12}  must, goal",
        "", "path ns", "floor ns", "ratio", "spread"
    );
    for load in LOADS.iter().filter(|load| load.name.contains(&wanted)) {
        let name = load.name;
        let (path, floor, mut ratios) = Case::new(load.body_bytes, load.is_event).measure();
        ratios.sort_by(f64::total_cmp);
        let (least, ratio, most) = (ratios[0], ratios[ROUNDS / 2], ratios[ROUNDS - 1]);
        let verdict = match load.limits {
            Some((must, goal)) if ratio > must => format!("{must:.1}, {goal:.1}  MISSED"),
            Some((must, goal)) => format!("{must:.1}, {goal:.1}"),
            None => String::new(),
        };
        missed |= verdict.ends_with("MISSED");
        println!(
            "{name:<16} {path:>8.0} {floor:>8.0} {ratio:>6.2}  {least:.2} to {most:.2}  {verdict}"
        );
    }
    ExitCode::from(u8::from(missed))
}

impl Case {
    fn new(size: usize, is_event: bool) -> Self {
        let account = AppId::parse(APP_ID).expect("an AppID");
        let token = Rotating::only(PushToken::new(TOKEN));
        let key = AesKey::new(KEY);
        let credentials = Credentials::new(
            account,
            Mode::Secure,
            token,
            Some(Rotating::only(key.clone())),
        )
        .expect("credentials");
        let mut filling = 0;
        // The filling that makes the sealed body as long as asked.
        let body = loop {
            let inner = inner(filling, is_event);
            let encrypted = envelope::seal(&key, APP_ID, *b"42952fe6464df535", inner.as_bytes());
            let body = format!(
                "<xml>\n<ToUserName><![CDATA[gh_5f2c9a7d10be]]></ToUserName>\n\
                 <Encrypt><![CDATA[{encrypted}]]></Encrypt>\n</xml>\n"
            );
            if body.len() >= size {
                break (body, encrypted);
            }
            filling += 3;
        };
        let parts = [TOKEN, TIMESTAMP, NONCE, &body.1].map(str::as_bytes);
        let query = format!(
            "signature={}&timestamp={TIMESTAMP}&nonce={NONCE}&openid=oJb3Uw5c9XkQm1T0s7Zr2LhVnA_8\
             &encrypt_type=aes&msg_signature={}",
            signature::sign(&parts[..3]),
            signature::sign(&parts),
        );
        Self {
            query,
            body: Bytes::from(body.0),
            encrypted: body.1,
            credentials,
        }
    }

    /// Median nanoseconds of path and floor, and the ratio of each round.
    fn measure(&self) -> (f64, f64, Vec<f64>) {
        let schedule = aes::Aes256Dec::new(&KEY.into());
        let base64 = base64::engine::general_purpose::STANDARD;
        let expected = self.path();
        assert!(
            self.floor(&schedule, &base64),
            "the floor opened something else"
        );
        let rounds: Vec<(f64, f64)> = (0..ROUNDS)
            .map(|_| {
                let path = turn(|| assert_eq!(self.path(), expected, "a wrong result"));
                let floor = turn(|| assert!(self.floor(&schedule, &base64)));
                (path, floor)
            })
            .collect();
        let median = |pick: fn(&(f64, f64)) -> f64| {
            let mut all: Vec<f64> = rounds.iter().map(pick).collect();
            all.sort_by(f64::total_cmp);
            all[ROUNDS / 2]
        };
        let ratios = rounds.iter().map(|(path, floor)| path / floor).collect();
        (median(|round| round.0), median(|round| round.1), ratios)
    }

    /// From the request's query and body to what the store is given.
    fn path(&self) -> (Kind, u8, usize) {
        let sealed = Sealed::parse(black_box(&self.query)).expect("a query");
        let verified = sealed.verify(&self.credentials).expect("a right signature");
        let body = black_box(self.body.clone());
        let opened = verified.open(&self.credentials, body).expect("opened");
        let head = opened.read();
        assert!(head.malformed.is_none(), "the push is read");
        (head.kind, head.dedupe_key.0[0], head.user.as_str().len())
    }

    /// Two signatures, base64 by the usual engine, AES with its schedule kept.
    fn floor(&self, schedule: &aes::Aes256Dec, base64: &impl base64::Engine) -> bool {
        let encrypted = black_box(&self.encrypted).as_bytes();
        let mut url = Sha1::new();
        [TIMESTAMP, NONCE, TOKEN]
            .iter()
            .for_each(|part| url.update(black_box(part)));
        let mut message = Sha1::new();
        let parts = [
            TIMESTAMP.as_bytes(),
            NONCE.as_bytes(),
            encrypted,
            TOKEN.as_bytes(),
        ];
        parts
            .iter()
            .for_each(|part| message.update(black_box(part)));
        let digests = (url.finalize(), message.finalize());
        let mut plain = base64.decode(encrypted).expect("base64");
        let iv: [u8; 16] = *KEY.first_chunk().expect("16 bytes");
        let (blocks, _) = Array::slice_as_chunks_mut(&mut plain);
        cbc::Decryptor::inner_iv_init(schedule.clone(), &iv.into()).decrypt_blocks(blocks);
        black_box(digests);
        black_box(plain).starts_with(b"42952fe6464df535")
    }
}

/// A push as the platform writes it, with `filling` bytes of text more than it needs.
fn inner(filling: usize, is_event: bool) -> String {
    let filling = "想问".repeat(filling / 6) + &"x".repeat(filling % 6);
    let header = "<xml><ToUserName><![CDATA[gh_5f2c9a7d10be]]></ToUserName>\n\
         <FromUserName><![CDATA[oJb3Uw5c9XkQm1T0s7Zr2LhVnA_8]]></FromUserName>\n\
         <CreateTime>1718000001</CreateTime>\n";
    if is_event {
        format!(
            "{header}<MsgType><![CDATA[event]]></MsgType>\n<Event><![CDATA[VIEW]]></Event>\n\
             <EventKey><![CDATA[{filling}]]></EventKey>\n<MenuId>410418124</MenuId>\n</xml>"
        )
    } else {
        format!(
            "{header}<MsgType><![CDATA[text]]></MsgType>\n<Content><![CDATA[{filling}]]></Content>\n\
             <MsgId>24601234567890123</MsgId>\n</xml>"
        )
    }
}

/// Nanoseconds of one call, over a whole turn.
fn turn(mut call: impl FnMut()) -> f64 {
    let begin = now();
    let mut calls = 0;
    loop {
        (0..BATCH).for_each(|_| call());
        calls += BATCH;
        let elapsed = begin.elapsed();
        if elapsed >= TURN {
            return elapsed.as_nanos() as f64 / f64::from(calls);
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "a benchmark measures real time")]
fn now() -> Instant {
    Instant::now()
}
