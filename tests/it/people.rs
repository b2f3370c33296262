//! `wxhook user` and `wxhook tag` on the real program.

use serde_json::{Value, json};
use wxhook::simulator::platform::{Shelf, Users, When};

use crate::main_job::StandIn;
use crate::shell::{Shell, refusal};
use crate::support::run;

/// Where no server runs, beside an account with so many followers.
fn shell_with(followers: usize) -> Shell {
    let mut settings = StandIn::settings();
    settings.accounts[0].users = Users::made_up(followers);
    Shell::alone_with(StandIn::with(settings))
}

impl Shell {
    /// The OpenIDs of the account's followers in the platform's order.
    fn followers(&self) -> Vec<String> {
        let users = self.shelf(Shelf::Users);
        let open_ids = users.as_array().unwrap().iter();
        open_ids
            .map(|user| user["openid"].as_str().unwrap().to_owned())
            .collect()
    }

    fn done(&self, arguments: &[&str]) -> String {
        let (code, out, err) = self.run(arguments);
        assert_eq!(code, 0, "{arguments:?}: {err}");
        out
    }
}

#[test]
fn all_followers_are_listed_page_by_page_and_once() {
    let shell = shell_with(20_001);
    let followers = shell.followers();
    let listed = shell.done(&["user", "list"]);
    assert!(listed.lines().eq(&followers), "all, once, in order");
    let pages = shell.asked(|path| path == "/cgi-bin/user/get").len();
    assert!((3..=4).contains(&pages), "{pages} pages of 10,000");
    let some = shell.done(&[
        "user",
        "list",
        "--after",
        &followers[9_999],
        "--limit",
        "2",
        "--json",
    ]);
    let expected = format!(
        "{}\n{}\n",
        json!({ "openid": followers[10_000] }),
        json!({ "openid": followers[10_001] })
    );
    assert_eq!(some, expected);
}

#[test]
fn a_user_is_shown_and_named() {
    let shell = Shell::beside_a_server();
    let user = "oUser1";
    shell.done(&["user", "remark", user, "老客户"]);
    let shown = shell.json(&["user", "show", user]);
    assert_eq!(
        (&shown["subscribe"], &shown["remark"]),
        (&json!(1), &json!("老客户"))
    );
    let told = shell.done(&["user", "show", user]);
    assert!(told.starts_with("oUser1: follows since "), "{told}");
    assert!(told.contains("  remark: 老客户\n"), "{told}");
    let before = shell.calls();
    let (code, _, err) = shell.run(&["user", "remark", user, "一二三四五六七八九十"]);
    assert_eq!(code, 2);
    assert!(err.contains("has 30 bytes; less than 30"), "{err}");
    assert_eq!(shell.calls(), before);
    shell.trouble("/cgi-bin/user/info", When::Next(1), refusal(40003));
    let (code, _, err) = shell.run(&["user", "show", "oNobody"]);
    assert_eq!(code, 1);
    assert!(err.contains("code 40003"), "{err}");
}

#[test]
fn tags_are_made_given_listed_and_taken() {
    let shell = shell_with(120);
    let followers = shell.followers();
    let made = shell.json(&["tag", "create", "会员"]);
    let id = made["id"].to_string();
    let open_ids = followers.join("\n");
    let add = ["tag", "add", &id, "-", "--json"];
    let (code, out, err) = run(&add, &shell.variables(), &open_ids);
    assert_eq!(code, 0, "{err}");
    let given: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(
        given,
        json!({ "id": made["id"], "done": 120, "failed": [] })
    );
    let calls = shell.asked(|path| path.ends_with("/batchtagging"));
    let sizes: Vec<usize> = calls
        .iter()
        .map(|(_, _, body)| body["openid_list"].as_array().unwrap().len())
        .collect();
    assert_eq!(sizes, [50, 50, 20]);
    let members = shell.done(&["tag", "members", &id]);
    assert_eq!(members.lines().count(), 120);
    let shown = shell.done(&["tag", "list"]);
    assert!(
        shown.contains(&format!("{id}  会员  120 users\n")),
        "{shown}"
    );

    let gone = shell.done(&["tag", "remove", &id, &followers[0], &followers[1]]);
    assert_eq!(gone, "2 users done\n");
    let members = shell.done(&["tag", "members", &id]);
    assert!(members.lines().eq(&followers[2..]));
    shell.done(&["tag", "rename", &id, "贵宾"]);
    let tags = shell.shelf(Shelf::Tags);
    let named = tags
        .as_array()
        .unwrap()
        .iter()
        .find(|tag| tag["id"] == made["id"]);
    assert_eq!(named.unwrap()["name"], "贵宾");
    let (code, _, err) = shell.run(&["tag", "create", "贵宾"]);
    assert_eq!(code, 1);
    assert!(err.contains("code 45157"), "{err}");
    let (code, _, err) = shell.run(&["tag", "create", &"长".repeat(31)]);
    assert_eq!(code, 2);
    assert!(err.contains("has 31 characters"), "{err}");
    shell.done(&["tag", "delete", &id]);
    let (code, _, err) = shell.run(&["tag", "members", &id]);
    assert_eq!(code, 1, "{err}");
}
