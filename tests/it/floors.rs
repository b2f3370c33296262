//! The house as it is drawn: which room may know which, and what no room may do.

use std::path::Path;

use regex::Regex;

mod source;

use self::source::{Source, read_all};

/// The floors, from the roof down. A room imports from floors below its own; rooms of one floor do
/// not import each other.
const FLOORS: &[&[&str]] = &[
    &["cli", "testing"],
    &["app"],
    &["config"],
    &["http", "console"],
    &["doctor", "simulator"],
    &["dispatch", "alert"],
    &["api"],
    &["token", "quota"],
    &["platform"],
    &["store", "transport", "template"],
    &["protocol", "menu"],
    &["id"],
    &["secret", "clock", "metric", "nearest"],
];

/// Modules that only turn values into values: time, randomness and bytes are arguments.
const PURE: &[&str] = &[
    "protocol",
    "menu",
    "id",
    "secret",
    "metric",
    "nearest",
    "alert/rules",
    "simulator/platform",
    "store/memory/model",
    "store/seen",
];

/// Modules that may name the web framework.
const WEB: &[&str] = &["http", "console", "simulator/skin"];

/// Every file from which a secret leaves its type. A new line here wants a reviewer's question:
/// where does it go from there?
const EXPOSING: &[&str] = &[
    // Into a request to the platform.
    "src/platform/exchange.rs",
    "src/token/request.rs",
    // Into signatures, ciphers and checks of their form.
    "src/protocol/credentials.rs",
    "src/protocol/envelope.rs",
    "src/protocol/opened.rs",
    "src/protocol/reply.rs",
    "src/protocol/sealed.rs",
    // Into its file, readable by the owner only; and a test of what was read.
    "src/app/admin_key.rs",
    // To a client of the token service that has the right, in a body that is never logged; into the
    // signatures of the JS-SDK; to the token service, in a header.
    "src/http/token.rs",
    "src/api/jssdk.rs",
    "src/api/ticket.rs",
    // Into the body of the one call that clears quotas without a token.
    "src/api/quota.rs",
    "src/transport/reqwest.rs",
    // To the running server, in a header, and to an operator who asked for it by name.
    "src/cli/admin.rs",
    "src/cli/component.rs",
    "src/cli/door.rs",
    // Into its row: a ticket must survive.
    "src/store/embedded/ledger.rs",
    // Into the client of the server that keeps tokens: its address has a password.
    "src/app/outward.rs",
    "src/app/limits.rs",
    // Into what all processes share: a token must be read by those who did not ask for it.
    "src/store/mysql.rs",
    "src/store/redis.rs",
    // Where an operator wants a plain copy for other systems.
    "src/store/redis/copies.rs",
    "src/store/embedded/tokens.rs",
    "src/config/tests.rs",
    // To the service of the sample's assistant, in a header, and into the way there.
    "handlers/assistant/service.rs",
    // The local WeChat signs and seals as WeChat does.
    "src/simulator/pusher.rs",
    "src/simulator/pusher/judge.rs",
    "src/simulator/seal.rs",
];

/// Names that say nothing about what is inside.
const EMPTY_NAMES: &[&str] = &[
    "common", "util", "utils", "helper", "helpers", "types", "misc",
];

/// What the user's code may import: the public API, and what any program uses.
const FOR_HANDLERS: &[&str] = &[
    "wxhook",
    "std",
    "serde",
    "serde_json",
    "regex",
    "reqwest",
    "tokio",
    "crate",
    "self",
    "super",
];

/// Looks at one file and says where it breaks the rule: line and what is wrong.
type Rule = fn(&Source) -> Vec<(usize, String)>;

const RULES: &[(&str, Rule)] = &[
    ("imports point down", imports_point_down),
    (
        "the simulator is a referee of its own",
        the_simulator_is_a_referee,
    ),
    (
        "handlers know the public API alone",
        handlers_know_the_public_api,
    ),
    (
        "only http, console and the simulator's skin know actix",
        actix_is_at_the_door,
    ),
    (
        "only config reads the environment",
        the_environment_is_read_once,
    ),
    (
        "pure modules have no async, clock or I/O",
        pure_modules_are_pure,
    ),
    (
        "only the system is asked for chances",
        chances_are_the_systems,
    ),
    (
        "secrets leave where it is listed",
        secrets_leave_where_it_is_listed,
    ),
    ("paths are not climbed", paths_are_not_climbed),
    ("an import names one module", imports_name_one_module),
    ("files have names that say something", names_say_something),
    ("names of tests are sentences", names_of_tests_are_sentences),
];

fn violations(sources: &[Source]) -> Vec<String> {
    let mut found = Vec::new();
    for source in sources {
        for (name, rule) in RULES {
            let broken = rule(source).into_iter();
            found.extend(
                broken.map(|(line, what)| format!("{}:{line}: {name}: {what}", source.path)),
            );
        }
    }
    found
}

#[test]
fn the_house_stands_as_it_is_drawn() {
    let sources = read_all(
        Path::new(env!("CARGO_MANIFEST_DIR")),
        &["src", "handlers", "tests", "benches"],
    );
    assert!(
        sources.len() > 20,
        "only {} files were found",
        sources.len()
    );
    let found = violations(&sources);
    assert!(found.is_empty(), "\n{}\n", found.join("\n"));
}

fn floor_of(room: &str) -> Option<usize> {
    FLOORS.iter().position(|rooms| rooms.contains(&room))
}

fn imports_point_down(source: &Source) -> Vec<(usize, String)> {
    let Some(room) = source.room() else {
        return Vec::new();
    };
    let Some(floor) = floor_of(room) else {
        return vec![(
            1,
            format!("the room {room:?} is on no floor; name it in FLOORS"),
        )];
    };
    let path = Regex::new(r"\bcrate::(\w+|\{)").unwrap();
    let mut found = Vec::new();
    for (line, code) in source.all() {
        for imported in path
            .captures_iter(code)
            .map(|captures| captures[1].to_owned())
        {
            let below = |imported: &str| floor_of(imported).is_some_and(|other| other > floor);
            if imported == "{" {
                found.push((line, "import each room in a line of its own".to_owned()));
            } else if imported != room && !below(&imported) {
                found.push((line, format!("{room} must not know {imported}")));
            }
        }
    }
    found
}

fn the_simulator_is_a_referee(source: &Source) -> Vec<(usize, String)> {
    if source.room() != Some("simulator") {
        return Vec::new();
    }
    matching(
        source.all(),
        r"\bcrate::(api|protocol::message|protocol::reply|platform|token)\b",
    )
}

fn handlers_know_the_public_api(source: &Source) -> Vec<(usize, String)> {
    if !source.path.starts_with("handlers/") {
        return Vec::new();
    }
    let import = Regex::new(r"^\s*(?:pub(?:\([^)]*\))? )?use (?:::)?(\w+)").unwrap();
    let foreign = |(line, code): (usize, &str)| {
        let root = import.captures(code)?[1].to_owned();
        (!FOR_HANDLERS.contains(&root.as_str())).then(|| (line, format!("imports {root}")))
    };
    source.all().filter_map(foreign).collect()
}

fn actix_is_at_the_door(source: &Source) -> Vec<(usize, String)> {
    if !source.ships() || WEB.iter().any(|module| source.is_within(module)) {
        return Vec::new();
    }
    matching(source.all(), r"\bactix\w*")
}

fn the_environment_is_read_once(source: &Source) -> Vec<(usize, String)> {
    if !source.ships() || source.is_within("config") {
        return Vec::new();
    }
    matching(
        source.production(),
        r"\benv::(vars?|vars?_os|set_var|remove_var)\b",
    )
}

fn pure_modules_are_pure(source: &Source) -> Vec<(usize, String)> {
    if !PURE.iter().any(|module| source.is_within(module)) {
        return Vec::new();
    }
    let impure = r"\basync\b|\.await\b|\btokio\b|\b(SystemClock|ManualClock|dyn Clock|clock::Clock)\b|\b(Instant|SystemTime)\b|\bstd::(fs|net|io|process|thread)\b|\bgetrandom\b";
    matching(source.production(), impure)
}

/// Nonces, keys and what an envelope begins with must be unpredictable, so that nothing that ships has a generator
/// with a seed. The local WeChat has one: its runs can be repeated.
fn chances_are_the_systems(source: &Source) -> Vec<(usize, String)> {
    if !source.ships() || source.is_within("simulator") {
        return Vec::new();
    }
    matching(
        source.production(),
        r"\b(rand|fastrand|SmallRng|StdRng|simulator::random)\b",
    )
}

fn secrets_leave_where_it_is_listed(source: &Source) -> Vec<(usize, String)> {
    let inside = source.path.starts_with("src/") && source.path != "src/secret.rs";
    if !inside && !source.path.starts_with("handlers/") {
        return Vec::new();
    }
    let exposing = matching(source.production(), r"\.expose\(\)|\bexpose\b");
    match (
        EXPOSING.contains(&source.path.as_str()),
        exposing.is_empty(),
    ) {
        (true, true) => vec![(1, "is listed in EXPOSING, and exposes nothing".to_owned())],
        (true, false) => Vec::new(),
        (false, _) => exposing,
    }
}

fn paths_are_not_climbed(source: &Source) -> Vec<(usize, String)> {
    matching(source.all(), r"\bsuper::super\b")
}

/// `use std::sync::{Arc, Mutex};` names one module; `use std::{fmt, sync::Arc};` names two.
fn imports_name_one_module(source: &Source) -> Vec<(usize, String)> {
    let several = Regex::new(r"(?m)^\s*(?:pub(?:\([^)]*\))? )?use [^;{]*\{[^;]*::[^;]*;").unwrap();
    let code = source.lines.join("\n");
    let line_of = |at: usize| code[..at].matches('\n').count() + 1;
    let found = several.find_iter(&code).map(|found| {
        let indent = found.as_str().len() - found.as_str().trim_start().len();
        let what = "write a line for each module".to_owned();
        (line_of(found.start() + indent), what)
    });
    found.collect()
}

fn names_say_something(source: &Source) -> Vec<(usize, String)> {
    let parts = source
        .path
        .split('/')
        .map(|part| part.trim_end_matches(".rs"));
    let mut found: Vec<_> = parts
        .filter(|part| EMPTY_NAMES.contains(part))
        .map(|part| (1, format!("{part:?} says nothing about what is inside")))
        .collect();
    if source.path.ends_with("/mod.rs") {
        found.push((1, "write x.rs beside x/, not x/mod.rs".to_owned()));
    }
    found
}

fn names_of_tests_are_sentences(source: &Source) -> Vec<(usize, String)> {
    // A public function is no test.
    matching(source.all(), r"^\s*(?:async )?fn test_\w*")
}

/// The lines on which the pattern is found, with what was found.
fn matching<'a>(
    lines: impl Iterator<Item = (usize, &'a str)>,
    pattern: &str,
) -> Vec<(usize, String)> {
    let pattern = Regex::new(pattern).unwrap();
    let found = |(line, code)| {
        pattern
            .find(code)
            .map(|found| (line, found.as_str().to_owned()))
    };
    lines.filter_map(found).collect()
}

#[test]
fn every_rule_finds_what_it_forbids() {
    let broken = [
        ("src/protocol/xml.rs", "\nuse crate::dispatch::Router;"),
        ("src/token.rs", "use crate::quota::Ledger;"),
        ("src/api/call.rs", "use crate::{id, clock};"),
        ("src/attic.rs", ""),
        (
            "src/simulator/load.rs",
            "use crate::protocol::message::Text;",
        ),
        (
            "handlers/echo.rs",
            "use wxhook::Router;\nuse rusqlite::Connection;",
        ),
        ("src/app.rs", "fn f() -> actix_web::HttpServer {}"),
        ("src/app/start.rs", "let key = std::env::var(\"KEY\");"),
        ("src/protocol/query.rs", "pub async fn parse() {}"),
        (
            "src/simulator/platform/token.rs",
            "let at = SystemTime::now();",
        ),
        ("src/http/passive.rs", "let nonce = fastrand::u64(..);"),
        (
            "handlers/order.rs",
            "let mut chances = rand::rngs::StdRng::seed_from_u64(7);",
        ),
        ("src/http/webhook.rs", "log(key.expose());"),
        ("src/token/request.rs", "fn f() {}"),
        ("src/store/memory.rs", "use super::super::id;"),
        (
            "src/clock.rs",
            "\n\nuse std::{\n    fmt,\n    sync::Arc,\n};",
        ),
        ("src/store/util.rs", ""),
        ("tests/it/store/mod.rs", "fn test_it() {}"),
    ];
    let sources = broken.map(|(path, text)| Source::new(path, text));
    insta::assert_snapshot!(violations(&sources).join("\n"), @r#"
    src/protocol/xml.rs:2: imports point down: protocol must not know dispatch
    src/token.rs:1: imports point down: token must not know quota
    src/api/call.rs:1: imports point down: import each room in a line of its own
    src/attic.rs:1: imports point down: the room "attic" is on no floor; name it in FLOORS
    src/simulator/load.rs:1: the simulator is a referee of its own: crate::protocol::message
    handlers/echo.rs:2: handlers know the public API alone: imports rusqlite
    src/app.rs:1: only http, console and the simulator's skin know actix: actix_web
    src/app/start.rs:1: only config reads the environment: env::var
    src/protocol/query.rs:1: pure modules have no async, clock or I/O: async
    src/simulator/platform/token.rs:1: pure modules have no async, clock or I/O: SystemTime
    src/http/passive.rs:1: only the system is asked for chances: fastrand
    handlers/order.rs:1: only the system is asked for chances: rand
    src/http/webhook.rs:1: secrets leave where it is listed: .expose()
    src/token/request.rs:1: secrets leave where it is listed: is listed in EXPOSING, and exposes nothing
    src/store/memory.rs:1: paths are not climbed: super::super
    src/clock.rs:3: an import names one module: write a line for each module
    src/store/util.rs:1: files have names that say something: "util" says nothing about what is inside
    tests/it/store/mod.rs:1: files have names that say something: write x.rs beside x/, not x/mod.rs
    tests/it/store/mod.rs:1: names of tests are sentences: fn test_it
    "#);
}

#[test]
fn no_rule_finds_what_is_allowed() {
    let sound = [
        (
            "src/http/webhook.rs",
            "use crate::dispatch::{Engine, Router}; // not crate::cli\nuse actix_web::web;",
        ),
        ("src/simulator/skin/inspect.rs", "use actix_web::web;"),
        ("src/config/environment.rs", "let all = std::env::vars();"),
        (
            "src/protocol/xml.rs",
            "use crate::protocol::push::Kind;\n#[cfg(test)]\nmod tests { use std::fs; }",
        ),
        ("src/secret.rs", "pub fn expose(&self) -> &str { &self.0 }"),
        (
            "src/simulator/skin.rs",
            "use crate::simulator::random::Random;",
        ),
        ("src/http/passive.rs", "getrandom::fill(&mut random)?;"),
        (
            "handlers/main.rs",
            "use wxhook::main;\nmod echo;\nuse crate::echo::echo;",
        ),
        (
            "tests/it/dispatch.rs",
            "let text = \"super::super and fn test_x\";",
        ),
    ];
    let sources = sound.map(|(path, text)| Source::new(path, text));
    assert_eq!(violations(&sources), [] as [String; 0]);
}
