//! What an operator is told of the limits and does about them, on the real program.

use jiff::tz::Offset;
use serde_json::{Value, json};
use wxhook::simulator::platform::{Arrangement, QuotaOrder, QuotaRow, Shelf};

use crate::main_job::{APP_ID, Served, StandIn, variables};
use crate::shell::Shell;
use crate::support::{Program, get, raw, run};

const MESSAGE: &str = r#"{"touser":"oUser1","msgtype":"text","text":{"content":"a"}}"#;

impl Shell {
    /// What `quota show --json` says of a key.
    fn quota(&self, key: &str) -> Value {
        let (code, out, err) = self.run(&["quota", "show", "--json"]);
        assert_eq!(code, 0, "{err}");
        of(key, &out)
    }
}

fn of(key: &str, printed: &str) -> Value {
    let keys = printed
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap());
    let mut found = keys.filter(|status| status["key"] == key);
    found.next().unwrap_or(Value::Null)
}

fn counted(status: &Value) -> (&Value, &Value, &Value) {
    (&status["used"], &status["limit"], &status["limit_from"])
}

/// A request with the server's admin key.
fn asked(served: &Served, method: &str, target: &str) -> (u16, String) {
    let key = std::fs::read_to_string(served.data_dir.path().join("admin.key")).unwrap();
    let (admin, key) = (served.admin, key.trim());
    let head = format!(
        "{method} {target} HTTP/1.1\r\nHost: {admin}\r\nAuthorization: Bearer {key}\r\n\
         Connection: close\r\nContent-Length: 0\r\n\r\n"
    );
    let answer = raw(admin, head);
    (answer.status, answer.body)
}

#[test]
fn an_operator_sees_what_is_used_up_and_when_it_returns_and_has_it_cleared() {
    let shell = Shell::beside_a_server();
    let served = shell.served.as_ref().unwrap();
    shell.arrange(Arrangement::Quota {
        row: QuotaRow::CustomSend,
        order: QuotaOrder {
            daily_limit: Some(3),
            ..QuotaOrder::default()
        },
    });
    for (number, expected) in [(1, 0), (2, 0), (3, 0), (4, 1)] {
        let (code, _, err) = shell.run(&["send", MESSAGE]);
        assert_eq!(code, expected, "{number}: {err}");
    }

    let full = shell.quota("custom_send");
    assert_eq!(
        (&full["remain"], &full["obstacle"]["limit"]),
        (&json!(0), &json!("day"))
    );
    let returns_at = full["obstacle"]["returns_at"].as_str().unwrap();
    assert!(returns_at.ends_with("T00:01:30+08:00"), "{returns_at}");
    let instant: jiff::Timestamp = returns_at.parse().unwrap();
    assert_eq!(
        full["obstacle"]["returns_at_ms"],
        instant.as_millisecond(),
        "the same moment"
    );
    let (code, out, _) = shell.run(&["quota", "show"]);
    let line = out.lines().find(|line| line.starts_with("custom_send"));
    let line = line.unwrap();
    let day = Offset::constant(8).to_datetime(instant).date();
    let told = format!("; used up for the day, returns at {day} 00:01:30 +08:00 (Beijing), in ");
    assert!(code == 0 && line.contains(&told), "{line}");
    let (_, ready) = asked(served, "GET", "/readyz");
    assert!(ready.contains(returns_at), "{ready}");

    // One question for a token, and no clear yet.
    assert_eq!(
        counted(&shell.quota("stable_token")),
        (&json!(1), &json!(500_000), &json!("published"))
    );
    for (key, limit) in [("clear_quota_total", 10), ("openapi_quota_clear", 50)] {
        let expected = (&json!(0), &json!(limit), &json!("published"));
        assert_eq!(counted(&shell.quota(key)), expected, "{key}");
    }

    // The same over HTTP, for whoever has the admin key.
    let (status, body) = asked(served, "GET", "/v1/quota/default");
    let answer: Value = serde_json::from_str(&body).unwrap();
    let keys = answer["keys"].as_array().unwrap();
    assert_eq!((status, &answer["account"]), (200, &json!(APP_ID)));
    assert!(keys.contains(&full), "{body}");
    assert_eq!(get(served.admin, "/v1/quota/default").status, 401);
    for (method, target, expected) in [
        ("GET", "/v1/quota/nobody", 404),
        ("GET", "/v1/quota/default/more", 404),
        ("POST", "/v1/quota/default", 405),
        ("GET", "/v1/quota/default/clear", 405),
        ("POST", "/v1/quota/default/clear", 400),
    ] {
        assert_eq!(
            asked(served, method, target).0,
            expected,
            "{method} {target}"
        );
    }

    let (code, out, err) = shell.run(&["quota", "clear", "--key", "custom_send"]);
    assert_eq!(code, 0, "{err}");
    let period = shell.quota("openapi_quota_clear")["period"].clone();
    let period = period.as_str().unwrap();
    assert_eq!(
        out,
        format!("default: custom_send cleared; 49 of the 50 such clears of {period} are left\n")
    );
    let (code, _, err) = shell.run(&["send", MESSAGE]);
    assert_eq!(code, 0, "it is open again: {err}");
    assert_eq!(shell.quota("custom_send")["obstacle"], Value::Null);
    let (code, _, err) = shell.run(&["quota", "clear", "--key", "no_such_key"]);
    assert!(
        code == 1 && err.contains("docs/quotas.md lists them"),
        "{err}"
    );
    assert_eq!(shell.shelf(Shelf::Quota)["path_clears_this_month"], 1);

    // The month's clears of everything come to their end, and that is told before WeChat is asked.
    for left in (0..10).rev() {
        let cleared = shell.json(&["quota", "clear", "--all"]);
        assert_eq!(
            (&cleared["cleared"], &cleared["clears"]["remain"]),
            (&json!(true), &json!(left))
        );
    }
    let (code, _, err) = shell.run(&["quota", "clear", "--all"]);
    let told = "the quota clear_quota_total is used up for this month (10 calls); it returns at";
    assert!(code == 1 && err.contains(told), "{err}");
    assert_eq!(shell.shelf(Shelf::Quota)["clears_this_month"], 10);
    assert_eq!(shell.asked(|path| path == "/cgi-bin/clear_quota").len(), 10);
}

#[test]
fn questions_for_plain_tokens_are_counted_over_a_kill() {
    let stand_in = StandIn::start();
    let directory = tempfile::tempdir().unwrap();
    let data_dir = directory.path().to_str().unwrap();
    let mut server = variables(&stand_in.url, data_dir, "127.0.0.1:0");
    server.push(("WXHOOK__TOKEN__ENDPOINT", "plain"));
    for expected in [1, 1] {
        let mut program = Program::start(&["serve"], &server);
        let (_, admin) = program.ready();
        let admin = admin.to_string();
        let mut operator = server.clone();
        operator.retain(|(name, _)| *name != "WXHOOK_ADMIN_LISTEN");
        operator.push(("WXHOOK_ADMIN_LISTEN", &admin));
        let (code, _, err) = run(&["api", "get", "/cgi-bin/getcallbackip"], &operator, "");
        assert_eq!(code, 0, "{err}");
        let (code, out, err) = run(&["quota", "show", "--json"], &operator, "");
        assert_eq!(code, 0, "{err}");
        let token = of("token", &out);
        let told = (&json!(expected), &json!(2000), &json!("published"));
        assert_eq!(counted(&token), told, "{out}");
        program.kill();
    }
}
