//! Sockets that a supervisor holds, as systemd does: the server is started anew under load, and no
//! connection is refused.

use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use wxhook::clock::{Clock, SystemClock};
use wxhook::id::AppId;
use wxhook::secret::PushToken;
use wxhook::simulator::pusher::{Gesture, Identity, Mode, Pusher, Verdict};
use wxhook::simulator::seal;
use wxhook::store::Filter;
use wxhook::store::embedded::View;

use crate::main_job::{APP_ID, KEY, StandIn, TOKEN, variables};
use crate::support::{LIMIT, Program, eventually, get, run};

/// Starts the server as its supervisor would: both sockets open at 3 and 4, and their names told. They
/// come through standard input and standard error, which the shell puts in their place.
fn start(stand_in: &StandIn, data_dir: &str, public: &TcpListener, admin: &TcpListener) -> Program {
    let pass = |listener: &TcpListener| Stdio::from(OwnedFd::from(listener.try_clone().unwrap()));
    let serve = "exec 3<&0 4<&2 0</dev/null 2>&1; LISTEN_PID=$$ exec \"$0\" serve";
    Program::follow(
        Command::new("sh")
            .args(["-c", serve, env!("CARGO_BIN_EXE_wxhook")])
            .env_clear()
            .envs(variables(&stand_in.url, data_dir, "127.0.0.1:1"))
            .env("LISTEN_FDS", "2")
            .env("LISTEN_FDNAMES", "public:admin")
            .stdin(pass(public))
            .stderr(pass(admin)),
    )
}

/// Pushes on a connection of its own each, until it is told to stop.
async fn load(
    url: String,
    client: u64,
    stop: Arc<AtomicBool>,
    faults: Arc<Mutex<Vec<String>>>,
) -> u64 {
    let identity = Identity {
        url,
        app_id: AppId::parse(APP_ID).unwrap(),
        token: PushToken::new(TOKEN),
        key: Some(seal::decode_key(KEY).unwrap()),
        mode: Mode::Secure,
        original_id: "gh_5f2c9a7d10be".to_owned(),
    };
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::start());
    let mut pushed = 0;
    while !stop.load(Ordering::Relaxed) {
        let seed = client << 32 | pushed;
        let mut pusher = Pusher::new(identity.clone(), Arc::clone(&clock), seed)
            .unwrap()
            .with_repeats(0)
            .with_limit(LIMIT);
        let push = pusher.make(
            Gesture::Text(format!("{pushed}")),
            &format!("oUser{client}"),
        );
        let report = pusher.push(&push).await;
        if !matches!(report.verdict(), Verdict::Success) {
            faults
                .lock()
                .unwrap()
                .push(format!("{client}/{pushed}: {report:?}"));
        }
        pushed += 1;
    }
    pushed
}

#[test]
fn restarts_under_load_refuse_no_connection_and_lose_no_answer() {
    const CLIENTS: u64 = 6;
    const RESTARTS: u32 = 3;
    let stand_in = StandIn::start();
    let directory = tempfile::tempdir().unwrap();
    let data_dir = directory.path().to_str().unwrap();
    let [public, admin] = [(); 2].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
    let (address, admin_address) = (public.local_addr().unwrap(), admin.local_addr().unwrap());
    let mut server = start(&stand_in, data_dir, &public, &admin);
    assert_eq!(
        server.ready(),
        (address, admin_address),
        "both were taken over"
    );

    let stop = Arc::new(AtomicBool::new(false));
    let faults = Arc::<Mutex<Vec<String>>>::default();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let url = format!("http://{address}/wechat");
    let clients: Vec<_> = (0..CLIENTS)
        .map(|client| {
            runtime.spawn(load(
                url.clone(),
                client,
                Arc::clone(&stop),
                Arc::clone(&faults),
            ))
        })
        .collect();
    let stored = AtomicU64::new(0);
    for _ in 0..RESTARTS {
        eventually("pushes come in", || {
            let kept = View::open(directory.path())
                .ok()?
                .list(&Filter::default())
                .ok()?
                .len() as u64;
            let enough = kept >= stored.load(Ordering::Relaxed) + 50;
            enough.then(|| stored.store(kept, Ordering::Relaxed))
        });
        server.signal("TERM");
        assert_eq!(server.wait().code(), Some(0), "{}", server.printed());
        server = start(&stand_in, data_dir, &public, &admin);
        server.ready();
    }
    stop.store(true, Ordering::Relaxed);
    let pushed: u64 = clients
        .into_iter()
        .map(|client| runtime.block_on(client).unwrap())
        .sum();
    assert_eq!(*faults.lock().unwrap(), [""; 0], "of {pushed} pushes");
    let kept = View::open(directory.path())
        .unwrap()
        .list(&Filter::default())
        .unwrap();
    assert_eq!(
        kept.len() as u64,
        pushed,
        "all acknowledged, all stored, once"
    );
    assert_eq!(get(admin_address, "/readyz").status, 200);
    server.signal("TERM");
    assert_eq!(server.wait().code(), Some(0), "{}", server.printed());
}

#[test]
fn a_handed_over_socket_of_an_unknown_name_is_said_and_one_for_another_process_is_left_alone() {
    let stand_in = StandIn::start();
    let directory = tempfile::tempdir().unwrap();
    let data_dir = directory.path().to_str().unwrap();
    let mut environment = variables(&stand_in.url, data_dir, "127.0.0.1:0");
    environment.push(("LISTEN_FDS", "2"));
    let mut wrong = environment.clone();
    wrong.push(("LISTEN_FDNAMES", "public:web"));
    let (code, _, error) = run(&["serve"], &wrong, "");
    assert_eq!(code, 2);
    assert!(
        error.contains("LISTEN_FDNAMES") && error.contains("FileDescriptorName=public"),
        "{error}"
    );
    environment.push(("LISTEN_PID", "1"));
    let mut server = Program::start(&["serve"], &environment);
    let (webhook, _) = server.ready();
    assert!(webhook.ip().is_loopback());
    server.signal("TERM");
    assert_eq!(server.wait().code(), Some(0));
}

#[test]
fn the_units_that_are_shipped_fit_the_program() {
    let unit = |name: &str| {
        let path = format!("{}/packaging/systemd/{name}", env!("CARGO_MANIFEST_DIR"));
        std::fs::read_to_string(path).unwrap()
    };
    let service = unit("wxhook.service");
    let stop: u64 = service
        .lines()
        .find_map(|line| line.strip_prefix("TimeoutStopSec="))
        .unwrap()
        .parse()
        .unwrap();
    // The grace, and what the listener then gives to requests in hand.
    assert!(
        stop > wxhook::dispatch::STOP_GRACE.as_secs() + 6 + 5,
        "{stop} s"
    );
    assert!(service.contains("SuccessExitStatus=3 4\n"));
    assert!(service.contains("RestartPreventExitStatus=2\n"));
    for (name, listener, default) in [
        ("wxhook.socket", "public", "listen = \"0.0.0.0:8080\""),
        (
            "wxhook-admin.socket",
            "admin",
            "listen = \"127.0.0.1:8081\"",
        ),
    ] {
        let socket = unit(name);
        assert!(
            socket.contains(&format!("\nFileDescriptorName={listener}\n")),
            "{name}"
        );
        assert!(wxhook::config::EXAMPLE.contains(default));
        let address = default.split('"').nth(1).unwrap();
        assert!(
            socket.contains(&format!("\nListenStream={address}\n")),
            "{name}"
        );
    }
}
