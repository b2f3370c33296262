//! `wxhook send` on the real program: one message, and files of them that are killed in the middle.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use wxhook::simulator::platform::{Fault, FaultRule, When};

use crate::shell::{NOBODY, Shell, refusal};
use crate::support::{Program, eventually, run};

const SEND: &str = "/cgi-bin/message/custom/send";

impl Shell {
    fn fault(&self, open_id: Option<&str>, when: When, fault: Fault) {
        self.rule(FaultRule {
            path: Some(SEND.to_owned()),
            host: None,
            open_id: open_id.map(str::to_owned),
            when,
            fault,
        });
    }

    /// A file of texts: as many as said, to so many users in turn.
    fn batch(&self, messages: usize, users: usize) -> PathBuf {
        let path = self.directory.path().join("batch.jsonl");
        let line = |number: usize| {
            let user = format!("oUser{}", number % users);
            format!(
                "{}\n",
                json!({ "touser": user, "msgtype": "text", "text": { "content": number.to_string() } })
            )
        };
        let text: String = (1..=messages).map(line).collect();
        std::fs::write(&path, text).unwrap();
        path
    }

    fn delivered(&self) -> u64 {
        self.platform.platform.lock().unwrap().delivery_count()
    }
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[test]
fn one_message_goes_through_the_server_or_without_one() {
    for shell in [Shell::beside_a_server(), Shell::alone()] {
        let (code, out, err) = shell.run(&["send", "--to", "oUser", "--text", "你好 <b>"]);
        assert_eq!(code, 0, "{err}");
        assert_eq!(out, "sent to oUser: a customer message\n");
        let menu = r#"{"touser":"x","msgtype":"msgmenu","msgmenu":{"head_content":"?","list":[{"id":"1","content":"是"}]}}"#;
        let sent = shell.json(&["send", menu, "--to", "oOther"]);
        assert_eq!(
            sent,
            json!({ "outcome": "sent", "touser": "oOther", "msgid": null })
        );
        let asked = shell.asked(|path| path == SEND);
        let bodies: Vec<&Value> = asked.iter().map(|(_, _, body)| body).collect();
        assert_eq!(
            bodies[0],
            &json!({ "touser": "oUser", "msgtype": "text", "text": { "content": "你好 <b>" } })
        );
        assert_eq!(
            (bodies[1]["touser"].as_str(), bodies.len()),
            (Some("oOther"), 2)
        );
        assert_eq!(shell.platform.platform.lock().unwrap().tokens().count(), 1);
    }
}

#[test]
fn a_message_that_is_refused_or_lost_says_which_it_is() {
    let shell = Shell::beside_a_server();
    shell.fault(Some("oGone"), When::Next(1), refusal(43004));
    let (code, out, err) = shell.run(&["send", "--to", "oGone", "--text", "a"]);
    assert_eq!((code, out.as_str()), (1, ""));
    assert!(err.contains("not sent to oGone: code 43004"), "{err}");
    let lost = Fault::LostAnswer {
        after_milliseconds: 0,
    };
    shell.fault(Some("oLost"), When::Next(1), lost);
    let (code, out, err) = shell.run(&["send", "--to", "oLost", "--text", "a", "--json"]);
    let told: Value = serde_json::from_str(&out).unwrap();
    assert_eq!((code, &told["outcome"]), (1, &json!("unknown")), "{err}");
    assert!(err.contains("it may have been sent to oLost"), "{err}");
    assert_eq!(shell.delivered(), 1, "it was, and once");
    for (arguments, expected) in [
        (&["send"][..], "required"),
        (&["send", "--text", "a"], "--to"),
        (&["send", "{"], "no JSON"),
        (&["send", "{}"], "touser is missing"),
        (&["send", "@/no/such/file"], "@/no/such/file: "),
        (&["send", "--batch", "/no/such/file"], "/no/such/file: "),
        (
            &["send", "--to", "o", "--text", "a", "--account", "other"],
            "no account \"other\"",
        ),
    ] {
        let (code, _, err) = shell.run(arguments);
        assert_eq!(code, 2, "{arguments:?}");
        assert!(err.contains(expected), "{arguments:?}: {err}");
    }
    assert_eq!(shell.delivered(), 1);
}

/// A batch of a thousand is killed again and again, and resumed: what the platform delivered, and what
/// the job says.
fn killed_and_resumed(shell: &Shell) {
    let file = shell.batch(1_000, 200);
    let arguments = |resume: bool| {
        let mut arguments = vec!["send", "--batch", text(&file), "--rate", "1000/s"];
        arguments.extend(["--job", "spring", "--json"]);
        arguments.extend(resume.then_some("--resume"));
        arguments
    };
    for (kill, wanted) in [150, 400, 650].into_iter().enumerate() {
        let mut program = Program::start(&arguments(kill > 0), &shell.variables());
        eventually("some are delivered", || {
            (shell.delivered() >= wanted).then_some(())
        });
        program.kill();
    }
    let before = shell.delivered();
    assert!(before < 1_000, "it was killed in the middle: {before}");
    let (code, out, err) = shell.run(&arguments(true));
    let report: Value = serde_json::from_str(&out).unwrap_or_else(|_| panic!("{out}{err}"));
    let unknown: BTreeSet<u64> = report["unknown"]
        .as_array()
        .unwrap()
        .iter()
        .map(|line| line.as_u64().unwrap())
        .collect();
    assert_eq!(code, i32::from(!unknown.is_empty()), "{report}{err}");
    assert!(
        unknown.len() <= 3 * 8,
        "at most what was under way: {report}"
    );
    assert_eq!(report["sent"], 1_000 - unknown.len(), "{report}");
    assert_eq!(
        (&report["left"], &report["refused"]),
        (&json!(0), &json!([]))
    );

    let mut times: BTreeMap<u64, u32> = BTreeMap::new();
    for texts in shell.platform.told().values() {
        let numbers: Vec<u64> = texts.iter().map(|text| text.parse().unwrap()).collect();
        assert!(numbers.is_sorted(), "one user's order: {numbers:?}");
        for number in numbers {
            *times.entry(number).or_default() += 1;
        }
    }
    for number in 1..=1_000 {
        match times.get(&number) {
            Some(1) => {}
            None => assert!(unknown.contains(&number), "{number} is lost without a word"),
            Some(times) => panic!("{number} was delivered {times} times"),
        }
    }
    // There is nothing left to do, and a job is not begun twice.
    let (_, again, _) = shell.run(&arguments(true));
    assert_eq!(serde_json::from_str::<Value>(&again).unwrap(), report);
    let (code, _, err) = shell.run(&arguments(false));
    assert_eq!(code, 2);
    assert!(err.contains("the job spring has begun before"), "{err}");
}

#[test]
fn a_batch_that_is_killed_in_the_middle_is_resumed_and_each_message_arrives_once_or_is_listed() {
    killed_and_resumed(&Shell::beside_a_server());
    killed_and_resumed(&Shell::alone());
}

#[test]
fn a_job_goes_on_only_with_its_own_file_and_a_faulty_file_sends_nothing() {
    let shell = Shell::alone();
    let file = shell.batch(3, 3);
    let (code, _, err) = shell.run(&["send", "--batch", text(&file), "--resume"]);
    assert_eq!(code, 2);
    assert!(err.contains("there is no job "), "{err}");
    let (code, out, err) = shell.run(&["send", "--batch", text(&file), "--job", "a"]);
    assert_eq!((code, out.as_str()), (0, "job a: 3 of 3 sent\n"), "{err}");
    shell.batch(4, 3);
    let (code, _, err) = shell.run(&["send", "--batch", text(&file), "--job", "a", "--resume"]);
    assert_eq!(code, 2);
    assert!(err.contains("the job a is of another file"), "{err}");
    std::fs::write(
        &file,
        "{\"touser\":\"o\",\"msgtype\":\"text\",\"text\":{}}\nnonsense\n",
    )
    .unwrap();
    let (code, _, err) = shell.run(&["send", "--batch", text(&file)]);
    assert_eq!(code, 2);
    assert!(err.contains("line 2: no JSON"), "{err}");
    assert_eq!(shell.delivered(), 3);
}

#[test]
fn what_one_user_is_refused_stops_nobody_and_what_all_are_refused_stops_the_batch() {
    let shell = Shell::beside_a_server();
    let file = shell.batch(30, 10);
    shell.fault(Some("oUser3"), When::Always, refusal(45015));
    // Whoever looks after the account takes the right away for a moment.
    shell.fault(Some("oUser1"), When::Nth(2), refusal(48001));
    let send = [
        "send",
        "--batch",
        text(&file),
        "--job",
        "a",
        "--rate",
        "1000/s",
    ];
    let (code, out, err) = shell.run(&[&send[..], &["--json", "--at-once", "1"]].concat());
    let report: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(code, 1);
    assert!(err.contains("stopped at line 11: code 48001"), "{err}");
    assert_eq!(
        report["refused"],
        json!([{ "errcode": 45015, "lines": [3] }])
    );
    assert_eq!((&report["sent"], &report["left"]), (&json!(9), &json!(20)));
    let (code, out, err) = shell.run(&[&send[..], &["--resume"]].concat());
    assert_eq!(code, 1, "{err}");
    assert!(out.contains("job a: 27 of 30 sent\n"), "{out}");
    assert!(out.contains("refused: 3 by 45015"), "{out}");
    assert!(out.contains("lines 3, 13, 23"), "{out}");
    assert_eq!(shell.delivered(), 27);
}

#[test]
fn a_lost_answer_is_unknown_and_sent_again_only_when_that_is_asked_for() {
    let shell = Shell::beside_a_server();
    let file = shell.batch(5, 5);
    let lost = Fault::LostAnswer {
        after_milliseconds: 0,
    };
    shell.fault(Some("oUser2"), When::Next(1), lost);
    let send = [
        "send",
        "--batch",
        text(&file),
        "--job",
        "a",
        "--rate",
        "1000/s",
    ];
    let (code, out, _) = shell.run(&send);
    assert_eq!(code, 1);
    assert!(
        out.contains("unknown: 1, which may have been sent: lines 2"),
        "{out}"
    );
    assert_eq!(shell.delivered(), 5);
    let (code, _, _) = shell.run(&[&send[..], &["--resume"]].concat());
    assert_eq!((code, shell.delivered()), (1, 5));
    let again = ["--resume", "--repeat-unknown"];
    let (code, out, _) = shell.run(&[&send[..], &again].concat());
    assert_eq!((code, out.as_str()), (0, "job a: 5 of 5 sent\n"));
    assert_eq!(shell.delivered(), 6);
}

#[test]
fn while_a_server_holds_the_directory_no_command_goes_past_it() {
    let mut shell = Shell::beside_a_server();
    shell.admin = NOBODY.to_owned();
    let (code, _, err) = shell.run(&["send", "--to", "o", "--text", "a"]);
    assert_eq!(code, 1);
    assert!(
        err.contains("no server answers at http://127.0.0.1:1 (admin.listen)"),
        "{err}"
    );
    assert!(err.contains("in use by"), "{err}");
    assert_eq!(shell.delivered(), 0);
    drop(shell.served.take());
}

#[test]
fn a_raw_call_prints_the_answer_or_the_meaning_of_the_code() {
    for shell in [Shell::beside_a_server(), Shell::alone()] {
        let body = r#"{"touser":"oUser","msgtype":"text","text":{"content":"raw"}}"#;
        let answer = shell.json(&["api", "post", SEND, "--body", body]);
        assert_eq!(answer["errcode"], 0, "{answer}");
        shell.fault(None, When::Next(1), refusal(45015));
        let (code, out, err) = shell.run(&["api", "POST", SEND, "--body", body, "--json"]);
        let refusal: Value = serde_json::from_str(&out).unwrap();
        assert_eq!((code, &refusal["errcode"]), (1, &json!(45015)));
        assert_eq!(refusal["surely_not_executed"], true);
        assert!(err.contains("code 45015 ("), "{err}");
        for (arguments, expected) in [
            (
                &["api", "get", "cgi-bin/x"][..],
                "path must begin with a slash",
            ),
            (&["api", "get", "/cgi-bin/token"], "access-token"),
            (
                &["api", "get", "/cgi-bin/x", "--query", "access_token=1"],
                "access_token",
            ),
            (
                &["api", "get", "/cgi-bin/x", "--body", "{}"],
                "body does not go with a GET",
            ),
            (&["api", "post", "/cgi-bin/x", "--body", "{"], "no JSON"),
        ] {
            let (code, _, err) = shell.run(arguments);
            assert_eq!(code, 2, "{arguments:?}");
            assert!(err.contains(expected), "{arguments:?}: {err}");
        }
        assert_eq!(shell.delivered(), 1);
    }
}

#[test]
fn a_batch_leaves_the_last_of_the_day_to_replies_and_commands_count_together() {
    let shell = Shell::alone();
    let file = shell.batch(150, 10);
    let mut variables = shell.variables();
    variables.push(("WXHOOK__QUOTA__LIMITS", "custom_send=100"));
    variables.push(("WXHOOK__QUOTA__RESERVE_PERCENT", "10"));
    let told = |arguments: &[&str]| run(arguments, &variables, "");
    for _ in 0..5 {
        let (code, _, err) = told(&["send", "--to", "oUser", "--text", "a"]);
        assert_eq!(code, 0, "{err}");
    }
    let send = [
        "send",
        "--batch",
        text(&file),
        "--job",
        "a",
        "--rate",
        "1000/s",
        "--json",
    ];
    for resume in [&[][..], &["--resume"]] {
        let (code, out, err) = told(&[&send[..], resume].concat());
        let report: Value = serde_json::from_str(&out).unwrap();
        assert_eq!(code, 1);
        assert!(err.contains("custom_send"), "{err}");
        // 100, less 10 for replies, less the 5 that other commands have sent.
        assert_eq!((&report["sent"], &report["left"]), (&json!(85), &json!(65)));
    }
    let (code, _, err) = told(&["send", "--to", "oUser", "--text", "a reply"]);
    assert_eq!(code, 0, "{err}");
    assert_eq!(shell.delivered(), 91);
}

#[test]
fn a_server_that_dies_under_a_batch_makes_nothing_arrive_twice() {
    let mut shell = Shell::beside_a_server();
    let file = shell.batch(1_000, 200);
    let send = [
        "send",
        "--batch",
        text(&file),
        "--job",
        "a",
        "--rate",
        "1000/s",
        "--json",
    ];
    let mut program = Program::start(&send, &shell.variables());
    eventually("some are delivered", || {
        (shell.delivered() >= 100).then_some(())
    });
    shell.served.as_mut().unwrap().program.kill();
    assert_eq!(program.wait().code(), Some(1), "{}", program.printed());
    assert!(shell.delivered() < 1_000);
    // No server runs any more: the rest goes without one.
    let (_, out, err) = shell.run(&[&send[..], &["--resume"]].concat());
    let report: Value = serde_json::from_str(&out).unwrap_or_else(|_| panic!("{out}{err}"));
    let unknown = report["unknown"].as_array().unwrap().len();
    assert!(unknown <= 2 * 8, "{report}");
    assert_eq!(
        (&report["left"], &report["refused"]),
        (&json!(0), &json!([])),
        "{report}{err}"
    );
    let told = shell.platform.told();
    let mut numbers: Vec<u64> = told
        .values()
        .flatten()
        .map(|text| text.parse().unwrap())
        .collect();
    numbers.sort_unstable();
    let delivered = numbers.len();
    numbers.dedup();
    assert_eq!(numbers.len(), delivered, "nothing arrived twice");
    let sent = usize::try_from(report["sent"].as_u64().unwrap()).unwrap();
    assert!(
        (sent..=sent + unknown).contains(&delivered),
        "{delivered}: {report}"
    );
}
