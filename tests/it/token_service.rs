//! The central token service: who may have what, one question to the platform whoever asks, and a
//! client that lives on while the service is away.

use std::collections::HashSet;
use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, Barrier};
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};
use sha1::Sha1;
use sha2::{Digest as _, Sha256};
use wxhook::clock::{Clock, ManualClock};
use wxhook::id::AppId;
use wxhook::platform::error::ErrorCode;
use wxhook::platform::hosts::ApiHost;
use wxhook::secret::ClientKey;
use wxhook::simulator::platform::{Fault, FaultRule, When};
use wxhook::token::remote::{LONGEST_CACHE, RemoteParts, RemoteTokens};
use wxhook::token::{Suspect, TokenSource};
use wxhook::transport::{self, HttpTransport};

use crate::main_job::{APP_ID, SECRET, StandIn, TOKEN};
use crate::support::{Answer, Program, raw, run};

const ADMIN: &str = "the-admin-key-of-the-tests";
const READER: &str = "reader-key-0123456789";
const REPORTER: &str = "reporter-key-0123456789";
const PAGES: &str = "pages-key-0123456789";
const STRANGER: &str = "stranger-key-0123456789";
const NOBODY: &str = "nobodys-key-0123456789";
const STABLE: &str = "/cgi-bin/stable_token";

/// A server that only keeps tokens, as a process of its own.
struct Service {
    program: Program,
    stand_in: StandIn,
    directory: tempfile::TempDir,
    admin: SocketAddr,
}

fn configuration() -> String {
    format!(
        "[clients.reader]\nkey = \"{READER}\"\nrights = [\"token:read\"]\n\
         [clients.reporter]\nkey = \"{REPORTER}\"\nrights = [\"token:read\", \"token:report\"]\naccounts = [\"default\"]\n\
         [clients.pages]\nkey = \"{PAGES}\"\nrights = [\"jssdk\"]\n\
         [clients.stranger]\nkey = \"{STRANGER}\"\nrights = [\"token:read\", \"token:report\", \"jssdk\"]\naccounts = [\"other\"]\n\
         [accounts.other]\napp_id = \"wxother\"\nmode = \"secure\"\n\
         [jssdk]\norigins = [\"https://shop.example.com\"]\n"
    )
}

fn variables<'a>(stand_in: &'a str, directory: &'a str, admin: &'a str) -> Vec<(&'a str, &'a str)> {
    vec![
        ("WECHAT_APP_ID", APP_ID),
        ("WECHAT_APP_SECRET", SECRET),
        ("WECHAT_TOKEN", TOKEN),
        ("WXHOOK_LISTEN", "127.0.0.1:1"),
        ("WXHOOK_ADMIN_LISTEN", admin),
        ("WXHOOK_ADMIN_KEY", ADMIN),
        ("WXHOOK_DATA_DIR", directory),
        ("WXHOOK_API_HOSTS", stand_in),
        ("WXHOOK_LOG_FORMAT", "json"),
        ("WXHOOK_LOG", "trace"),
    ]
}

impl Service {
    fn start() -> Self {
        Self::start_at("127.0.0.1:0", StandIn::start())
    }

    fn start_at(admin: &str, stand_in: StandIn) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("wxhook.toml");
        std::fs::write(&file, configuration()).unwrap();
        let (file, data) = (file.to_str().unwrap(), directory.path().join("data"));
        let mut variables = variables(&stand_in.url, data.to_str().unwrap(), admin);
        // Who receives no pushes needs nothing to verify them with.
        variables.retain(|(name, _)| *name != "WECHAT_TOKEN");
        let arguments = ["--config", file, "serve", "--role", "token"];
        let mut program = Program::start(&arguments, &variables);
        let line = program.line_with("is ready for those who ask for tokens");
        let line: Value = serde_json::from_str(&line).unwrap();
        let admin = line["admin_listen"].as_str().unwrap().parse().unwrap();
        Self {
            program,
            stand_in,
            directory,
            admin,
        }
    }

    fn ask(&self, method: &str, target: &str, key: &str, body: &str) -> Answer {
        ask(self.admin, method, target, key, body)
    }

    fn read(&self, key: &str) -> Value {
        let answer = self.ask("GET", "/v1/token/default", key, "");
        assert_eq!(answer.status, 200, "{}", answer.body);
        serde_json::from_str(&answer.body).unwrap()
    }

    fn report(&self, key: &str, body: &Value) -> Value {
        let answer = self.ask("POST", "/v1/token/default/report", key, &body.to_string());
        assert_eq!(answer.status, 200, "{}", answer.body);
        serde_json::from_str(&answer.body).unwrap()
    }

    fn calls(&self, path: &str) -> usize {
        let platform = self.stand_in.platform.lock().unwrap();
        platform
            .calls_after(0)
            .filter(|call| call.path == path)
            .count()
    }

    /// The command of an operator beside the running server.
    fn command(&self, arguments: &[&str]) -> (i32, String, String) {
        let (data, admin) = (self.directory.path().join("data"), self.admin.to_string());
        let mut variables = variables(&self.stand_in.url, data.to_str().unwrap(), &admin);
        variables.retain(|(name, _)| *name != "WECHAT_TOKEN");
        run(arguments, &variables, "")
    }

    fn tokens(&self) -> Vec<String> {
        let platform = self.stand_in.platform.lock().unwrap();
        platform.tokens().map(|token| token.text.clone()).collect()
    }

    /// From now on the platform gives another token than before, as after a forced renewal elsewhere.
    fn replace_token(&self) {
        let mut platform = self.stand_in.platform.lock().unwrap();
        let body = json!({"grant_type": "client_credential", "appid": APP_ID, "secret": SECRET, "force_refresh": true});
        let call = wxhook::simulator::platform::Call {
            host: "api.weixin.qq.com".to_owned(),
            method: "POST".to_owned(),
            path: STABLE.to_owned(),
            has_content_length: true,
            body: body.to_string().into(),
            ..Default::default()
        };
        let now = wxhook::clock::SystemClock::start().now();
        assert_eq!(platform.handle(now, &call).status, 200);
    }

    fn delay_tokens(&self, milliseconds: u64) {
        let rule = FaultRule {
            host: None,
            path: Some(STABLE.to_owned()),
            open_id: None,
            when: When::Next(1),
            fault: Fault::Delay { milliseconds },
        };
        let mut platform = self.stand_in.platform.lock().unwrap();
        platform.add_fault(rule).unwrap();
    }
}

fn ask(admin: SocketAddr, method: &str, target: &str, key: &str, body: &str) -> Answer {
    let (length, host) = (body.len(), admin);
    raw(
        admin,
        format!(
            "{method} {target} HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {key}\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n{body}"
        ),
    )
}

fn sha256(text: &str) -> String {
    let digest = Sha256::digest(text.as_bytes());
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn each_key_may_do_what_its_rights_say_and_nothing_else() {
    let service = Service::start();
    let read = ("GET", "/v1/token/default", "");
    let by_app_id = ("GET", "/v1/token/wx0123456789abcdef", "");
    let report = (
        "POST",
        "/v1/token/default/report",
        r#"{"generation":99,"errcode":40001}"#,
    );
    let page = (
        "GET",
        "/v1/jssdk/default?url=https%3A%2F%2Fshop.example.com%2F",
        "",
    );
    let overview = ("GET", "/v1/token", "");
    let refresh = ("POST", "/v1/token/default/refresh", "");
    let counters = ("GET", "/v1/counters", "");
    for (name, key, expected) in [
        ("admin", ADMIN, [200, 200, 200, 200, 200, 200, 200]),
        ("reader", READER, [200, 200, 403, 403, 403, 403, 403]),
        ("reporter", REPORTER, [200, 200, 200, 403, 403, 403, 403]),
        ("pages", PAGES, [403, 403, 403, 200, 403, 403, 403]),
        ("stranger", STRANGER, [403, 403, 403, 403, 403, 403, 403]),
        ("nobody", NOBODY, [401, 401, 401, 401, 401, 401, 401]),
        ("empty", "", [401, 401, 401, 401, 401, 401, 401]),
    ] {
        let found = [read, by_app_id, report, page, overview, refresh, counters]
            .map(|(method, target, body)| service.ask(method, target, key, body).status);
        assert_eq!(found, expected, "{name}");
    }
    for (name, key, question, expected) in [
        (
            "right missing",
            READER,
            report,
            "clients.reader lacks the right token:report\n",
        ),
        (
            "right missing",
            PAGES,
            read,
            "clients.pages lacks the right token:read\n",
        ),
        (
            "another's account",
            STRANGER,
            read,
            "this account is not among those of clients.stranger\n",
        ),
        (
            "an unknown account is not told apart",
            STRANGER,
            ("GET", "/v1/token/none", ""),
            "this account is not among those of clients.stranger\n",
        ),
        (
            "unknown",
            READER,
            ("GET", "/v1/token/none", ""),
            "no account \"none\" with an AppSecret is configured\n",
        ),
        (
            "without a secret",
            READER,
            ("GET", "/v1/token/other", ""),
            "no account \"other\" with an AppSecret is configured\n",
        ),
        (
            "unknown key",
            NOBODY,
            read,
            "send a key as: Authorization: Bearer KEY\n",
        ),
    ] {
        let answer = service.ask(question.0, question.1, key, question.2);
        assert_eq!(answer.body, expected, "{name}");
    }
    let foreign = raw(
        service.admin,
        format!(
            "GET /v1/token/default HTTP/1.1\r\nHost: evil.example\r\nAuthorization: Bearer {ADMIN}\r\nConnection: close\r\n\r\n"
        ),
    );
    assert_eq!(foreign.status, 401, "a web page's own name as Host");
}

#[test]
fn a_report_that_cannot_be_read_is_refused_and_asks_nobody() {
    let service = Service::start();
    service.read(READER);
    let short = json!({"sha256": "00", "errcode": 40001}).to_string();
    let both = json!({"sha256": sha256("x"), "generation": 1, "errcode": 40001}).to_string();
    let long = "x".repeat(5000);
    for (name, body, expected) in [
        ("empty", "", 400),
        ("no token named", r#"{"errcode":40001}"#, 400),
        ("no code", r#"{"generation":1}"#, 400),
        ("a short digest", &short, 400),
        ("two names", &both, 400),
        ("the token itself", r#"{"token":"x","errcode":40001}"#, 400),
        ("too long", &long, 413),
    ] {
        let answer = service.ask("POST", "/v1/token/default/report", REPORTER, body);
        assert_eq!(answer.status, expected, "{name}: {}", answer.body);
    }
    assert_eq!(service.calls(STABLE), 1);
}

#[test]
fn a_herd_through_the_door_gets_one_token_of_one_question() {
    let service = Service::start();
    service.delay_tokens(500);
    let (herd, admin) = (64, service.admin);
    let start = Arc::new(Barrier::new(herd));
    let asking: Vec<_> = (0..herd)
        .map(|_| {
            let start = Arc::clone(&start);
            thread::spawn(move || {
                start.wait();
                ask(admin, "GET", "/v1/token/default", READER, "").body
            })
        })
        .collect();
    let tokens: HashSet<String> = asking
        .into_iter()
        .map(|asking| serde_json::from_str::<Value>(&asking.join().unwrap()).unwrap())
        .map(|given| given["access_token"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(tokens.into_iter().collect::<Vec<_>>(), service.tokens());
    assert_eq!(service.calls(STABLE), 1);
}

#[test]
fn a_reported_token_is_replaced_once_and_whoever_caused_it_is_named() {
    let service = Service::start();
    let first = service.read(READER);
    assert!(
        (7100..=7200).contains(&first["expires_in"].as_u64().unwrap()),
        "{first}"
    );
    service.replace_token();
    let digest = sha256(first["access_token"].as_str().unwrap());
    let second = service.report(REPORTER, &json!({"sha256": digest, "errcode": 40001}));
    assert_ne!(second["access_token"], first["access_token"]);
    assert!(second["generation"].as_u64() > first["generation"].as_u64());
    let asked = service.calls(STABLE);
    for (name, body) in [
        (
            "late, by digest",
            json!({"sha256": digest, "errcode": 42001}),
        ),
        (
            "late, by generation",
            json!({"generation": first["generation"], "errcode": 40014}),
        ),
        (
            "not about the token",
            json!({"generation": second["generation"], "errcode": 45009}),
        ),
    ] {
        let given = service.report(REPORTER, &body);
        assert_eq!(given["access_token"], second["access_token"], "{name}");
        assert_eq!(service.calls(STABLE), asked, "{name}");
    }

    let (code, out, err) = service.command(&["access-token", "show", "default", "--json"]);
    assert_eq!(code, 0, "{err}");
    let shown: Value = serde_json::from_str(&out).unwrap();
    let said: Vec<&str> = shown["history"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| entry["what"].as_str().unwrap())
        .collect();
    assert_eq!(said.len(), 2, "{said:?}");
    for (said, expected) in said.iter().zip([
        "no token was there (asked by reader): the platform gave another token, generation ",
        "the platform refused the token (reported by reporter with code 40001): the platform gave another",
    ]) {
        assert!(said.starts_with(expected), "{said}");
    }
    assert_eq!(shown["generation"], second["generation"]);
    let clients: Vec<Value> = shown["clients"]
        .as_array()
        .unwrap()
        .iter()
        .map(|used| {
            json!([
                used["client"],
                used["reads"],
                used["reports"],
                used["last_errcode"]
            ])
        })
        .collect();
    assert_eq!(
        clients,
        [
            json!(["reporter", 0, 4, 45009]),
            json!(["reader", 1, 0, null])
        ]
    );
    assert!(!out.contains(second["access_token"].as_str().unwrap()));

    let (code, out, _) = service.command(&["access-token", "show"]);
    assert!(
        code == 0 && out.contains("reported by reporter with code 40001"),
        "{out}"
    );
    assert!(
        out.contains("client reporter: read it never; reported it 4 times"),
        "{out}"
    );
    let (code, out, _) = service.command(&["access-token", "show", "default", "--reveal"]);
    assert_eq!(
        (code, out.trim()),
        (0, second["access_token"].as_str().unwrap())
    );
    let (code, _, err) = service.command(&["access-token", "show", "nothing"]);
    assert!(code == 1 && err.contains("nothing"), "{err}");
}

#[test]
fn an_operator_has_the_platform_asked_once_and_forces_nothing() {
    let service = Service::start();
    let first = service.read(READER);
    for _ in 0..3 {
        let (code, out, err) = service.command(&["access-token", "refresh"]);
        assert_eq!(code, 0, "{err}");
        assert!(
            out.starts_with(&format!("default: generation {}", first["generation"])),
            "{out}"
        );
    }
    // The platform gave the token a moment ago.
    assert_eq!(service.calls(STABLE), 1);
    assert_eq!(service.tokens().len(), 1);
    let generation = first["generation"].to_string();
    let arguments = [
        "access-token",
        "report",
        "--generation",
        &generation,
        "--json",
    ];
    let (code, out, _) = service.command(&arguments);
    let given: Value = serde_json::from_str(&out).unwrap();
    assert_eq!((code, &given["generation"]), (0, &first["generation"]));
    assert_eq!(service.calls(STABLE), 2);
}

#[test]
fn pages_of_allowed_origins_are_signed_with_one_ticket() {
    let service = Service::start();
    let target = "/v1/jssdk/default?url=https%3A%2F%2Fshop.example.com%2Fa%3Fb%3Dc%23top";
    let given: Value = serde_json::from_str(&service.ask("GET", target, PAGES, "").body).unwrap();
    let ticket = ticket(&service, "jsapi");
    let expected = format!(
        "jsapi_ticket={ticket}&noncestr={}&timestamp={}&url=https://shop.example.com/a?b=c",
        given["nonceStr"].as_str().unwrap(),
        given["timestamp"]
    );
    let digest = Sha1::digest(expected.as_bytes());
    let expected: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(given["signature"], expected.as_str());
    assert_eq!(given["appId"], APP_ID);
    let asked = service.calls("/cgi-bin/ticket/getticket");
    let again: Value = serde_json::from_str(&service.ask("GET", target, PAGES, "").body).unwrap();
    assert_ne!(again["nonceStr"], given["nonceStr"]);
    assert_eq!(service.calls("/cgi-bin/ticket/getticket"), asked);

    let card = "/v1/jssdk/default?type=wx_card&card_id=p1&openid=o1";
    let given: Value = serde_json::from_str(&service.ask("GET", card, PAGES, "").body).unwrap();
    let ticket = self::ticket(&service, "wx_card");
    let text = |key: &str| given[key].as_str().unwrap().to_owned();
    let mut values = [
        ticket,
        text("timestamp"),
        text("nonce_str"),
        "p1".into(),
        "o1".into(),
    ];
    values.sort();
    let digest = Sha1::digest(values.concat().as_bytes());
    let expected: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(given["signature"], expected.as_str());

    for (target, status) in [
        ("/v1/jssdk/default?url=https%3A%2F%2Fevil.example%2F", 403),
        ("/v1/jssdk/default?url=javascript%3Aalert(1)", 400),
        ("/v1/jssdk/default", 400),
        ("/v1/jssdk/default?type=wx_card", 400),
        ("/v1/jssdk/default?type=other", 400),
        ("/v1/jssdk/other?url=https%3A%2F%2Fshop.example.com%2F", 404),
    ] {
        assert_eq!(
            service.ask("GET", target, PAGES, "").status,
            status,
            "{target}"
        );
    }
}

/// The platform's current ticket: it gives the same one to whoever asks.
fn ticket(service: &Service, kind: &str) -> String {
    let token = service.tokens().pop().unwrap();
    let call = wxhook::simulator::platform::Call {
        method: "GET".to_owned(),
        path: "/cgi-bin/ticket/getticket".to_owned(),
        query: format!("access_token={token}&type={kind}"),
        ..Default::default()
    };
    let now = wxhook::clock::SystemClock::start().now();
    let answer = service.stand_in.platform.lock().unwrap().handle(now, &call);
    let answer: Value = serde_json::from_str(&answer.body).unwrap();
    answer["ticket"].as_str().unwrap().to_owned()
}

/// The client of a business server, on a clock that is moved by hand.
fn client(admin: SocketAddr, key: &str, clock: &Arc<ManualClock>) -> RemoteTokens {
    let transport = HttpTransport::new(&transport::Settings {
        https: false,
        plain_http: true,
        ..transport::Settings::default()
    });
    RemoteTokens::new(RemoteParts {
        account: AppId::parse(APP_ID).unwrap(),
        service: ApiHost::parse(&format!("http://{admin}")).unwrap(),
        key: ClientKey::new(key),
        transport: transport.unwrap(),
        clock: Arc::clone(clock) as Arc<dyn Clock>,
    })
}

#[tokio::test]
async fn a_client_caches_a_minute_reports_and_lives_on_the_last_good_token_when_the_service_is_away()
 {
    let mut service = Service::start();
    let clock = Arc::new(ManualClock::at(1_700_000_000));
    let tokens = client(service.admin, REPORTER, &clock);
    let herd = futures_util::future::join_all((0..100).map(|_| tokens.token())).await;
    let first = herd.into_iter().next().unwrap().unwrap();
    assert_eq!(service.read(ADMIN)["access_token"], first.token.expose());
    assert_eq!(
        reads_of(&service, "reporter"),
        1,
        "one question of a hundred callers"
    );

    clock.advance(LONGEST_CACHE - Duration::from_secs(1));
    tokens.token().await.unwrap();
    assert_eq!(reads_of(&service, "reporter"), 1, "within the minute");
    clock.advance(Duration::from_secs(1));
    tokens.token().await.unwrap();
    assert_eq!(reads_of(&service, "reporter"), 2, "after the minute");

    service.replace_token();
    let bad = Suspect::Token(first.token.clone());
    let reports = (0..100).map(|_| tokens.report(&bad, ErrorCode(40001)));
    for given in futures_util::future::join_all(reports).await {
        assert_ne!(given.unwrap().token, first.token);
    }
    let second = tokens.token().await.unwrap();
    // The first, the one that replaced it elsewhere, and one for a hundred reports.
    assert_eq!((service.calls(STABLE), service.tokens().len()), (3, 2));

    service.program.kill();
    clock.advance(Duration::from_secs(5000));
    let served = tokens.token().await.unwrap();
    assert_eq!(
        (served.token, served.generation),
        (second.token.clone(), second.generation)
    );
    clock.advance(Duration::from_secs(2200));
    let error = tokens.token().await.unwrap_err().to_string();
    assert!(
        error.starts_with("no access token: the token service at http://127.0.0.1:"),
        "{error}"
    );

    let Service {
        stand_in, admin, ..
    } = service;
    let service = Service::start_at(&admin.to_string(), stand_in);
    clock.advance(Duration::from_secs(2));
    let back = tokens.token().await.unwrap();
    assert_eq!(service.read(ADMIN)["access_token"], back.token.expose());
}

fn reads_of(service: &Service, who: &str) -> u64 {
    let overview = service.ask("GET", "/v1/token", ADMIN, "").body;
    let overview: Value = serde_json::from_str(&overview).unwrap();
    let clients = overview["tokens"][0]["clients"].as_array().unwrap();
    let used = clients.iter().find(|used| used["client"] == who);
    used.and_then(|used| used["reads"].as_u64()).unwrap_or(0)
}

#[tokio::test]
async fn a_client_whose_key_is_wrong_says_what_to_look_at_and_does_not_storm() {
    let service = Service::start();
    let clock = Arc::new(ManualClock::at(1_700_000_000));
    for (key, expected) in [
        (NOBODY, "does not know our key: look at token.client_key"),
        (PAGES, "does not give our key the right to read tokens"),
    ] {
        let error = client(service.admin, key, &clock)
            .token()
            .await
            .unwrap_err();
        assert!(error.to_string().ends_with(expected), "{error}");
    }
}

#[test]
fn a_business_server_replies_with_tokens_of_the_central_one() {
    let service = Service::start();
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path().to_str().unwrap();
    let source = format!("http://{}", service.admin);
    let mut settings = variables(&service.stand_in.url, data, "127.0.0.1:0");
    settings.retain(|(name, _)| !matches!(*name, "WECHAT_APP_SECRET" | "WXHOOK_LISTEN"));
    settings.extend([
        ("WXHOOK_LISTEN", "127.0.0.1:0"),
        ("WXHOOK__TOKEN__SOURCE", source.as_str()),
        ("WXHOOK__TOKEN__CLIENT_KEY", REPORTER),
    ]);
    let mut program = Program::start(&["serve"], &settings);
    let (_, admin) = program.ready();
    let given = ask(admin, "GET", "/v1/token/default", ADMIN, "");
    let given: Value = serde_json::from_str(&given.body).unwrap();
    let central = service.read(READER);
    assert_eq!(given["access_token"], central["access_token"]);
    assert_eq!(given["generation"], central["generation"]);
    assert_eq!(service.calls(STABLE), 1);
}

#[test]
fn a_server_that_only_keeps_tokens_has_no_webhook_and_no_store_and_stops_cleanly() {
    // server.listen is a port that nobody may bind: it is not even tried.
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut service = Service::start();
    assert_eq!(
        service.ask("GET", "/readyz", "", "").body,
        r#"{"clock_skew_seconds":null,"configuration":{"faults":[],"read_again_at":null,"restart_needed_for":[]},"durability":null,"obstacle":null,"quotas_used_up":[],"ready":true,"tokens":[{"account":"default","errcode":null,"expires_in":null,"is_failing":false,"questions":null,"store_is_away":false}]}"#
    );
    let replay = service.ask("POST", "/v1/inbox/1/replay", ADMIN, "");
    assert_eq!(
        (replay.status, replay.body.as_str()),
        (404, "this server keeps tokens, and no pushes\n")
    );
    assert!(!service.directory.path().join("data/wxhook.db").exists());
    service.program.signal("TERM");
    assert_eq!(service.program.wait().code(), Some(0));
    drop(taken);
}

#[test]
fn probes_and_operators_see_why_there_is_no_token_and_that_the_clock_is_wrong() {
    let service = Service::start();
    let fault = |fault| {
        let rule = FaultRule {
            host: None,
            path: Some(STABLE.to_owned()),
            open_id: None,
            when: When::Next(1),
            fault,
        };
        let mut platform = service.stand_in.platform.lock().unwrap();
        platform.add_fault(rule).unwrap();
    };
    let ready = || -> Value {
        let answer = service.ask("GET", "/readyz", "", "");
        assert_eq!(answer.status, 200, "a token is a detail");
        serde_json::from_str(&answer.body).unwrap()
    };
    fault(Fault::Code {
        code: 89503,
        message: None,
    });
    for _ in 0..20 {
        let answer = service.ask("GET", "/v1/token/default", READER, "");
        assert_eq!(answer.status, 503);
        assert!(answer.body.contains("89503"), "{}", answer.body);
    }
    assert_eq!(
        service.calls(STABLE),
        1,
        "an administrator is not prompted twice"
    );
    let seen = ready();
    let token = json!({"account": "default", "errcode": 89503, "expires_in": null,
        "is_failing": true, "questions": null, "store_is_away": false});
    assert_eq!(
        (&seen["tokens"][0], &seen["clock_skew_seconds"]),
        (&token, &Value::Null)
    );
    let (_, out, _) = service.command(&["access-token", "show"]);
    assert!(
        out.contains("last failure: ") && out.contains("89503"),
        "{out}"
    );

    let service = Service::start();
    let rule = json!({"path": STABLE, "fault": {"date": {"skew_seconds": -3600}}}).to_string();
    let rule: FaultRule = serde_json::from_str(&rule).unwrap();
    service
        .stand_in
        .platform
        .lock()
        .unwrap()
        .add_fault(rule)
        .unwrap();
    service.read(READER);
    let seen: Value = serde_json::from_str(&service.ask("GET", "/readyz", "", "").body).unwrap();
    let skew = seen["clock_skew_seconds"].as_i64().unwrap();
    assert!((-3602..=-3598).contains(&skew), "{seen}");
    assert_eq!(
        seen["tokens"][0]["questions"],
        json!({"today": 1, "a_day": 5000})
    );
    let (_, out, _) = service.command(&["access-token", "show"]);
    assert!(
        out.contains("WeChat's clock is -36") && out.contains("asked WeChat 1 times today"),
        "{out}"
    );
    let mut service = service;
    service.program.signal("TERM");
    service.program.wait();
    assert!(
        service
            .program
            .printed()
            .contains("This machine's clock is far from that of the answers")
    );
}

#[test]
fn nothing_secret_is_printed_at_the_most_talkative_level() {
    let mut service = Service::start();
    let first = service.read(READER);
    service.replace_token();
    let digest = sha256(first["access_token"].as_str().unwrap());
    service.report(REPORTER, &json!({"sha256": digest, "errcode": 40001}));
    let page = "/v1/jssdk/default?url=https%3A%2F%2Fshop.example.com%2F";
    assert_eq!(service.ask("GET", page, PAGES, "").status, 200);
    service.ask("GET", "/v1/token/default", NOBODY, "");
    let mut secrets = service.tokens();
    secrets.push(ticket(&service, "jsapi"));
    secrets.extend([ADMIN, READER, REPORTER, PAGES, SECRET, NOBODY].map(str::to_owned));
    service.program.signal("TERM");
    service.program.wait();
    let printed = service.program.printed();
    assert!(
        printed.contains("The platform gave an access token."),
        "trace is on"
    );
    for secret in secrets {
        assert!(!printed.contains(&secret), "{secret} in:\n{printed}");
    }
}
