//! No secret comes out: a whole scenario at trace level, its logs, its files, its pages, its arguments.

mod shown;

use std::fs;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use wxhook::simulator::platform::{Fault, FaultRule, Shape, When};

use crate::main_job::{KEY, SECRET, StandIn, TOKEN, variables};
use crate::support::{Program, eventually, raw, run};

const ADMIN: &str = "the-admin-key-of-the-tests";

/// How a secret may be written: as it is, percent-encoded, and in base64 at any of its alignments.
fn spellings(secret: &str) -> Vec<String> {
    let percent = secret.bytes().map(|byte| format!("%{byte:02X}")).collect();
    let mut spellings = vec![secret.to_owned(), percent];
    for skipped in 0..3 {
        let shifted = [&b"..."[..skipped], secret.as_bytes()].concat();
        let whole = STANDARD_NO_PAD.encode(shifted);
        // The ends depend on what stands beside the secret.
        spellings.push(whole[4..whole.len() - 3].to_owned());
    }
    spellings
}

/// The first spelling of one of these secrets in the bytes.
pub(crate) fn leak<'a>(
    bytes: &[u8],
    secrets: &'a [(&'static str, String)],
) -> Option<(&'a str, String)> {
    let text = String::from_utf8_lossy(bytes);
    secrets.iter().find_map(|(name, secret)| {
        let found = spellings(secret)
            .into_iter()
            .find(|spelling| text.contains(spelling))?;
        let at = text.find(&found)?;
        let start = text.floor_char_boundary(at.saturating_sub(200));
        Some((*name, text[start..at].to_owned()))
    })
}

fn files_below(directory: &Path, found: &mut Vec<(String, Vec<u8>)>) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        match fs::read(&path) {
            Ok(bytes) => found.push((path.display().to_string(), bytes)),
            Err(_) => files_below(&path, found),
        }
    }
}

/// What an operator reads at the admin listener.
fn asked(admin: SocketAddr, page: &str) -> String {
    let question = format!(
        "GET {page} HTTP/1.1\r\nHost: {admin}\r\nAuthorization: Bearer {ADMIN}\r\nConnection: close\r\n\r\n"
    );
    raw(admin, question).body
}

/// What everybody on the machine sees of a process.
fn arguments_of(process: u32) -> Vec<u8> {
    let read = || fs::read(format!("/proc/{process}/cmdline")).unwrap();
    // For a moment after its start there are none.
    eventually("it has arguments", || {
        Some(read()).filter(|arguments| !arguments.is_empty())
    })
}

/// Answers of every kind for the first messages, and for the first questions for a token.
fn trouble() -> Vec<FaultRule> {
    let next = |path: &str, fault| FaultRule {
        path: Some(path.to_owned()),
        host: None,
        open_id: None,
        when: When::Next(1),
        fault,
    };
    let (send, token) = ("/cgi-bin/message/custom/send", "/cgi-bin/stable_token");
    let code = |code| Fault::Code {
        code,
        message: None,
    };
    vec![
        next(token, Fault::BadGateway),
        next(send, code(40001)),
        next(send, code(45015)),
        next(send, Fault::Reset),
        next(send, Fault::HalfAnswer),
        next(send, Fault::Shape(Shape::Page)),
        next(send, Fault::Shape(Shape::OddMessage)),
    ]
}

#[test]
fn a_secret_is_recognised_in_every_spelling() {
    let secrets = [("the secret", SECRET.to_owned())];
    for before in ["", "a", "ab"] {
        let encoded = STANDARD_NO_PAD.encode(format!("{before}{SECRET}&x=1"));
        assert!(leak(encoded.as_bytes(), &secrets).is_some(), "{before}");
    }
    assert!(leak(format!("secret={SECRET}").as_bytes(), &secrets).is_some());
    assert!(leak(b"nothing", &secrets).is_none());
}

#[test]
fn at_trace_level_no_secret_is_logged_stored_shown_or_passed_as_an_argument() {
    let stand_in = StandIn::start();
    for rule in trouble() {
        stand_in.platform.lock().unwrap().add_fault(rule).unwrap();
    }
    let data_dir = tempfile::tempdir().unwrap();
    let directory = data_dir.path().to_str().unwrap();
    let mut environment = variables(&stand_in.url, directory, "127.0.0.1:0");
    environment.extend([("WXHOOK_LOG", "trace"), ("WXHOOK_ADMIN_KEY", ADMIN)]);
    let mut program = Program::start(&["serve"], &environment);
    let (webhook, admin) = program.ready();
    let url = format!("http://{webhook}/wechat");
    let push = [
        "simulate", "push", "--url", &url, "--text", "{number}", "--count", "12",
    ];
    let mut pusher = Program::start(&push, &environment);
    let pushers = arguments_of(pusher.pid());
    assert!(pusher.wait().success());
    eventually("most messages are delivered", || {
        (stand_in.platform.lock().unwrap().delivery_count() >= 8).then_some(())
    });
    let arguments = [arguments_of(program.pid()), pushers].concat();
    let pages = [
        "/v1/counters",
        "/v1/token",
        "/metrics",
        "/readyz",
        "/healthz",
    ];
    let pages = pages.map(|page| asked(admin, page));
    assert!(pages[0].contains("wxhook_parts_sent_total"), "{pages:?}");
    assert!(pages[1].contains("generation"), "{pages:?}");
    let listens = admin.to_string();
    let mut beside = environment.clone();
    beside.retain(|(name, _)| *name != "WXHOOK_ADMIN_LISTEN");
    beside.push(("WXHOOK_ADMIN_LISTEN", &listens));
    let shown = ["show", "refresh"].map(|what| run(&["access-token", what], &beside, ""));
    assert!(shown.iter().all(|(code, ..)| *code == 0), "{shown:?}");
    let said = format!("{}{shown:?}", pusher.printed());
    program.signal("TERM");
    assert!(program.wait().success());
    let logs = program.printed();
    assert!(
        logs.contains(r#""level":"TRACE""#) && logs.contains("hyper"),
        "a quiet log proves nothing"
    );

    let lasting = [
        ("the AppSecret", SECRET.to_owned()),
        ("the Token", TOKEN.to_owned()),
        ("the EncodingAESKey", KEY.to_owned()),
        ("the admin key", ADMIN.to_owned()),
    ];
    let platform = stand_in.platform.lock().unwrap();
    let tokens = platform.tokens();
    let tokens = tokens.map(|token| ("an access token", token.text.clone()));
    let secrets: Vec<_> = lasting.iter().cloned().chain(tokens).collect();
    assert!(secrets.len() > lasting.len());
    let mut places = vec![
        ("the log".to_owned(), logs.into_bytes()),
        ("the arguments".to_owned(), arguments),
        ("the admin pages".to_owned(), pages.concat().into_bytes()),
        ("what the commands printed".to_owned(), said.into_bytes()),
    ];
    // What must be stored are the access tokens, in a file of their own.
    files_below(data_dir.path(), &mut places);
    for (place, bytes) in &places {
        let keeps_tokens = place.contains("/tokens.db");
        let forbidden = if keeps_tokens { &lasting[..] } else { &secrets };
        assert_eq!(leak(bytes, forbidden), None, "{place}");
        if keeps_tokens {
            let mode = fs::metadata(place).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600, "{place}");
        }
    }
}
