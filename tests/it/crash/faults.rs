//! A platform that fails and a process that is killed, stopped and stood still: what arrives, and why
//! the rest does not.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use wxhook::simulator::platform::{Fault, FaultRule, When};
use wxhook::simulator::pusher::{Gesture, Verdict};
use wxhook::store::embedded::View;
use wxhook::store::{Filter, PushState};

use super::{Random, SENDING, parts_in, pusher, seed};
use crate::main_job::{StandIn, variables};
use crate::own::Own;
use crate::support::{Program, eventually};

mod account;

use self::account::Account;

/// How much of it. `WXHOOK_CRASH_LONG=1` plays the long one: a few minutes.
struct Scale {
    is_long: bool,
    users: u64,
    pushes: u64,
    kills: u32,
}

fn scale() -> Arc<Scale> {
    Arc::new(match std::env::var_os("WXHOOK_CRASH_LONG") {
        Some(_) => Scale {
            is_long: true,
            users: 200,
            pushes: 2_000,
            kills: 50,
        },
        None => Scale {
            is_long: false,
            users: 40,
            pushes: 400,
            kills: 8,
        },
    })
}

const CLIENTS: u64 = 8;
const SEND: &str = "/cgi-bin/message/custom/send";
/// Of each kind of fault, among all sends.
const SHARE: f64 = 0.05;
/// Milliseconds after its answer at which a connection is reset, if it is.
const LATER: u64 = 50;
/// What an operator sets who fears kills: the fewer messages are being sent, and the sooner their verdicts
/// are stored, the fewer are unknown after one.
const FOR_KILLS: [(&str, &str); 2] = [
    ("WXHOOK__DISPATCH__SENDS", "4"),
    ("WXHOOK__STORE__RIDE", "10ms"),
];

/// What is done to the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Blow {
    Kill,
    /// SIGTERM; it ends by itself.
    Stop,
    /// SIGSTOP for longer than a call may take, then SIGCONT.
    StandStill,
}

impl Blow {
    const fn signal(self) -> &'static str {
        match self {
            Self::Kill => "SIGKILL",
            Self::Stop => "SIGTERM",
            Self::StandStill => "SIGSTOP",
        }
    }
}

/// What the server under test does with a message whose answer was not seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Policy {
    /// The shipped program: it is *unknown*, and not sent again.
    AtMostOnce,
    /// Every route is `.at_least_once()`.
    AtLeastOnce,
}

/// A server that is hit again and again, and what was open at each blow.
struct Victim<'a> {
    policy: Policy,
    stand_in: &'a StandIn,
    data_dir: &'a Path,
    listen: String,
    program: Program,
    open_at_blows: u32,
    blows: BTreeMap<&'static str, u32>,
}

impl<'a> Victim<'a> {
    fn start(policy: Policy, stand_in: &'a StandIn, data_dir: &'a Path) -> Self {
        let (program, listen) = Self::run(policy, stand_in, data_dir, "127.0.0.1:0");
        Self {
            policy,
            stand_in,
            data_dir,
            listen,
            program,
            open_at_blows: 0,
            blows: BTreeMap::new(),
        }
    }

    fn run(policy: Policy, stand_in: &StandIn, data_dir: &Path, listen: &str) -> (Program, String) {
        let directory = data_dir.to_str().unwrap();
        let mut environment = variables(&stand_in.url, directory, listen);
        environment.push(("WXHOOK__API__TIMEOUT", "1s"));
        environment.extend(FOR_KILLS);
        let mut program = match policy {
            Policy::AtMostOnce => Program::start(&["serve"], &environment),
            Policy::AtLeastOnce => Own::AtLeastOnce.start(&environment),
        };
        let (address, _) = program.ready();
        (program, address.to_string())
    }

    /// Sends that an answer is awaited for count as open: theirs may be lost by the blow.
    fn suffer(&mut self, blow: Blow, pause: impl Fn(Duration)) {
        *self.blows.entry(blow.signal()).or_default() += 1;
        match blow {
            Blow::StandStill => {
                self.program.signal("STOP");
                self.open_at_blows += parts_in(self.data_dir, SENDING);
                pause(Duration::from_millis(1_300));
                self.program.signal("CONT");
                return;
            }
            Blow::Kill => {
                self.program.kill();
                self.open_at_blows += parts_in(self.data_dir, SENDING);
            }
            Blow::Stop => {
                self.program.signal("TERM");
                let code = self.program.wait().code();
                assert_eq!(code, Some(0), "{}", self.program.printed());
                assert_eq!(parts_in(self.data_dir, SENDING), 0, "a stop leaves no hole");
            }
        }
        (self.program, _) = Self::run(self.policy, self.stand_in, self.data_dir, &self.listen);
    }
}

/// One client: its users' pushes in turn, each repeated until it is acknowledged.
async fn load(
    url: String,
    client: u64,
    seed: u64,
    scale: Arc<Scale>,
    calm: Arc<AtomicBool>,
) -> u64 {
    let mut pusher = pusher(&url, seed ^ client);
    let users: Vec<u64> = (0..scale.users)
        .filter(|user| user % CLIENTS == client)
        .collect();
    let mut acknowledged = 0;
    for number in 0..scale.pushes / scale.users {
        for user in &users {
            let text = format!("{user}-{number}");
            let push = pusher.make(Gesture::Text(text), &format!("oFaultUser{user:04}"));
            while !matches!(pusher.push(&push).await.verdict(), Verdict::Success) {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            acknowledged += 1;
            if !calm.load(Ordering::Relaxed) {
                // So that the load lasts as long as the blows.
                tokio::time::sleep(Duration::from_millis(120)).await;
            }
        }
    }
    acknowledged
}

/// Answers that are lost after the delivery, resets, −1 and 502. Of the resets, half strike a connection
/// that has its answer: most of these are idle, and the next request must not be lost with them. The
/// other half strike after the request was read; nobody but the platform can know that it did nothing.
fn add_faults(stand_in: &StandIn) {
    let mut platform = stand_in.platform.lock().unwrap();
    for (share, fault) in [
        (
            SHARE,
            Fault::LostAnswer {
                after_milliseconds: 0,
            },
        ),
        (SHARE / 2.0, Fault::Reset),
        (
            SHARE / 2.0,
            Fault::ResetLater {
                after_milliseconds: LATER,
            },
        ),
        (
            SHARE,
            Fault::Code {
                code: -1,
                message: None,
            },
        ),
        (SHARE, Fault::BadGateway),
    ] {
        let rule = FaultRule {
            path: Some(SEND.to_owned()),
            host: None,
            open_id: None,
            when: When::Probability(share),
            fault,
        };
        platform.add_fault(rule).unwrap();
    }
}

#[test]
fn through_faults_of_the_platform_and_blows_no_part_arrives_twice_and_every_missing_one_is_explained()
 {
    let scale = scale();
    let account = play(Policy::AtMostOnce, &scale);
    account.holds_for_at_most_once();
    if scale.is_long {
        let share = account.delivered_share();
        assert!(share >= 0.9, "{:.1} % were delivered", share * 100.0);
    }
}

#[test]
fn where_twice_is_better_than_never_every_reply_arrives_through_faults_and_blows() {
    play(Policy::AtLeastOnce, &scale()).holds_for_at_least_once();
}

/// Plays it, and draws up the account.
#[expect(
    clippy::print_stdout,
    reason = "the account is part of the test's report"
)]
fn play(policy: Policy, scale: &Arc<Scale>) -> Account {
    let seed = seed();
    println!("{policy:?}, seed {seed}: run again with WXHOOK_CRASH_SEED={seed}");
    let mut random = Random(seed);
    let stand_in = StandIn::seeded(StandIn::settings(), seed);
    add_faults(&stand_in);
    let directory = tempfile::tempdir().unwrap();
    let mut victim = Victim::start(policy, &stand_in, directory.path());
    let url = format!("http://{}/wechat", victim.listen);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let calm = Arc::new(AtomicBool::new(false));
    let clients: Vec<_> = (0..CLIENTS)
        .map(|client| {
            let (scale, calm) = (Arc::clone(scale), Arc::clone(&calm));
            runtime.spawn(load(url.clone(), client, seed, scale, calm))
        })
        .collect();

    let pause = |time| runtime.block_on(async { tokio::time::sleep(time).await });
    let mut kills = 0;
    while kills < scale.kills {
        pause(Duration::from_millis(100 + random.below(400)));
        let blow = match random.below(10) {
            0 => Blow::Stop,
            1 => Blow::StandStill,
            _ => Blow::Kill,
        };
        kills += u32::from(blow == Blow::Kill);
        victim.suffer(blow, pause);
    }
    calm.store(true, Ordering::Relaxed);
    let acknowledged: u64 = clients
        .into_iter()
        .map(|client| runtime.block_on(client).unwrap())
        .sum();
    assert_eq!(acknowledged, scale.pushes);

    let view = View::open(directory.path()).unwrap();
    eventually("everything is handled and sent", || {
        let none = |state| {
            let state = Some(state);
            let filter = Filter {
                state,
                ..Filter::default()
            };
            view.list(&filter).unwrap().is_empty()
        };
        let handled = none(PushState::Pending) && none(PushState::Retry);
        let sent = parts_in(directory.path(), 0) + parts_in(directory.path(), SENDING) == 0;
        (handled && sent).then_some(())
    });
    let account = Account::draw_up(&view, &stand_in, victim.open_at_blows);
    println!("blows: {:?}; {account}", victim.blows);
    assert_eq!(account.pushes, scale.pushes, "acknowledged = stored, once");
    victim.program.signal("TERM");
    assert!(victim.program.wait().success());
    account
}
