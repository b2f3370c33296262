use bytes::Bytes;

use super::*;
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
        assert_eq!(routes.explain(&push).as_deref(), Some(expected), "{name}");
    }
    let matched = routes.find_specific(&text("查 22")).unwrap();
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
        assert_eq!(routes.explain(&push).as_deref(), Some(expected));
    }
}

#[test]
fn a_push_without_a_route_is_nobodys() {
    let routes = Router::<()>::new()
        .on::<Unsubscribe, _>(nothing)
        .with_state(())
        .unwrap();
    assert_eq!(routes.explain(&text("你好")), None);
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

/// Places as lines after the first one, so that this file may grow above it.
fn with_relative_lines(text: &str, first: u32) -> String {
    let place = Regex::new(r"src/dispatch/router/tests\.rs:(\d+):\d+").unwrap();
    let relative = place.replace_all(text, |found: &regex::Captures<'_>| {
        let line: u32 = found[1].parse().unwrap();
        format!("main.rs:{}", line - first)
    });
    relative.into_owned()
}
