use bytes::Bytes;
use regex::Regex;

use super::*;
use crate::clock::Timestamp;
use crate::dispatch::Content;
use crate::dispatch::schedule::Attempts;
use crate::id::AppId;
use crate::protocol::push::{ComponentVerifyTicket, Image, Subscribe, Text, Unsubscribe};

async fn nothing() {}

fn push(inner: &str) -> Push {
    let body = format!(
        "<xml><ToUserName>gh_1</ToUserName><FromUserName>o1</FromUserName>\
         <CreateTime>1700000000</CreateTime>{inner}</xml>"
    );
    Push::parse(&AppId::parse("wx1").unwrap(), &Bytes::from(body)).unwrap()
}

fn text(content: &str) -> Push {
    push(&format!(
        "<MsgType>text</MsgType><MsgId>1</MsgId><Content><![CDATA[{content}]]></Content>"
    ))
}

fn event(name: &str, key: &str) -> Push {
    push(&format!(
        "<MsgType>event</MsgType><Event>{name}</Event><EventKey>{key}</EventKey>"
    ))
}

fn facts() -> Facts {
    let account = AppId::parse("wx1").unwrap();
    Facts::new(account, Timestamp::from_seconds(1_700_000_000))
}

/// The name of the route that wins, by the one question and the other.
fn winner(routes: &Routes, push: &Push) -> Option<String> {
    let found = routes.find(push, &facts());
    let found = found.map(|matched| matched.route.name().to_string());
    let explained = routes.explain(push, &facts()).winner;
    assert_eq!(found, explained.map(|winner| winner.route));
    found
}

#[test]
fn the_most_specific_route_wins_wherever_it_stands() {
    let routes = Router::<()>::new()
        .fallback(nothing)
        .unknown(nothing)
        .on::<Text, _>(nothing)
        .on::<Subscribe, _>(nothing)
        .text(pattern(r"^查\s*(?<no>\d+)$"), nothing)
        .text(pattern(r"^查"), nothing)
        .text("查1", nothing)
        .click("ORDER", nothing)
        .with_state(())
        .unwrap();
    for (name, push, expected) in [
        ("exact text", text("查1"), "text \"查1\""),
        ("first pattern", text("查 22"), r"text /^查\s*(?<no>\d+)$/"),
        ("second pattern", text("查询"), "text /^查/"),
        ("typed message", text("你好"), "on text"),
        ("typed event", event("subscribe", ""), "on subscribe"),
        ("menu key", event("CLICK", "ORDER"), "click ORDER"),
        ("menu key without a route", event("CLICK", "X"), "fallback"),
        (
            "typed event without a route",
            event("unsubscribe", ""),
            "fallback",
        ),
        ("new event", event("brand_new", ""), "unknown"),
    ] {
        assert_eq!(winner(&routes, &push).as_deref(), Some(expected), "{name}");
    }
    let matched = routes.find(&text("查 22"), &facts()).unwrap();
    assert_eq!(matched.captures, [("no".to_owned(), "22".to_owned())]);
}

#[test]
fn notices_have_routes_and_only_what_has_no_type_is_unknown() {
    let routes = Router::<()>::new()
        .on::<ComponentVerifyTicket, _>(nothing)
        .on::<Image, _>(nothing)
        .unknown(nothing)
        .fallback(nothing)
        .with_state(())
        .unwrap();
    let notice = |name: &str| {
        let body = format!("<xml><AppId>wx2</AppId><InfoType>{name}</InfoType></xml>");
        Push::parse(&AppId::parse("wx2").unwrap(), &Bytes::from(body)).unwrap()
    };
    for (push, expected) in [
        (
            notice("component_verify_ticket"),
            "on component_verify_ticket",
        ),
        (notice("authorized"), "fallback"),
        (notice("some_future_notice"), "unknown"),
        (push("<MsgType>image</MsgType>"), "on image"),
        (push("<MsgType>some_future_message</MsgType>"), "unknown"),
        (event("user_get_card", ""), "fallback"),
        (event("some_future_event", ""), "unknown"),
    ] {
        assert_eq!(winner(&routes, &push).as_deref(), Some(expected));
    }
}

#[test]
fn a_push_without_a_route_is_nobodys() {
    let routes = Router::<()>::new()
        .on::<Unsubscribe, _>(nothing)
        .with_state(())
        .unwrap();
    assert_eq!(winner(&routes, &text("你好")), None);
}

#[test]
fn everything_that_is_wrong_with_routes_is_told_at_once_with_both_places() {
    let first = line!();
    let errors = Router::<()>::new()
        .text("帮助", nothing)
        .text("帮助", nothing)
        .text(pattern("^查"), nothing)
        .text(pattern("^查"), nothing)
        .text(pattern("(查"), nothing)
        .text("", nothing)
        .click("ORDER", nothing)
        .click("ORDER", nothing)
        .click("", nothing)
        .on::<Subscribe, _>(nothing)
        .on::<Subscribe, _>(nothing)
        .unknown(nothing)
        .unknown(nothing)
        .fallback(nothing)
        .fallback(|Content(text): Content| async move { text })
        .layer(Attempts::after(["2s", "soon"]))
        .check()
        .unwrap_err();
    insta::assert_snapshot!(with_relative_lines(&errors.to_string(), first), @r#"
    the routes cannot be used:
      text "帮助" at main.rs:3 can never win: text "帮助" at main.rs:2 takes the same pushes
      text /^查/ at main.rs:5 can never win: text /^查/ at main.rs:4 takes the same pushes
      text /(查/ at main.rs:6 has a pattern that cannot be read: unclosed group
      text "" at main.rs:7 can never win: it is empty
      click ORDER at main.rs:9 can never win: click ORDER at main.rs:8 takes the same pushes
      click "" at main.rs:10 can never win: it is empty
      on subscribe at main.rs:12 can never win: on subscribe at main.rs:11 takes the same pushes
      unknown at main.rs:14 can never win: unknown at main.rs:13 takes the same pushes
      fallback at main.rs:16 can never win: fallback at main.rs:15 takes the same pushes
      the attempts at main.rs:17 cannot be read: "soon" is not a time: write a whole number and ms, s, m or h, for example "10s"
    "#);
}

fn at_time(time: &str) -> Facts {
    let time: jiff::Timestamp = time.parse().unwrap();
    let account = AppId::parse("wx1").unwrap();
    Facts::new(account, Timestamp::from_milliseconds(time.as_millisecond()))
}

#[test]
fn a_route_whose_guard_says_no_is_passed_over_and_said_to_be() {
    let first = line!();
    let routes = Router::<()>::new()
        .text("人工", nothing)
        .guard(between("09:00", "18:00").on_weekdays())
        .text("人工", nothing)
        .guard(account("wx1"))
        .guard(guard(|push, _| push.from().as_str() == "o1").named("a tester"))
        .fallback(nothing)
        .with_state(())
        .unwrap();
    let told = |facts: &Facts| {
        let told = routes.explain(&text("人工"), facts).to_string();
        with_relative_lines(&told, first)
    };
    insta::assert_snapshot!(told(&at_time("2026-12-04T12:00:00+08:00")), @r#"
    text "人工" at main.rs:2: it wins: an exact text is the most specific that fits
    other routes that fit, in the order in which they are asked:
      text "人工" at main.rs:4: as specific, and registered after main.rs:2
      fallback at main.rs:7: less specific: an exact text comes before `fallback`
    "#);
    insta::assert_snapshot!(told(&at_time("2026-12-05T12:00:00+08:00")), @r#"
    text "人工" at main.rs:4: it wins: an exact text is the most specific that fits
    other routes that fit, in the order in which they are asked:
      text "人工" at main.rs:2: passed over, because this is not so: between 09:00 and 18:00 in Asia/Shanghai, on weekdays
      fallback at main.rs:7: less specific: an exact text comes before `fallback`
    "#);
    let other = Facts::new(
        AppId::parse("wx2").unwrap(),
        at_time("2026-12-05T12:00:00+08:00").now,
    );
    let found = routes
        .find(&text("人工"), &other.named("wx1-by-name"))
        .unwrap();
    assert_eq!(&*found.route.name(), "fallback");
}

#[test]
fn an_account_is_named_as_configured_or_by_its_appid() {
    let routes = Router::<()>::new()
        .fallback(nothing)
        .guard(account("shop"))
        .with_state(())
        .unwrap();
    let facts = |id: &str| Facts::new(AppId::parse(id).unwrap(), Timestamp::from_seconds(0));
    let takes = |facts: Facts| routes.find(&text("x"), &facts).is_some();
    assert!(takes(facts("wx1").named("shop")));
    assert!(takes(facts("shop")));
    assert!(!takes(facts("wx1").named("other")));
    assert!(!takes(facts("wx1")));
    let nobody = routes.explain(&text("x"), &facts("wx1"));
    assert_eq!(nobody.winner, None);
    assert_eq!(nobody.others[0].outcome, Outcome::PassedOver);
}

#[test]
fn groups_are_asked_by_specificity_together_and_bear_their_names() {
    let inner = Router::<()>::new()
        .text(pattern("^查"), nothing)
        .text("查", nothing);
    let routes = Router::new()
        .fallback(nothing)
        .text(pattern("查$"), nothing)
        .nest("outer", Router::new().nest("inner", inner))
        .guard(account("wx1"))
        .merge(Router::new().click("A", nothing))
        .with_state(())
        .unwrap();
    let names: Vec<_> = routes.names().collect();
    let expected = [
        "fallback",
        "text /查$/",
        "outer: inner: text /^查/",
        "outer: inner: text \"查\"",
        "click A",
    ];
    assert_eq!(names, expected);
    let order = |explained: Explanation| -> Vec<String> {
        let all = explained.winner.into_iter().chain(explained.others);
        all.map(|candidate| candidate.route).collect()
    };
    let asked = order(routes.explain(&text("查"), &facts()));
    assert_eq!(asked, [expected[3], expected[1], expected[2], expected[0]]);
    // The guard concerns the group alone.
    let elsewhere = Facts::new(AppId::parse("wx2").unwrap(), facts().now);
    let found = routes.find(&text("查"), &elsewhere).unwrap();
    assert_eq!(&*found.route.name(), "text /查$/");
    let tap = event("CLICK", "A");
    let found = routes.find(&tap, &elsewhere).unwrap();
    assert_eq!(&*found.route.name(), "click A");
}

#[test]
fn a_route_is_unreachable_only_behind_one_with_no_more_guards_than_its_own() {
    let vip = || guard(|_, _| true).named("vip");
    let shared = vip();
    let first = line!();
    let errors = Router::<()>::new()
        .text("a", nothing)
        .guard(account("x"))
        .text("a", nothing)
        .guard(account("y"))
        .text("a", nothing)
        .guard(account("y"))
        .guard(vip())
        .text("a", nothing)
        .text("a", nothing)
        .guard(account("z"))
        .text("b", nothing)
        .guard(vip())
        .text("b", nothing)
        .guard(vip())
        .text("c", nothing)
        .guard(shared.clone())
        .nest("group", Router::new().text("c", nothing))
        .guard(shared.clone())
        .text("d", nothing)
        .guard(between("8:00", "18:00"))
        .text("d", nothing)
        .guard(!shared.clone())
        .text("d", nothing)
        .guard(shared)
        .check()
        .unwrap_err();
    insta::assert_snapshot!(with_relative_lines(&errors.to_string(), first), @r#"
    the routes cannot be used:
      text "a" at main.rs:6 can never win: text "a" at main.rs:4 takes the same pushes
      text "a" at main.rs:10 can never win: text "a" at main.rs:9 takes the same pushes
      group: text "c" at main.rs:18 can never win: text "c" at main.rs:16 takes the same pushes
      the hours at main.rs:21 cannot be read: "8:00" is no time of day: write hours and minutes, from "00:00" to "24:00"
    "#);
    let nothing_before = Router::<()>::new().guard(account("x")).check().unwrap_err();
    assert!(nothing_before.to_string().contains("the guard at"));
}

#[test]
fn a_layer_that_cannot_be_read_or_concerns_nothing_is_told_with_its_place() {
    async fn around(next: crate::dispatch::Next) -> crate::dispatch::Handled {
        next.run().await
    }
    let first = line!();
    let errors = Router::<()>::new()
        .layer(OnlyInWindow)
        .wrap(around)
        .fallback(nothing)
        .layer(TimeLimit("half an hour"))
        .layer(TimeLimit("0s"))
        .layer(TimeLimit("1m"))
        .layer(TimeLimit("2m"))
        .layer(AtOnce(0))
        .check()
        .unwrap_err();
    insta::assert_snapshot!(with_relative_lines(&errors.to_string(), first), @r#"
    the routes cannot be used:
      the layer at main.rs:2 concerns no route: write it after those that it is for
      the function around handlers at main.rs:3 concerns no route: write it after those that it is for
      the time of the layer at main.rs:5 cannot be read: "half an hour" is not a time: write a whole number and ms, s, m or h, for example "10s"
      the time of the layer at main.rs:6 cannot be read: "0s" is no time at all: write at least "1ms"
      the layer at main.rs:8 concerns no route: write it after those that it is for
      AtOnce(0) at main.rs:9 lets no handler run: write 1 or more
    "#);
}

/// Places as lines after the first one, so that this file may grow above it.
fn with_relative_lines(text: &str, first: u32) -> String {
    let place = Regex::new(r"src/dispatch/router/tests\.rs:(\d+)(?::\d+)?").unwrap();
    let relative = place.replace_all(text, |found: &regex::Captures<'_>| {
        let line: u32 = found[1].parse().unwrap();
        format!("main.rs:{}", line - first)
    });
    relative.into_owned()
}
