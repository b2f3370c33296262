//! What it costs to find who answers a push, by routes in code and by rules, and to render the answer.
//!
//! `cargo bench --bench routing [-- part of a case's name]`. All cases are measured in turns within one process.

#![expect(clippy::print_stdout, reason = "a benchmark prints what it measured")]

use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::json;
use wxhook::clock::Timestamp;
use wxhook::dispatch::{AccountFacts, Facts, Router, Routes, Rules, pattern};
use wxhook::id::AppId;
use wxhook::push::Push;
use wxhook::template::{Files, Render, Scope, Templates};

/// Turns of each case; odd, so that the median is one of them.
const ROUNDS: usize = 11;
/// How long one turn lasts.
const TURN: Duration = Duration::from_millis(60);
/// Calls between two looks at the clock.
const BATCH: u32 = 50;
/// Routes, and rules.
const SIZES: [usize; 3] = [10, 100, 1_000];

struct Case {
    name: String,
    call: Box<dyn Fn()>,
    nanoseconds: Vec<f64>,
}

fn main() {
    let wanted = std::env::args()
        .skip(1)
        .find(|argument| !argument.starts_with('-'));
    let mut cases = cases();
    cases.retain(|case| {
        wanted
            .as_ref()
            .is_none_or(|wanted| case.name.contains(wanted.as_str()))
    });
    for _ in 0..ROUNDS {
        for case in &mut cases {
            let nanoseconds = turn(&case.call);
            case.nanoseconds.push(nanoseconds);
        }
    }
    for case in &mut cases {
        case.nanoseconds.sort_by(f64::total_cmp);
        let (least, most) = (case.nanoseconds[0], case.nanoseconds[ROUNDS - 1]);
        let median = case.nanoseconds[ROUNDS / 2];
        println!("{:<44} {median:>9.0} ns ({least:.0}…{most:.0})", case.name);
    }
}

/// Nanoseconds of one call.
#[expect(clippy::disallowed_methods, reason = "it measures")]
fn turn(call: &dyn Fn()) -> f64 {
    let began = Instant::now();
    let mut calls = 0_u32;
    loop {
        for _ in 0..BATCH {
            call();
        }
        calls += BATCH;
        let took = began.elapsed();
        if took >= TURN {
            return took.as_secs_f64() * 1e9 / f64::from(calls);
        }
    }
}

fn account() -> AppId {
    AppId::parse("wx0123456789abcdef").expect("an AppID")
}

fn text(content: &str) -> Push {
    let document = format!(
        "<xml><ToUserName>gh_1</ToUserName><FromUserName>oUser</FromUserName><CreateTime>1700000000</CreateTime>\
         <MsgType>text</MsgType><MsgId>1</MsgId><Content><![CDATA[{content}]]></Content></xml>"
    );
    Push::parse(&account(), &document.into()).expect("a push")
}

/// Half of them exact texts, half patterns, and a fallback.
fn routes(count: usize) -> Routes {
    let exact = (0..count / 2).fold(Router::<()>::new(), |router, number| {
        router.text(format!("word {number}"), async || ())
    });
    let all = (0..count / 2).fold(exact, |router, number| {
        router.text(
            pattern(format!("^look {number} (?<no>[0-9]+)$")),
            async || (),
        )
    });
    all.fallback(async || ())
        .with_state(())
        .expect("routes that can win")
}

/// A third of them exact, a third contained, a third patterns.
fn rules(count: usize) -> Rules {
    let rule = |number: usize| {
        let when = match number % 3 {
            0 => format!("exact = \"word {number}\""),
            1 => format!("contains = \"part {number} of\""),
            _ => format!("pattern = '^look {number} (?<no>[0-9]+)$'"),
        };
        format!("[[rule]]\nname = \"r{number}\"\n{when}\nsay = \"yes\"\n")
    };
    let text: String = (0..count).map(rule).collect();
    Rules::parse(&text, "rules.toml", &[speaks_for()]).expect("rules")
}

fn speaks_for() -> AccountFacts {
    AccountFacts {
        name: "default".to_owned(),
        app_id: account(),
        locale: None,
    }
}

fn cases() -> Vec<Case> {
    let now = Timestamp::from_seconds(1_700_000_000);
    let mut cases = Vec::new();
    let mut add = |name: String, call: Box<dyn Fn()>| {
        cases.push(Case {
            name,
            call,
            nanoseconds: Vec::with_capacity(ROUNDS),
        });
    };
    for count in SIZES {
        let last = count / 2 - 1;
        for (what, content) in [
            ("exact text", format!("word {last}")),
            ("last pattern", format!("look {last} 7")),
            ("fallback", "something else".to_owned()),
        ] {
            let (routes, push) = (routes(count), text(&content));
            let facts = Facts::new(account(), now);
            assert!(routes.taker(&push, &facts).is_some());
            add(
                format!("{count} routes, {what}"),
                Box::new(move || {
                    black_box(routes.taker(black_box(&push), &facts));
                }),
            );
        }
        for (what, content) in [
            (
                "the last one",
                format!("look {} 7", count - 1 - (count - 1 + 1) % 3),
            ),
            ("none", "something else".to_owned()),
        ] {
            let (rules, push, account) = (rules(count), text(&content), speaks_for());
            add(
                format!("{count} rules, {what}"),
                Box::new(move || {
                    black_box(rules.find(black_box(&push), &account, now));
                }),
            );
        }
    }
    let files = Files::of([
        (
            "sent.txt",
            "{# needs: order #}\n订单 {{ order.number }} 已发货。\n{% for item in order.items %}- {{ item }}\n{% endfor %}",
        ),
        (
            "menu.json",
            "{# needs: order #}\n{\"msgtype\": \"msgmenu\", \"msgmenu\": {\"head_content\": \"订单 {{ order.number }} 满意吗？\", \
             \"list\": [{\"id\": \"1\", \"content\": \"满意\"}, {\"id\": \"2\", \"content\": \"不满意\"}]}}",
        ),
    ]);
    let templates = Arc::new(Templates::compile(&files).expect("templates"));
    let scope = Scope::new(&text("我的订单"), "default", &account());
    for name in ["sent.txt", "menu.json"] {
        let (templates, scope) = (Arc::clone(&templates), scope.clone());
        let order = json!({ "order": { "number": 1001, "items": ["茶", "杯子", "壶"] } });
        let render = Render::new(name, order);
        assert!(
            templates
                .render(&render, &scope)
                .expect("it renders")
                .is_some()
        );
        add(
            format!("rendering {name}"),
            Box::new(move || {
                black_box(templates.render(black_box(&render), &scope).ok());
            }),
        );
    }
    cases
}
