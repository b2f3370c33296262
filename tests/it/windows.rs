//! Sending windows on the whole server, against a local WeChat that has them.

use std::net::TcpListener;
use std::sync::{Arc, Mutex};

use wxhook::app::{Exit, Server};
use wxhook::clock::{Clock, ManualClock, SystemClock};
use wxhook::config::Config;
use wxhook::id::{AppId, PushId};
use wxhook::protocol::push::{DedupeKey, Kind};
use wxhook::secret::{AppSecret, PushToken};
use wxhook::simulator::platform::{Fault, FaultRule, Platform, Settings, When, Windows};
use wxhook::simulator::pusher::{Feed, Gesture, Identity, Mode, Pusher, Verdict};
use wxhook::simulator::seal;
use wxhook::simulator::skin::Skin;
use wxhook::store::{
    Accepted, Attempt, Ended, Filter, Inbox, NewPush, Next, PartState, PushState, Settlement,
    Story, Ticket,
};
use wxhook::{Content, OpenId, Router};

use crate::main_job::{self, APP_ID, KEY, SECRET, TOKEN, variables};
use crate::support::{eventually, open_store, run};

/// A local WeChat with sending windows, and its push client.
struct WeChat {
    platform: Arc<Mutex<Platform>>,
    skin: Skin,
}

const SEND: &str = "/cgi-bin/message/custom/send";

impl WeChat {
    fn start(windows: Windows) -> Self {
        let app_id = AppId::parse(APP_ID).unwrap();
        let settings = Settings {
            windows,
            ..Settings::for_account(app_id, AppSecret::new(SECRET))
        };
        let platform = Arc::new(Mutex::new(Platform::new(settings, 1)));
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::start());
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let skin = Skin::start(listener, Arc::clone(&platform), clock).unwrap();
        Self { platform, skin }
    }

    /// A user acts: the window opens here, and the push goes out.
    fn push(&self, server: &Server, gesture: Gesture, open_id: &str) {
        self.push_all(server, [(gesture, open_id.to_owned())]);
    }

    /// Users act, one after another.
    fn push_all(&self, server: &Server, acts: impl IntoIterator<Item = (Gesture, String)>) {
        let identity = Identity {
            url: format!("http://{}/wechat", server.webhook_address()),
            app_id: AppId::parse(APP_ID).unwrap(),
            token: PushToken::new(TOKEN),
            key: Some(seal::decode_key(KEY).unwrap()),
            mode: Mode::Secure,
            original_id: "gh_5f2c9a7d10be".to_owned(),
        };
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::start());
        let seed = clock.now().milliseconds().unsigned_abs();
        let feed = Feed::Platform(Arc::clone(&self.platform));
        let mut pusher = Pusher::new(identity, clock, seed).unwrap().with_feed(feed);
        let runtime = tokio::runtime::Runtime::new().unwrap();
        for (gesture, open_id) in acts {
            let push = pusher.make(gesture, &open_id);
            let report = runtime.block_on(pusher.push(&push));
            assert!(matches!(report.verdict(), Verdict::Success), "{report:?}");
        }
    }

    /// Calls of custom/send, and the code of each answer.
    fn sends(&self) -> Vec<Option<i64>> {
        let platform = self.platform.lock().unwrap();
        let sends = platform.calls_after(0).filter(|call| call.path == SEND);
        sends.map(|call| call.code).collect()
    }

    /// Whom each message went to, in order.
    fn told(&self) -> Vec<String> {
        let platform = self.platform.lock().unwrap();
        let deliveries = platform.deliveries_after(0);
        deliveries
            .map(|delivery| delivery.open_id.to_string())
            .collect()
    }

    fn delivered(&self) -> usize {
        self.platform.lock().unwrap().deliveries_after(0).count()
    }
}

fn config(wechat: &WeChat, data_dir: &str, more: &[(&str, &str)]) -> Config {
    let more = [&[("WXHOOK__WINDOWS__CHECK", "true")], more].concat();
    main_job::config(wechat.skin.url(), data_dir, &more)
}

/// As many replies as the text says; four to a tap.
async fn count(Content(text): Content) -> Vec<String> {
    let count: usize = text.parse().unwrap();
    (1..=count).map(|number| number.to_string()).collect()
}

fn start(config: Config) -> Server {
    let routes = Router::<()>::new()
        .click("MENU", async || vec!["1", "2", "3", "4"])
        .fallback(count);
    Server::start(config, routes.with_state(()).unwrap()).unwrap()
}

fn click() -> Gesture {
    Gesture::Click {
        key: "MENU".to_owned(),
    }
}

/// Leaves a store behind that has seen everything for fifty hours.
fn grow_old(config: &Config) {
    let real: Arc<dyn Clock> = Arc::new(SystemClock::start());
    let then = real.now().seconds() - 50 * 60 * 60;
    let clock: Arc<dyn Clock> = Arc::new(ManualClock::at(then));
    let store = open_store(&config.store, &clock);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let room = Arc::clone(store.room()).acquire_owned().await.unwrap();
        let (ticket, outcome) = Ticket::once();
        let push = NewPush {
            account: AppId::parse(APP_ID).unwrap(),
            user: OpenId::new("oLongAgo"),
            kind: Kind::Message,
            key: DedupeKey([7; 16]),
            body: "<xml/>".into(),
            received_at: clock.now(),
            verified: "secure",
            malformed: None,
            ticket: None,
        };
        store.accept(push, room, ticket);
        let Ok(Accepted::Stored(push)) = outcome.await else {
            panic!("it is new");
        };
        let attempt = Attempt {
            number: 1,
            started_at: clock.now(),
            ended_at: clock.now(),
            route: "long ago".to_owned(),
            ended: Ended::Well,
            error: None,
            out_of_order: false,
        };
        let settlement = Settlement {
            push,
            run: 1,
            next: Next::Done,
            attempt,
            parts: Vec::new(),
            conversation: None,
        };
        store.settle(settlement).await.unwrap();
        store.close().await;
    });
}

/// What `wxhook inbox show --json` prints of the parts of a user's push: state, code and detail.
fn shown(data_dir: &str, user: &str) -> Vec<(String, Option<i64>, String)> {
    let environment = [("WXHOOK_DATA_DIR", data_dir)];
    let (code, out, err) = run(
        &["inbox", "list", "--json", "--user", user],
        &environment,
        "",
    );
    assert_eq!(code, 0, "{err}");
    let listed: serde_json::Value = serde_json::from_str(out.lines().last().unwrap()).unwrap();
    let id = listed["id"].as_str().unwrap();
    let (code, out, err) = run(&["inbox", "show", id, "--json"], &environment, "");
    assert_eq!(code, 0, "{err}");
    let story: serde_json::Value = serde_json::from_str(&out).unwrap();
    let part = |part: &serde_json::Value| {
        let text = |name: &str| part[name].as_str().unwrap_or_default().to_owned();
        (text("state"), part["error_code"].as_i64(), text("detail"))
    };
    story["parts"]
        .as_array()
        .unwrap()
        .iter()
        .map(part)
        .collect()
}

#[test]
fn the_sixth_and_the_fourth_reply_never_reach_wechat_and_a_restart_remembers() {
    let wechat = WeChat::start(Windows::On);
    let directory = tempfile::tempdir().unwrap();
    let data_dir = directory.path().to_str().unwrap();
    let config = || config(&wechat, data_dir, &[]);
    grow_old(&config());

    let server = start(config());
    wechat.push(&server, Gesture::Text("7".to_owned()), "oText");
    eventually("five replies", || (wechat.delivered() == 5).then_some(()));
    wechat.push(&server, click(), "oClick");
    eventually("three more", || (wechat.delivered() == 8).then_some(()));
    assert_eq!(server.stop(), Exit::Clean);
    assert_eq!(wechat.sends(), [Some(0); 8], "no call was in vain");

    let text = shown(data_dir, "oText");
    let sent = ("sent".to_owned(), None, String::new());
    assert_eq!(text[..5], vec![sent.clone(); 5]);
    for (state, code, detail) in &text[5..] {
        assert_eq!((state.as_str(), *code), ("refused", Some(45047)));
        let begins = "not sent: the window of 48 h is used up: 5 of 5 messages used; it closes at ";
        assert!(detail.starts_with(begins), "{detail}");
    }
    let click = shown(data_dir, "oClick");
    assert_eq!(click[..3], vec![sent; 3]);
    let begins = "not sent: the window of 1 min is used up: 3 of 3 messages used; it closes at ";
    assert!(click[3].2.starts_with(begins), "{click:?}");
    assert_eq!((text.len(), click.len()), (7, 4));

    // The next process knows it, though nobody has told it.
    let server = start(config());
    let id = pushes_of(&server, "oText")[0];
    let (code, _, err) = replay(data_dir, &server, id);
    assert_eq!(code, 0, "{err}");
    refused_in(&server, id, 2, 7);
    assert_eq!(server.stop(), Exit::Clean);
    assert_eq!(wechat.sends().len(), 8);
}

fn pushes_of(server: &Server, user: &str) -> Vec<PushId> {
    let filter = Filter {
        user: Some(OpenId::new(user)),
        ..Filter::default()
    };
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let pushes = runtime.block_on(server.inbox().list(filter)).unwrap();
    pushes.iter().map(|push| push.id).collect()
}

fn story(server: &Server, id: PushId) -> Story {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(server.inbox().story(id)).unwrap().unwrap()
}

/// Waits until so many parts of a run were refused.
fn refused_in(server: &Server, id: PushId, run: u32, count: usize) {
    eventually("they are refused", || {
        let parts = story(server, id).parts;
        let refused = parts.iter().filter(|part| part.key.run == run);
        let refused = refused.filter(|part| part.state == PartState::Refused);
        (refused.count() == count).then_some(())
    });
}

fn replay(data_dir: &str, server: &Server, id: PushId) -> (i32, String, String) {
    let admin = server.admin_address().to_string();
    let environment = [
        ("WXHOOK_DATA_DIR", data_dir),
        ("WXHOOK_ADMIN_LISTEN", admin.as_str()),
    ];
    let id = id.to_string();
    run(&["inbox", "replay", &id, "--force"], &environment, "")
}

#[test]
fn after_45047_the_server_agrees_with_wechat() {
    let wechat = WeChat::start(Windows::On);
    let directory = tempfile::tempdir().unwrap();
    let data_dir = directory.path().to_str().unwrap();
    // An account that is configured to have the old figures, and has not.
    let server = start(config(
        &wechat,
        data_dir,
        &[("WXHOOK__WINDOWS__MESSAGE", "20 in 48h")],
    ));
    wechat.push(&server, Gesture::Text("9".to_owned()), "oText");
    let id = pushes_of(&server, "oText")[0];
    refused_in(&server, id, 1, 4);
    let mut expected = vec![Some(0); 5];
    expected.push(Some(45047));
    assert_eq!(wechat.sends(), expected, "it is asked once");

    let (code, _, err) = replay(data_dir, &server, id);
    assert_eq!(code, 0, "{err}");
    refused_in(&server, id, 2, 9);
    assert_eq!(wechat.sends(), expected);

    // A new message opens it again, on both sides.
    wechat.push(&server, Gesture::Text("2".to_owned()), "oText");
    eventually("two more", || (wechat.delivered() == 7).then_some(()));
    assert_eq!(server.stop(), Exit::Clean);
    assert_eq!(wechat.sends().len(), 8);
}

#[test]
fn a_reply_in_a_window_of_a_minute_overtakes_a_thousand_in_windows_of_two_days() {
    let wechat = WeChat::start(Windows::On);
    let directory = tempfile::tempdir().unwrap();
    let data_dir = directory.path().to_str().unwrap();
    let one_at_a_time = [("WXHOOK__DISPATCH__SENDS", "1")];
    let routes = Router::<()>::new()
        .click("MENU", async || "hurry")
        .fallback(async || "take your time");
    let config = config(&wechat, data_dir, &one_at_a_time);
    let server = Server::start(config, routes.with_state(()).unwrap()).unwrap();
    let slow = FaultRule {
        path: Some(SEND.to_owned()),
        host: None,
        open_id: None,
        when: When::Always,
        fault: Fault::Delay { milliseconds: 200 },
    };
    wechat.platform.lock().unwrap().add_fault(slow).unwrap();
    let text = |number| (Gesture::Text("hello".to_owned()), format!("oText{number}"));
    wechat.push_all(&server, (0..1_200).map(text));
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let done = Filter {
        state: Some(PushState::Done),
        ..Filter::default()
    };
    eventually("all have their reply, or wait for it", || {
        let done = runtime.block_on(server.inbox().list(done.clone()));
        (done.unwrap().len() == 1_200).then_some(())
    });
    let before = wechat.delivered();
    assert!(
        before <= 200,
        "a thousand still wait, not {}",
        1_200 - before
    );
    wechat.push(&server, click(), "oClick");
    eventually("the hurried reply", || {
        let place = wechat.told().iter().position(|user| user == "oClick")?;
        // What was sent while its push came in and its handler ran: a few seconds at most.
        assert!(place - before <= 20, "{before}, then {place}");
        Some(())
    });

    // The others lose nothing but their place.
    wechat.platform.lock().unwrap().clear_faults();
    eventually("everybody's", || {
        (wechat.delivered() == 1_201).then_some(())
    });
    assert_eq!(server.stop(), Exit::Clean);
    let mut told = wechat.told();
    told.sort();
    told.dedup();
    assert_eq!(told.len(), 1_201, "each once");
    assert_eq!(wechat.sends(), [Some(0); 1_201]);
}

#[test]
fn a_user_who_unfollows_is_not_written_to() {
    let wechat = WeChat::start(Windows::Shared);
    let directory = tempfile::tempdir().unwrap();
    let data_dir = directory.path().to_str().unwrap();
    let shared = [("WXHOOK__WINDOWS__BUCKETS", "shared")];
    let server = start(config(&wechat, data_dir, &shared));
    // A message and a tap together allow five messages when they share them, not eight.
    wechat.push(&server, Gesture::Text("0".to_owned()), "oText");
    wechat.push(&server, click(), "oText");
    eventually("four", || (wechat.delivered() == 4).then_some(()));
    wechat.push(&server, Gesture::Unfollow, "oText");
    let pushes = pushes_of(&server, "oText");
    eventually("the end of following is seen", || {
        (story(&server, pushes[2]).push.state == PushState::Done).then_some(())
    });
    let (code, _, err) = replay(data_dir, &server, pushes[1]);
    assert_eq!(code, 0, "{err}");
    refused_in(&server, pushes[1], 2, 4);
    for part in &story(&server, pushes[1]).parts[4..] {
        let detail = part.detail.as_deref().unwrap();
        assert!(
            detail.starts_with("not sent: the user stopped to follow at "),
            "{detail}"
        );
    }
    assert_eq!(server.stop(), Exit::Clean);
    assert_eq!(wechat.delivered(), 4);
}

#[test]
fn what_an_operator_sends_uses_up_the_same_window() {
    let wechat = WeChat::start(Windows::On);
    let directory = tempfile::tempdir().unwrap();
    let data_dir = directory.path().to_str().unwrap();
    let config = config(&wechat, data_dir, &[]);
    grow_old(&config);
    let server = start(config);
    let admin = server.admin_address().to_string();
    let mut variables = variables(wechat.skin.url(), data_dir, "127.0.0.1:0");
    variables.push(("WXHOOK_ADMIN_LISTEN", &admin));
    let send = |user: &str| run(&["send", "--to", user, "--text", "a"], &variables, "");

    wechat.push(&server, Gesture::Text("3".to_owned()), "oText");
    eventually("three replies", || (wechat.delivered() == 3).then_some(()));
    for _ in 0..2 {
        let (code, _, err) = send("oText");
        assert_eq!(code, 0, "{err}");
    }
    let (code, _, err) = send("oText");
    assert_eq!(code, 1);
    let begins = "wxhook: not sent to oText: the window of 48 h is used up: 5 of 5 messages used; it closes at ";
    assert!(err.starts_with(begins), "{err}");
    let (code, _, err) = send("oSilent");
    assert_eq!(code, 1);
    assert!(err.contains("the user did nothing within 48 h"), "{err}");
    assert_eq!(wechat.sends(), [Some(0); 5], "no call was in vain");

    // One user's window stops nobody else's message in a file of them.
    wechat.push(&server, Gesture::Text("1".to_owned()), "oOther");
    eventually("one more", || (wechat.delivered() == 6).then_some(()));
    let line = |user: &str| {
        let text = serde_json::json!({ "content": "b" });
        format!(
            "{}\n",
            serde_json::json!({ "touser": user, "msgtype": "text", "text": text })
        )
    };
    let file = directory.path().join("batch.jsonl");
    std::fs::write(&file, line("oText") + &line("oOther") + &line("oSilent")).unwrap();
    let batch = ["send", "--batch", file.to_str().unwrap(), "--json"];
    let (code, out, err) = run(&batch, &variables, "");
    let report: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!(
        (code, &report["sent"]),
        (1, &serde_json::json!(1)),
        "{report}{err}"
    );
    let refused = serde_json::json!([
        { "errcode": 45015, "lines": [3] }, { "errcode": 45047, "lines": [1] },
    ]);
    assert_eq!(report["refused"], refused);

    // A message that WeChat surely did not take is given back; one that it refuses closes the window.
    let fault = |code, next| {
        let rule = FaultRule {
            path: Some(SEND.to_owned()),
            host: None,
            open_id: None,
            when: When::Next(next),
            fault: Fault::Code {
                code,
                message: None,
            },
        };
        wechat.platform.lock().unwrap().add_fault(rule).unwrap();
    };
    fault(48001, 1);
    assert_eq!(send("oOther").0, 1);
    for _ in 0..3 {
        let (code, _, err) = send("oOther");
        assert_eq!(code, 0, "{err}");
    }
    let (code, _, err) = send("oOther");
    assert_eq!(code, 1);
    assert!(err.contains("5 of 5 messages used"), "{err}");
    assert_eq!(server.stop(), Exit::Clean);
}
