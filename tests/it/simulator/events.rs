//! `simulate platform --push-to` beside `serve`: two real programs, and what WeChat says by itself.

use std::net::TcpListener;

use serde_json::{Value, json};
use wxhook::cli::simulate::{SimulateContext, SimulateError};

use super::commands;
use super::pusher::KEY as RAW_KEY;
use crate::main_job::{APP_ID, KEY, SECRET, TOKEN};
use crate::support::{Program, eventually, run};

/// An address that was free a moment ago.
fn free() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().to_string()
}

/// The events that the server was told, as `inbox list` lists them.
fn events(data_dir: &str) -> Vec<Value> {
    let (code, listed, err) = run(
        &["inbox", "list", "--json"],
        &[("WXHOOK_DATA_DIR", data_dir)],
        "",
    );
    assert_eq!(code, 0, "{err}");
    let pushes = listed
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap());
    pushes.filter(|push| push["kind"] == "event").collect()
}

/// A mass message ends at a platform that was given `flags`, and the server hears of it.
fn the_server_hears_of_the_end(mode: &str, key: Option<&str>, flags: &[&str]) {
    let (listen, platform) = (free(), free());
    let directory = tempfile::tempdir().unwrap();
    let data_dir = directory.path().to_str().unwrap();
    let (push_to, hosts) = (
        format!("http://{listen}/wechat"),
        format!("http://{platform}"),
    );
    let mut account = vec![
        ("WECHAT_APP_ID", APP_ID),
        ("WECHAT_APP_SECRET", SECRET),
        ("WECHAT_TOKEN", TOKEN),
        ("WECHAT_MODE", mode),
    ];
    account.extend(key.map(|key| ("WECHAT_ENCODING_AES_KEY", key)));
    let line = [
        "simulate",
        "platform",
        "--listen",
        &platform,
        "--push-to",
        &push_to,
    ];
    // With flags for everything, or with the configured account.
    let known = match flags {
        [] => &account[..],
        _ => &[],
    };
    let mut simulator = Program::start(&[&line, flags].concat(), known);
    let told = simulator.line_with("What it says by itself is pushed to");
    assert!(told.ends_with(&format!("{push_to} ({mode}).")), "{told}");

    let mut environment = account.clone();
    environment.extend([
        ("WXHOOK_LISTEN", &*listen),
        ("WXHOOK_ADMIN_LISTEN", "127.0.0.1:0"),
        ("WXHOOK_DATA_DIR", data_dir),
        ("WXHOOK_API_HOSTS", &hosts),
        ("WXHOOK_LOG_FORMAT", "json"),
    ]);
    let mut server = Program::start(&["serve"], &environment);
    let (_, admin) = server.ready();
    let admin = admin.to_string();
    let mut operator = environment.clone();
    operator.retain(|(name, _)| *name != "WXHOOK_ADMIN_LISTEN");
    operator.push(("WXHOOK_ADMIN_LISTEN", &admin));
    let message = json!({
        "touser": ["oFirstUser", "oSecondUser"], "msgtype": "text", "text": { "content": "大家好" },
    });
    let body = message.to_string();
    let mass = ["api", "post", "/cgi-bin/message/mass/send", "--body", &body];
    let (code, out, err) = run(&mass, &operator, "");
    assert_eq!(code, 0, "{err}");
    let answer: Value = serde_json::from_str(&out).unwrap();

    let told = eventually("the end of the mass message", || {
        let told = events(data_dir);
        (!told.is_empty()).then_some(told)
    });
    assert_eq!(told.len(), 1);
    assert_eq!(
        (
            &told[0]["event"],
            &told[0]["fields"]["MsgID"],
            &told[0]["fields"]["SentCount"]
        ),
        (
            &json!("MASSSENDJOBFINISH"),
            &json!(answer["msg_id"].to_string()),
            &json!("2")
        )
    );
    for (program, name) in [
        (&mut simulator, "simulate platform"),
        (&mut server, "serve"),
    ] {
        program.signal("TERM");
        let end = program.wait();
        assert!(end.success(), "{name}: {}", program.printed());
    }
}

#[test]
fn the_end_of_a_job_reaches_the_server_that_the_command_names() {
    let named = ["--app-id", APP_ID, "--app-secret", SECRET, "--token", TOKEN];
    the_server_hears_of_the_end("plain", None, &named);
    the_server_hears_of_the_end(
        "secure",
        Some(KEY),
        &[&named[..], &["--aes-key", KEY]].concat(),
    );
    the_server_hears_of_the_end("compatible", Some(KEY), &[]);
}

#[tokio::test(flavor = "multi_thread")]
async fn events_go_nowhere_without_a_token_and_off_this_machine_only_when_that_is_said() {
    let here = [
        "platform",
        "--listen",
        "127.0.0.1:0",
        "--push-to",
        "http://127.0.0.1:1/wechat",
    ];
    let away = [
        "platform",
        "--push-to",
        "http://192.0.2.1/",
        "--token",
        TOKEN,
    ];
    let secure = ["--token", TOKEN, "--mode", "secure"];
    let tls = [
        "platform",
        "--push-to",
        "https://127.0.0.1/",
        "--token",
        TOKEN,
    ];
    for (name, line, expected) in [
        ("no token", here.to_vec(), "--push-to needs --token"),
        (
            "no key",
            [&here[..], &secure].concat(),
            "give --aes-key, or --mode plain",
        ),
        ("another machine", away.to_vec(), "add --yes if it is meant"),
        ("https", tls.to_vec(), "must begin with http://"),
    ] {
        let (printed, end) = commands::run(&line, SimulateContext::default()).await;
        let error = end.expect_err(name);
        assert!(matches!(error, SimulateError::Usage(_)), "{name}: {error}");
        assert!(error.to_string().contains(expected), "{name}: {error}");
        assert_eq!(printed, "", "{name}");
    }
    let with_key = [
        &here[..],
        &["--token", TOKEN, "--encoding-aes-key", RAW_KEY, "--json"],
    ]
    .concat();
    let (printed, end) = commands::run(&with_key, SimulateContext::default()).await;
    end.unwrap();
    let told: Value = serde_json::from_str(&printed).unwrap();
    assert_eq!(
        (&told["push_to"], &told["mode"]),
        (&json!("http://127.0.0.1:1/wechat"), &json!("secure"))
    );
}
