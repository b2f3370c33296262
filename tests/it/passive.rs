//! Passive replies: what a handler says soon enough is the answer to the push, and never both ways.

use std::collections::HashMap;
use std::io::Write as _;
use std::net::TcpStream;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use wxhook::app::Server;
use wxhook::clock::{Clock, SystemClock};
use wxhook::dispatch::PassiveWithin;
use wxhook::id::AppId;
use wxhook::protocol::message::{Text, TransferToCustomerService};
use wxhook::secret::PushToken;
use wxhook::simulator::platform::{Fault, FaultRule, When};
use wxhook::simulator::pusher::{Gesture, Identity, Mode, PushReport, Pusher, Verdict};
use wxhook::simulator::seal;
use wxhook::store::{Filter, Part, PartState, PushState, Story};
use wxhook::{Content, Router, State};

use crate::main_job::{APP_ID, KEY, StandIn, TOKEN, config, variables};
use crate::support::{Program, eventually, eventually_within, get, now};

mod repeats;

const SEND: &str = "/cgi-bin/message/custom/send";

/// How often each text was handled.
type Runs = Arc<Mutex<HashMap<String, u32>>>;

/// A server in this process beside its local WeChat.
struct Scene {
    wechat: StandIn,
    server: Server,
    runs: Runs,
    _data_dir: tempfile::TempDir,
}

/// Takes as many milliseconds as the text begins with, and says the text.
async fn slowly(Content(text): Content, State(runs): State<Runs>) -> String {
    *runs.lock().unwrap().entry(text.clone()).or_default() += 1;
    let milliseconds = text.split('-').next().unwrap().parse().unwrap();
    tokio::time::sleep(Duration::from_millis(milliseconds)).await;
    text
}

fn routes() -> Router<Runs> {
    Router::new().fallback(slowly)
}

impl Scene {
    fn start(settings: &[(&str, &str)]) -> Self {
        Self::with(routes(), settings)
    }

    fn with(routes: Router<Runs>, settings: &[(&str, &str)]) -> Self {
        let wechat = StandIn::start();
        let data_dir = tempfile::tempdir().unwrap();
        let runs = Runs::default();
        let directory = data_dir.path().to_str().unwrap();
        let config = config(&wechat.url, directory, settings);
        let routes = routes.with_state(Arc::clone(&runs)).unwrap();
        let server = Server::start(config, routes).unwrap();
        Self {
            wechat,
            server,
            runs,
            _data_dir: data_dir,
        }
    }

    fn pusher(&self) -> Pusher {
        pusher(&format!("http://{}/wechat", self.server.webhook_address()))
    }

    fn push(&self, text: &str) -> PushReport {
        push_with(&mut self.pusher(), text)
    }

    fn runs(&self, text: &str) -> u32 {
        self.runs.lock().unwrap().get(text).copied().unwrap_or(0)
    }

    fn calls(&self) -> usize {
        let platform = self.wechat.platform.lock().unwrap();
        platform
            .calls_after(0)
            .filter(|call| call.path == SEND)
            .count()
    }

    /// Everything that is stored about the one push that was made, when all of it has come to rest.
    fn story(&self) -> Story {
        let inbox = self.server.inbox();
        eventually("the push and what it says have come to rest", || {
            let runtime = tokio::runtime::Runtime::new().unwrap();
            runtime.block_on(async {
                let pushes = inbox.list(Filter::default()).await.unwrap();
                assert_eq!(pushes.len(), 1, "one push is stored");
                let story = inbox.story(pushes[0].id).await.unwrap().unwrap();
                let is_open =
                    |part: &Part| matches!(part.state, PartState::Waiting | PartState::Sending);
                let rests = !story.push.state.is_open() && !story.parts.iter().any(is_open);
                rests.then_some(story)
            })
        })
    }
}

fn pusher(url: &str) -> Pusher {
    static SEED: AtomicU32 = AtomicU32::new(0);
    let identity = Identity {
        url: url.to_owned(),
        app_id: AppId::parse(APP_ID).unwrap(),
        token: PushToken::new(TOKEN),
        key: Some(seal::decode_key(KEY).unwrap()),
        mode: Mode::Secure,
        original_id: "gh_5f2c9a7d10be".to_owned(),
    };
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::start());
    let seed = u64::from(SEED.fetch_add(1, Ordering::Relaxed)) << 40
        | clock.now().milliseconds().unsigned_abs();
    Pusher::new(identity, clock, seed).unwrap()
}

fn push_with(pusher: &mut Pusher, text: &str) -> PushReport {
    let push = pusher.make(Gesture::Text(text.to_owned()), "oPassiveUser");
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(pusher.push(&push))
}

/// What the user reads as the answer, if it is one.
fn answer(report: &PushReport) -> Option<&str> {
    match report.verdict() {
        Verdict::Reply(reply) => {
            assert!(reply.was_sealed);
            reply.content.as_deref()
        }
        Verdict::Success => None,
        other => panic!("{other:?}: {report:?}"),
    }
}

const WITHIN: (&str, &str) = ("WXHOOK__REPLY__PASSIVE_WITHIN", "4s");

#[test]
fn what_is_said_in_time_is_the_answer_and_costs_no_call() {
    let scene = Scene::start(&[WITHIN]);
    let report = scene.push("3000-in-time");
    assert_eq!(answer(&report), Some("3000-in-time"));
    assert_eq!(report.attempts.len(), 1);
    let story = scene.story();
    assert_eq!(story.push.state, PushState::Done);
    assert_eq!(story.parts.len(), 1);
    assert_eq!(story.parts[0].state, PartState::Sent);
    assert!(story.parts[0].passive.is_some());
    assert_eq!((scene.calls(), scene.runs("3000-in-time")), (0, 1));
}

#[test]
fn what_comes_later_is_a_customer_message_after_success_in_time() {
    let scene = Scene::start(&[WITHIN]);
    let report = scene.push("6000-late");
    assert_eq!(answer(&report), None);
    let took = report.attempts[0].took;
    let in_time = Duration::from_secs(4)..Duration::from_millis(4_900);
    assert!(in_time.contains(&took), "{took:?}");
    let story = scene.story();
    assert_eq!(story.parts[0].state, PartState::Sent);
    assert_eq!(story.parts[0].passive, None);
    assert_eq!((scene.calls(), scene.runs("6000-late")), (1, 1));
}

#[test]
fn without_the_setting_success_leaves_at_once() {
    let scene = Scene::start(&[]);
    let report = scene.push("300-late");
    assert_eq!(answer(&report), None);
    assert!(report.attempts[0].took < Duration::from_millis(300));
    assert_eq!(scene.story().parts[0].passive, None);
}

#[test]
fn a_push_that_says_nothing_is_answered_success_when_its_handler_ends() {
    let scene = Scene::with(Router::new().fallback(async || ()), &[WITHIN]);
    let report = scene.push("anything");
    assert_eq!(answer(&report), None);
    assert!(
        report.attempts[0].took < Duration::from_secs(2),
        "{report:?}"
    );
}

#[test]
fn of_several_messages_the_first_is_the_answer_and_the_others_follow_it() {
    let scene = Scene::with(
        Router::new().fallback(async || ["one", "two", "three"]),
        &[WITHIN],
    );
    assert_eq!(answer(&scene.push("say three")), Some("one"));
    let story = scene.story();
    let passive: Vec<_> = story
        .parts
        .iter()
        .map(|part| part.passive.is_some())
        .collect();
    assert_eq!(passive, [true, false, false]);
    assert!(story.parts.iter().all(|part| part.state == PartState::Sent));
    let told = scene.wechat.told();
    assert_eq!(told["oPassiveUser"], ["two", "three"]);
}

#[test]
fn what_a_passive_reply_cannot_say_goes_out_as_a_customer_message() {
    let mark = async || Text::new("made by an AI").ai();
    let scene = Scene::with(Router::new().fallback(mark), &[WITHIN]);
    assert_eq!(answer(&scene.push("question")), None);
    assert_eq!(scene.story().parts[0].state, PartState::Sent);
    assert_eq!(scene.calls(), 1);
}

#[test]
fn a_handover_to_people_is_an_answer_and_refused_where_nobody_waits_for_one() {
    let routes = || Router::new().fallback(async || TransferToCustomerService::new());
    let scene = Scene::with(routes(), &[WITHIN]);
    let report = scene.push("a person, please");
    let Verdict::Reply(reply) = report.verdict() else {
        panic!("{report:?}");
    };
    assert_eq!(reply.message_type, "transfer_customer_service");
    let scene = Scene::with(routes(), &[]);
    assert_eq!(answer(&scene.push("a person, please")), None);
    let story = scene.story();
    assert_eq!(story.push.state, PushState::Dead);
    let reason = story.push.reason.unwrap();
    assert!(reason.contains("reply.passive_within"), "{reason}");
}

#[test]
fn a_route_can_wait_where_its_account_does_not_and_the_other_way_round() {
    let routes = || {
        Router::new()
            .text("slow", async || {
                tokio::time::sleep(Duration::from_millis(500)).await;
                "slow"
            })
            .layer(PassiveWithin("2s"))
            .fallback(slowly)
    };
    let scene = Scene::with(routes(), &[]);
    assert_eq!(answer(&scene.push("slow")), Some("slow"));
    let report = scene.push("1500-other");
    assert_eq!(answer(&report), None);
    assert!(
        report.attempts[0].took < Duration::from_secs(1),
        "{report:?}"
    );

    let never = Router::new()
        .text("never", async || "never")
        .layer(PassiveWithin("0s"))
        .fallback(slowly);
    let scene = Scene::with(never, &[WITHIN]);
    assert_eq!(answer(&scene.push("never")), None);
    assert_eq!(answer(&scene.push("10-always")), Some("10-always"));
}

#[test]
fn an_answer_that_nobody_comes_for_goes_out_as_a_customer_message_once() {
    let scene = Scene::start(&[WITHIN]);
    let mut gone = scene
        .pusher()
        .with_limit(Duration::from_millis(500))
        .with_repeats(0);
    let push = gone.make(Gesture::Text("1000-gone".to_owned()), "oPassiveUser");
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let report = runtime.block_on(gone.push(&push));
    assert!(matches!(report.verdict(), Verdict::TimedOut), "{report:?}");
    eventually_within(Duration::from_secs(20), "the call", || {
        (scene.calls() == 1).then_some(())
    });
    let story = scene.story();
    assert_eq!(story.parts[0].state, PartState::Sent);
    assert_eq!(story.parts[0].passive, None);
    // Now WeChat comes after all: it is told nothing that was said.
    let report = runtime.block_on(gone.push(&push));
    assert_eq!(answer(&report), None);
    assert_eq!((scene.calls(), scene.runs("1000-gone")), (1, 1));
}

#[test]
fn with_use_retries_a_handler_of_nine_seconds_is_answered_on_a_repeat() {
    let scene = Scene::start(&[WITHIN, ("WXHOOK__REPLY__USE_RETRIES", "true")]);
    let report = scene.push("9000-patient");
    assert_eq!(answer(&report), Some("9000-patient"));
    assert_eq!(report.attempts.len(), 2, "{report:?}");
    let first = &report.attempts[0];
    assert!(matches!(first.verdict, Verdict::TimedOut), "{first:?}");
    assert_eq!((scene.calls(), scene.runs("9000-patient")), (0, 1));
}

#[test]
fn with_use_retries_the_third_delivery_is_answered_success_in_time() {
    let scene = Scene::start(&[WITHIN, ("WXHOOK__REPLY__USE_RETRIES", "true")]);
    let report = scene.push("16000-too-long");
    assert_eq!(answer(&report), None);
    assert_eq!(report.attempts.len(), 3, "{report:?}");
    eventually_within(Duration::from_secs(20), "the call", || {
        (scene.calls() == 1).then_some(())
    });
    assert_eq!(scene.runs("16000-too-long"), 1);
}

#[test]
fn a_client_that_is_gone_does_not_end_its_handler() {
    let scene = Scene::start(&[WITHIN]);
    let mut socket = TcpStream::connect(scene.server.webhook_address()).unwrap();
    // A request that breaks off is no push.
    socket.write_all(b"POST /wechat?sig").unwrap();
    drop(socket);
    let mut gone = scene
        .pusher()
        .with_limit(Duration::from_millis(300))
        .with_repeats(20);
    let report = push_with(&mut gone, "1000-broken");
    assert_eq!(answer(&report), Some("1000-broken"));
    assert_eq!(scene.runs("1000-broken"), 1);
}

#[test]
fn hundreds_at_once_are_each_answered_one_way() {
    let count: u64 = 500;
    let scene = Scene::start(&[WITHIN, ("WXHOOK__DISPATCH__HANDLERS", "1000")]);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let url = format!("http://{}/wechat", scene.server.webhook_address());
    let began = now();
    let pushes: Vec<_> = (0..count)
        .map(|number| {
            // Half of them in time, half of them not.
            let milliseconds = if number % 2 == 0 { 3_000 } else { 6_000 };
            let text = format!("{milliseconds}-{number}");
            let mut pusher = pusher(&url);
            runtime.spawn(async move {
                let user = format!("oCrowd{number:04}");
                let push = pusher.make(Gesture::Text(text.clone()), &user);
                (text, pusher.push(&push).await)
            })
        })
        .collect();
    let mut answered = HashMap::new();
    for push in pushes {
        let (text, report) = runtime.block_on(push).unwrap();
        if let Some(said) = answer(&report) {
            assert_eq!(said, text);
            answered.insert(text, began.elapsed());
        }
    }
    let late = |text: &String| text.starts_with("6000");
    assert!(!answered.keys().any(late), "nothing late is an answer");
    assert!(answered.len() >= 200, "{} were answered", answered.len());
    let rest = usize::try_from(count).unwrap() - answered.len();
    eventually_within(Duration::from_secs(30), "all others are called", || {
        (scene.wechat.told().len() == rest).then_some(())
    });
    for told in scene.wechat.told().into_values() {
        assert_eq!(told.len(), 1);
        assert!(
            !answered.contains_key(&told[0]),
            "{} went both ways",
            told[0]
        );
    }
    let runs = scene.runs.lock().unwrap();
    assert!(runs.values().all(|runs| *runs == 1), "each ran once");
}

/// What each user got, whichever way; the real program is killed again and again meanwhile.
#[test]
fn killed_under_load_no_reply_goes_both_ways() {
    let wechat = StandIn::start();
    let directory = tempfile::tempdir().unwrap();
    let data_dir = directory.path().to_str().unwrap();
    let start = |listen: &str| {
        let mut variables = variables(&wechat.url, data_dir, listen);
        variables.push(WITHIN);
        let mut program = Program::start(&["serve"], &variables);
        let (address, _) = program.ready();
        (program, address.to_string())
    };
    let (mut server, address) = start("127.0.0.1:0");
    let url = format!("http://{address}/wechat");
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let clients: Vec<_> = (0..16_u32)
        .map(|client| {
            let mut pusher = pusher(&url).with_repeats(8);
            runtime.spawn(async move {
                let mut answered = Vec::new();
                for number in 0..120 {
                    let text = format!("{client}-{number}");
                    let push = pusher.make(Gesture::Text(text), &format!("oKilled{client:03}"));
                    let report = pusher.push(&push).await;
                    if let Verdict::Reply(reply) = report.verdict() {
                        answered.push(reply.content.clone().unwrap());
                    }
                    tokio::time::sleep(Duration::from_millis(10)).await;
                }
                answered
            })
        })
        .collect();
    for _ in 0..8 {
        runtime.block_on(async { tokio::time::sleep(Duration::from_millis(250)).await });
        server.kill();
        (server, _) = start(&address);
    }
    let mut times: HashMap<String, u32> = HashMap::new();
    let mut answered = 0;
    for client in clients {
        for said in runtime.block_on(client).unwrap() {
            *times.entry(said).or_default() += 1;
            answered += 1;
        }
    }
    server.signal("TERM");
    assert_eq!(server.wait().code(), Some(0), "{}", server.printed());
    for said in wechat.told().into_values().flatten() {
        *times.entry(said).or_default() += 1;
    }
    let twice: Vec<_> = times.iter().filter(|(_, times)| **times > 1).collect();
    assert!(twice.is_empty(), "went out twice: {twice:?}");
    assert!(answered > 100, "{answered} were answers");
}

#[test]
fn the_first_48001_says_how_to_answer_without_the_api() {
    let wechat = StandIn::start();
    let rule = FaultRule {
        path: Some(SEND.to_owned()),
        host: None,
        open_id: None,
        when: When::Always,
        fault: Fault::Code {
            code: 48001,
            message: None,
        },
    };
    wechat.platform.lock().unwrap().add_fault(rule).unwrap();
    let directory = tempfile::tempdir().unwrap();
    let data_dir = directory.path().to_str().unwrap();
    let mut server = Program::start(&["serve"], &variables(&wechat.url, data_dir, "127.0.0.1:0"));
    let (address, admin) = server.ready();
    push_with(&mut pusher(&format!("http://{address}/wechat")), "hello");
    let line = server.line_with("WXHOOK__REPLY__PASSIVE_WITHIN");
    assert!(line.contains("48001"), "{line}");
    let ready = get(admin, "/readyz");
    assert!(
        ready.body.contains("reply.passive_within"),
        "{}",
        ready.body
    );
}
