//! The main job on the real program: pushed, stored, acknowledged, handled, answered once.

use std::collections::HashMap;
use std::net::{SocketAddr, TcpListener};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use wxhook::clock::{Clock, SystemClock};
use wxhook::id::AppId;
use wxhook::secret::AppSecret;
use wxhook::simulator::platform::{Platform, Settings};
use wxhook::simulator::skin::Skin;

use crate::support::{Program, eventually, run};

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
        let settings = Settings::for_account(AppId::parse(APP_ID).unwrap(), AppSecret::new(SECRET));
        let platform = Arc::new(Mutex::new(Platform::new(settings, 1)));
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
        ("WXHOOK_LOG_FORMAT", "json"),
    ]
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
