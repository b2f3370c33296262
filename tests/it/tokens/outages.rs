//! Servers that hang, die, forget everything and come back, under a constant load of reads through
//! four real processes: nobody waits, no second token is asked for, and everything recovers by itself.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures_util::future::join_all;
use tokio::runtime::Runtime;
use tokio::task::JoinHandle;
use wxhook::id::AppId;
use wxhook::simulator::platform::Settings;
use wxhook::store::tokens::{TokenKey, TokenKind};
use wxhook::token::STORE_LIMIT;

use super::fleet::{
    Endpoint, Fleet, Given, Line, milliseconds, on_each_server, read, report, runtime,
};
use crate::main_job::{APP_ID, StandIn};
use crate::servers::{Server, Software};
use crate::support::{LIMIT, now};
use crate::tokenstores::open;

/// A life in which the store is looked at after 15 seconds and nothing is renewed for 40: what happens
/// to the store meanwhile must show by itself.
const LIFE_SECONDS: u32 = 60;

/// How long a server hangs.
const HANGING: Duration = Duration::from_secs(30);

/// Readers of each process.
const READERS: usize = 2;

/// What one reader saw.
#[derive(Debug, Default)]
struct Seen {
    reads: usize,
    longest: Duration,
    generations: Vec<u64>,
    tokens: Vec<String>,
}

impl Seen {
    fn take(&mut self, given: Given, took: Duration) {
        self.reads += 1;
        self.longest = self.longest.max(took);
        if self.generations.last() != Some(&given.generation) {
            self.generations.push(given.generation);
            self.tokens.push(given.token);
        }
    }
}

/// Readers that read on until they are told to stop.
struct Load {
    stop: Arc<AtomicBool>,
    readers: Vec<JoinHandle<Seen>>,
}

impl Load {
    fn start(fleet: &Fleet, runtime: &Runtime) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let members = fleet.members.iter().cycle().take(Fleet::SIZE * READERS);
        let readers = members.map(|member| {
            let (stop, admin) = (Arc::clone(&stop), member.admin);
            runtime.spawn(async move {
                let (mut line, mut seen) = (Line::open(admin).await, Seen::default());
                while !stop.load(Ordering::SeqCst) {
                    let asked = now();
                    let given = line.read().await;
                    seen.take(given, now() - asked);
                    tokio::time::sleep(milliseconds(10)).await;
                }
                seen
            })
        });
        Self {
            readers: readers.collect(),
            stop,
        }
    }

    /// What all of them saw: one token, at once, every time. A read that waited for the store would
    /// have taken as long as a step of the store may.
    fn end(self, runtime: &Runtime, name: &str, expected: &Given) {
        self.stop.store(true, Ordering::SeqCst);
        let seen = runtime.block_on(join_all(self.readers));
        let seen: Vec<Seen> = seen.into_iter().map(Result::unwrap).collect();
        let reads: usize = seen.iter().map(|seen| seen.reads).sum();
        let longest = seen.iter().map(|seen| seen.longest).max().unwrap();
        tell(&format!("{name}: {reads} reads, the longest {longest:?}"));
        for seen in &seen {
            assert!(seen.reads > 100, "{name}: {seen:?}");
            assert_eq!(seen.generations, [expected.generation], "{name}");
            assert_eq!(seen.tokens, std::slice::from_ref(&expected.token), "{name}");
        }
        assert!(longest < STORE_LIMIT, "{name}: a read took {longest:?}");
    }
}

#[expect(
    clippy::print_stderr,
    reason = "the figures are for whoever reads the test's output"
)]
fn tell(line: &str) {
    eprintln!("{line}");
}

fn short_lived() -> Settings {
    Settings {
        token_lifetime_seconds: LIFE_SECONDS,
        ..StandIn::settings()
    }
}

fn each_says(fleet: &mut Fleet, line: &str) {
    for member in &mut fleet.members {
        member.program.line_with(line);
    }
}

const AWAY: &str = "The token store (token.store) gives no answer";
const BACK: &str = "The token store answers again";

fn hangs(software: Software) {
    let Some(server) = Server::start(software) else {
        return;
    };
    let (runtime, name) = (runtime(), format!("{software:?} hangs"));
    let mut fleet = Fleet::start(server.url(), Endpoint::Stable, short_lived());
    let given = runtime.block_on(fleet.herd(Fleet::SIZE)).pop().unwrap();
    let load = Load::start(&fleet, &runtime);
    let began = now();
    server.hang();
    each_says(&mut fleet, AWAY);
    runtime.block_on(async { tokio::time::sleep(HANGING.saturating_sub(now() - began)).await });
    server.go_on();
    each_says(&mut fleet, BACK);
    load.end(&runtime, &name, &given);
    assert_eq!(fleet.calls(), 1, "{name}");
}

fn dies_and_forgets(software: Software) {
    let Some(mut server) = Server::start(software) else {
        return;
    };
    let (runtime, name) = (runtime(), format!("{software:?} dies and forgets"));
    let mut fleet = Fleet::start(server.url(), Endpoint::Stable, short_lived());
    let given = runtime.block_on(fleet.herd(Fleet::SIZE)).pop().unwrap();
    let load = Load::start(&fleet, &runtime);
    server.kill();
    each_says(&mut fleet, AWAY);
    server.restart();
    each_says(&mut fleet, BACK);
    server.flush();
    runtime.block_on(is_put_back(software, &server.url(), &given));
    // One who knows nothing but the store finds it there.
    let newcomer = fleet.newcomer();
    assert_eq!(runtime.block_on(read(newcomer.admin)), given, "{name}");
    assert_eq!(fleet.calls(), 1, "{name}");
    load.end(&runtime, &name, &given);

    server.flush();
    let next = runtime.block_on(report(fleet.members[1].admin, given.generation));
    assert!(next.generation > given.generation, "{name}: {next:?}");
    assert_eq!(fleet.calls(), 2, "{name}");
    let others = runtime.block_on(fleet.herd_against(&given, Fleet::SIZE));
    assert!(others.iter().all(|other| *other == next), "{name}");
    assert_eq!(fleet.calls(), 2, "{name}");
}

/// Waits until the store has this token again.
async fn is_put_back(software: Software, url: &str, given: &Given) {
    let store = open(software, url);
    let key = TokenKey {
        account: AppId::parse(APP_ID).unwrap(),
        kind: TokenKind::Stable,
    };
    let deadline = now() + LIMIT;
    loop {
        if let Ok(Some(record)) = store.load(&key).await {
            assert!(record.token.matches(&given.token));
            assert_eq!(record.generation, given.generation);
            return;
        }
        assert!(now() < deadline, "{software:?}: nobody put the token back");
        tokio::time::sleep(milliseconds(50)).await;
    }
}

#[test]
fn nobody_waits_and_no_token_is_asked_for_while_a_server_hangs_for_half_a_minute() {
    on_each_server(hangs);
}

#[test]
fn a_server_that_dies_and_one_that_forgets_everything_cost_no_token_and_no_wait() {
    on_each_server(dies_and_forgets);
}
