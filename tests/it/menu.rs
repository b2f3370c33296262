//! `wxhook menu` on the real program: what `plan` prints is what `apply` does, and then nothing is left.

use std::collections::BTreeSet;
use std::fs;

use serde_json::{Value, json};
use wxhook::menu::{Kind, Menu};
use wxhook::simulator::platform::{Arrangement, Shelf, When};

use crate::shell::{Shell, refusal};

/// The menu of a small shop.
const MENU: &str = r#"[[button]]
name = "查单"
type = "click"
key = "ORDER"

[[button]]
name = "更多"

[[button.sub_button]]
name = "官网"
type = "view"
url = "https://example.com/a?b=1&c=2"

[[button.sub_button]]
name = "商城"
type = "miniprogram"
url = "https://example.com"
appid = "wx0123456789abcdef"
pagepath = "pages/index"

[[conditionalmenu]]
matchrule = { tag_id = 102, client_platform_type = 1 }

[[conditionalmenu.button]]
name = "VIP"
type = "click"
key = "VIP"

[[conditionalmenu]]
matchrule = { client_platform_type = 2 }

[[conditionalmenu.button]]
name = "安卓"
type = "click"
key = "ANDROID"
"#;

/// Paths that change menus.
fn writes(path: &str) -> bool {
    let step = path.strip_prefix("/cgi-bin/menu/");
    step.is_some_and(|step| step != "get")
}

impl Shell {
    fn menu_file(&self, text: &str) -> String {
        let path = self.path("menu.toml");
        fs::write(&path, text).unwrap();
        path
    }

    /// A plan as text and as JSON, and whether it exits with 1.
    fn plan(&self, file: &str) -> (bool, String, Value) {
        let (code, told, err) = self.run(&["menu", "plan", file]);
        assert!(code <= 1 && err.is_empty(), "{code}: {err}");
        let (same, json, _) = self.run(&["menu", "plan", file, "--json"]);
        assert_eq!(same, code);
        (code == 1, told, serde_json::from_str(&json).unwrap())
    }

    /// Somebody else changes what the account has, by the same API.
    fn elsewhere(&self, path: &str, body: &Value) {
        let body = body.to_string();
        let (code, _, err) = self.run(&["api", "post", path, "--body", &body]);
        assert_eq!(code, 0, "{err}");
    }

    fn changes(&self) -> Vec<Value> {
        let asked = self.asked(writes);
        let told = asked
            .into_iter()
            .map(|(method, path, body)| json!({ "method": method, "path": path, "body": body }));
        told.collect()
    }
}

fn drift_and_mend(shell: &Shell) {
    let file = shell.menu_file(MENU);
    let (drifts, _, planned) = shell.plan(&file);
    assert!(drifts && planned["drift"] == true);
    let (code, _, err) = shell.run(&["menu", "apply", &file, "--yes"]);
    assert_eq!(code, 0, "{err}");
    let made = shell.shelf(Shelf::Menus);
    assert_eq!(
        made["menu"]["button"][1]["sub_button"][1]["pagepath"],
        "pages/index"
    );
    assert_eq!(
        made["conditionalmenu"][0]["matchrule"]["tag_id"], "102",
        "the newest first"
    );

    // Three kinds of drift: another default menu, a conditional menu gone, and one too many.
    let buttons = json!([
        { "name": "更多", "sub_button": [
            { "type": "view", "name": "官网", "url": "https://example.com/elsewhere" },
            { "type": "click", "name": "客服", "key": "KF" },
        ] },
        { "type": "click", "name": "查单", "key": "ORDER" },
    ]);
    shell.elsewhere("/cgi-bin/menu/create", &json!({ "button": buttons }));
    let vip = made["conditionalmenu"][0]["menuid"].to_string();
    shell.elsewhere("/cgi-bin/menu/delconditional", &json!({ "menuid": vip }));
    let other = json!([{ "type": "click", "name": "别的", "key": "OTHER" }]);
    let rule = json!({ "client_platform_type": "3" });
    shell.elsewhere(
        "/cgi-bin/menu/addconditional",
        &json!({ "button": other, "matchrule": rule }),
    );

    let before = shell.changes().len();
    let (drifts, told, planned) = shell.plan(&file);
    assert!(drifts, "{told}");
    assert_eq!(shell.changes().len(), before, "a plan changes nothing");
    let differences = planned["differences"].as_array().unwrap();
    let kinds: BTreeSet<&str> = differences
        .iter()
        .map(|difference| difference["change"].as_str().unwrap())
        .collect();
    assert_eq!(
        kinds,
        BTreeSet::from(["added", "changed", "moved", "removed"])
    );
    for line in [
        "~ 更多 / 官网: url \"https://example.com/elsewhere\" → \"https://example.com/a?b=1&c=2\"",
        "+ 更多 / 商城: miniprogram https://example.com wx0123456789abcdef pages/index",
        "- 更多 / 客服: click KF",
        "+ conditionalmenu (tag_id = 102, client_platform_type = 1 (iOS)): VIP: click VIP",
        "- conditionalmenu (client_platform_type = 3 (other)): 别的: click OTHER",
        "call 1: POST /cgi-bin/menu/create: the default menu, 2 buttons",
    ] {
        assert!(told.lines().any(|told| told == line), "{line}\n{told}");
    }

    let (code, out, err) = shell.run(&["menu", "apply", &file, "--yes"]);
    assert_eq!(code, 0, "{err}");
    let calls = planned["calls"].as_array().unwrap();
    assert_eq!(
        &shell.changes()[before..],
        calls,
        "apply does what plan printed"
    );
    let done = out
        .strip_prefix(&told)
        .expect("apply prints what plan printed");
    let planned_calls = told.lines().filter_map(|line| line.strip_prefix("call "));
    let done_calls = done.lines().filter_map(|line| line.strip_prefix("done "));
    assert!(done_calls.eq(planned_calls), "{out}");
    // The Android menu was as it should be, and was left alone.
    assert_eq!(calls.len(), 3, "{told}");

    let (drifts, told, planned) = shell.plan(&file);
    assert!(!drifts, "{told}");
    assert_eq!(
        told,
        "no difference: the account's menu is as the file says\n"
    );
    assert_eq!(
        (&planned["drift"], &planned["calls"]),
        (&json!(false), &json!([]))
    );
    let (code, out, _) = shell.run(&["menu", "apply", &file]);
    assert_eq!(code, 2, "nobody can be asked: {out}");
    let after = shell.changes().len();
    let (code, again, _) = shell.run(&["menu", "apply", &file, "--yes"]);
    assert_eq!((code, again), (0, told));
    assert_eq!(shell.changes().len(), after, "nothing was left to do");

    let pulled = shell.path("pulled.toml");
    let (code, _, err) = shell.run(&["menu", "pull", &pulled]);
    assert_eq!(code, 0, "{err}");
    assert_eq!(fs::read_to_string(&pulled).unwrap(), MENU);
}

#[test]
fn apply_does_what_plan_prints_and_a_second_plan_is_empty() {
    drift_and_mend(&Shell::beside_a_server());
    drift_and_mend(&Shell::alone());
}

#[test]
fn an_apply_that_is_refused_in_the_middle_says_so_and_the_next_one_does_the_rest() {
    let shell = Shell::alone();
    let file = shell.menu_file(MENU);
    shell.trouble("/cgi-bin/menu/addconditional", When::Nth(2), refusal(65305));
    let (code, out, err) = shell.run(&["menu", "apply", &file, "--yes"]);
    assert_eq!(code, 1);
    assert!(out.contains("done 2: "), "{out}");
    assert!(err.contains("call 3: code 65305"), "{err}");
    assert!(err.contains("0 further calls were not made"), "{err}");
    let (drifts, told, planned) = shell.plan(&file);
    assert!(drifts);
    assert_eq!(planned["calls"].as_array().unwrap().len(), 1, "{told}");
    let (code, out, err) = shell.run(&["menu", "apply", &file, "--yes", "--json"]);
    assert_eq!(code, 0, "{err}");
    let lines: Vec<Value> = out
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(lines[0], planned);
    assert_eq!(
        lines[1..],
        [json!({ "call": 1, "done": true, "refusal": null })]
    );
    assert!(!shell.plan(&file).0);
}

#[test]
fn a_menu_of_the_console_is_pulled_before_it_vanishes_and_applied_afterwards() {
    let shell = Shell::beside_a_server();
    let file = shell.path("menu.toml");
    let (code, _, err) = shell.run(&["menu", "pull", &file]);
    assert_eq!(code, 1);
    assert!(err.contains("the account has no menu"), "{err}");
    shell.arrange(Arrangement::ConsoleMenu(Some(json!({ "button": [
        { "type": "text", "name": "文字", "value": "您好" },
        { "name": "更多", "sub_button": { "list": [
            { "type": "view", "name": "网页", "url": "https://example.com" },
            { "type": "img", "name": "图片", "value": "M3" },
        ] } },
    ] }))));
    let (code, out, err) = shell.run(&["menu", "pull", &file]);
    assert_eq!(code, 0, "{err}");
    assert!(
        out.contains("it vanishes as soon as a server URL is switched on"),
        "{out}"
    );
    let pulled = fs::read_to_string(&file).unwrap();
    assert!(
        pulled.starts_with("# this menu was made in the console: it vanishes"),
        "{pulled}"
    );
    assert!(
        pulled.contains("which a handler must answer with: 您好"),
        "{pulled}"
    );
    assert!(
        pulled.contains("type = \"media_id\"\nmedia_id = \"M3\""),
        "{pulled}"
    );
    let (code, _, err) = shell.run(&["menu", "pull", &file]);
    assert_eq!(code, 2, "what is there is not written over");
    assert!(err.contains("--force"), "{err}");

    // The server URL is switched on.
    shell.arrange(Arrangement::ConsoleMenu(None));
    let (drifts, told, _) = shell.plan(&file);
    assert!(drifts, "{told}");
    let (code, _, err) = shell.run(&["menu", "apply", &file, "--yes"]);
    assert_eq!(code, 0, "{err}");
    assert!(!shell.plan(&file).0);
    let menus = shell.shelf(Shelf::Menus);
    assert_eq!(
        menus["menu"]["button"][1]["sub_button"][1]["media_id"],
        "M3"
    );
    let (code, printed, _) = shell.run(&["menu", "pull", "-"]);
    assert_eq!(code, 0);
    assert!(pulled.ends_with(&printed), "without notes: {printed}");
}

#[test]
fn the_menu_in_the_documents_is_one_that_parses() {
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/menus.md");
    let page = fs::read_to_string(page).unwrap();
    let file = page.split("```toml\n").nth(1).unwrap();
    let menu = Menu::parse(file.split("```").next().unwrap()).unwrap();
    assert_eq!((menu.button.len(), menu.conditionalmenu.len()), (2, 1));
    for kind in Kind::ALL {
        assert!(page.contains(&format!("`{}`", kind.name())), "{kind:?}");
    }
}

#[test]
fn a_faulty_file_is_refused_with_its_lines_before_anybody_is_called() {
    let shell = Shell::alone();
    let file = shell.menu_file("[[button]]\nname = \"更多\"\ntype = \"click\"\n");
    for command in ["plan", "apply"] {
        let mut arguments = vec!["menu", command, &file];
        arguments.extend((command == "apply").then_some("--yes"));
        let (code, out, err) = shell.run(&arguments);
        assert_eq!((code, out.as_str()), (2, ""));
        let expected =
            format!("wxhook: {file}: line 1: 更多: key: is missing; write key = \"…\"\n");
        assert_eq!(err, expected);
    }
    let (code, _, err) = shell.run(&["menu", "plan", &shell.path("none.toml")]);
    assert_eq!(code, 2);
    assert!(err.contains("none.toml: "), "{err}");
    assert_eq!(shell.calls(), 0);
}
