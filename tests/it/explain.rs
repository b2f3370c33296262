//! `wxhook explain`: which handler a push goes to, asked of the sample bot.

use serde_json::{Value, json};

use crate::support::run;

fn document(inner: &str) -> String {
    format!(
        "<xml><ToUserName>gh_1</ToUserName><FromUserName>oUser</FromUserName>\
         <CreateTime>1700000000</CreateTime>{inner}</xml>"
    )
}

/// Lines of `handlers/main.rs` as their contents, so that it may grow.
fn with_contents(text: &str) -> String {
    let source = include_str!("../../handlers/main.rs");
    let lines = source.lines().enumerate();
    let known = lines.fold(text.to_owned(), |text, (index, line)| {
        let place = format!("handlers/main.rs:{}:", index + 1);
        text.replace(&place, &format!("`{}`:", line.trim()))
    });
    known.trim_end().to_owned()
}

#[test]
fn the_winner_and_all_that_would_fit_are_named_with_their_places() {
    let (code, out, err) = run(&["explain", "--text", "帮助"], &[], "");
    assert_eq!((code, err.as_str()), (0, ""));
    insta::assert_snapshot!(with_contents(&out), @r#"
    text "帮助" at `.text("帮助", help::help)`: it wins: an exact text is the most specific that fits
    other routes that fit, in the order in which they are asked:
      fallback at `.fallback(assistant::answer)`: less specific: an exact text comes before `fallback`
    "#);
    let click = document("<MsgType>event</MsgType><Event>CLICK</Event><EventKey>ORDER</EventKey>");
    let (code, out, _) = run(&["explain"], &[], &click);
    assert_eq!(code, 0);
    assert!(out.starts_with("click ORDER at handlers/main.rs:"), "{out}");
}

#[test]
fn the_json_says_the_same() {
    let (code, out, err) = run(&["explain", "--json", "--text", "查 1001"], &[], "");
    assert_eq!(code, 0, "{err}");
    let said: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(
        said["winner"]["route"],
        json!(r"text /^查\s*(?<number>\d+)$/")
    );
    assert_eq!(said["winner"]["at"]["file"], json!("handlers/main.rs"));
    assert!(said["winner"]["at"]["line"].as_u64().unwrap() > 0);
    assert_eq!(said["winner"]["specificity"], json!("pattern"));
    assert_eq!(said["winner"]["outcome"], json!("wins"));
    let others = said["others"].as_array().unwrap();
    assert_eq!(others.len(), 1);
    assert_eq!(others[0]["route"], json!("fallback"));
    assert_eq!(others[0]["outcome"], json!("less_specific"));
}

#[test]
fn what_cannot_be_read_or_asked_is_said_and_no_state_is_opened() {
    let (code, out, err) = run(&["explain"], &[], "<xml><MsgType>text</MsgType></xml>");
    assert_eq!((code, out.as_str()), (1, ""));
    assert!(err.contains("the push cannot be read"), "{err}");
    let unknown = ["explain", "--text", "x", "--account", "nobody"];
    let (code, _, err) = run(&unknown, &[], "");
    assert_eq!(code, 2);
    assert!(
        err.contains("--account nobody: there is no such account; none is configured"),
        "{err}"
    );
    let (code, _, err) = run(&["explain", "--text", "x", "--at", "noon"], &[], "");
    assert_eq!(code, 2, "{err}");
}

#[test]
fn a_rule_that_fits_is_named_and_whether_code_comes_before_it() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("rules.toml");
    let rules =
        "[[rule]]\nname = \"hours\"\nexact = [\"营业时间\", \"帮助\"]\nsay = \"9:00-18:00\"\n";
    std::fs::write(&file, rules).unwrap();
    let variables = [("WXHOOK__RULES__FILE", file.to_str().unwrap())];
    let (code, out, err) = run(&["explain", "--text", "营业时间"], &variables, "");
    assert_eq!(code, 0, "{err}");
    assert!(out.starts_with("rule \"hours\", line 1: it wins"), "{out}");
    let (_, out, _) = run(&["explain", "--json", "--text", "帮助"], &variables, "");
    let said: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(said["winner"]["route"], json!("text \"帮助\""));
    assert_eq!(said["rule"]["wins"], json!(false));
    assert_eq!(said["rule"]["why"], json!("code comes before rules"));
}
