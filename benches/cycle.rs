//! The whole cycle of a message in one process: verify, decrypt, store, handler, reply, delivered.
//!
//! `cargo bench --bench cycle [-- messages]`. No sockets: what arrives is the query and the body of a sealed request, and a courier
//! in this process takes the replies. The store is the embedded one, on the disk that the program was built on. CPU time is that of
//! the whole process, all threads, for each message; the cases are played in turns, and compared with the first one of each round.

#![expect(clippy::print_stdout, reason = "a benchmark prints what it measured")]

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use tokio::runtime::Runtime;
use tokio::sync::{Notify, watch};
use wxhook::api::Delivery;
use wxhook::clock::{Clock, SystemClock};
use wxhook::dispatch::{Accounts, Bundles, Courier, Engine, EngineParts, Settings};
use wxhook::id::AppId;
use wxhook::protocol::{Credentials, Mode, Rotating, Sealed, envelope, signature};
use wxhook::secret::{AesKey, PushToken};
use wxhook::store::embedded::{self, Embedded};
use wxhook::store::{Inbox, NewPush, Ticket};
use wxhook::{Router, pattern};

#[path = "server/spread.rs"]
mod spread;

use spread::Spread;

/// Rounds; odd, so that the median is one of them.
const ROUNDS: usize = 3;
/// Messages of a case unless an argument says otherwise.
const MESSAGES: usize = 50_000;
/// Pushes that are being stored at the same time, as a busy listener has them.
const IN_HAND: usize = 256;

const APP_ID: &str = "wx0123456789abcdef";
const TOKEN: &str = "mpInboundT0ken";
const KEY: [u8; 32] = *b"0123456789abcdefghijklmnopqrstuv";

/// What differs from case to case.
#[derive(Debug, Clone, Copy)]
struct Case {
    name: &'static str,
    users: usize,
    /// Half of them exact texts, half patterns; each message is for the last pattern.
    routes: usize,
    /// Whether everything is stored before the first handler runs.
    is_backlog: bool,
    /// Times as many messages.
    times: usize,
}

const BASE: Case = Case {
    name: "1,000 users, 10 routes",
    users: 1_000,
    routes: 10,
    is_backlog: false,
    times: 1,
};

const CASES: [Case; 7] = [
    BASE,
    Case {
        name: "10 users",
        users: 10,
        ..BASE
    },
    Case {
        name: "100,000 users",
        users: 100_000,
        times: 2,
        ..BASE
    },
    Case {
        name: "100 routes",
        routes: 100,
        ..BASE
    },
    Case {
        name: "1,000 routes",
        routes: 1_000,
        ..BASE
    },
    Case {
        name: "a backlog of all of them",
        is_backlog: true,
        ..BASE
    },
    Case {
        name: "a backlog four times as long",
        is_backlog: true,
        times: 4,
        ..BASE
    },
];

fn main() -> ExitCode {
    let number = std::env::args().find_map(|argument| argument.parse().ok());
    let messages = number.unwrap_or(MESSAGES).max(1);
    println!("{messages} messages, {ROUNDS} rounds in turn; CPU time of the whole process");
    let rounds: Vec<Vec<f64>> = (0..ROUNDS)
        .map(|_| CASES.iter().map(|case| case.play(messages)).collect())
        .collect();
    println!("{:<30} {:>22}   ÷ the first", "", "µs per message");
    for (at, case) in CASES.iter().enumerate() {
        let cpu = Spread::of(rounds.iter().map(|round| round[at]));
        let ratio = Spread::of(rounds.iter().map(|round| round[at] / round[0]));
        let (cpu, ratio) = (format!("{cpu:.1}"), format!("{ratio:.2}"));
        println!("{:<30} {cpu:>22}   {ratio}", case.name);
    }
    ExitCode::SUCCESS
}

/// Takes every reply, and wakes whoever waits for the last.
#[derive(Debug)]
struct Taker {
    left: AtomicUsize,
    all: Notify,
}

impl Courier for Taker {
    fn deliver(&self, _account: &AppId, _message: Bytes) -> BoxFuture<'static, Delivery> {
        if self.left.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.all.notify_one();
        }
        std::future::ready(Delivery::Sent { rid: None }).boxed()
    }
}

impl Case {
    /// Plays it on a new store: microseconds of CPU for each message.
    fn play(&self, messages: usize) -> f64 {
        let messages = messages * self.times;
        let requests: Vec<Request> = (0..messages)
            .map(|number| Request::new(number, self))
            .collect();
        let directory = tempfile::tempdir_in(directory()).expect("a directory");
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::start());
        let store = embedded::Settings::new(directory.path());
        let store = Embedded::open(store, Arc::clone(&clock)).expect("a store");
        let taker = Arc::new(Taker {
            left: AtomicUsize::new(messages),
            all: Notify::new(),
        });
        let (listener, outward, routes) = (runtime(), runtime(), self.routes());
        let credentials = credentials();
        let (stop, stopped) = watch::channel(false);

        let before = cpu_microseconds();
        let engine = || {
            let engine = Engine::new(EngineParts {
                inbox: Arc::clone(&store) as Arc<dyn Inbox>,
                courier: Arc::clone(&taker) as Arc<dyn Courier>,
                routes,
                bundles: Bundles::default(),
                accounts: Accounts::named([(credentials.app_id().clone(), "default")]),
                clock: Arc::clone(&clock),
                counters: Arc::default(),
                settings: settings(),
                passive: None,
            });
            outward.spawn(engine.expect("threads").run(stopped))
        };
        let running = if self.is_backlog {
            listener.block_on(accept(&store, &*clock, &credentials, &requests));
            engine()
        } else {
            let running = engine();
            listener.block_on(accept(&store, &*clock, &credentials, &requests));
            running
        };
        listener.block_on(taker.all.notified());
        stop.send_replace(true);
        let ended = listener
            .block_on(running)
            .expect("no panic")
            .expect("an end");
        let used = cpu_microseconds() - before;
        assert!(ended.clean, "everything is settled");
        listener.block_on(store.close());
        used / messages as f64
    }

    fn routes(&self) -> wxhook::Routes {
        let mut router = Router::new().fallback(astray);
        for number in 0..self.routes / 2 {
            router = router
                .text(format!("menu {number}"), async || "a menu")
                .text(
                    pattern(format!(r"^order {number} (?<no>\d+)$")),
                    async || "your order is on its way",
                );
        }
        router.with_state(()).expect("routes")
    }

    /// What every user writes.
    fn text(&self, number: usize) -> String {
        format!("order {} {number}", self.routes / 2 - 1)
    }
}

/// No message is for it: the run would wait for a reply that never comes.
async fn astray() {
    std::process::abort();
}

/// Accepts all of them, as a listener does: verified, decrypted, stored, so many at a time.
async fn accept(
    store: &Arc<Embedded>,
    clock: &dyn Clock,
    credentials: &Credentials,
    requests: &[Request],
) {
    let mut in_hand = Vec::with_capacity(IN_HAND);
    for request in requests {
        let sealed = Sealed::parse(&request.query).expect("a query");
        let verified = sealed.verify(credentials).expect("a right signature");
        let opened = verified
            .open(credentials, request.body.clone())
            .expect("a right key");
        let head = opened.read();
        let push = NewPush {
            account: credentials.app_id().clone(),
            user: head.user,
            kind: head.kind,
            key: head.dedupe_key,
            body: opened.body().clone(),
            received_at: clock.now(),
            verified: opened.how(),
            malformed: head.malformed,
            ticket: None,
        };
        let room = Arc::clone(store.room())
            .acquire_owned()
            .await
            .expect("open");
        let (ticket, stored) = Ticket::once();
        store.accept(push, room, ticket);
        in_hand.push(stored);
        if in_hand.len() == IN_HAND {
            for stored in in_hand.drain(..) {
                stored.await.expect("stored");
            }
        }
    }
    for stored in in_hand {
        stored.await.expect("stored");
    }
}

/// A sealed request without its socket.
struct Request {
    query: String,
    body: Bytes,
}

impl Request {
    fn new(number: usize, case: &Case) -> Self {
        const TIMESTAMP: &str = "1718000000";
        let user = format!("oJb3Uw5c9XkQm1T0s7Zr{:08}", number * 7_919 % case.users);
        let document = format!(
            "<xml><ToUserName><![CDATA[gh_5f2c9a7d10be]]></ToUserName>\n\
             <FromUserName><![CDATA[{user}]]></FromUserName>\n<CreateTime>{TIMESTAMP}</CreateTime>\n\
             <MsgType><![CDATA[text]]></MsgType>\n<Content><![CDATA[{}]]></Content>\n\
             <MsgId>{}</MsgId>\n</xml>",
            case.text(number),
            24_601_234_500_000_000 + number as u64,
        );
        let random = (number as u128)
            .wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835)
            .to_le_bytes();
        let key = AesKey::new(KEY);
        let encrypted = envelope::seal(&key, APP_ID, random, document.as_bytes());
        let body = format!(
            "<xml>\n<ToUserName><![CDATA[gh_5f2c9a7d10be]]></ToUserName>\n\
             <Encrypt><![CDATA[{encrypted}]]></Encrypt>\n</xml>\n"
        );
        let nonce = (1_000_000_000 + number).to_string();
        let parts = [TOKEN, TIMESTAMP, &nonce, &encrypted].map(str::as_bytes);
        Self {
            query: format!(
                "signature={}&timestamp={TIMESTAMP}&nonce={nonce}&openid={user}&encrypt_type=aes\
                 &msg_signature={}",
                signature::sign(&parts[..3]),
                signature::sign(&parts),
            ),
            body: Bytes::from(body),
        }
    }
}

fn credentials() -> Credentials {
    Credentials::new(
        AppId::parse(APP_ID).expect("an AppID"),
        Mode::Secure,
        Rotating::only(PushToken::new(TOKEN)),
        Some(Rotating::only(AesKey::new(KEY))),
    )
    .expect("credentials")
}

/// As by default, but that a burst of one user is answered whole, though its window would not take it.
fn settings() -> Settings {
    let mut settings = Settings::default();
    settings.windows.check = false;
    settings
}

/// One thread, as the engine and each listener have.
fn runtime() -> Runtime {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .expect("a runtime")
}

/// Where the stores are: on the disk that the program was built on, not on a memory file system.
fn directory() -> PathBuf {
    let directory = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("bench");
    std::fs::create_dir_all(&directory).expect("a directory");
    directory
}

/// What this process has used, threads that have ended included. Linux counts it in hundredths of a second.
fn cpu_microseconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").expect("Linux");
    // The name of the program may hold blanks; it ends with the last parenthesis.
    let after_name = stat.rsplit_once(") ").expect("a name").1;
    let fields: Vec<&str> = after_name.split(' ').collect();
    let ticks = |at: usize| fields[at].parse::<f64>().expect("ticks");
    // utime and stime, the 14th and 15th field; the third is the first after the name.
    (ticks(11) + ticks(12)) * 10_000.0
}
