//! The main job on the real program: pushed, stored, acknowledged, handled, answered once.

use std::collections::HashMap;
use std::net::{SocketAddr, TcpListener};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use wxhook::app::{Exit, Server};
use wxhook::clock::{Clock, SystemClock};
use wxhook::config::{self, Config, Needs, Sources};
use wxhook::id::AppId;
use wxhook::secret::AppSecret;
use wxhook::simulator::platform::{Platform, Settings};
use wxhook::simulator::skin::Skin;
use wxhook::{Content, OpenId, Router, State};

use crate::durability::shim;
use crate::support::{Program, command, eventually, get, now, run};

mod gone;

pub(crate) const APP_ID: &str = "wx0123456789abcdef";
pub(crate) const SECRET: &str = "0123456789abcdef0123456789abcdef";
pub(crate) const TOKEN: &str = "token1234567890";
pub(crate) const KEY: &str = "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG";

/// A local platform for one account, without sending windows.
pub(crate) struct StandIn {
    pub(crate) platform: Arc<Mutex<Platform>>,
    pub(crate) url: String,
    _skin: Skin,
}

impl StandIn {
    pub(crate) fn start() -> Self {
        Self::with(Self::settings())
    }

    /// The settings of one for the tests' account.
    pub(crate) fn settings() -> Settings {
        Settings::for_account(AppId::parse(APP_ID).unwrap(), AppSecret::new(SECRET))
    }

    pub(crate) fn with(settings: Settings) -> Self {
        Self::seeded(settings, 1)
    }

    /// One whose chances follow from this seed.
    pub(crate) fn seeded(settings: Settings, seed: u64) -> Self {
        let platform = Arc::new(Mutex::new(Platform::new(settings, seed)));
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::start());
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let skin = Skin::start(listener, Arc::clone(&platform), clock).unwrap();
        let url = skin.url().to_owned();
        Self {
            platform,
            url,
            _skin: skin,
        }
    }

    /// What each user was told, in order.
    pub(crate) fn told(&self) -> HashMap<String, Vec<String>> {
        let mut told: HashMap<String, Vec<String>> = HashMap::new();
        for delivery in self.platform.lock().unwrap().deliveries_after(0) {
            let content = delivery.content.clone().unwrap();
            told.entry(delivery.open_id.clone())
                .or_default()
                .push(content);
        }
        told
    }
}

/// A server process with nothing but variables, its data directory and its addresses.
pub(crate) struct Served {
    pub(crate) program: Program,
    pub(crate) data_dir: tempfile::TempDir,
    pub(crate) webhook: SocketAddr,
    pub(crate) admin: SocketAddr,
}

/// The variables of a server that replies through a stand-in.
pub(crate) fn variables<'a>(
    platform: &'a str,
    data_dir: &'a str,
    listen: &'a str,
) -> Vec<(&'a str, &'a str)> {
    vec![
        ("WECHAT_APP_ID", APP_ID),
        ("WECHAT_APP_SECRET", SECRET),
        ("WECHAT_TOKEN", TOKEN),
        ("WECHAT_ENCODING_AES_KEY", KEY),
        ("WXHOOK_LISTEN", listen),
        ("WXHOOK_ADMIN_LISTEN", "127.0.0.1:0"),
        ("WXHOOK_DATA_DIR", data_dir),
        ("WXHOOK_API_HOSTS", platform),
        // The stand-in has no sending windows, so that bursts of one user are answered whole.
        ("WXHOOK__WINDOWS__CHECK", "false"),
        ("WXHOOK_LOG_FORMAT", "json"),
    ]
}

/// The configuration of a server in this process that replies through a stand-in, with more settings.
pub(crate) fn config(platform: &str, data_dir: &str, more: &[(&str, &str)]) -> Config {
    let mut pairs = variables(platform, data_dir, "127.0.0.1:0");
    pairs.extend(more);
    let environment = pairs
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    let sources = Sources {
        file: None,
        environment,
    };
    config::load(&sources, Needs::Accounts).unwrap()
}

pub(crate) fn serve(platform: &str) -> Served {
    let data_dir = tempfile::tempdir().unwrap();
    let directory = data_dir.path().to_str().unwrap();
    let mut program = Program::start(&["serve"], &variables(platform, directory, "127.0.0.1:0"));
    let (webhook, admin) = program.ready();
    Served {
        program,
        data_dir,
        webhook,
        admin,
    }
}

/// The second push client, in another language on another crypto library.
fn foreign_client(task: &Value) -> Value {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/foreign_client.py");
    let has_crypto = |python: &&str| {
        let check = Command::new(python)
            .args(["-c", "import cryptography"])
            .output();
        check.is_ok_and(|output| output.status.success())
    };
    let python = ["python3", "/usr/bin/python3"]
        .into_iter()
        .find(has_crypto)
        .expect(
            "the foreign client needs python3 with the package cryptography; tests/run installs it",
        );
    let mut client = Command::new(python)
        .arg(script)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    serde_json::to_writer(client.stdin.take().unwrap(), task).unwrap();
    let output = client.wait_with_output().unwrap();
    assert!(output.status.success());
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn a_thousand_pushes_of_a_foreign_client_are_answered_success_and_replied_to_once_in_order() {
    let stand_in = StandIn::start();
    let mut served = serve(&stand_in.url);
    let report = foreign_client(&json!({
        "url": format!("http://{}/wechat", served.webhook),
        "token": TOKEN, "aes_key": KEY, "app_id": APP_ID,
        "users": 50, "pushes": 1000, "connections": 16,
    }));
    assert_eq!(report["answers"], json!({ "200 success": 1000 }));

    eventually("a thousand replies", || {
        (stand_in.platform.lock().unwrap().delivery_count() >= 1_000).then_some(())
    });
    served.program.signal("TERM");
    assert_eq!(
        served.program.wait().code(),
        Some(0),
        "{}",
        served.program.printed()
    );
    let told = stand_in.told();
    for (user, texts) in report["sent"].as_object().unwrap() {
        let echoes: Vec<String> = texts
            .as_array()
            .unwrap()
            .iter()
            .map(|text| format!("您说：{}", text.as_str().unwrap()))
            .collect();
        assert_eq!(told[user], echoes, "{user}");
    }
    assert_eq!(stand_in.platform.lock().unwrap().delivery_count(), 1_000);
    assert_eq!(
        stand_in.platform.lock().unwrap().tokens().count(),
        1,
        "one token call"
    );

    let directory = served.data_dir.path().to_str().unwrap();
    let (code, listed, _) = run(
        &["inbox", "list", "--json"],
        &[("WXHOOK_DATA_DIR", directory)],
        "",
    );
    assert_eq!((code, listed.lines().count()), (0, 1_000));
    let first: Value = serde_json::from_str(listed.lines().next().unwrap()).unwrap();
    assert_eq!(
        (&first["state"], &first["kind"]),
        (&json!("done"), &json!("message"))
    );
    assert_eq!(first["fields"]["MsgType"], "text");
}

#[test]
fn a_stop_finishes_what_is_in_hand_and_a_second_signal_ends_at_once() {
    let stand_in = StandIn::start();
    let slow = |served: &Served| {
        let identity = [
            "--app-id",
            APP_ID,
            "--token",
            TOKEN,
            "--encoding-aes-key",
            KEY,
        ];
        let url = format!("http://{}/wechat", served.webhook);
        let push = [
            &["simulate", "push", "--url", &url, "--text", "查 1001"][..],
            &identity[..],
        ];
        let (code, out, err) = run(&push.concat(), &[], "");
        assert_eq!(code, 0, "{out}{err}");
    };
    let mut served = serve(&stand_in.url);
    slow(&served);
    served.program.signal("TERM");
    served.program.line_with("Stopping");
    assert_eq!(
        served.program.wait().code(),
        Some(0),
        "{}",
        served.program.printed()
    );
    assert_eq!(stand_in.platform.lock().unwrap().delivery_count(), 1);

    let mut served = serve(&stand_in.url);
    slow(&served);
    served.program.signal("TERM");
    served.program.line_with("Stopping");
    served.program.signal("TERM");
    assert_eq!(
        served.program.wait().code(),
        Some(4),
        "{}",
        served.program.printed()
    );
}

/// Which user's handler ran from when to when.
type Intervals = Arc<Mutex<Vec<(String, Instant, Instant)>>>;

async fn sleepy(user: OpenId, Content(text): Content, State(seen): State<Intervals>) {
    let began = now();
    // 0 to 20 ms, as random as the text's bytes.
    let sum: u64 = text.bytes().map(u64::from).sum();
    tokio::time::sleep(Duration::from_millis(sum.wrapping_mul(2_654_435_761) % 21)).await;
    seen.lock().unwrap().push((user.to_string(), began, now()));
}

#[test]
fn one_users_handlers_never_overlap_while_users_run_in_parallel() {
    let stand_in = StandIn::start();
    let directory = tempfile::tempdir().unwrap();
    let data_dir = directory.path().to_str().unwrap();
    let config = config(&stand_in.url, data_dir, &[]);
    let seen = Intervals::default();
    let routes = Router::new()
        .fallback(sleepy)
        .with_state(Arc::clone(&seen))
        .unwrap();
    let server = Server::start(config, routes).unwrap();

    let began = now();
    let report = foreign_client(&json!({
        "url": format!("http://{}/wechat", server.webhook_address()),
        "token": TOKEN, "aes_key": KEY, "app_id": APP_ID,
        "users": 50, "pushes": 1000, "connections": 16,
    }));
    assert_eq!(report["answers"], json!({ "200 success": 1000 }));
    eventually("a thousand handlers", || {
        (seen.lock().unwrap().len() == 1_000).then_some(())
    });
    assert_eq!(server.stop(), Exit::Clean);

    let seen = seen.lock().unwrap();
    let mut users: HashMap<&str, Vec<(Instant, Instant)>> = HashMap::new();
    for (user, start, end) in seen.iter() {
        users.entry(user).or_default().push((*start, *end));
    }
    assert_eq!(users.len(), 50);
    for (user, intervals) in &users {
        let apart = intervals.windows(2).all(|pair| pair[0].1 <= pair[1].0);
        assert!(apart, "two handlers of {user} ran at once");
    }
    let worked: Duration = seen.iter().map(|(_, start, end)| *end - *start).sum();
    let last = seen.iter().map(|(_, _, end)| *end).max().unwrap();
    assert!(
        last - began < worked / 4,
        "{:?} of work took {:?}",
        worked,
        last - began
    );
}

/// A server whose syncs go through the shim.
fn serve_with_shim(
    stand_in: &StandIn,
    data_dir: &str,
    shim: &[(&str, &str)],
) -> (Program, SocketAddr, SocketAddr) {
    let mut variables = variables(&stand_in.url, data_dir, "127.0.0.1:0");
    let library = shim::build_shim();
    variables.push(("LD_PRELOAD", library.to_str().unwrap()));
    variables.extend(shim.iter().copied());
    let mut program = Program::spawn(&mut command(&["serve"], &variables));
    let (webhook, admin) = program.ready();
    (program, webhook, admin)
}

/// One text by WeChat's push client, without repeats: its exit code and what it saw, as JSON.
pub(crate) fn push_once(webhook: SocketAddr, text: &str) -> Value {
    let url = format!("http://{webhook}/wechat");
    let arguments = [
        "simulate",
        "push",
        "--url",
        &url,
        "--text",
        text,
        "--json",
        "--repeats",
        "0",
        "--app-id",
        APP_ID,
        "--token",
        TOKEN,
        "--encoding-aes-key",
        KEY,
    ];
    let (_, out, err) = run(&arguments, &[], "");
    serde_json::from_str(&out).unwrap_or_else(|_| panic!("{out}{err}"))
}

#[test]
fn success_leaves_only_after_the_sync() {
    let stand_in = StandIn::start();
    let directory = tempfile::tempdir().unwrap();
    let data_dir = directory.path().to_str().unwrap();
    let (mut program, webhook, _) =
        serve_with_shim(&stand_in, data_dir, &[(shim::DELAY_MS, "300")]);
    for text in ["one", "two", "three"] {
        let began = now();
        let seen = push_once(webhook, text);
        assert!(
            now() - began >= Duration::from_millis(300),
            "{text}: {seen}"
        );
        assert_eq!(seen["verdict"], json!("success"), "{seen}");
    }
    program.signal("TERM");
    assert_eq!(program.wait().code(), Some(0), "{}", program.printed());
}

#[test]
fn when_the_log_cannot_be_synced_nothing_is_acknowledged_and_the_process_ends() {
    let stand_in = StandIn::start();
    let directory = tempfile::tempdir().unwrap();
    let data_dir = directory.path().to_str().unwrap();
    let trigger = directory.path().join("fail");
    let failing = [(shim::FAIL_WAL, trigger.to_str().unwrap())];
    let (mut program, webhook, admin) = serve_with_shim(&stand_in, data_dir, &failing);
    assert_eq!(push_once(webhook, "before")["verdict"], json!("success"));
    assert_eq!(get(admin, "/readyz").status, 200);
    let told = |text: &str| {
        let told = stand_in.told();
        told.values()
            .flatten()
            .any(|told| told == text)
            .then_some(())
    };
    eventually("the first reply", || told("您说：before"));
    std::fs::write(&trigger, "").unwrap();
    // 503, or nobody there any more: the mark of the first reply may be what could not be synced.
    let failed = push_once(webhook, "after");
    assert_ne!(failed["verdict"], json!("success"), "{failed}");
    program.line_with("The store failed");
    assert_eq!(program.wait().code(), Some(5), "{}", program.printed());

    std::fs::remove_file(&trigger).unwrap();
    let (mut program, webhook, admin) = serve_with_shim(&stand_in, data_dir, &failing);
    assert_eq!(get(admin, "/readyz").status, 200);
    assert_eq!(push_once(webhook, "again")["verdict"], json!("success"));
    eventually("the reply to the next", || told("您说：again"));
    program.signal("TERM");
    assert_eq!(program.wait().code(), Some(0), "{}", program.printed());
}

#[test]
fn when_the_main_file_cannot_be_synced_the_store_is_poisoned_within_one_checkpoint() {
    let stand_in = StandIn::start();
    let directory = tempfile::tempdir().unwrap();
    let data_dir = directory.path().to_str().unwrap();
    let trigger = directory.path().join("fail");
    let failing = [(shim::FAIL_MAIN, trigger.to_str().unwrap())];
    let (mut program, webhook, _) = serve_with_shim(&stand_in, data_dir, &failing);
    std::fs::write(&trigger, "").unwrap();
    let report = foreign_client(&json!({
        "url": format!("http://{webhook}/wechat"),
        "token": TOKEN, "aes_key": KEY, "app_id": APP_ID,
        "users": 50, "pushes": 4000, "connections": 16,
    }));
    let acknowledged = report["answers"]["200 success"].as_u64().unwrap_or(0);
    assert!(
        acknowledged < 4_000,
        "a checkpoint failed on the way: {report}"
    );
    assert_eq!(program.wait().code(), Some(5), "{}", program.printed());

    std::fs::remove_file(&trigger).unwrap();
    let (mut program, ..) = serve_with_shim(&stand_in, data_dir, &failing);
    let (_, listed, _) = run(
        &["inbox", "list", "--json"],
        &[("WXHOOK_DATA_DIR", data_dir)],
        "",
    );
    assert!(
        listed.lines().count() as u64 >= acknowledged,
        "acknowledged is stored"
    );
    program.signal("TERM");
    assert_eq!(program.wait().code(), Some(0), "{}", program.printed());
}

#[test]
fn an_account_without_a_secret_receives_and_its_replies_are_refused_at_once() {
    let directory = tempfile::tempdir().unwrap();
    let data_dir = directory.path().to_str().unwrap();
    let mut variables = variables("http://127.0.0.1:1", data_dir, "127.0.0.1:0");
    variables.retain(|(name, _)| *name != "WECHAT_APP_SECRET");
    let mut program = Program::start(&["serve"], &variables);
    let (webhook, _) = program.ready();
    for text in ["one", "two", "three"] {
        assert_eq!(push_once(webhook, text)["verdict"], json!("success"));
    }
    let began = now();
    let listed = eventually("all three are done", || {
        let list = ["inbox", "list", "--state", "done", "--json"];
        let (_, out, _) = run(&list, &[("WXHOOK_DATA_DIR", data_dir)], "");
        (out.lines().count() == 3).then_some(out)
    });
    assert!(
        now() - began < Duration::from_secs(20),
        "no reply held its user's lane"
    );
    let last: Value = serde_json::from_str(listed.lines().last().unwrap()).unwrap();
    let id = last["id"].as_str().unwrap();
    let detail = eventually("the refusal is recorded", || {
        let show = ["inbox", "show", id, "--json"];
        let (_, out, _) = run(&show, &[("WXHOOK_DATA_DIR", data_dir)], "");
        let shown: Value = serde_json::from_str(&out).unwrap();
        let part = &shown["parts"][0];
        (part["state"] == "refused").then(|| part["detail"].to_string())
    });
    assert!(detail.contains("has no AppSecret"), "{detail}");
}
