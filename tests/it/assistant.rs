//! The sample's assistant on the real program: answers arrive while they are written, once, and whatever
//! the model's service does, its users are told something.

use std::sync::LazyLock;

use tokio::runtime::Runtime;
use wxhook::simulator::pusher::{Gesture, Pusher, Verdict};
use wxhook::store::embedded::View;
use wxhook::store::{Filter, PushState};

use crate::assistant::model::{Model, SENTENCE};
use crate::crash::pusher;
use crate::main_job::{StandIn, variables};
use crate::support::{Program, eventually, run};

mod model;

const API_KEY: &str = "sk-an-api-key-that-nobody-may-see";
const INTERRUPTED: &str = "抱歉，刚才的回答中断了，请再问一次。";
const UNAVAILABLE: &str = "抱歉，暂时无法回答，请稍后再试。";

/// A server whose assistant asks the stand-in of a model.
struct Stage {
    platform: StandIn,
    model: Model,
    directory: tempfile::TempDir,
}

impl Stage {
    fn set() -> Self {
        let stage = Self {
            platform: StandIn::start(),
            model: Model::start(),
            directory: tempfile::tempdir().unwrap(),
        };
        std::fs::write(stage.directory.path().join("key"), API_KEY).unwrap();
        stage
    }

    fn start(&self) -> (Program, String) {
        let data_dir = self.directory.path().join("data");
        let key = self.directory.path().join("key");
        let mut environment = variables(
            &self.platform.url,
            data_dir.to_str().unwrap(),
            "127.0.0.1:0",
        );
        environment.extend([
            (
                "WXHOOK__HANDLERS__ASSISTANT__ENDPOINT",
                self.model.url.as_str(),
            ),
            ("WXHOOK__HANDLERS__ASSISTANT__MODEL", "small"),
            (
                "WXHOOK__HANDLERS__ASSISTANT__KEY_FILE",
                key.to_str().unwrap(),
            ),
            ("WXHOOK__HANDLERS__ASSISTANT__PROMPT", "be brief"),
            ("WXHOOK__HANDLERS__ASSISTANT__SILENCE", "1s"),
            ("WXHOOK__HANDLERS__ASSISTANT__PER_MINUTE", "3"),
        ]);
        let mut program = Program::start(&["serve"], &environment);
        let (address, _) = program.ready();
        (program, format!("http://{address}/wechat"))
    }

    /// What a user was told, once there are so many messages; each was marked as made by a machine or not.
    fn told(&self, user: &str, count: usize) -> Vec<(String, bool)> {
        eventually(&format!("{user} is told {count}"), || {
            let platform = self.platform.platform.lock().unwrap();
            let deliveries = platform.deliveries_after(0);
            let told: Vec<(String, bool)> = deliveries
                .filter(|delivery| delivery.open_id == user)
                .map(|delivery| (delivery.content.clone().unwrap(), delivery.is_ai))
                .collect();
            assert!(told.len() <= count, "{user}: {told:?}");
            (told.len() == count).then_some(told)
        })
    }
}

fn write(pusher: &mut Pusher, user: &str, text: &str) {
    // One for all: a pusher keeps its connection, which belongs to the runtime that made it.
    static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| Runtime::new().unwrap());
    let push = pusher.make(Gesture::Text(text.to_owned()), user);
    let report = RUNTIME.block_on(pusher.push(&push));
    assert!(matches!(report.verdict(), Verdict::Success), "{report:?}");
}

#[test]
fn an_answer_is_said_while_it_is_written_and_remembered_and_other_routes_stay() {
    let stage = Stage::set();
    let (mut program, url) = stage.start();
    let mut pusher = pusher(&url, 1);
    // The service has not said more, and will not, until the user has the first message.
    write(&mut pusher, "oGate", "gate");
    assert_eq!(stage.told("oGate", 1), [(SENTENCE.repeat(6), true)]);
    stage.model.open_gate();
    assert_eq!(stage.told("oGate", 2)[1], (SENTENCE.repeat(4), true));

    write(&mut pusher, "oTalk", "one");
    assert_eq!(stage.told("oTalk", 1), [("答：one".to_owned(), true)]);
    write(&mut pusher, "oTalk", "two");
    stage.told("oTalk", 2);
    let (key, body) = stage.model.asked("two").remove(0);
    assert_eq!(key, format!("Bearer {API_KEY}"));
    let asked = serde_json::json!({
        "model": "small", "stream": true, "messages": [
            { "role": "system", "content": "be brief" },
            { "role": "user", "content": "one" },
            { "role": "assistant", "content": "答：one" },
            { "role": "user", "content": "two" },
        ]
    });
    assert_eq!(body, asked);
    let link = "<a href=\"https://evil.example\">";
    write(&mut pusher, "oTalk", link);
    let told = stage.told("oTalk", 3).remove(2).0;
    assert!(told.contains("evil") && !told.contains("<a"), "{told:?}");
    write(&mut pusher, "oTalk", "four in a minute");
    let refused = ("您问得太快了，请一分钟后再问。".to_owned(), false);
    assert_eq!(stage.told("oTalk", 4)[3], refused);
    assert!(stage.model.asked("four in a minute").is_empty());

    write(&mut pusher, "oTalk", "取消");
    assert_eq!(stage.told("oTalk", 5)[4].0, "已取消。");
    let printed = program.printed();
    assert!(!printed.contains(API_KEY), "{printed}");
}

#[test]
fn whatever_the_service_does_the_user_is_told_something_and_the_operator_why() {
    let stage = Stage::set();
    let (mut program, url) = stage.start();
    let mut pusher = pusher(&url, 2);
    let questions = [
        "cut", "stall", "endless", "busy", "broken", "denied", "page", "garbage",
    ];
    for question in questions {
        write(&mut pusher, &format!("o-{question}"), question);
    }
    let cut = "……（回答中断了，请再问一次）";
    for (question, said) in [
        ("cut", format!("说到一半\n{cut}")),
        ("stall", format!("说到这里\n{cut}")),
        ("busy", "答：busy".to_owned()),
        ("broken", "答：broken".to_owned()),
    ] {
        let told = stage.told(&format!("o-{question}"), 1);
        assert_eq!(told, [(said, true)], "{question}");
    }
    for question in ["denied", "page", "garbage"] {
        let told = stage.told(&format!("o-{question}"), 1);
        assert_eq!(told, [(UNAVAILABLE.to_owned(), false)], "{question}");
        assert_eq!(stage.model.asked(question).len(), 1, "{question}");
    }
    let endless = stage.told("o-endless", 4);
    assert!(endless[3].0.ends_with("。\n……（回答太长，到此为止）"));
    assert!(endless.iter().all(|(said, _)| said.len() <= 2048));
    for question in ["endless", "stall"] {
        eventually("the answer is hung up on", || {
            stage.model.was_left(question).then_some(())
        });
    }

    program.signal("TERM");
    program.wait();
    let view = View::open(&stage.directory.path().join("data")).unwrap();
    let dead = Filter {
        state: Some(PushState::Dead),
        ..Filter::default()
    };
    let mut reasons: Vec<String> = view
        .list(&dead)
        .unwrap()
        .iter()
        .map(|push| format!("{:?}", view.story(push.id).unwrap().unwrap().attempts))
        .collect();
    reasons.sort();
    assert_eq!(reasons.len(), 3, "{reasons:?}");
    let all = reasons.concat();
    for reason in [
        "HTTP 401, invalid_api_key",
        "no stream of events",
        "no piece of an answer",
    ] {
        assert!(all.contains(reason), "{reason}: {all}");
    }
    assert!(!all.contains("hush"), "{all}");
}

#[test]
fn an_answer_that_the_end_of_the_process_cut_is_not_continued_by_another_one() {
    let stage = Stage::set();
    let (mut program, url) = stage.start();
    write(&mut pusher(&url, 3), "oGate", "gate");
    stage.told("oGate", 1);
    program.kill();
    stage.model.open_gate();
    let (_program, _) = stage.start();
    let told = stage.told("oGate", 2);
    assert_eq!(told[0].0, SENTENCE.repeat(6));
    assert_eq!(told[1], (INTERRUPTED.to_owned(), false));
    assert_eq!(stage.model.asked("gate").len(), 1, "it is not asked again");
}

#[test]
fn what_is_wrong_with_the_assistants_settings_is_said_before_a_start() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("wxhook.toml");
    let account = "[accounts.default]\napp_id = \"wx0123456789abcdef\"\ntoken = \"token123\"\n";
    for (written, told) in [
        (
            "endpoint = \"ftp://x\"",
            "handlers.assistant.endpoint (file ",
        ),
        (
            "endpoint = \"https://api.example.com/v1\"",
            "handlers.assistant.model: is missing",
        ),
        (
            "endpoint = \"https://api.example.com/v1\"\nmodel = \"m\"\nturns = 21",
            "is not from 0 to 20",
        ),
        (
            "endpoint = \"https://api.example.com/v1\"\nmodel = \"m\"\nturn = 2",
            "did you mean handlers.assistant.turns?",
        ),
    ] {
        let text = format!("[handlers.assistant]\n{written}\n{account}");
        std::fs::write(&path, text).unwrap();
        let (code, _, err) = run(
            &["--config", path.to_str().unwrap(), "config", "check"],
            &[],
            "",
        );
        assert_eq!(code, 2, "{written}: {err}");
        assert!(err.contains(told), "{written}: {err}");
    }
}
