//! What bad handlers and one user's long queue cost the others, on the whole server.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Runtime;
use wxhook::protocol::push::Kind;
use wxhook::simulator::pusher::{Gesture, Verdict};

use crate::backlog::{count, store_all};
use crate::crash::pusher;
use crate::main_job::{StandIn, variables};
use crate::own::Own;
use crate::support::{Program, eventually};

pub(crate) mod bad;

/// How much of it; `WXHOOK_FAIRNESS=1` plays all of it.
struct Scale {
    users: u32,
    crowd: u32,
    rounds: usize,
}

fn scale() -> Scale {
    match std::env::var_os("WXHOOK_FAIRNESS") {
        Some(_) => Scale {
            users: 1_000,
            crowd: 100_000,
            rounds: 5,
        },
        None => Scale {
            users: 150,
            crowd: 5_000,
            rounds: 3,
        },
    }
}

const CLIENTS: u32 = 4;
/// Between two pushes of a client: so that waits are compared, not what two cores can do at most.
const PAUSE: Duration = Duration::from_millis(10);
/// What a request may take, as the server has it by default.
const BUDGET: Duration = Duration::from_secs(4);
/// What nobody notices in a conversation.
const UNNOTICED: Duration = Duration::from_millis(200);

/// A server and the platform that it answers to.
struct Side {
    name: &'static str,
    stand_in: StandIn,
    url: String,
    _program: Program,
}

impl Side {
    fn start(name: &'static str, data_dir: &Path) -> Self {
        let stand_in = StandIn::start();
        let directory = data_dir.to_str().unwrap();
        let mut program = Own::Bad.start(&variables(&stand_in.url, directory, "127.0.0.1:0"));
        let (address, _) = program.ready();
        Self {
            name,
            stand_in,
            url: format!("http://{address}/wechat"),
            _program: program,
        }
    }

    /// One push of each of so many users, all new: what they waited for their handler, sorted, and the
    /// longest time until a `success`.
    fn serve(&self, runtime: &Runtime, round: usize, users: u32) -> Round {
        let user = move |number: u32| format!("oOrdinary{round}x{number:04}");
        let clients: Vec<_> = (0..CLIENTS)
            .map(|client| {
                let seed = u64::from(client) + 100 * round as u64 + 1;
                let mut pusher = pusher(&self.url, seed);
                runtime.spawn(async move {
                    let mut slowest = 0;
                    for number in (client..users).step_by(CLIENTS as usize) {
                        tokio::time::sleep(PAUSE).await;
                        let began = bad::microseconds();
                        let push = pusher.make(Gesture::Text(began.to_string()), &user(number));
                        let report = pusher.push(&push).await;
                        assert!(matches!(report.verdict(), Verdict::Success), "{report:?}");
                        slowest = slowest.max(bad::microseconds() - began);
                    }
                    slowest
                })
            })
            .collect();
        let slowest = clients
            .into_iter()
            .map(|client| runtime.block_on(client).unwrap());
        let slowest = Duration::from_micros(slowest.max().unwrap());
        let mut waits = eventually(self.name, || {
            let told = self.stand_in.told();
            (0..users)
                .map(|number| {
                    Some(Duration::from_micros(
                        told.get(&user(number))?[0].parse().ok()?,
                    ))
                })
                .collect::<Option<Vec<_>>>()
        });
        waits.sort_unstable();
        Round { waits, slowest }
    }
}

struct Round {
    waits: Vec<Duration>,
    slowest: Duration,
}

impl Round {
    fn percent(&self, percent: usize) -> Duration {
        self.waits[(self.waits.len() * percent / 100).min(self.waits.len() - 1)]
    }
}

/// A message of the user who has written so many.
fn of_the_crowd(number: u32) -> (String, Kind, String) {
    let body = format!(
        "<xml><ToUserName>gh_1</ToUserName><FromUserName>oCrowd</FromUserName>\
         <CreateTime>1700000000</CreateTime><MsgType>text</MsgType><Content>crowd</Content>\
         <MsgId>{}</MsgId></xml>",
        23_000_000_000_000_000_u64 + u64::from(number)
    );
    ("oCrowd".to_owned(), Kind::Message, body)
}

#[test]
fn nobody_waits_noticeably_longer_beside_bad_handlers_and_one_users_long_queue() {
    let scale = scale();
    let directory = tempfile::tempdir().unwrap();
    let (quiet, busy) = (
        directory.path().join("quiet"),
        directory.path().join("busy"),
    );
    store_all(&busy, scale.crowd, of_the_crowd);
    let alone = Side::start("alone", &quiet);
    let beside = Side::start("beside", &busy);
    let runtime = Arc::new(Runtime::new().unwrap());
    let (mut ratios, mut worst) = (Vec::new(), Duration::ZERO);
    println!(
        "round: median and 99th percentile of the wait, alone | beside bad handlers; slowest success"
    );
    for round in 0..scale.rounds {
        // Round 0 warms both up, and is measured like the others.
        let quiet = alone.serve(&runtime, round, scale.users);
        let mut pusher = pusher(&beside.url, 7_000 + round as u64);
        for bad in ["block", "panic", "never end"] {
            let push = pusher.make(
                Gesture::Text(bad.to_owned()),
                &format!("oBad{round}{}", bad.len()),
            );
            let report = runtime.block_on(pusher.push(&push));
            assert!(matches!(report.verdict(), Verdict::Success), "{report:?}");
        }
        let loud = beside.serve(&runtime, round, scale.users);
        let slowest = quiet.slowest.max(loud.slowest);
        println!(
            "{round}: {:?} {:?} | {:?} {:?}; {slowest:?}",
            quiet.percent(50),
            quiet.percent(99),
            loud.percent(50),
            loud.percent(99),
        );
        let ratio =
            |percent| loud.percent(percent).as_secs_f64() / quiet.percent(percent).as_secs_f64();
        ratios.push([ratio(50), ratio(99)]);
        worst = worst.max(slowest);
        let limit = quiet.percent(99) * 3 + UNNOTICED;
        assert!(
            loud.percent(99) <= limit,
            "{:?} beside, {limit:?} allowed",
            loud.percent(99)
        );
    }
    let left = count(&busy, "state = 0 AND user = 'oCrowd'");
    for (at, name) in [(0, "median"), (1, "99th percentile")] {
        let mut of: Vec<f64> = ratios.iter().map(|ratio| ratio[at]).collect();
        of.sort_by(f64::total_cmp);
        println!(
            "{name}, beside ÷ alone: {:.2} ({:.2} to {:.2})",
            of[of.len() / 2],
            of[0],
            of[of.len() - 1]
        );
    }
    println!("{left} of the crowd's {} are still waiting", scale.crowd);
    assert!(left > 0, "the long queue was there all the time");
    assert!(worst < BUDGET, "a success took {worst:?}");
}
