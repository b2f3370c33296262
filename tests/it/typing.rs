//! Users who wait see that an answer is being written, and nothing else depends on it.

use wxhook::clock::{Clock, SystemClock};
use wxhook::id::OpenId;
use wxhook::simulator::platform::{Fault, FaultRule, Scene, When};
use wxhook::simulator::pusher::{Gesture, Verdict};
use wxhook::store::embedded::View;
use wxhook::store::{Filter, PushState};

use crate::crash::pusher;
use crate::main_job::{StandIn, variables};
use crate::own::Own;
use crate::support::eventually;

pub(crate) mod slow;

const TYPING: &str = "/cgi-bin/message/custom/typing";

/// The calls that concern one user, in a word each: what was shown, with its code, and what was said.
fn calls(stand_in: &StandIn, user: &str) -> Vec<String> {
    let platform = stand_in.platform.lock().unwrap();
    platform
        .calls_after(0)
        .filter(|call| call.path.starts_with("/cgi-bin/message/custom/"))
        .filter_map(|call| {
            let body: serde_json::Value = serde_json::from_slice(&call.body).unwrap();
            (body["touser"] == user).then(|| match call.path.as_str() {
                TYPING => {
                    let command = body["command"].as_str().unwrap();
                    format!("{command} {}", call.code.unwrap())
                }
                _ => body["text"]["content"].as_str().unwrap().to_owned(),
            })
        })
        .collect()
}

#[test]
fn a_user_who_waits_for_an_answer_sees_that_it_is_being_written() {
    let stand_in = StandIn::start();
    let directory = tempfile::tempdir().unwrap();
    let mut environment = variables(
        &stand_in.url,
        directory.path().to_str().unwrap(),
        "127.0.0.1:0",
    );
    environment.push(("WXHOOK__DISPATCH__TYPING_AFTER", "2s"));
    let mut server = Own::Slow.start(&environment);
    let (address, _) = server.ready();
    {
        let mut platform = stand_in.platform.lock().unwrap();
        let refused = FaultRule {
            path: Some(TYPING.to_owned()),
            host: None,
            open_id: Some("oRefused".to_owned()),
            when: When::Always,
            fault: Fault::Code {
                code: 48001,
                message: None,
            },
        };
        platform.add_fault(refused).unwrap();
    }
    // Who writes what, whether the platform has just seen them write, and which calls come of it.
    let text = |text: &str| Gesture::Text(text.to_owned());
    let cases: [(&str, Gesture, bool, &[&str]); 9] = [
        ("oQuick", text("hello"), true, &["at once"]),
        ("oSlow", text("answer"), true, &["Typing 0", "after all"]),
        (
            "oSilent",
            text("say nothing"),
            true,
            &["Typing 0", "CancelTyping 0"],
        ),
        (
            "oFailing",
            text("fail"),
            true,
            &["Typing 0", "CancelTyping 0"],
        ),
        (
            "oLate",
            text("speak late"),
            true,
            &["Typing 0", "that was it"],
        ),
        (
            "oEarly",
            text("speak early"),
            true,
            &["a moment", "Typing 0", "here it is"],
        ),
        (
            "oTapping",
            Gesture::Click {
                key: "ORDER".to_owned(),
            },
            true,
            &["tapped"],
        ),
        (
            "oRefused",
            text("answer"),
            true,
            &["Typing 48001", "after all"],
        ),
        (
            "oForgotten",
            text("answer"),
            false,
            &["Typing 45080", "after all"],
        ),
    ];
    let mut pusher = pusher(&format!("http://{address}/wechat"), 1);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    for (user, gesture, is_seen, _) in &cases {
        if *is_seen {
            let now = SystemClock::start().now();
            let mut platform = stand_in.platform.lock().unwrap();
            platform.user_acted(now, &OpenId::new(*user), Scene::Message);
        }
        let push = pusher.make(gesture.clone(), user);
        let report = runtime.block_on(pusher.push(&push));
        assert!(matches!(report.verdict(), Verdict::Success), "{report:?}");
    }
    let view = View::open(directory.path()).unwrap();
    eventually("all pushes are settled", || {
        let settled = |state| {
            let state = Some(state);
            let filter = Filter {
                state,
                ..Filter::default()
            };
            view.list(&filter).unwrap().len()
        };
        (settled(PushState::Done) + settled(PushState::Dead) == cases.len()).then_some(())
    });
    server.signal("TERM");
    assert!(server.wait().success(), "{}", server.printed());
    for (user, _, _, expected) in cases {
        assert_eq!(calls(&stand_in, user), expected, "{user}");
    }
}
