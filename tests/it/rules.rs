//! Every kind of rule, and every kind of template, on the real program and the local WeChat.

use std::fs;

use wxhook::simulator::pusher::{Gesture, Verdict};

use crate::crash::pusher;
use crate::main_job::{StandIn, variables};
use crate::support::{Program, eventually, run};

const RULES: &str = r#"
[hours]
open = ["daily 00:00-00:01"]

[[rule]]
name = "scene"
scene = "shop-7"
say = ["one", "two"]

[[rule]]
name = "view"
on = "VIEW"
render = "welcome.txt"

[[rule]]
name = "exact"
exact = ["hours", "open"]
say = "nine to six"

[[rule]]
name = "past"
contains = "sale"
until = 2020-01-01
say = "it is over"

[[rule]]
name = "contains"
contains = "sale"
from = 2020-01-01
accounts = ["default"]
message = { msgtype = "text", text = { content = "ten percent off" } }

[[rule]]
name = "pattern"
pattern = '^track (?<no>\d+)$'
render = "parcel.txt"
with = { phone = "400" }

[[rule]]
name = "click"
click = "CONTACT"
say = "call us"

[[rule]]
name = "satisfied"
exact = "satisfied"
render = "menu.json"

[[rule]]
name = "page"
exact = "page"
render = "news.json"

[[rule]]
name = "picture"
exact = "picture"
render = "image.json"
with = { media = "MEDIA" }

[[rule]]
name = "away"
on = "text"
hours = "closed"
say = "we are closed"
"#;

const FILES: [(&str, &str); 7] = [
    (
        "welcome.txt",
        "Welcome, {{ user.openid }}!{% include \"foot.inc\" %}",
    ),
    (
        "welcome.en.txt",
        "Hello, {{ user.openid }}!{% include \"foot.inc\" %}",
    ),
    ("foot.inc", " -- {{ account.name }}"),
    (
        "parcel.txt",
        "{# needs: no, phone #}\nparcel {{ no }}, call {{ phone }}",
    ),
    (
        "menu.json",
        r#"{"msgtype": "msgmenu", "msgmenu": {"head_content": "Satisfied, {{ user.openid }}?", "list": [{"id": "1", "content": "yes"}, {"id": "2", "content": "no"}]}}"#,
    ),
    (
        "news.json",
        r#"{"msgtype": "news", "news": {"articles": [{"title": "{{ push.content }} \"quoted\"", "description": "d", "url": "https://example.com/", "picurl": "https://example.com/p.png"}]}}"#,
    ),
    (
        "image.json",
        "{# needs: media #}\n{\"msgtype\": \"image\", \"image\": {\"media_id\": \"{{ media }}\"}}",
    ),
];

/// The smallest PNG there is: one pixel.
const PIXEL: &[u8] = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x01\0\0\0\x01\x08\x06\0\0\0\x1f\x15\xc4\x89\0\0\0\nIDATx\x9cc\0\x01\0\0\x05\0\x01\r\n-\xb4\0\0\0\0IEND\xaeB`\x82";

fn event(name: &str, key: &str) -> Gesture {
    Gesture::Event {
        name: name.to_owned(),
        key: key.to_owned(),
    }
}

fn text(content: &str) -> Gesture {
    Gesture::Text(content.to_owned())
}

#[test]
fn every_kind_of_rule_and_of_template_answers_on_the_real_program() {
    let stand_in = StandIn::start();
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name);
    let data_dir = path("data");
    let base = variables(&stand_in.url, data_dir.to_str().unwrap(), "127.0.0.1:0");

    // A picture that the platform has.
    fs::write(path("pixel.png"), PIXEL).unwrap();
    let put = [
        "media",
        "put",
        path("pixel.png").to_str().unwrap(),
        "--json",
    ]
    .map(str::to_owned);
    let put: Vec<&str> = put.iter().map(String::as_str).collect();
    let (code, out, err) = run(&put, &base, "");
    assert_eq!(code, 0, "{out}{err}");
    let uploaded: serde_json::Value = serde_json::from_str(&out).unwrap();
    let media = uploaded["media_id"].as_str().unwrap();

    fs::create_dir(path("templates")).unwrap();
    for (name, content) in FILES {
        fs::write(path("templates").join(name), content).unwrap();
    }
    fs::write(path("rules.toml"), RULES.replace("MEDIA", media)).unwrap();
    let (templates, rules) = (path("templates"), path("rules.toml"));
    let mut environment = base.clone();
    environment.push(("WXHOOK__RENDER__DIR", templates.to_str().unwrap()));
    environment.push(("WXHOOK__RULES__FILE", rules.to_str().unwrap()));
    environment.push(("WXHOOK__ACCOUNTS__DEFAULT__LOCALE", "en"));
    let mut program = Program::start(&["serve"], &environment);
    let (webhook, _) = program.ready();

    let runtime = tokio::runtime::Runtime::new().unwrap();
    let mut pusher = pusher(&format!("http://{webhook}/wechat"), 7);
    let click = Gesture::Click {
        key: "CONTACT".to_owned(),
    };
    let cases = [
        (
            "view",
            event("VIEW", "https://example.com/"),
            vec![("text", "Hello, oView! -- default")],
        ),
        (
            "scene",
            event("SCAN", "shop-7"),
            vec![("text", "one"), ("text", "two")],
        ),
        ("exact", text(" Hours "), vec![("text", "nine to six")]),
        (
            "contains",
            text("is there a sale?"),
            vec![("text", "ten percent off")],
        ),
        (
            "pattern",
            text("track 1001"),
            vec![("text", "parcel 1001, call 400")],
        ),
        ("click", click, vec![("text", "call us")]),
        (
            "menu",
            text("satisfied"),
            vec![("msgmenu", "Satisfied, oMenu?")],
        ),
        ("page", text("page"), vec![("news", "page \"quoted\"")]),
        ("picture", text("picture"), vec![("image", "")]),
        (
            "any",
            text("anything at all"),
            vec![("text", "we are closed")],
        ),
    ];
    for (name, gesture, said) in cases {
        let mut user = format!("o{name}");
        user[1..2].make_ascii_uppercase();
        let push = pusher.make(gesture, &user);
        let report = runtime.block_on(pusher.push(&push));
        assert!(
            matches!(report.verdict(), Verdict::Success),
            "{name}: {report:?}"
        );
        let got = eventually(name, || {
            let platform = stand_in.platform.lock().unwrap();
            let got: Vec<_> = platform
                .deliveries_after(0)
                .filter(|delivery| delivery.open_id == user)
                .map(|delivery| (delivery.message_type.clone(), delivery.content.clone()))
                .collect();
            (got.len() >= said.len()).then_some(got)
        });
        assert_eq!(got.len(), said.len(), "{name}: {got:?}");
        for ((kind, content), (wanted, part)) in got.iter().zip(&said) {
            assert_eq!(kind, wanted, "{name}");
            let content = content.as_deref().unwrap_or_default();
            assert!(content.contains(part), "{name}: {content}");
        }
    }
}
