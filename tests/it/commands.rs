//! The commands, as a person at a shell meets them.

use std::process::Command;

use serde_json::{Value, json};
use wxhook::simulator::seal;

use crate::main_job::{APP_ID, KEY, SECRET, Served, StandIn, TOKEN, serve, variables};
use crate::support::{Program, command, eventually, run};

const TEXT: &str = "<xml><ToUserName><![CDATA[gh_5f2c9a7d10be]]></ToUserName>\
    <FromUserName><![CDATA[oUser]]></FromUserName><CreateTime>1718000001</CreateTime>\
    <MsgType><![CDATA[text]]></MsgType><Content><![CDATA[a <b> & c😀]]></Content>\
    <MsgId>24601234567890123</MsgId><Deep><item>1</item><item>2</item></Deep></xml>";

fn account<'a>() -> Vec<(&'a str, &'a str)> {
    vec![
        ("WECHAT_APP_ID", APP_ID),
        ("WECHAT_TOKEN", TOKEN),
        ("WECHAT_ENCODING_AES_KEY", KEY),
    ]
}

/// `wxhook simulate push` to a server that runs: its exit code and output.
fn simulate(served: &Served, what: &[&str]) -> (i32, String, String) {
    let url = format!("http://{}/wechat", served.webhook);
    let arguments = [
        &[
            "simulate", "push", "--url", &url, "--app-id", APP_ID, "--token", TOKEN,
        ],
        &["--encoding-aes-key", KEY][..],
        what,
    ];
    run(&arguments.concat(), &[], "")
}

fn look(served: &Served, arguments: &[&str]) -> (i32, String, String) {
    let directory = served.data_dir.path().to_str().unwrap();
    run(arguments, &[("WXHOOK_DATA_DIR", directory)], "")
}

#[test]
fn decode_turns_an_inner_document_into_lossless_json() {
    let (code, out, err) = run(&["decode"], &account(), TEXT);
    assert_eq!(code, 0, "{err}");
    let decoded: Value = serde_json::from_str(&out).unwrap();
    let key = &decoded["dedupe_key"];
    assert_eq!(key.as_str().unwrap().len(), 32);
    assert_eq!(
        decoded,
        json!({
            "id": null, "account": APP_ID, "kind": "message", "msg_type": "text", "event": null,
            "from": "oUser", "to": "gh_5f2c9a7d10be", "create_time": 1_718_000_001,
            "msg_id": "24601234567890123", "dedupe_key": key, "state": null,
            "typed": {
                "content": "a <b> & c😀", "bizmsgmenuid": null, "msg_data_id": null, "idx": null,
                "business_id": null,
            },
            "fields": {
                "ToUserName": "gh_5f2c9a7d10be", "FromUserName": "oUser", "CreateTime": "1718000001",
                "MsgType": "text", "Content": "a <b> & c😀", "MsgId": "24601234567890123",
                "Deep/item[0]": "1", "Deep/item[1]": "2",
            },
        })
    );
}

#[test]
fn decode_opens_a_sealed_body_with_the_accounts_key_and_says_why_it_cannot() {
    let key = seal::decode_key(KEY).unwrap();
    let sealed = seal::seal(&key, APP_ID, [7; 16], TEXT.as_bytes());
    let body = format!("<xml><Encrypt><![CDATA[{sealed}]]></Encrypt></xml>");
    let signature = seal::sign(&[TOKEN, "1718000002", "77"]);
    let msg_signature = seal::sign(&[TOKEN, "1718000002", "77", &sealed]);
    let query = format!(
        "signature={signature}&timestamp=1718000002&nonce=77&encrypt_type=aes&msg_signature={msg_signature}"
    );
    let (code, out, err) = run(&["decode", "--query", &query], &account(), &body);
    assert_eq!(code, 0, "{err}");
    let decoded: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(decoded["fields"]["Content"], "a <b> & c😀");

    let mut other = account();
    other[1].1 = "anothertoken";
    let (code, out, err) = run(&["decode", "--query", &query], &other, &body);
    assert_eq!((code, out.as_str()), (1, ""));
    assert_eq!(
        err,
        "wxhook: not authentic: the signature is wrong; is the Token right?\n"
    );
}

#[test]
fn decode_of_what_cannot_be_read_is_malformed_with_its_reason_and_exit_code_1() {
    let (code, out, _) = run(
        &["decode"],
        &account(),
        "<xml><MsgType>text</MsgType></xml>",
    );
    let decoded: Value = serde_json::from_str(&out).unwrap();
    assert_eq!((code, &decoded["kind"]), (1, &json!("malformed")));
    assert!(
        decoded["malformed"]
            .as_str()
            .unwrap()
            .contains("FromUserName"),
        "{out}"
    );
}

#[test]
fn inbox_and_dead_letters_are_read_beside_a_running_server() {
    let stand_in = StandIn::start();
    let served = serve(&stand_in.url);
    let (code, out, err) = simulate(&served, &["--text", "你好"]);
    assert_eq!(code, 0, "{out}{err}");
    // A number that no order has: the handler's argument cannot be made, so the push is given up.
    simulate(&served, &["--text", "查 99999999999999999999999"]);
    let dead = eventually("a dead letter", || {
        let (code, out, _) = look(&served, &["dead", "list"]);
        assert_eq!(code, 0);
        (!out.starts_with("no push")).then_some(out)
    });
    assert!(
        dead.contains("number"),
        "the reason names the group: {dead}"
    );

    let listed = eventually("the first push is done", || {
        let (_, out, _) = look(&served, &["inbox", "list", "--state", "done", "--json"]);
        (out.lines().count() == 1).then_some(out)
    });
    let first: Value = serde_json::from_str(&listed).unwrap();
    let id = first["id"].as_str().unwrap();
    let shown = eventually("the reply is recorded", || {
        let (_, out, _) = look(&served, &["inbox", "show", id, "--json"]);
        let shown: Value = serde_json::from_str(&out).unwrap();
        (shown["parts"][0]["state"] == "sent").then_some(shown)
    });
    assert_eq!(shown["verified"], "secure");
    assert_eq!(shown["attempts"][0]["route"], "fallback");
    assert_eq!(
        shown["parts"][0]["message"]["text"]["content"],
        "您说：你好"
    );
    let (code, text, _) = look(&served, &["inbox", "show", id]);
    assert_eq!(code, 0);
    for part in [
        "verified: secure",
        "fallback",
        "sent",
        "您说：你好",
        "<Content><![CDATA[你好]]>",
    ] {
        assert!(text.contains(part), "{part} in {text}");
    }
    let (code, _, err) = look(&served, &["inbox", "show", "5"]);
    assert_eq!(code, 1);
    assert!(err.contains("there is no push 5"), "{err}");
}

#[test]
fn a_push_is_handled_again_by_the_running_server_or_by_the_next_one() {
    let stand_in = StandIn::start();
    let mut served = serve(&stand_in.url);
    simulate(&served, &["--text", "again"]);
    let id = eventually("it is done", || {
        let (_, out, _) = look(&served, &["inbox", "list", "--state", "done", "--json"]);
        let first: Value = serde_json::from_str(out.lines().next()?).unwrap();
        Some(first["id"].as_str().unwrap().to_owned())
    });
    let admin = served.admin.to_string();
    let directory = served.data_dir.path().to_str().unwrap().to_owned();
    let asked = [
        ("WXHOOK_DATA_DIR", directory.as_str()),
        ("WXHOOK_ADMIN_LISTEN", admin.as_str()),
    ];
    let replay = |arguments: &[&str]| run(&[&["inbox", "replay"], arguments].concat(), &asked, "");
    let told = |times| {
        let count = || stand_in.told().values().flatten().count();
        eventually("the replies", || (count() == times).then_some(()));
    };
    told(1);
    let (code, _, err) = replay(&[&id]);
    assert_eq!(code, 1);
    assert!(err.contains("was handled already; --force"), "{err}");
    let (code, _, err) = replay(&["5"]);
    assert_eq!(code, 1);
    assert!(err.contains("there is no push 5"), "{err}");
    let (code, out, err) = replay(&[&id, "--force"]);
    assert_eq!(code, 0, "{err}");
    assert!(out.contains("the running server handles it now"), "{out}");
    told(2);

    served.program.signal("TERM");
    assert_eq!(served.program.wait().code(), Some(0));
    let (code, out, err) = replay(&[&id, "--force"]);
    assert_eq!(code, 0, "{err}");
    assert!(out.contains("the next `wxhook serve` handles it"), "{out}");
    let mut program = Program::start(
        &["serve"],
        &variables(&stand_in.url, &directory, "127.0.0.1:0"),
    );
    program.ready();
    told(3);
}

#[test]
fn dead_letters_are_counted_chosen_replayed_and_discarded_with_and_without_a_server() {
    let stand_in = StandIn::start();
    let mut served = serve(&stand_in.url);
    for number in 0..3 {
        simulate(
            &served,
            &["--text", &format!("查 9999999999999999999999{number}")],
        );
    }
    let admin = served.admin.to_string();
    let directory = served.data_dir.path().to_str().unwrap().to_owned();
    let asked = [
        ("WXHOOK_DATA_DIR", directory.as_str()),
        ("WXHOOK_ADMIN_LISTEN", admin.as_str()),
    ];
    let dead = |arguments: &[&str]| run(&[&["dead"], arguments].concat(), &asked, "");
    let list = |arguments: &[&str]| -> Vec<Value> {
        let (code, out, err) = dead(&[&["list", "--json"], arguments].concat());
        assert_eq!(code, 0, "{err}");
        out.lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    };
    let first = eventually("three dead pushes", || {
        let listed = list(&[]);
        (listed.len() == 3).then(|| listed[0]["id"].as_str().unwrap().to_owned())
    });
    let (code, shown, _) = dead(&["show", &first]);
    assert_eq!(code, 0);
    let route = shown
        .split_once(" by ")
        .unwrap()
        .1
        .split_once(": gave up")
        .unwrap()
        .0
        .to_owned();
    assert_eq!(
        list(&["--route", &route, "--since", "1h", "--reason", "number"]).len(),
        3
    );
    assert_eq!(list(&["--route", "fallback"]).len(), 0);
    assert_eq!(list(&["--reason", "timed out"]).len(), 0);
    assert_eq!(list(&["--limit", "2"]).len(), 2);

    let (code, _, err) = dead(&["replay"]);
    assert_eq!(code, 2, "{err}");
    assert!(err.contains("--all"), "{err}");
    let (code, out, _) = dead(&["replay", "--all", "--dry-run"]);
    assert_eq!(code, 0);
    assert!(out.ends_with("       3  in all\n"), "{out}");
    let (code, out, err) = dead(&["replay", "--reason", "number"]);
    assert_eq!(code, 0, "{out}{err}");
    assert!(
        out.contains("3 pushes are pending; the running server handles them"),
        "{out}"
    );
    // They are given up again, by the second run.
    eventually("the second run of each", || {
        let twice = list(&[]).iter().all(|push| {
            let id = push["id"].as_str().unwrap();
            let (_, out, _) = dead(&["show", id, "--json"]);
            let shown: Value = serde_json::from_str(&out).unwrap();
            shown["run"] == 2 && shown["replays"][0]["was"] == "dead"
        });
        (twice && list(&[]).len() == 3).then_some(())
    });
    let (code, out, _) = dead(&["discard", &first, "5"]);
    assert_eq!(code, 1, "one of the two is not there");
    assert!(
        out.contains("5: there is no push 5") && out.contains("1 pushes are discarded"),
        "{out}"
    );
    assert_eq!(list(&[]).len(), 2);

    served.program.signal("TERM");
    assert_eq!(served.program.wait().code(), Some(0));
    let (code, out, err) = dead(&["discard", "--all"]);
    assert_eq!(code, 0, "{err}");
    assert!(out.contains("2 pushes are discarded"), "{out}");
    let (_, out, _) = dead(&["list"]);
    assert_eq!(out, "no push is dead\n");
    let (code, out, err) = dead(&["replay", &first]);
    assert_eq!(code, 0, "a discarded one is there for a while: {err}");
    assert!(
        out.contains("the next `wxhook serve` handles them"),
        "{out}"
    );
}

#[test]
fn a_components_ticket_is_shown_by_its_age_and_revealed_only_when_asked() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("data");
    let mut variables = vec![
        ("WXHOOK__COMPONENTS__DEFAULT__APP_ID", APP_ID),
        ("WXHOOK__COMPONENTS__DEFAULT__TOKEN", TOKEN),
        ("WXHOOK__COMPONENTS__DEFAULT__ENCODING_AES_KEY", KEY),
        ("WXHOOK_DATA_DIR", path.to_str().unwrap()),
        ("WXHOOK_LISTEN", "127.0.0.1:0"),
        ("WXHOOK_ADMIN_LISTEN", "127.0.0.1:0"),
        ("WXHOOK_LOG_FORMAT", "json"),
    ];
    let mut program = Program::start(&["serve"], &variables);
    let (webhook, _) = program.ready();
    let url = format!("http://{webhook}/component/default");
    let notice = directory.path().join("notice.xml");
    std::fs::write(
        &notice,
        format!(
            "<xml><AppId>{APP_ID}</AppId><CreateTime>1718002000</CreateTime>\
             <InfoType>component_verify_ticket</InfoType>\
             <ComponentVerifyTicket>ticket@@@secret</ComponentVerifyTicket></xml>"
        ),
    )
    .unwrap();
    let arguments = [
        "simulate",
        "push",
        "--url",
        &url,
        "--file",
        notice.to_str().unwrap(),
        "--app-id",
        APP_ID,
        "--token",
        TOKEN,
        "--encoding-aes-key",
        KEY,
        "--wait",
        "0",
    ];
    variables.truncate(4);
    let (code, _, err) = run(&["component", "ticket"], &variables, "");
    assert_eq!(code, 1);
    assert!(err.contains("no component_verify_ticket has come"), "{err}");
    let (code, out, err) = run(&arguments, &[], "");
    assert_eq!(code, 0, "{out}{err}");
    let (code, out, _) = run(&["component", "ticket"], &variables, "");
    assert_eq!(code, 0);
    assert!(out.contains("s ago") && !out.contains("secret"), "{out}");
    let (code, out, _) = run(&["component", "ticket", "--reveal"], &variables, "");
    assert_eq!((code, out.as_str()), (0, "ticket@@@secret\n"));
    drop(program);
}

#[test]
fn healthcheck_tells_by_its_exit_code_whether_pushes_are_taken() {
    let stand_in = StandIn::start();
    let mut served = serve(&stand_in.url);
    let admin = served.admin.to_string();
    let asked = [("WXHOOK_ADMIN_LISTEN", admin.as_str())];
    let (code, out, _) = run(&["healthcheck"], &asked, "");
    assert_eq!(code, 0);
    assert!(out.contains("\"ready\":true"), "{out}");
    served.program.kill();
    let (code, _, err) = run(&["healthcheck"], &asked, "");
    assert_eq!(code, 1);
    assert!(
        err.contains(&format!("nobody answers at http://{admin}/readyz")),
        "{err}"
    );
}

#[test]
fn config_check_names_every_fault_at_once_and_exits_with_2() {
    let mut variables = account();
    variables[1].1 = "no token!";
    variables.extend([
        ("WXHOOK_LISTEN", "everywhere"),
        ("WXHOOK_STORE", "redis://127.0.0.1"),
        ("WXHOOK_LISTN", "127.0.0.1:1"),
        ("WXHOOK__DISPATCH__HANDLERS", "0"),
    ]);
    for command in [&["config", "check"][..], &["serve"]] {
        let (code, out, err) = run(command, &variables, "");
        assert_eq!((code, out.as_str()), (2, ""), "{err}");
        for part in [
            "server.listen = \"everywhere\" (environment variable WXHOOK_LISTEN): is not an address",
            "store.kind = \"redis://127.0.0.1\"",
            "WXHOOK_LISTN",
            "did you mean WXHOOK_LISTEN?",
            "dispatch.handlers = \"0\"",
            "accounts.default.token (environment variable WECHAT_TOKEN): is not a Token",
        ] {
            assert!(err.contains(part), "{part} in:\n{err}");
        }
        assert!(
            !err.contains("no token!"),
            "a secret is never shown:\n{err}"
        );
    }
    let (code, out, err) = run(&["config", "check"], &account(), "");
    assert_eq!(code, 0, "{err}");
    assert!(
        out.contains(&format!(
            "account default: {APP_ID} in secure mode at /wechat"
        )),
        "{out}"
    );
    assert!(
        out.contains("cannot reply"),
        "an account without a secret is told: {out}"
    );
}

#[test]
fn what_cannot_start_says_which_setting_is_in_the_way() {
    let stand_in = StandIn::start();
    let served = serve(&stand_in.url);
    let taken = served.webhook.to_string();
    let directory = served.data_dir.path().to_str().unwrap();
    let other = tempfile::tempdir().unwrap();
    let (code, _, err) = run(
        &["serve"],
        &variables(&stand_in.url, other.path().to_str().unwrap(), &taken),
        "",
    );
    assert_eq!(code, 1);
    assert!(
        err.contains(&format!("server.listen = {taken}: cannot listen there")),
        "{err}"
    );
    let (code, _, err) = run(
        &["serve"],
        &variables(&stand_in.url, directory, "127.0.0.1:0"),
        "",
    );
    assert_eq!(code, 1);
    assert!(
        err.contains(directory) && err.contains("in use by"),
        "{err}"
    );
}

#[test]
fn no_secret_is_in_the_log_of_a_server_that_replies() {
    let stand_in = StandIn::start();
    let directory = tempfile::tempdir().unwrap();
    let mut variables = variables(
        &stand_in.url,
        directory.path().to_str().unwrap(),
        "127.0.0.1:0",
    );
    variables.push(("WXHOOK_LOG", "trace"));
    let mut program = Program::spawn(&mut command(&["serve"], &variables));
    let (webhook, admin) = program.ready();
    let mut served = Served {
        program,
        data_dir: directory,
        webhook,
        admin,
    };
    simulate(&served, &["--text", "confidential"]);
    eventually("a reply", || (!stand_in.told().is_empty()).then_some(()));
    served.program.signal("TERM");
    served.program.wait();
    let log = served.program.printed();
    assert!(log.lines().count() > 20, "the log was seen: {log}");
    for secret in [SECRET, TOKEN, KEY, "confidential"] {
        assert!(!log.contains(secret), "{secret} is in the log");
    }
    let platform = stand_in.platform.lock().unwrap();
    assert_eq!(platform.tokens().count(), 1);
}

/// Runs `dev` until it stays up, talks to it, and ends it as Ctrl-C would.
fn dev(arguments: &[&str], expected: &[&str]) {
    let directory = tempfile::tempdir().unwrap();
    let home = [("TMPDIR", directory.path().to_str().unwrap())];
    let mut program = Program::spawn(
        Command::new(env!("CARGO_BIN_EXE_wxhook"))
            .args(arguments)
            .env_clear()
            .envs(home),
    );
    program.line_with("wxhook stays up at");
    let (code, out, err) = run(&["simulate", "push", "--text", "你好"], &home, "");
    assert_eq!(code, 0, "{err}");
    assert!(out.contains("您说：你好"), "the reply is shown: {out}");
    program.signal("INT");
    assert_eq!(program.wait().code(), Some(0), "{}", program.printed());
    let printed = program.printed();
    for text in expected {
        assert!(printed.contains(text), "{text} in:\n{printed}");
    }
    assert_eq!(
        std::fs::read_dir(directory.path()).unwrap().count(),
        0,
        "nothing is left behind"
    );
}

#[test]
fn dev_plays_a_conversation_and_stays_up() {
    dev(
        &["dev"],
        &[
            "公众号: 欢迎！",
            "小明: 查 1001",
            "recognised as a repeat",
            "公众号: 订单 1001：已发货，明天送达。",
            "one push, one answer",
            "公众号: 您最近的订单 1002：正在打包。",
        ],
    );
}

#[test]
fn dev_crash_kills_the_server_in_mid_handler_and_the_answer_comes_once() {
    dev(
        &["dev", "--crash"],
        &[
            "the server is gone, in mid-handler",
            "is pending",
            "recognised as a repeat",
            "公众号: 订单 1001：已发货，明天送达。",
            "one push, one answer",
        ],
    );
}

#[test]
fn log_lines_that_a_file_keeps_have_no_colours() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("data");
    let mut variables = variables("http://127.0.0.1:1", path.to_str().unwrap(), "127.0.0.1:0");
    variables.push(("WXHOOK_LOG_FORMAT", "text"));
    let mut server = Program::start(&["serve"], &variables);
    let line = server.line_with("wxhook is ready for pushes");
    assert!(line.contains(" INFO wxhook::app: "), "{line}");
    assert!(!line.contains('\x1b'), "{line}");
}
