use bytes::Bytes;

use super::*;
use crate::dispatch::Bundle;
use crate::id::AppId;
use crate::template::Files;

fn shop() -> AccountFacts {
    AccountFacts {
        name: "shop".to_owned(),
        app_id: AppId::parse("wx1").unwrap(),
        locale: None,
    }
}

fn push_at(inner: &str, seconds: i64) -> Push {
    let body = format!(
        "<xml><ToUserName>gh_1</ToUserName><FromUserName>o1</FromUserName>\
         <CreateTime>{seconds}</CreateTime>{inner}</xml>"
    );
    Push::parse(&shop().app_id, &Bytes::from(body)).unwrap()
}

fn text_at(content: &str, seconds: i64) -> Push {
    let inner =
        format!("<MsgType>text</MsgType><MsgId>1</MsgId><Content><![CDATA[{content}]]></Content>");
    push_at(&inner, seconds)
}

fn event(name: &str, key: &str) -> Push {
    let inner = format!("<MsgType>event</MsgType><Event>{name}</Event><EventKey>{key}</EventKey>");
    push_at(&inner, 1_700_000_000)
}

fn rules(text: &str) -> Rules {
    Rules::parse(text, "rules.toml", &[shop()]).unwrap()
}

fn winner(rules: &Rules, push: &Push) -> Option<String> {
    let found = rules.find(push, &shop(), Timestamp::default())?;
    Some(found.rule.name().to_owned())
}

#[test]
fn the_first_rule_that_is_meant_wins() {
    let rules = rules(
        r#"
        [[rule]]
        name = "welcome by code"
        scene = "shop-7"
        say = "欢迎光临七号店"
        [[rule]]
        name = "welcome"
        on = "subscribe"
        say = "欢迎"
        [[rule]]
        name = "hours"
        exact = ["营业时间", "Opening Hours"]
        say = "9:00"
        [[rule]]
        name = "price"
        contains = ["多少钱", "price"]
        say = "…"
        [[rule]]
        name = "parcel"
        pattern = '^查\s*(?<no>\d+)$'
        say = "…"
        [[rule]]
        name = "contact"
        click = ["KF", "HELP"]
        say = "…"
        [[rule]]
        name = "picture"
        on = "image"
        say = "收到"
        [[rule]]
        name = "place"
        on = "LOCATION"
        say = "…"
        [[rule]]
        name = "else"
        on = "text"
        say = "…"
        "#,
    );
    for (what, push, expected) in [
        (
            "a follow by a code",
            event("subscribe", "qrscene_shop-7"),
            Some("welcome by code"),
        ),
        ("a scan", event("SCAN", "shop-7"), Some("welcome by code")),
        ("another scan", event("SCAN", "shop-8"), None),
        ("a follow", event("subscribe", ""), Some("welcome")),
        ("a word", text_at(" 营业时间\n", 1), Some("hours")),
        (
            "a word in capitals",
            text_at("OPENING HOURS", 1),
            Some("hours"),
        ),
        (
            "a word in a sentence",
            text_at("这个多少钱？", 1),
            Some("price"),
        ),
        ("a pattern", text_at("查 12", 1), Some("parcel")),
        ("a tap", event("CLICK", "HELP"), Some("contact")),
        ("another tap", event("CLICK", "X"), None),
        ("a report of a place", event("LOCATION", ""), Some("place")),
        ("any text", text_at("你好", 1), Some("else")),
        ("something new", event("brand_new", ""), None),
    ] {
        assert_eq!(winner(&rules, &push).as_deref(), expected, "{what}");
    }
}

#[test]
fn dates_hours_and_accounts_narrow_a_rule_by_the_time_of_the_push() {
    let rules = rules(
        r#"
        [hours]
        open = ["Mon-Fri 9:00-18:00", "Sat 10:00-16:00"]
        closed = [2026-10-01]
        [[rule]]
        name = "festival"
        on = "text"
        from = 2026-09-25
        until = 2026-09-26
        say = "中秋快乐"
        [[rule]]
        name = "away"
        on = "text"
        hours = "closed"
        accounts = ["shop"]
        say = "我们不在"
        "#,
    );
    for (local, expected) in [
        ("2026-09-24T23:59:59", Some("away")),
        ("2026-09-25T00:00:00", Some("festival")),
        ("2026-09-26T23:59:59", Some("festival")),
        ("2026-09-28T08:59:00", Some("away")),
        ("2026-09-28T09:00:00", None),
        ("2026-09-28T17:59:59", None),
        ("2026-09-28T18:00:00", Some("away")),
        ("2026-10-01T12:00:00", Some("away")),
        ("2026-10-03T12:00:00", None),
        ("2026-10-04T12:00:00", Some("away")),
    ] {
        let local: jiff::civil::DateTime = local.parse().unwrap();
        let at = rules.calendar.moment(local).unwrap();
        let found = winner(&rules, &text_at("a", at.seconds()));
        assert_eq!(found.as_deref(), expected, "{local}");
    }
    let other = AccountFacts {
        name: "other".to_owned(),
        ..shop()
    };
    let night = rules
        .calendar
        .moment("2026-09-28T03:00:00".parse().unwrap());
    let push = text_at("a", night.unwrap().seconds());
    assert!(rules.find(&push, &other, Timestamp::default()).is_none());
}

#[test]
fn what_a_pattern_catches_and_a_rule_adds_reaches_the_template() {
    let files = Files::of([(
        "parcel.txt",
        "{# needs: no, hotline #}包裹 {{ no }}，电话 {{ hotline }}",
    )]);
    let text = r#"
        [[rule]]
        name = "parcel"
        pattern = '^查\s*(?<no>\d+)$'
        render = "parcel.txt"
        with = { hotline = "400-1" }
        "#;
    let bundle = Bundle::compile(&files, Some(text), "rules.toml", &[shop()]).unwrap();
    let push = text_at("查 12", 1);
    let found = bundle
        .rules()
        .find(&push, &shop(), Timestamp::default())
        .unwrap();
    let said = bundle.word(found.answers, &push, &shop()).unwrap();
    assert_eq!(said, ["包裹 12，电话 400-1".into()]);
}

#[test]
fn every_fault_of_the_file_is_told_at_once_with_its_line() {
    let files = Files::of([("a.txt", "{# needs: order #}{{ order }}")]);
    let text = r#"utc_ofset = "+08:00"
[hours]
open = ["Mon-Fri 18:00-09:00"]
closed = ["2026-10-01"]
[[rule]]
name = "one"
on = "subcribe"
say = "a"
[[rule]]
name = "two"
exact = "a"
contains = "b"
sey = "c"
[[rule]]
exact = "a"
[[rule]]
name = "four"
pattern = "(a"
say = ""
[[rule]]
name = "five"
click = "A"
accounts = ["nobody"]
from = "2026-10-01"
hours = "shut"
message = { msgtype = "text", text = { contents = "a" } }
[[rule]]
name = "six"
on = "text"
say = "a"
[[rule]]
name = "six"
contains = "never"
message = { msgtype = "image", image = { media_id = "" } }
"#;
    let faults = Bundle::compile(&files, Some(text), "rules.toml", &[shop()]).unwrap_err();
    insta::assert_snapshot!("rules", faults.to_string());

    let text = "[[rule]]\nname = \"a\"\nclick = \"A\"\nrender = \"a.txt\"\n\
                [[rule]]\nname = \"b\"\nclick = \"B\"\nrender = [\"a.txt\", \"b.txt\"]\nwith = { order = 1 }\n";
    let faults = Bundle::compile(&files, Some(text), "rules.toml", &[shop()]).unwrap_err();
    insta::assert_snapshot!("templates", faults.to_string());
}

#[test]
fn a_rule_that_no_push_can_reach_is_a_fault() {
    let rule =
        |name: &str, inner: &str| format!("[[rule]]\nname = \"{name}\"\n{inner}\nsay = \"x\"\n");
    for (first, second, is_fault) in [
        ("on = \"text\"", "exact = \"a\"", true),
        ("on = \"text\"\naccounts = \"shop\"", "exact = \"a\"", false),
        ("contains = \"a\"", "exact = [\"ba\", \"A\"]", true),
        ("contains = \"a\"", "exact = [\"ba\", \"b\"]", false),
        ("on = \"CLICK\"", "click = \"A\"", true),
        ("on = \"subscribe\"", "scene = \"7\"", false),
        ("exact = \"a\"", "contains = \"a\"", false),
    ] {
        let text = rule("one", first) + &rule("two", second);
        let read = Rules::parse(&text, "rules.toml", &[shop()]);
        assert_eq!(read.is_err(), is_fault, "{first} / {second}");
    }
}
