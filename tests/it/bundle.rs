//! Templates and rules on the real program: checked before anything starts, swapped whole under load, kept
//! when what comes is broken.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::net::SocketAddr;
use std::os::unix::fs::symlink;
use std::path::Path;

use serde_json::{Value, json};

use crate::main_job::{APP_ID, KEY, Served, StandIn, TOKEN, variables};
use crate::support::{Program, eventually, get, run};

/// A mounted ConfigMap: every file is a link into `..data`, which is a link to the state of the moment.
struct Mount {
    directory: tempfile::TempDir,
    states: u32,
}

impl Mount {
    fn new() -> Self {
        Self {
            directory: tempfile::tempdir().unwrap(),
            states: 0,
        }
    }

    fn path(&self) -> &Path {
        self.directory.path()
    }

    /// Replaces everything at once, as a kubelet does.
    fn put(&mut self, files: &[(&str, &str)]) {
        self.states += 1;
        let state = format!("..state_{}", self.states);
        let old = fs::read_link(self.path().join("..data")).ok();
        fs::create_dir(self.path().join(&state)).unwrap();
        for (name, text) in files {
            fs::write(self.path().join(&state).join(name), text).unwrap();
        }
        symlink(&state, self.path().join("..data_tmp")).unwrap();
        fs::rename(self.path().join("..data_tmp"), self.path().join("..data")).unwrap();
        for (name, _) in files {
            // Those of earlier states are there already.
            drop(symlink(
                Path::new("..data").join(name),
                self.path().join(name),
            ));
        }
        if let Some(old) = old {
            fs::remove_dir_all(self.path().join(old)).unwrap();
        }
    }

    /// Two templates and a rule, all of one version.
    fn put_version(&mut self, version: u32) {
        let part =
            |which: &str| format!("{{# needs: version #}}{which} {{{{ version }}}} {version}\n");
        self.put(&[
            ("a.txt", &part("a")),
            ("b.txt", &part("b")),
            ("foot.inc", "unused\n"),
            (
                "rules.toml",
                &format!(
                    "[[rule]]\nname = \"all\"\non = \"text\"\nrender = [\"a.txt\", \"b.txt\"]\nwith = {{ version = {version} }}\n\
                     [[rule]]\nname = \"hello\"\non = \"subscribe\"\nsay = \"欢迎 {version}\"\n"
                ),
            ),
        ]);
    }
}

/// A server whose templates and rules are in a directory.
fn serve_with(stand_in: &StandIn, directory: &Path) -> Served {
    let data_dir = tempfile::tempdir().unwrap();
    let rules = directory.join("rules.toml");
    let mut environment = variables(
        &stand_in.url,
        data_dir.path().to_str().unwrap(),
        "127.0.0.1:0",
    );
    environment.extend(bundle_variables(directory, &rules));
    let mut program = Program::start(&["serve"], &environment);
    let (webhook, admin) = program.ready();
    Served {
        program,
        data_dir,
        webhook,
        admin,
    }
}

fn bundle_variables<'a>(directory: &'a Path, rules: &'a Path) -> [(&'static str, &'a str); 3] {
    [
        ("WXHOOK__RENDER__DIR", directory.to_str().unwrap()),
        ("WXHOOK__RENDER__LOOK_EVERY", "100ms"),
        ("WXHOOK__RULES__FILE", rules.to_str().unwrap()),
    ]
}

/// Has the push client push, and gives what it says.
fn push(webhook: SocketAddr, what: &[&str]) -> String {
    let url = format!("http://{webhook}/wechat");
    let to = [
        "simulate",
        "push",
        "--url",
        &url,
        "--app-id",
        APP_ID,
        "--token",
        TOKEN,
        "--encoding-aes-key",
        KEY,
    ];
    let (code, out, err) = run(&[&to[..], what].concat(), &[], "");
    assert_eq!(code, 0, "{out}{err}");
    out
}

fn ready(admin: SocketAddr) -> Value {
    let answer = get(admin, "/readyz");
    assert_eq!(answer.status, 200, "{}", answer.body);
    serde_json::from_str(&answer.body).unwrap()
}

/// Waits until a user was told something that is wanted, and gives all that this user was told.
fn told(stand_in: &StandIn, user: &str, wanted: &str) -> Vec<String> {
    eventually(wanted, || {
        let told = stand_in.told().remove(user)?;
        told.iter().any(|text| text == wanted).then_some(told)
    })
}

#[test]
fn every_answer_under_load_is_of_one_bundle_while_a_mounted_directory_is_replaced_again_and_again()
{
    let stand_in = StandIn::start();
    let mut mount = Mount::new();
    mount.put_version(1);
    let served = serve_with(&stand_in, mount.path());
    let (pushes, webhook) = (600_u64, served.webhook);
    let last = std::thread::scope(|scope| {
        let load = scope.spawn(|| {
            let count = pushes.to_string();
            push(
                webhook,
                &[
                    "--text",
                    "{number}",
                    "--count",
                    &count,
                    "--rate",
                    "120",
                    "--users",
                    "40",
                    "--connections",
                    "4",
                ],
            );
        });
        let mut version = 1;
        while !load.is_finished() {
            let used = version;
            // The next one comes when the last one has been taken up, so that none is passed over.
            eventually("the version is used", || {
                let swaps = ready(served.admin)["bundle"]["swaps"].as_u64().unwrap_or(0);
                (load.is_finished() || swaps + 1 >= u64::from(used)).then_some(())
            });
            version += 1;
            mount.put_version(version);
        }
        load.join().unwrap();
        version
    });
    let expected = usize::try_from(pushes).unwrap() * 2;
    eventually("all answers", || {
        (stand_in.platform.lock().unwrap().delivery_count() >= expected as u64).then_some(())
    });
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    for (user, texts) in stand_in.told() {
        assert_eq!(texts.len() % 2, 0, "{user}");
        for pair in texts.chunks(2) {
            let version = pair[0].rsplit(' ').next().unwrap();
            assert_eq!(
                pair,
                [
                    format!("a {version} {version}"),
                    format!("b {version} {version}")
                ]
            );
            *seen.entry(version.to_owned()).or_default() += 1;
        }
    }
    assert_eq!(seen.values().sum::<usize>() * 2, expected);
    assert!(seen.len() >= 3, "{seen:?}");

    // The newest one is the one that stays.
    let wanted = format!("b {last} {last}");
    eventually("the last version", || {
        push(served.webhook, &["--text", "hi", "--user", "oLAST"]);
        let told = stand_in.told().remove("oLAST")?;
        told.contains(&wanted).then_some(())
    });
}

#[test]
fn a_broken_bundle_is_told_and_the_old_one_answers_until_it_is_mended() {
    let stand_in = StandIn::start();
    let mut mount = Mount::new();
    mount.put_version(1);
    let mut served = serve_with(&stand_in, mount.path());
    let bundle = &ready(served.admin)["bundle"];
    assert_eq!(bundle["broken"], json!(false), "{bundle}");
    assert_eq!(
        (&bundle["templates"], &bundle["rules"]),
        (&json!(2), &json!(2))
    );

    mount.put(&[
        ("a.txt", "{{ push.contnet }}"),
        (
            "rules.toml",
            "[[rule]]\nname = \"x\"\non = \"text\"\nsey = \"a\"\n",
        ),
    ]);
    served
        .program
        .line_with("cannot be used, so the old ones stay");
    let bundle = eventually("it is told", || {
        let ready = ready(served.admin);
        (ready["bundle"]["broken"] == json!(true)).then_some(ready)
    });
    assert_eq!(bundle["aside"]["wxhook_bundle_broken"], json!(1));
    let faults = bundle["bundle"]["faults"].as_array().unwrap();
    let has = |part: &str| {
        faults
            .iter()
            .any(|fault| fault.as_str().unwrap().contains(part))
    };
    assert!(
        has("a.txt:1: push.contnet does not exist; did you mean push.content?"),
        "{faults:?}"
    );
    assert!(
        has("rules.toml:4: rule \"x\": sey is not known; did you mean say?"),
        "{faults:?}"
    );
    push(served.webhook, &["--text", "hi", "--user", "oOLD"]);
    assert_eq!(told(&stand_in, "oOLD", "b 1 1"), ["a 1 1", "b 1 1"]);

    mount.put_version(2);
    eventually("it is mended", || {
        let ready = ready(served.admin);
        (ready["bundle"]["broken"] == json!(false)
            && ready["aside"]["wxhook_bundle_broken"] == json!(0))
        .then_some(())
    });
    push(served.webhook, &["--text", "hi", "--user", "oNEW"]);
    assert_eq!(told(&stand_in, "oNEW", "b 2 2"), ["a 2 2", "b 2 2"]);
}

#[test]
fn files_that_are_not_whole_stop_the_start_and_the_check_with_every_fault() {
    let directory = tempfile::tempdir().unwrap();
    let rules = directory.path().join("rules.toml");
    fs::write(directory.path().join("a.txt"), "ok\n{{ order }}\n").unwrap();
    fs::write(
        &rules,
        "[[rule]]\nname = \"x\"\nclick = \"A\"\nrender = \"b.txt\"\n",
    )
    .unwrap();
    let data_dir = directory.path().join("data");
    let mut environment = variables(
        "http://127.0.0.1:1",
        data_dir.to_str().unwrap(),
        "127.0.0.1:0",
    );
    environment.extend(bundle_variables(directory.path(), &rules));
    let fault = "a.txt:2: \"order\" is not known; add it to the first line: {# needs: order #}";
    for (arguments, expected) in [
        (&["serve"][..], 2),
        (&["config", "check"], 2),
        (&["render", "--check"], 1),
        (&["rules", "check"], 1),
    ] {
        let (code, out, err) = run(arguments, &environment, "");
        assert_eq!(code, expected, "{arguments:?}: {out}{err}");
        assert!(err.contains(fault), "{arguments:?}: {err}");
    }
    fs::write(
        directory.path().join("a.txt"),
        "{# needs: order #}ok\n{{ order }}\n",
    )
    .unwrap();
    let (code, out, _) = run(&["render", "--check", "--json"], &environment, "");
    let told: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(code, 1);
    assert_eq!(told["ok"], json!(false));
    assert_eq!(told["faults"][0]["file"], "rules.toml");
    assert_eq!(told["faults"][0]["line"], 1);

    fs::write(&rules, "").unwrap();
    let (code, out, err) = run(&["render", "--check"], &environment, "");
    assert_eq!(code, 0, "{err}");
    assert!(out.starts_with("a.txt  needs order\n"), "{out}");
    let (code, out, err) = run(&["rules", "check", "--json"], &environment, "");
    assert_eq!(code, 0, "{err}");
    let told: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(
        told["templates"],
        json!([{ "name": "a.txt", "needs": ["order"], "locales": [] }])
    );

    fs::remove_file(&rules).unwrap();
    let (code, _, err) = run(&["render", "--check"], &environment, "");
    assert_eq!(code, 1);
    assert!(
        err.contains("name the file of rules in rules.file"),
        "{err}"
    );
    let (code, out, err) = run(&["render", "--check"], &[], "");
    assert_eq!(
        (code, err.as_str()),
        (0, ""),
        "what nobody names need not be there: {out}"
    );
}

#[test]
fn render_shows_what_would_be_sent() {
    let directory = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| fs::write(directory.path().join(name), text).unwrap();
    write(
        "hi.txt",
        "{# needs: n #}{{ user.openid }}: {{ push.content|default(push.event) }} {{ n }}\n",
    );
    write(
        "hi.en.txt",
        "{# needs: n #}hello {{ n }} from {{ account.name }}\n",
    );
    write(
        "card.json",
        r#"{"msgtype":"image","image":{"media_id":"{{ push.media_id }}"}}"#,
    );
    write("quiet.txt", "{% if false %}x{% endif %}");
    let directory = directory.path().to_str().unwrap();
    let environment = [
        ("WXHOOK__RENDER__DIR", directory),
        ("WECHAT_APP_ID", APP_ID),
        ("WECHAT_TOKEN", TOKEN),
    ];
    let render = |arguments: &[&str], input: &str| {
        run(&[&["render"], arguments].concat(), &environment, input)
    };
    let fixture = |name: &str| format!("{}/tests/fixtures/push/{name}", env!("CARGO_MANIFEST_DIR"));
    let follow = fixture("event_subscribe_plain.xml");
    for (arguments, expected) in [
        (&["hi.txt", "--with", "n=1"][..], "oUSER: 你好 1\n"),
        (
            &["hi.txt", "--with", "{\"n\":\"two\"}", "--text", "a ]]> b"],
            "oUSER: a ]]> b two\n",
        ),
        (
            &["hi.txt", "--with", "n=1", "--locale", "en_GB"],
            "hello 1 from default\n",
        ),
        (&["quiet.txt"], "(nothing is said)\n"),
        (&["quiet.txt", "--json"], ""),
    ] {
        let (code, out, err) = render(arguments, "");
        assert_eq!((code, out.as_str()), (0, expected), "{arguments:?}: {err}");
    }
    let (code, out, err) = render(&["hi.txt", "--with", "n=1", "--push", &follow], "");
    assert_eq!(code, 0, "{err}");
    assert!(out.ends_with(": subscribe 1\n"), "{out}");
    let image = fs::read_to_string(fixture("msg_image.xml")).unwrap();
    let (code, out, err) = render(&["card.json", "--push", "-"], &image);
    assert_eq!(code, 0, "{err}");
    let message: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(message["msgtype"], "image");
    assert!(!message["image"]["media_id"].as_str().unwrap().is_empty());
    for (arguments, code, part) in [
        (
            &["hi.txt"][..],
            1,
            "hi.txt:1: needs \"n\", which was not given",
        ),
        (
            &["hey.txt"],
            1,
            "there is no template \"hey.txt\"; did you mean \"hi.txt\"?",
        ),
        (
            &["card.json"],
            1,
            "card.json:1: `push.media_id` is undefined",
        ),
        (
            &["hi.txt", "--with", "n"],
            2,
            "write NAME=VALUE, or a JSON object",
        ),
        (
            &["hi.txt", "--account", "shop"],
            2,
            "there is no such account; there is: default",
        ),
        (
            &["hi.txt", "--locale", "zh-CN"],
            2,
            "a language is written like zh_CN",
        ),
        (&[], 2, "--check"),
    ] {
        let (found, out, err) = render(arguments, "");
        assert_eq!(found, code, "{arguments:?}: {out}{err}");
        assert!(err.contains(part), "{arguments:?}: {err}");
    }
}

#[test]
fn code_comes_before_rules_rules_before_fallback_and_try_counts_all_of_them() {
    let stand_in = StandIn::start();
    let directory = tempfile::tempdir().unwrap();
    let rules = directory.path().join("rules.toml");
    // The sample bot has routes for 帮助, 查 …, ORDER and follows, and a fallback that says everything back.
    let text = "[[rule]]\nname = \"help\"\nexact = \"帮助\"\nsay = \"规则\"\n\
                [[rule]]\nname = \"price\"\ncontains = \"多少钱\"\nsay = \"十元\"\n\
                [[rule]]\nname = \"away\"\nclick = \"KF\"\nsay = \"电话\"\n";
    fs::write(&rules, text).unwrap();
    let served = serve_with(&stand_in, directory.path());
    for text in ["帮助", "这个多少钱", "在吗", "在吗", "您好"] {
        push(served.webhook, &["--text", text, "--user", "oU"]);
    }
    push(
        served.webhook,
        &["--event", "CLICK", "--key", "KF", "--user", "oU"],
    );
    let told = told(&stand_in, "oU", "电话");
    assert_eq!(told.len(), 6);
    assert!(told[0].starts_with("发送"), "code: {}", told[0]);
    assert_eq!(
        told[1..],
        ["十元", "您说：在吗", "您说：在吗", "您说：您好", "电话"]
    );

    let data_dir = served.data_dir.path().to_str().unwrap();
    let mut environment = vec![("WXHOOK_DATA_DIR", data_dir)];
    environment.extend(bundle_variables(directory.path(), &rules));
    let (code, out, err) = run(
        &["rules", "try", "--since", "1h", "--json"],
        &environment,
        "",
    );
    assert_eq!(code, 0, "{err}");
    assert_eq!(
        serde_json::from_str::<Value>(&out).unwrap(),
        json!({
            "pushes": 6,
            "rules": [
                { "rule": "help", "pushes": 0 },
                { "rule": "price", "pushes": 1 },
                { "rule": "away", "pushes": 1 },
            ],
            "code": [{ "route": "text \"帮助\"", "pushes": 1 }],
            "rest": [{ "route": "fallback", "pushes": 3 }],
            "nothing": 0,
            "unmatched": [{ "text": "在吗", "pushes": 2 }, { "text": "您好", "pushes": 1 }],
        })
    );
    let (code, out, err) = run(
        &["rules", "try", "--since", "yesterday", "--limit", "1"],
        &environment,
        "",
    );
    assert_eq!(code, 0, "{err}");
    let lines: BTreeSet<&str> = out.lines().map(str::trim).collect();
    for line in [
        "1  rule \"price\"",
        "3  code, after the rules: fallback",
        "2  \"在吗\"",
        "and 1 others; --limit shows more",
    ] {
        assert!(lines.contains(line), "{line}: {out}");
    }
    let (code, out, _) = run(&["inbox", "list", "--json"], &environment, "");
    assert_eq!(code, 0);
    let id = |line: &str| {
        serde_json::from_str::<Value>(line).unwrap()["id"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    let id = id(out.lines().nth(1).unwrap());
    let (_, out, _) = run(&["inbox", "show", &id, "--json"], &environment, "");
    let story: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(story["attempts"][0]["route"], "rule price");
    let (code, _, err) = run(&["rules", "try", "--since", "monday"], &environment, "");
    assert_eq!(code, 2);
    assert!(err.contains("yesterday, today"), "{err}");
}

#[test]
fn a_server_without_templates_and_rules_looks_for_them_and_takes_them_when_they_come() {
    let stand_in = StandIn::start();
    let directory = tempfile::tempdir().unwrap();
    let data_dir = directory.path().join("data");
    let environment = [
        variables(&stand_in.url, data_dir.to_str().unwrap(), "127.0.0.1:0"),
        vec![("WXHOOK__RENDER__LOOK_EVERY", "100ms")],
    ]
    .concat();
    let mut start = crate::support::command(&["serve"], &environment);
    let mut program = Program::spawn(start.current_dir(directory.path()));
    let (webhook, admin) = program.ready();
    let served = Served {
        program,
        data_dir: tempfile::tempdir().unwrap(),
        webhook,
        admin,
    };
    push(served.webhook, &["--text", "hi", "--user", "oU"]);
    assert_eq!(told(&stand_in, "oU", "您说：hi"), ["您说：hi"]);
    fs::create_dir(directory.path().join("templates")).unwrap();
    fs::write(directory.path().join("templates/a.txt"), "template").unwrap();
    let rule = "[[rule]]\nname = \"a\"\non = \"text\"\nrender = \"a.txt\"\n";
    fs::write(directory.path().join("rules.toml"), rule).unwrap();
    eventually("they are used", || {
        (ready(served.admin)["bundle"]["rules"] == json!(1)).then_some(())
    });
    push(served.webhook, &["--text", "hi", "--user", "oV"]);
    assert_eq!(told(&stand_in, "oV", "template"), ["template"]);
}
