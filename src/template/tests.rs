use bytes::Bytes;
use serde_json::json;

use super::*;
use crate::id::AppId;
use crate::protocol::message::Message;
use crate::protocol::push::Push;

fn scope(inner: &str) -> Scope {
    let account = AppId::parse("wx1").unwrap();
    let body = format!(
        "<xml><ToUserName>gh_1</ToUserName><FromUserName>oABC</FromUserName>\
         <CreateTime>1700000000</CreateTime>{inner}</xml>"
    );
    let push = Push::parse(&account, &Bytes::from(body)).unwrap();
    Scope::new(&push, "shop", &account)
}

fn text(content: &str) -> Scope {
    scope(&format!(
        "<MsgType>text</MsgType><MsgId>1</MsgId><Content><![CDATA[{content}]]></Content>"
    ))
}

fn compiled<const N: usize>(files: [(&str, &str); N]) -> Templates {
    Templates::compile(&Files::of(files)).unwrap()
}

fn faults<const N: usize>(files: [(&str, &str); N]) -> String {
    Templates::compile(&Files::of(files))
        .unwrap_err()
        .to_string()
}

fn shown(templates: &Templates, render: &Render, scope: &Scope) -> String {
    match templates.render(render, scope) {
        Ok(Some(message)) => match message.body {
            crate::protocol::message::Body::Text(text) => text.content.as_str().to_owned(),
            other => format!("{other:?}"),
        },
        Ok(None) => "nothing".to_owned(),
        Err(error) => format!("error: {error}"),
    }
}

#[test]
fn a_fault_in_what_is_included_is_told_of_that_file() {
    let files = Files::of([
        ("a.txt", "{% include 'b.inc' %}"),
        ("b.inc", "{{ user.openid }，您好\n"),
        ("c.txt", "{% include 'note.md' %}"),
        ("note.md", "x"),
    ]);
    let faults = Templates::compile(&files).unwrap_err().to_string();
    assert!(faults.contains("b.inc:1: "), "{faults}");
    assert!(faults.contains("c.txt:1: "), "{faults}");
    assert!(faults.contains("\"note.md\""), "{faults}");
}

#[test]
fn a_text_names_the_push_its_user_the_account_and_what_it_is_given() {
    let templates = compiled([(
        "a.txt",
        "{# needs: order #}\n{{ user.openid }} wrote {{ push.content }} to {{ account.name }} ({{ account.appid }}):\n\
         {% for line in order.lines %}\n- {{ line }}\n{% endfor %}\n{{ push.fields['MsgId'] }}\n",
    )]);
    let render = Render::new("a.txt", json!({ "order": { "lines": ["茶", "<a>"] } }));
    let told = shown(&templates, &render, &text("<a href='x'>"));
    assert_eq!(
        told,
        "oABC wrote <\u{200B}a href='x'> to shop (wx1):\n- 茶\n- <\u{200B}a>\n1"
    );
}

#[test]
fn json_templates_become_any_message_and_nothing_that_is_said_breaks_out_of_its_text() {
    let templates = compiled([
        (
            "menu.json",
            r#"{"msgtype":"msgmenu","msgmenu":{"head_content":"{{ push.content }}","list":[
                {"id":"1","content":"{% include 'who.inc' %}"}]}}"#,
        ),
        ("who.inc", "{{ push.content }} {{ true }}"),
    ]);
    for content in [
        "plain",
        "\"}]",
        "\\",
        "a\nb",
        "{{ user.openid }}",
        "\u{1}</x>",
    ] {
        let found = templates.render(&Render::new("menu.json", ()), &text(content));
        let crate::protocol::message::Body::MsgMenu(menu) = found.unwrap().unwrap().body else {
            panic!("{content}");
        };
        let defused = crate::protocol::message::without_links(content);
        assert_eq!(menu.head.unwrap().as_str(), defused, "{content}");
        assert_eq!(
            menu.items[0].content.as_str(),
            format!("{defused} true"),
            "{content}"
        );
    }
}

#[test]
fn a_template_that_comes_to_nothing_says_nothing() {
    let templates = compiled([(
        "a.txt",
        "{% if push.event %}\n{{ push.event }}\n{% endif %}\n",
    )]);
    assert_eq!(
        shown(&templates, &Render::new("a.txt", ()), &text("a")),
        "nothing"
    );
}

#[test]
fn a_language_has_its_own_file_else_a_wider_one_else_everybodys() {
    let templates = compiled([
        ("hi.txt", "everybody"),
        ("hi.zh_CN.txt", "zh_CN"),
        ("hi.zh.txt", "zh"),
        ("hi.en.txt", "en"),
    ]);
    let locale = |text: &str| Some(Locale::parse(text).unwrap());
    for (asked, of_account, expected) in [
        (None, None, "everybody"),
        (None, locale("zh_CN"), "zh_CN"),
        (None, locale("zh_TW"), "zh"),
        (Some("en"), locale("zh_CN"), "en"),
        (Some("fr"), locale("zh_CN"), "zh_CN"),
        (Some("en_GB"), None, "en"),
        (None, locale("fr"), "everybody"),
    ] {
        let render = Render::new("hi.txt", ());
        let render = match asked {
            Some(asked) => render.locale(asked),
            None => render,
        };
        let found = shown(&templates, &render, &text("a").locale(of_account));
        assert_eq!(found, expected, "{asked:?}");
    }
    assert!(Locale::parse("zh-CN").is_err() && Locale::parse("welcome").is_err());
}

#[test]
fn every_fault_of_every_file_is_told_at_once_with_its_line() {
    let told = faults([
        (
            "a.txt",
            "{# needs: order #}\nHi {{ ordr.number }}\n{{ push.contnet }} {{ eta }}\n",
        ),
        ("b.txt", "ok\n{{ user.openid\n"),
        (
            "c.txt",
            "{{ user.openid|uper }} {% include 'line.inc' %}{% include 'gone.inc' %}\n",
        ),
        ("line.inc", "one\n{{ item }}\n"),
        (
            "d.json",
            "{\"msgtype\":\"text\",\"text\":{\n\"contents\":\"{{ user.openid }}\"}}",
        ),
        (
            "e.json",
            "{\"msgtype\":\"text\",\n\"text\":{\"content\": {{ user.openid }} x}}",
        ),
        ("f.zh_CN.txt", "{# needs: a-b #}"),
        ("g.txt", "{% include name %}{% include 'g.txt' %}"),
        ("h.txt", "{# needs: push #}"),
        ("i.txt", "{# needs: a #}{{ a }}"),
        ("i.en.txt", "{# needs: b #}{{ b }}"),
    ]);
    insta::assert_snapshot!(told);
}

#[test]
fn names_that_a_loop_or_a_set_brings_are_known_in_what_is_included_there() {
    let templates = compiled([
        (
            "a.txt",
            "{# needs: items #}{% set total = items|length %}{% for item in items %}{% include 'line.inc' %}{% endfor %}",
        ),
        ("line.inc", "{{ loop.index }}/{{ total }} {{ item }}\n"),
        ("base.inc", "[{% block body %}{% endblock %}]"),
        (
            "b.txt",
            "{% extends 'base.inc' %}{% block body %}{{ user.openid }}{% endblock %}",
        ),
        ("m.inc", "{% macro bold(x) %}*{{ x }}*{% endmacro %}"),
        (
            "c.txt",
            "{% from 'm.inc' import bold %}{{ bold(push.content) }} {% raw %}{{ {% include x %} }}{% endraw %}",
        ),
    ]);
    let render = Render::new("a.txt", json!({ "items": ["p", "q"] }));
    assert_eq!(shown(&templates, &render, &text("a")), "1/2 p\n2/2 q");
    assert_eq!(
        shown(&templates, &Render::new("b.txt", ()), &text("a")),
        "[oABC]"
    );
    assert_eq!(
        shown(&templates, &Render::new("c.txt", ()), &text("a")),
        "*a* {{ {% include x %} }}"
    );
}

#[test]
fn what_goes_wrong_is_told_by_template_line_and_variable() {
    let templates = compiled([
        ("need.txt", "{# needs: order, eta #}{{ order }}{{ eta }}"),
        ("scene.txt", "hello\n{{ push.scene }}\n"),
        ("within.txt", "{% include 'scene.inc' %}"),
        ("scene.inc", "\n\n{{ push.scene }}"),
        (
            "endless.txt",
            "{% for i in range(99999) %}{% for j in range(99999) %}x{% endfor %}{% endfor %}",
        ),
        (
            "huge.txt",
            "{% for i in range(9000) %}1234567890{% endfor %}",
        ),
        (
            "deep.txt",
            "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
        ),
        ("half.json", "{% if true %}{\"msgtype\":{% endif %}"),
        (
            "empty.json",
            "{\"msgtype\":\"text\",\"text\":{\"content\":\"{{ push.event or '' }}\"}}",
        ),
    ]);
    let cases = [
        Render::new("need.txt", json!({ "order": 1 })),
        Render::new("need.txt", 5),
        Render::new("ned.txt", ()),
        Render::new("scene.txt", ()),
        Render::new("within.txt", ()),
        Render::new("endless.txt", ()),
        Render::new("huge.txt", ()),
        Render::new("deep.txt", ()),
        Render::new("half.json", ()),
        Render::new("empty.json", ()),
    ];
    let told = cases.map(|render| shown(&templates, &render, &text("a")));
    insta::assert_snapshot!(told.join("\n"));
}

#[test]
fn a_directory_is_read_whole_without_what_is_hidden() {
    let directory = tempfile::tempdir().unwrap();
    let at = |name: &str| directory.path().join(name);
    std::fs::create_dir(at("sub")).unwrap();
    std::fs::create_dir(at(".git")).unwrap();
    std::fs::write(at("a.txt"), "\u{FEFF}a").unwrap();
    std::fs::write(at("sub/b.inc"), "b").unwrap();
    std::fs::write(at(".a.txt.swp"), [0xFF]).unwrap();
    std::fs::write(at(".git/c.txt"), "c").unwrap();
    let files = Files::read(directory.path()).unwrap();
    assert_eq!(files, Files::of([("a.txt", "a"), ("sub/b.inc", "b")]));

    std::fs::write(at("long.txt"), "a".repeat(MAX_FILE_BYTES + 1)).unwrap();
    std::fs::write(at("bytes.txt"), [0xFF, 0xFE]).unwrap();
    let files = Files::read(directory.path()).unwrap();
    let told = Templates::compile(&files).unwrap_err().to_string();
    assert_eq!(
        told,
        "bytes.txt: is not UTF-8; mend it, or take it out of the directory\n\
         long.txt: has more than 65536 bytes; mend it, or take it out of the directory"
    );
}

#[test]
fn a_look_tells_whenever_something_was_written_replaced_or_moved_behind_a_link() {
    let directory = tempfile::tempdir().unwrap();
    let at = |name: &str| directory.path().join(name);
    let (templates, rules) = (at("templates"), at("rules.toml"));
    for state in ["one", "two"] {
        std::fs::create_dir(at(state)).unwrap();
        std::fs::write(at(state).join("a.txt"), "same").unwrap();
    }
    std::os::unix::fs::symlink(at("one"), &templates).unwrap();
    let look = || Look::at(&templates, &rules);
    let mut before = look();
    assert_eq!(before, look());
    let mut changed = |what: &str| {
        let now = look();
        assert_ne!(now, before, "{what}");
        before = now;
    };
    std::os::unix::fs::symlink(at("two"), at("next")).unwrap();
    std::fs::rename(at("next"), &templates).unwrap();
    changed("another state behind the link");
    std::fs::write(at("two/b.txt"), "new").unwrap();
    changed("a new file");
    std::fs::write(at("two/a.txt"), "longer").unwrap();
    changed("another text");
    std::fs::write(&rules, "").unwrap();
    changed("rules");
    std::fs::remove_file(at("two/b.txt")).unwrap();
    changed("a file that is gone");
}

proptest::proptest! {
    #[test]
    fn noise_is_compiled_or_told_and_never_panics(noise in r#"(\{\{|\}\}|\{%|%\}|\{#|#\}|raw|endraw|include|needs:|'|"|\\|a|push\.|\||\n| |é|您){0,40}"#) {
        let files = Files::of([
            ("a.txt", noise.clone()),
            ("b.json", noise.clone()),
            ("c.inc", noise),
            ("d.txt", "{% include 'c.inc' %}".to_owned()),
        ]);
        if let Ok(templates) = Templates::compile(&files) {
            drop(templates.render(&Render::new("a.txt", ()), &text("a")));
            drop(templates.render(&Render::new("b.json", ()), &text("a")));
        }
    }

    #[test]
    fn whatever_a_user_writes_stays_one_text(content in "\\PC{0,60}") {
        let templates = compiled([("a.json", r#"{"msgtype":"text","text":{"content":"> {{ push.content }}"}}"#)]);
        let said = templates.render(&Render::new("a.json", ()), &text(&content.replace("]]>", "")));
        let expected = text(&content.replace("]]>", ""));
        let written = expected.values()["push"]["content"].as_str().unwrap_or_default().to_owned();
        let expected = Message::from(format!("> {}", crate::protocol::message::without_links(&written)));
        proptest::prop_assert_eq!(said.unwrap(), Some(expected));
    }
}
