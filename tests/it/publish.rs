//! The plain copy of a token for systems that know nothing of wxhook: always the newest one, gone
//! with the token, and nobody's burden.

use std::net::SocketAddr;
use std::time::Duration;

use serde_json::{Value, json};
use wxhook::clock::Clock as _;
use wxhook::id::AppId;
use wxhook::secret::AccessToken;
use wxhook::simulator::platform::Call;
use wxhook::store::copies::{Copied, PlainCopies};
use wxhook::store::redis::RedisCopies;

use crate::main_job::{APP_ID, SECRET, StandIn, variables};
use crate::servers::{Server, Software};
use crate::support::{Program, eventually, now, raw};

const ADMIN: &str = "the-admin-key-of-the-tests";
const KEY: &str = "wx:wx0123456789abcdef:access_token";
const PATTERN: &str = "wx:{appid}:access_token";

fn client(server: &Server) -> redis::Client {
    redis::Client::open(server.url()).unwrap()
}

/// What an old system finds, and for how many milliseconds it will.
fn found(client: &redis::Client) -> Option<(String, i64)> {
    let mut connection = client.get_connection().ok()?;
    let token: Option<String> = redis::cmd("GET").arg(KEY).query(&mut connection).ok()?;
    let left: i64 = redis::cmd("PTTL").arg(KEY).query(&mut connection).ok()?;
    Some((token?, left))
}

fn asked(admin: SocketAddr, method: &str, target: &str, body: &str) -> Value {
    let length = body.len();
    let answer = raw(
        admin,
        format!(
            "{method} {target} HTTP/1.1\r\nHost: {admin}\r\nAuthorization: Bearer {ADMIN}\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n{body}"
        ),
    );
    assert_eq!(answer.status, 200, "{}", answer.body);
    serde_json::from_str(&answer.body).unwrap()
}

/// Somebody forces a new token, so that the one in hand is refused soon, and it is reported.
fn replace(stand_in: &StandIn, admin: SocketAddr, generation: &Value) -> Value {
    let body = json!({"grant_type": "client_credential", "appid": APP_ID, "secret": SECRET, "force_refresh": true});
    let call = Call {
        method: "POST".to_owned(),
        path: "/cgi-bin/stable_token".to_owned(),
        has_content_length: true,
        body: body.to_string().into(),
        ..Call::default()
    };
    // Forced renewals count only at 30 s from each other.
    let at = wxhook::clock::SystemClock::start().now();
    let answer = stand_in.platform.lock().unwrap().handle(at, &call);
    assert_eq!(answer.status, 200);
    let report = json!({"generation": generation, "errcode": 40001}).to_string();
    asked(admin, "POST", "/v1/token/default/report", &report)
}

#[test]
fn a_plain_copy_is_always_the_newest_token_and_its_server_is_nobodys_burden() {
    let Some(mut server) = Server::start(Software::Redis) else {
        return;
    };
    let (stand_in, client, url) = (StandIn::start(), client(&server), server.url());
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path().to_str().unwrap();
    let mut settings = variables(&stand_in.url, data, "127.0.0.1:0");
    settings.extend([
        ("WXHOOK_ADMIN_KEY", ADMIN),
        ("WXHOOK_TOKEN_PUBLISH_URL", url.as_str()),
        ("WXHOOK__TOKEN__PUBLISH__KEY", PATTERN),
        ("WXHOOK_LOG", "trace"),
    ]);
    let mut program = Program::start(&["serve"], &settings);
    let (_, admin) = program.ready();

    let (copy, left) = eventually("a copy without anybody's question", || found(&client));
    let given = asked(admin, "GET", "/v1/token/default", "");
    assert_eq!(given["access_token"], copy.as_str());
    let life = given["expires_in"].as_i64().unwrap() * 1000;
    assert!((life - 5_000..=life + 2_000).contains(&left), "{left}");

    server.kill();
    let second = replace(&stand_in, admin, &given["generation"]);
    assert_ne!(second["access_token"], given["access_token"]);
    for _ in 0..20 {
        let before = now();
        let read = asked(admin, "GET", "/v1/token/default", "");
        assert_eq!(read["access_token"], second["access_token"]);
        assert!(now() - before < Duration::from_millis(500));
    }
    program.line_with("is not published; look at token.publish.url");
    server.restart();
    let newest = second["access_token"].as_str().unwrap();
    eventually("the copy of the newest token", || {
        found(&client).filter(|(copy, _)| copy == newest)
    });
    program.line_with("is published again");
    program.signal("TERM");
    assert!(program.wait().success());

    let printed = program.printed();
    for told in ["is not published", "is published again"] {
        assert_eq!(printed.matches(told).count(), 1, "{told}: {printed}");
    }
    for secret in ["pass%2Fword", "pass/word", newest, copy.as_str()] {
        assert!(!printed.contains(secret), "{printed}");
    }
    assert_eq!(stand_in.platform.lock().unwrap().tokens().count(), 2);
}

#[tokio::test]
async fn a_copy_is_never_replaced_by_an_older_token_and_ends_with_its_own() {
    let Some(server) = Server::start(Software::Redis) else {
        return;
    };
    let (client, url) = (client(&server), server.url());
    // Two processes, one of which is behind.
    let copies = [(); 2].map(|()| RedisCopies::open(&url, PATTERN).unwrap());
    let account = AppId::parse(APP_ID).unwrap();
    let hour = Duration::from_secs(3_600);
    for (name, process, token, generation, remaining, expected, stands) in [
        (
            "first",
            0,
            "one",
            1_700_000_000_001,
            hour,
            Copied::Written,
            "one",
        ),
        (
            "newer",
            1,
            "two",
            1_700_000_000_002,
            hour,
            Copied::Written,
            "two",
        ),
        (
            "older",
            0,
            "one",
            1_700_000_000_001,
            hour,
            Copied::Newer,
            "two",
        ),
        (
            "again",
            1,
            "two",
            1_700_000_000_002,
            hour,
            Copied::Written,
            "two",
        ),
        (
            "short",
            0,
            "three",
            1_700_000_000_003,
            Duration::from_secs(2),
            Copied::Written,
            "three",
        ),
    ] {
        let token = AccessToken::new(token);
        let copied = copies[process].copy(&account, &token, generation, remaining);
        assert_eq!(copied.await.unwrap(), expected, "{name}");
        let (text, left) = found(&client).unwrap();
        assert_eq!(text, stands, "{name}");
        assert!(left > 0 && left <= 3_600_000, "{name}: {left}");
    }
    // Somebody else overwrote the key, even with something of another type.
    let mut connection = client.get_connection().unwrap();
    redis::pipe()
        .cmd("DEL")
        .arg(KEY)
        .cmd("RPUSH")
        .arg(KEY)
        .arg("x")
        .exec(&mut connection)
        .unwrap();
    let token = AccessToken::new("four");
    let soon = Duration::from_secs(1);
    let copied = copies[0].copy(&account, &token, 1_700_000_000_004, soon);
    assert_eq!(copied.await.unwrap(), Copied::Written);
    assert_eq!(found(&client).unwrap().0, "four");
    eventually("the copy ends by itself", || {
        found(&client).is_none().then_some(())
    });
    let behind = copies[1].copy(&account, &token, 1_700_000_000_003, hour);
    assert_eq!(behind.await.unwrap(), Copied::Newer, "nor after its end");
}
