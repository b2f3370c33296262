//! Tokens and EncodingAESKeys are changed while pushes come in, and not one is refused.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::fs::symlink;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use wxhook::Router;
use wxhook::app::{Exit, Server};
use wxhook::clock::{Clock, SystemClock};
use wxhook::id::AppId;
use wxhook::secret::PushToken;
use wxhook::simulator::pusher::{Gesture, Identity, Mode, PushReport, Pusher, Verdict};
use wxhook::simulator::seal;
use wxhook::store::Filter;
use wxhook::store::embedded::View;

use crate::main_job::{APP_ID, KEY, StandIn, TOKEN, config, variables};
use crate::support::{LIMIT, Program, eventually, get, post, run};
use crate::webhook::signed_at;

const NEXT_TOKEN: &str = "aTokenOfTheNextMonth";
const NEXT_KEY: &str = "GFEDCBA9876543210zyxwvutsrqponmlkjihgfedcba";

fn identity(address: SocketAddr, path: &str, token: &str, key: &str) -> Identity {
    Identity {
        url: format!("http://{address}{path}"),
        app_id: AppId::parse(APP_ID).unwrap(),
        token: PushToken::new(token),
        key: Some(seal::decode_key(key).unwrap()),
        mode: Mode::Secure,
        original_id: "gh_5f2c9a7d10be".to_owned(),
    }
}

fn push(identity: &Identity, seed: u64) -> PushReport {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(push_once(identity, seed))
}

async fn push_once(identity: &Identity, seed: u64) -> PushReport {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::start());
    let mut pusher = Pusher::new(identity.clone(), clock, seed)
        .unwrap()
        .with_repeats(0)
        .with_limit(LIMIT);
    let push = pusher.make(Gesture::Text(format!("{seed}")), &format!("oUser{seed}"));
    pusher.push(&push).await
}

fn is_taken(report: &PushReport) -> bool {
    matches!(report.verdict(), Verdict::Success)
}

/// One of the platform's nodes: it pushes with what it has been told, which may change at any moment.
struct Node {
    told: Mutex<Identity>,
    /// Pushes since it was last told something.
    pushed: AtomicU64,
}

impl Node {
    fn tell(&self, identity: &Identity) {
        let mut told = self.told.lock().unwrap();
        *told = identity.clone();
        self.pushed.store(0, Ordering::SeqCst);
    }

    async fn work(&self, number: u64, stop: &AtomicBool, faults: &Mutex<Vec<String>>) -> u64 {
        let mut pushed = 0;
        while !stop.load(Ordering::Relaxed) {
            let identity = self.told.lock().unwrap().clone();
            let report = push_once(&identity, number << 32 | pushed).await;
            if !is_taken(&report) {
                faults.lock().unwrap().push(format!("{report:?}"));
            }
            pushed += 1;
            self.pushed.fetch_add(1, Ordering::SeqCst);
        }
        pushed
    }
}

/// Waits until every node has made some pushes with what it was told last.
fn pushes_come(nodes: &[Arc<Node>]) {
    for node in nodes {
        eventually("a node pushes", || {
            (node.pushed.load(Ordering::SeqCst) > 20).then_some(())
        });
    }
}

/// Puts files in place as Kubernetes does: a directory of a new name, to which a link is moved.
fn mount(directory: &Path, version: &str, secrets: &[(&str, &str)]) {
    let real = directory.join(format!("..{version}"));
    fs::create_dir(&real).unwrap();
    for (name, value) in secrets {
        fs::write(real.join(name), value).unwrap();
        let shown = directory.join(name);
        if !shown.is_symlink() {
            symlink(Path::new("..data").join(name), shown).unwrap();
        }
    }
    symlink(format!("..{version}"), directory.join("..next")).unwrap();
    fs::rename(directory.join("..next"), directory.join("..data")).unwrap();
}

#[test]
fn secrets_are_rotated_under_load_and_not_one_push_is_refused() {
    let stand_in = StandIn::start();
    let (data, secrets) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    mount(
        secrets.path(),
        "first",
        &[
            ("token", TOKEN),
            ("key", KEY),
            ("old-token", ""),
            ("old-key", ""),
        ],
    );
    let path = |name: &str| secrets.path().join(name).to_str().unwrap().to_owned();
    let files = [
        ("WECHAT_TOKEN_FILE", path("token")),
        ("WECHAT_ENCODING_AES_KEY_FILE", path("key")),
        ("WECHAT_PREVIOUS_TOKEN_FILE", path("old-token")),
        ("WECHAT_PREVIOUS_ENCODING_AES_KEY_FILE", path("old-key")),
    ];
    let mut environment = variables(&stand_in.url, data.path().to_str().unwrap(), "127.0.0.1:0");
    environment.retain(|(name, _)| !["WECHAT_TOKEN", "WECHAT_ENCODING_AES_KEY"].contains(name));
    environment.extend(files.iter().map(|(name, path)| (*name, path.as_str())));
    let mut server = Program::start(&["serve"], &environment);
    let (address, _) = server.ready();

    let before = identity(address, "/wechat", TOKEN, KEY);
    let after = identity(address, "/wechat", NEXT_TOKEN, NEXT_KEY);
    assert!(!is_taken(&push(&after, 1)), "nobody knows it yet");
    let (stop, faults) = (
        Arc::<AtomicBool>::default(),
        Arc::<Mutex<Vec<String>>>::default(),
    );
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let nodes: Vec<Arc<Node>> = (0..4)
        .map(|_| {
            Arc::new(Node {
                told: Mutex::new(before.clone()),
                pushed: AtomicU64::new(0),
            })
        })
        .collect();
    let work: Vec<_> = nodes
        .iter()
        .enumerate()
        .map(|(number, node)| {
            let (node, stop, faults) = (Arc::clone(node), Arc::clone(&stop), Arc::clone(&faults));
            runtime.spawn(async move { node.work(number as u64 + 1, &stop, &faults).await })
        })
        .collect();
    pushes_come(&nodes);

    // Here first, then in the console; its nodes hear of it one after the other.
    mount(
        secrets.path(),
        "second",
        &[
            ("token", NEXT_TOKEN),
            ("key", NEXT_KEY),
            ("old-token", TOKEN),
            ("old-key", KEY),
        ],
    );
    let said = server.line_with("Secrets of pushes were changed");
    assert!(
        said.contains("accounts.default.previous_encoding_aes_key"),
        "{said}"
    );
    for node in &nodes {
        node.tell(&after);
        pushes_come(&nodes);
    }
    mount(
        secrets.path(),
        "third",
        &[
            ("token", NEXT_TOKEN),
            ("key", NEXT_KEY),
            ("old-token", ""),
            ("old-key", ""),
        ],
    );
    server.line_with("Secrets of pushes were changed");
    nodes.iter().for_each(|node| node.tell(&after));
    pushes_come(&nodes);
    stop.store(true, Ordering::Relaxed);
    let pushed: u64 = work
        .into_iter()
        .map(|node| runtime.block_on(node).unwrap())
        .sum();
    assert_eq!(*faults.lock().unwrap(), [""; 0], "of {pushed} pushes");
    let kept = View::open(data.path())
        .unwrap()
        .list(&Filter::default())
        .unwrap();
    assert_eq!(kept.len() as u64, pushed, "all were stored");
    assert!(!is_taken(&push(&before, 2)), "the previous one was dropped");

    server.signal("TERM");
    assert_eq!(server.wait().code(), Some(0), "{}", server.printed());
}

#[test]
fn new_and_old_secrets_in_turn_are_all_taken_while_both_are_valid() {
    let stand_in = StandIn::start();
    let data = tempfile::tempdir().unwrap();
    let both = [
        ("WECHAT_TOKEN", NEXT_TOKEN),
        ("WECHAT_ENCODING_AES_KEY", NEXT_KEY),
        ("WECHAT_PREVIOUS_TOKEN", TOKEN),
        ("WECHAT_PREVIOUS_ENCODING_AES_KEY", KEY),
    ];
    let config = config(&stand_in.url, data.path().to_str().unwrap(), &both);
    let routes = Router::new().fallback(async || ()).with_state(()).unwrap();
    let server = Server::start(config, routes).unwrap();
    let address = server.webhook_address();
    let old = identity(address, "/wechat", TOKEN, KEY);
    let new = identity(address, "/wechat", NEXT_TOKEN, NEXT_KEY);
    // What comes with the new ones does not end the old ones: the platform's nodes change one after another.
    for (seed, identity) in (1..).zip([&new, &old, &new, &old]) {
        let report = push(identity, seed);
        assert!(is_taken(&report), "push {seed}: {report:?}");
        assert_eq!(report.attempts[0].status, Some(200));
    }
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let kept = runtime.block_on(server.inbox().list(Filter::default()));
    let kept = kept.unwrap();
    let verified: Vec<&str> = kept.iter().map(|push| push.verified.as_str()).collect();
    let (new, old) = ("secure", "secure, previous token and key");
    assert_eq!(verified, [new, old, new, old]);
    assert_eq!(server.stop(), Exit::Clean);
}

/// What `/readyz` tells of the configuration.
fn standing(admin: SocketAddr) -> Value {
    let answer = get(admin, "/readyz");
    assert_eq!(answer.status, 200, "{answer:?}");
    let body: Value = serde_json::from_str(&answer.body).unwrap();
    body["configuration"].clone()
}

#[test]
fn a_broken_configuration_keeps_the_one_in_force_and_what_cannot_change_is_named() {
    let stand_in = StandIn::start();
    let data = tempfile::tempdir().unwrap();
    let file = data.path().join("wxhook.toml");
    let good = format!(
        "[accounts.shop]\napp_id = \"{APP_ID}\"\ntoken = \"{TOKEN}\"\nencoding_aes_key = \"{KEY}\"\n"
    );
    fs::write(&file, &good).unwrap();
    let mut environment = variables(&stand_in.url, data.path().to_str().unwrap(), "127.0.0.1:0");
    environment.retain(|(name, _)| !name.starts_with("WECHAT_"));
    environment.push(("WXHOOK_CONFIG", file.to_str().unwrap()));
    let mut server = Program::start(&["serve"], &environment);
    let (address, admin) = server.ready();
    let before = identity(address, "/wechat/shop", TOKEN, KEY);
    let nothing = json!({ "read_again_at": null, "faults": [], "restart_needed_for": [] });
    assert_eq!(standing(admin), nothing);

    // A Token that is none, and a slip of the pen: told on request, at once.
    fs::write(
        &file,
        good.replace(TOKEN, "no good!") + "[sevrer]\nworkers = 2\n",
    )
    .unwrap();
    server.signal("HUP");
    let said = server.line_with("the one in force stays");
    assert!(
        said.contains("accounts.shop.token") && !said.contains("no good!"),
        "{said}"
    );
    let told = standing(admin);
    assert_eq!(told["faults"].as_array().unwrap().len(), 2, "{told}");
    assert!(
        told["faults"][1]
            .as_str()
            .unwrap()
            .contains("did you mean server.workers?"),
        "{told}"
    );
    assert!(is_taken(&push(&before, 1)), "the old ones hold");

    // Without its key the account would be one in plaintext mode; and a new account needs a restart.
    let more = "[accounts.crm]\napp_id = \"wxcrm\"\ntoken = \"token123\"\n[dispatch]\nsends = 3\n";
    fs::write(&file, good.replace("encoding_aes_key", "# key") + more).unwrap();
    server.line_with("need a restart");
    assert_eq!(
        standing(admin)["restart_needed_for"],
        json!([
            "accounts.crm.app_id",
            "accounts.shop.encoding_aes_key",
            "accounts.shop.mode",
            "dispatch.sends"
        ])
    );
    assert!(
        is_taken(&push(&before, 2)),
        "still encrypted, still the old key"
    );
    let plain = Identity {
        mode: Mode::Plain,
        key: None,
        ..before.clone()
    };
    assert!(!is_taken(&push(&plain, 3)), "and no plaintext");

    // The Token is replaced with nothing kept: that is done, and said.
    fs::write(&file, good.replace(TOKEN, NEXT_TOKEN)).unwrap();
    let said = server.line_with("is not kept as the previous one");
    assert!(said.contains("accounts.shop.token"), "{said}");
    let after = identity(address, "/wechat/shop", NEXT_TOKEN, KEY);
    assert!(is_taken(&push(&after, 4)) && !is_taken(&push(&before, 5)));
    let told = standing(admin);
    assert_eq!(
        (&told["faults"], &told["restart_needed_for"]),
        (&json!([]), &json!([]))
    );
    server.signal("TERM");
    assert_eq!(server.wait().code(), Some(0), "{}", server.printed());
}

#[test]
fn a_request_in_hand_ends_with_the_secrets_that_it_began_with() {
    let stand_in = StandIn::start();
    let data = tempfile::tempdir().unwrap();
    let file = data.path().join("wxhook.toml");
    let good = format!("[accounts.shop]\napp_id = \"{APP_ID}\"\ntoken = \"{TOKEN}\"\n");
    fs::write(&file, &good).unwrap();
    let mut environment = variables(&stand_in.url, data.path().to_str().unwrap(), "127.0.0.1:0");
    environment.retain(|(name, _)| !name.starts_with("WECHAT_"));
    environment.push(("WXHOOK_CONFIG", file.to_str().unwrap()));
    // Requests are begun in the order of their connections.
    environment.push(("WXHOOK__SERVER__WORKERS", "1"));
    let mut server = Program::start(&["serve"], &environment);
    let (address, _) = server.ready();

    let seconds = SystemClock::start().now().seconds();
    let body = format!(
        "<xml><ToUserName>gh_1</ToUserName><FromUserName>oUser</FromUserName>\
         <CreateTime>{seconds}</CreateTime><MsgType>text</MsgType><Content>hello</Content>\
         <MsgId>1</MsgId></xml>"
    );
    let (first, rest) = body.split_at(body.len() / 2);
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(LIMIT)).unwrap();
    write!(
        stream,
        "POST /wechat?{} HTTP/1.1\r\nHost: t\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{first}",
        signed_at(seconds, "nonce1", TOKEN),
        body.len()
    )
    .unwrap();
    // It has begun when a later one on another connection was answered.
    assert_eq!(get(address, "/nowhere").status, 404);
    fs::write(&file, good.replace(TOKEN, NEXT_TOKEN)).unwrap();
    server.signal("HUP");
    server.line_with("Secrets of pushes were changed");
    let late = format!("/wechat?{}", signed_at(seconds, "nonce2", TOKEN));
    assert_eq!(
        post(address, &late, &body).status,
        403,
        "the old Token is gone"
    );
    stream.write_all(rest.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.ends_with("\r\n\r\nsuccess"), "{answer}");
}

#[test]
fn two_accounts_with_different_modes_keys_and_paths_are_served_side_by_side() {
    const SHOP: &str = "wxshop0123456789";
    const CRM: &str = "wxcrm00123456789";
    let stand_in = StandIn::start();
    let data = tempfile::tempdir().unwrap();
    let file = data.path().join("wxhook.toml");
    let text = format!(
        "[accounts.shop]\napp_id = \"{SHOP}\"\ntoken = \"{TOKEN}\"\nencoding_aes_key = \"{KEY}\"\n\
         mode = \"compatible\"\npath = \"/weixin/shop\"\n\
         [accounts.crm]\napp_id = \"{CRM}\"\ntoken = \"{NEXT_TOKEN}\"\nencoding_aes_key = \"{NEXT_KEY}\"\n"
    );
    fs::write(&file, text).unwrap();
    let mut environment = variables(&stand_in.url, data.path().to_str().unwrap(), "127.0.0.1:0");
    environment.retain(|(name, _)| !name.starts_with("WECHAT_"));
    environment.push(("WXHOOK_CONFIG", file.to_str().unwrap()));
    let mut server = Program::start(&["serve"], &environment);
    let (address, _) = server.ready();

    let account = |path: &str, app_id: &str, mode, token, key| Identity {
        app_id: AppId::parse(app_id).unwrap(),
        mode,
        ..identity(address, path, token, key)
    };
    let shop = |path: &str| account(path, SHOP, Mode::Compatible, TOKEN, KEY);
    let crm = |path: &str| account(path, CRM, Mode::Secure, NEXT_TOKEN, NEXT_KEY);
    let taken = [
        shop("/wechat/shop"),
        shop(&format!("/wechat/{SHOP}")),
        shop("/weixin/shop"),
        crm("/wechat/crm"),
        crm(&format!("/wechat/{CRM}")),
    ];
    for (seed, identity) in (1..).zip(&taken) {
        let report = push(identity, seed);
        assert!(is_taken(&report), "{}: {report:?}", identity.url);
    }
    let refused = [
        shop("/wechat/crm"),
        crm("/weixin/shop"),
        shop("/wechat"),
        account("/wechat/shop", CRM, Mode::Compatible, TOKEN, KEY),
        account("/wechat/crm", CRM, Mode::Compatible, NEXT_TOKEN, KEY),
        account("/wechat/shop", SHOP, Mode::Plain, TOKEN, KEY),
    ];
    for (seed, identity) in (11..).zip(&refused) {
        let report = push(identity, seed);
        assert!(!is_taken(&report), "{}: {report:?}", identity.url);
    }
    let kept = View::open(data.path())
        .unwrap()
        .list(&Filter::default())
        .unwrap();
    let of = |app_id: &str| {
        kept.iter()
            .filter(|push| push.account.as_str() == app_id)
            .count()
    };
    assert_eq!((of(SHOP), of(CRM), kept.len()), (3, 2, 5));
    server.signal("TERM");
    assert_eq!(server.wait().code(), Some(0), "{}", server.printed());
}

#[test]
fn the_public_listener_says_that_it_lives_only_where_that_is_switched_on() {
    let stand_in = StandIn::start();
    for (switched, status) in [(None, 404), (Some("true"), 200)] {
        let data = tempfile::tempdir().unwrap();
        let mut environment =
            variables(&stand_in.url, data.path().to_str().unwrap(), "127.0.0.1:0");
        environment.extend(switched.map(|on| ("WXHOOK__SERVER__PUBLIC_HEALTHZ", on)));
        let mut server = Program::start(&["serve"], &environment);
        let (address, _) = server.ready();
        let answer = get(address, "/healthz");
        assert_eq!(answer.status, status, "{answer:?}");
        assert_eq!(get(address, "/readyz").status, 404);
        assert_eq!(get(address, "/v1/counters").status, 404);
        assert!(switched.is_none() || answer.body == "ok\n", "{answer:?}");
    }
}

#[test]
fn settings_are_shown_with_where_they_were_written_and_without_secrets() {
    let data = tempfile::tempdir().unwrap();
    let file = data.path().join("wxhook.toml");
    let text = format!(
        "[server]\nlisten = \"127.0.0.1:9000\"\n[token]\nstore = \"redis://me:hushhush@10.0.0.5/0\"\n\
         [accounts.shop]\napp_id = \"{APP_ID}\"\ntoken = \"{TOKEN}\"\n\
         windows.message = \"20 in 48h\"\n"
    );
    fs::write(&file, text).unwrap();
    let path = file.to_str().unwrap();
    let key = data.path().join("key");
    fs::write(&key, format!("{KEY}\n")).unwrap();
    let environment = [
        ("WXHOOK_CONFIG", path),
        ("WXHOOK__DISPATCH__SENDS", "4"),
        (
            "WXHOOK__ACCOUNTS__SHOP__ENCODING_AES_KEY_FILE",
            key.to_str().unwrap(),
        ),
    ];
    let (code, shown, error) = run(&["config", "show"], &environment, "");
    assert_eq!((code, error.as_str()), (0, ""));
    let line = |key: &str| {
        let found = shown
            .lines()
            .find(|line| line.starts_with(&format!("{key} = ")));
        let words: Vec<&str> = found
            .unwrap_or_else(|| panic!("{key}: {shown}"))
            .split("  ")
            .collect();
        (
            words[0].to_owned(),
            words[words.len() - 1].trim().replace(path, "FILE"),
        )
    };
    let expected = [
        ("server.listen", "\"127.0.0.1:9000\"", "# file FILE, line 2"),
        ("server.request_budget", "\"4s\"", "# default"),
        ("token.store", "(30 characters)", "# file FILE, line 4"),
        (
            "accounts.shop.token",
            "(15 characters)",
            "# file FILE, line 7",
        ),
        ("accounts.shop.mode", "\"\" → secure", "# default"),
        (
            "accounts.shop.windows.message",
            "\"20 in 48h\"",
            "# file FILE, line 8",
        ),
        (
            "accounts.shop.encoding_aes_key",
            "(43 characters)",
            "# environment variable WXHOOK__ACCOUNTS__SHOP__ENCODING_AES_KEY_FILE",
        ),
        (
            "dispatch.sends",
            "4",
            "# environment variable WXHOOK__DISPATCH__SENDS",
        ),
        ("admin.key", "\"\"", "# default"),
    ];
    for (key, value, origin) in expected {
        assert_eq!(line(key), (format!("{key} = {value}"), origin.to_owned()));
    }
    assert!(
        !shown.contains("accounts.default"),
        "nobody has set it: {shown}"
    );
    let (_, changed, _) = run(&["config", "show", "--changed", "--json"], &environment, "");
    let lines: Vec<Value> = changed
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(lines.len(), 7, "{changed}");
    let token = lines
        .iter()
        .find(|line| line["key"] == "accounts.shop.token")
        .unwrap();
    assert_eq!(
        *token,
        json!({
            "key": "accounts.shop.token", "characters": 15,
            "source": { "kind": "file", "path": path, "line": 7 },
        })
    );
    for secret in [TOKEN, KEY, "hushhush"] {
        assert!(
            !shown.contains(secret) && !changed.contains(secret),
            "{secret}"
        );
    }
    // A secret that everybody may read is said, and the check does not fail for it.
    let (code, checked, _) = run(&["config", "check"], &environment, "");
    assert_eq!(code, 0, "{checked}");
    assert_eq!(
        checked
            .matches("can be read by every user of this machine")
            .count(),
        2,
        "{checked}"
    );

    let slip = [environment[0], ("WXHOOK__DISPATHC__SENDS", "4")];
    let (code, _, error) = run(&["config", "show"], &slip, "");
    assert_eq!(code, 2);
    assert!(
        error.contains("did you mean WXHOOK__DISPATCH__SENDS?"),
        "{error}"
    );
}
