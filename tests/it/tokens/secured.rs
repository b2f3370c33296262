//! Token stores behind TLS and a password: what works, and what is said when something does not fit.

use std::time::Duration;

use wxhook::store::redis::RedisTokens;
use wxhook::store::tokens::TokensError;

use super::conformance::{conforms, fresh_key};
use super::fleet::{on_each_server, runtime};
use crate::certificates::Authority;
use crate::main_job::{APP_ID, SECRET, StandIn, TOKEN};
use crate::servers::{Server, Software};
use crate::support::{Program, raw, run};
use crate::tokenstores::open;

const ADMIN: &str = "the-admin-key-of-the-tests";

/// How an address asks that the certificate and its name be verified.
fn verifying(software: Software, authority: &Authority) -> String {
    let file = authority.file();
    match software {
        Software::Redis => format!("?ssl-ca={file}"),
        Software::MariaDb => format!("?ssl-mode=VERIFY_IDENTITY&ssl-ca={file}"),
    }
}

fn a_store_behind_tls_conforms(software: Software) {
    let authority = Authority::new();
    let issued = authority.issue("IP:127.0.0.1");
    let Some(server) = Server::start_secured(software, &issued) else {
        return;
    };
    let end = verifying(software, &authority);
    let url = server.url_with("pass%2Fword", "127.0.0.1", &end);
    let pass = async |by: Duration| tokio::time::sleep(by).await;
    runtime().block_on(async { conforms(&*open(software, &url), pass).await });
}

fn what_does_not_fit_is_named(software: Software) {
    let (authority, other) = (Authority::new(), Authority::new());
    let issued = authority.issue("IP:127.0.0.1");
    let Some(server) = Server::start_secured(software, &issued) else {
        return;
    };
    let (right, wrong) = (verifying(software, &authority), verifying(software, &other));
    let unknown = "its certificate is not accepted (UnknownIssuer); its address names the authority \
                   behind it as ?ssl-ca=FILE";
    let not_let_in = "it refuses the user or the password of its address";
    let (systems, without) = match software {
        Software::Redis => ("", "it wants a password"),
        Software::MariaDb => ("?ssl-mode=VERIFY_IDENTITY", not_let_in),
    };
    for (name, password, host, end, expected) in [
        (
            "another authority",
            "pass%2Fword",
            "127.0.0.1",
            &*wrong,
            unknown,
        ),
        (
            "the system's authorities",
            "pass%2Fword",
            "127.0.0.1",
            systems,
            unknown,
        ),
        (
            "another name",
            "pass%2Fword",
            "localhost",
            &right,
            "its certificate is not accepted (certificate not valid for name \"localhost\"",
        ),
        (
            "another password",
            "hush-hush",
            "127.0.0.1",
            &right,
            not_let_in,
        ),
        ("no password", "", "127.0.0.1", &right, without),
    ] {
        let name = format!("{software:?}: {name}");
        let url = server.url_with(password, host, end);
        let error = runtime().block_on(async {
            let store = open(software, &url);
            store.load(&fresh_key()).await.unwrap_err()
        });
        assert!(matches!(error, TokensError::Away(_)), "{name}: {error:?}");
        let shown = format!("{error} {error:?}");
        assert!(shown.contains(expected), "{name}: {shown}");
        for password in ["pass%2Fword", "pass/word", "hush-hush"] {
            assert!(!shown.contains(password), "{name}: {shown}");
        }
    }
    if software == Software::MariaDb {
        // The name is not looked at, the authority is.
        let end = right.replace("VERIFY_IDENTITY", "VERIFY_CA");
        let url = server.url_with("pass%2Fword", "localhost", &end);
        let loaded = runtime().block_on(async { open(software, &url).load(&fresh_key()).await });
        assert_eq!(loaded.unwrap(), None);
    }
    what_a_running_server_says(software, &server, &wrong, unknown);
}

/// The server runs, asks the platform by itself, and tells its operator once what to look at.
fn what_a_running_server_says(software: Software, server: &Server, end: &str, expected: &str) {
    let stand_in = StandIn::start();
    let directory = tempfile::tempdir().unwrap();
    let url = server.url_with("pass%2Fword", "127.0.0.1", end);
    let variables = variables(&stand_in.url, directory.path().to_str().unwrap(), &url);
    let mut program = Program::start(&["serve", "--role", "token"], &variables);
    let line = program.line_with("is ready for those who ask for tokens");
    let line: serde_json::Value = serde_json::from_str(&line).unwrap();
    let admin = line["admin_listen"].as_str().unwrap().parse().unwrap();
    for _ in 0..3 {
        let answer = raw(
            admin,
            format!(
                "GET /v1/token/default HTTP/1.1\r\nHost: {admin}\r\nAuthorization: Bearer {ADMIN}\r\nConnection: close\r\n\r\n"
            ),
        );
        assert_eq!(answer.status, 200, "{software:?}: {}", answer.body);
    }
    program.signal("TERM");
    assert!(program.wait().success());
    let printed = program.printed();
    let said: Vec<&str> = printed
        .lines()
        .filter(|line| line.contains("(token.store)"))
        .collect();
    assert_eq!(said.len(), 1, "{software:?}: {printed}");
    assert!(said[0].contains(expected), "{software:?}: {}", said[0]);
    assert!(
        !printed.contains("pass%2Fword") && !printed.contains("pass/word"),
        "{printed}"
    );
}

fn variables<'a>(stand_in: &'a str, data: &'a str, store: &'a str) -> Vec<(&'a str, &'a str)> {
    vec![
        ("WECHAT_APP_ID", APP_ID),
        ("WECHAT_APP_SECRET", SECRET),
        ("WECHAT_TOKEN", TOKEN),
        ("WXHOOK_ADMIN_LISTEN", "127.0.0.1:0"),
        ("WXHOOK_ADMIN_KEY", ADMIN),
        ("WXHOOK_DATA_DIR", data),
        ("WXHOOK_API_HOSTS", stand_in),
        ("WXHOOK_TOKEN_STORE", store),
        ("WXHOOK_LOG_FORMAT", "json"),
    ]
}

#[test]
fn stores_behind_tls_and_a_password_keep_all_their_promises() {
    on_each_server(a_store_behind_tls_conforms);
}

#[test]
fn a_wrong_certificate_name_or_password_is_named_and_the_password_is_not() {
    on_each_server(what_does_not_fit_is_named);
}

#[test]
fn an_authority_that_cannot_be_used_stops_the_start_and_names_the_setting() {
    let directory = tempfile::tempdir().unwrap();
    let empty = directory.path().join("empty.pem");
    std::fs::write(&empty, "nothing").unwrap();
    let (empty, data) = (empty.display(), directory.path().to_str().unwrap());
    let mut cases = vec![
        (
            "rediss://:hush@127.0.0.1/3?ssl-ca=/no/such/file".to_owned(),
            "its ssl-ca, the file /no/such/file, cannot be read: No such file",
        ),
        (
            format!("rediss://:hush@127.0.0.1/3?ssl-ca={empty}"),
            "holds no certificate in PEM",
        ),
        (
            "rediss://:hush@127.0.0.1/3#insecure".to_owned(),
            "#insecure, which is not taken",
        ),
    ];
    if cfg!(feature = "mysql") {
        cases.push((
            "mysql://wx:hush@127.0.0.1/tokens?ssl-ca=/no/such/file".to_owned(),
            "its ssl-ca, the file /no/such/file, cannot be read: No such file",
        ));
    }
    for (address, expected) in &cases {
        let variables = variables("http://127.0.0.1:1", data, address);
        let (code, out, err) = run(&["config", "check"], &variables, "");
        let said = format!("{out}{err}");
        assert!(code != 0 && said.contains(expected), "{address}: {said}");
        assert!(
            said.contains("WXHOOK_TOKEN_STORE") || said.contains("token.store"),
            "{said}"
        );
        assert!(!said.contains("hush"), "{said}");
    }
    let authority = Authority::new();
    let address = format!("redis://:hush@127.0.0.1/3?ssl-ca={}", authority.file());
    let error = RedisTokens::open(&address).unwrap_err().to_string();
    assert!(error.ends_with("write rediss://"), "{error}");
}
