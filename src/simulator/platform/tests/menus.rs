//! Menus: what they may be made of, who sees which.

use serde_json::json;

use super::kit::Desk;
use super::*;

const CREATE: &str = "/cgi-bin/menu/create";
const ADD: &str = "/cgi-bin/menu/addconditional";

fn click(name: &str) -> Value {
    json!({ "type": "click", "name": name, "key": "K" })
}

fn view(url: &str) -> Value {
    json!({ "type": "view", "name": "v", "url": url })
}

#[test]
fn a_menu_is_checked_before_it_is_taken() {
    let mut desk = Desk::open();
    let of = |buttons: Value| json!({ "button": buttons });
    let below =
        |buttons: Vec<Value>| json!({ "button": [{ "name": "更多", "sub_button": buttons }] });
    let with = |member: &str, value: &str| {
        let mut button = click("a");
        button[member] = value.into();
        button
    };
    for (name, menu, expected) in [
        ("three", of(json!([click("a"), click("b"), click("c")])), 0),
        (
            "four",
            of(json!([click("a"), click("b"), click("c"), click("d")])),
            40016,
        ),
        ("none", of(json!([])), 40016),
        ("no list", json!({}), 40016),
        ("five below", below(vec![click("a"); 5]), 0),
        ("six below", below(vec![click("a"); 6]), 40023),
        ("16 bytes", of(json!([click(&"a".repeat(16))])), 0),
        (
            "18 bytes, six characters",
            of(json!([click(&"好".repeat(6))])),
            40018,
        ),
        ("60 bytes below", below(vec![click(&"好".repeat(20))]), 0),
        ("61 bytes below", below(vec![click(&"a".repeat(61))]), 40025),
        (
            "no name",
            of(json!([{ "type": "click", "key": "K" }])),
            40018,
        ),
        ("no type", of(json!([{ "name": "a", "key": "K" }])), 40017),
        ("an unknown type", of(json!([with("type", "tap")])), 40017),
        (
            "an unknown type below",
            below(vec![with("type", "tap")]),
            40024,
        ),
        (
            "no key",
            of(json!([{ "type": "click", "name": "a" }])),
            40019,
        ),
        (
            "a key of 128 bytes",
            of(json!([with("key", &"k".repeat(128))])),
            0,
        ),
        (
            "a key of 129 bytes",
            of(json!([with("key", &"k".repeat(129))])),
            40019,
        ),
        (
            "a key of 129 bytes below",
            below(vec![with("key", &"k".repeat(129))]),
            40026,
        ),
        (
            "no url",
            of(json!([{ "type": "view", "name": "v" }])),
            40020,
        ),
        (
            "a url too long",
            of(json!([view(&format!(
                "https://e.com/{}",
                "u".repeat(1024)
            ))])),
            40020,
        ),
        (
            "a url too long below",
            below(vec![view(&format!("https://e.com/{}", "u".repeat(1024)))]),
            40027,
        ),
        ("no web address", of(json!([view("ftp://e.com")])), 40055),
        ("no web address below", below(vec![view("e.com")]), 40054),
        (
            "three levels",
            below(vec![json!({ "name": "a", "sub_button": [click("b")] })]),
            40022,
        ),
        (
            "a mini program without its path",
            of(
                json!([{ "type": "miniprogram", "name": "m", "url": "https://e.com", "appid": "wx1" }]),
            ),
            40165,
        ),
        (
            "a medium without id",
            of(json!([{ "type": "media_id", "name": "m" }])),
            40007,
        ),
        (
            "an article without id",
            of(json!([{ "type": "article_id", "name": "m" }])),
            53600,
        ),
    ] {
        assert_eq!(desk.code(CREATE, menu), expected, "{name}");
    }
    let escaped = r#"{"button":[{"type":"click","name":"\u597d","key":"K"}]}"#;
    let call = post(CREATE, &format!("access_token={}", desk.token), escaped);
    assert_eq!(desk.answer(&call).code, Some(40033));
}

#[test]
fn a_menu_comes_back_as_it_was_made_and_deleting_it_deletes_all() {
    let mut desk = Desk::open();
    assert_eq!(desk.get("/cgi-bin/menu/get", "")["errcode"], 46003);
    assert_eq!(
        desk.get("/cgi-bin/get_current_selfmenu_info", "")["is_menu_open"],
        0
    );
    let menu = json!([click("查单"), { "name": "更多", "sub_button": [view("https://e.com")] }]);
    let rule = json!({ "client_platform_type": "1" });
    let conditional = json!({ "button": [click("苹果")], "matchrule": rule });
    assert_eq!(desk.code(ADD, conditional.clone()), 65303);
    assert_eq!(desk.code(CREATE, json!({ "button": menu })), 0);
    let added = desk.post(ADD, conditional.clone());
    let id = added["menuid"].as_str().unwrap().to_owned();
    let shown = desk.get("/cgi-bin/menu/get", "");
    let mut expected =
        json!([click("查单"), { "name": "更多", "sub_button": [view("https://e.com")] }]);
    expected[0]["sub_button"] = json!([]);
    expected[1]["sub_button"][0]["sub_button"] = json!([]);
    assert_eq!(shown["menu"]["button"], expected);
    assert_eq!(shown["conditionalmenu"][0]["matchrule"], rule);
    assert_eq!(shown["conditionalmenu"][0]["menuid"].to_string(), id);
    let current = desk.get("/cgi-bin/get_current_selfmenu_info", "");
    assert_eq!(
        current,
        json!({ "is_menu_open": 1, "selfmenu_info": { "button": [
            click("查单"),
            { "name": "更多", "sub_button": { "list": [view("https://e.com")] } },
        ] } })
    );
    let delete = "/cgi-bin/menu/delconditional";
    assert_eq!(desk.code(delete, json!({ "menuid": id })), 0);
    assert_eq!(desk.code(delete, json!({ "menuid": id })), 65301);
    desk.post(ADD, conditional);
    assert_eq!(desk.get("/cgi-bin/menu/delete", "")["errcode"], 0);
    assert_eq!(
        desk.look(Shelf::Menus),
        json!({ "menu": null, "conditionalmenu": [], "console": null })
    );
}

#[test]
fn the_newest_conditional_menu_that_fits_is_the_one_that_a_user_sees() {
    let mut desk = Desk::with_followers(&["oA", "oB"]);
    let tag = desk.post("/cgi-bin/tags/create", json!({ "tag": { "name": "VIP" } }));
    let tag = tag["tag"]["id"].clone();
    let order = json!({ "openid_list": ["oA"], "tagid": tag });
    desk.post("/cgi-bin/tags/members/batchtagging", order);
    desk.post(CREATE, json!({ "button": [click("all")] }));
    let seen = |desk: &mut Desk, open_id: &str| {
        let answer = desk.post("/cgi-bin/menu/trymatch", json!({ "user_id": open_id }));
        answer["button"][0]["name"]
            .as_str()
            .unwrap_or("nothing")
            .to_owned()
    };
    let tag_rule = json!({ "tag_id": tag.to_string() });
    desk.post(
        ADD,
        json!({ "button": [click("vip")], "matchrule": tag_rule }),
    );
    assert_eq!(
        (seen(&mut desk, "oA"), seen(&mut desk, "oB")),
        ("vip".into(), "all".into())
    );
    let android = json!({ "client_platform_type": "2" });
    desk.post(
        ADD,
        json!({ "button": [click("robot")], "matchrule": android }),
    );
    desk.arrange(json!({ "client_platform": { "openid": "oA", "client_platform_type": 2 } }));
    assert_eq!(seen(&mut desk, "oA"), "robot");
    assert_eq!(
        desk.code("/cgi-bin/menu/trymatch", json!({ "user_id": "oX" })),
        65302
    );
    for (name, rule, url, expected) in [
        ("nothing", json!({}), "https://a.com", 65304),
        ("empty", json!({ "tag_id": "" }), "https://a.com", 65304),
        ("withdrawn", json!({ "sex": "1" }), "https://a.com", 65320),
        (
            "withdrawn but empty",
            json!({ "sex": "", "tag_id": "2" }),
            "https://a.com",
            0,
        ),
        ("a second domain", tag_rule.clone(), "https://b.com", 0),
        ("a third domain", tag_rule.clone(), "https://c.com/x", 0),
        ("the third again", tag_rule.clone(), "http://c.com:80/y", 0),
        ("a fourth domain", tag_rule.clone(), "https://d.com", 65316),
    ] {
        let got = desk.code(ADD, json!({ "button": [view(url)], "matchrule": rule }));
        assert_eq!(got, expected, "{name}");
    }
}

#[test]
fn a_menu_of_the_console_is_seen_only_where_users_see_it() {
    let mut desk = Desk::open();
    desk.post(CREATE, json!({ "button": [click("a")] }));
    let made = json!({ "button": [{ "type": "text", "name": "关于", "value": "我们" }] });
    desk.arrange(json!({ "console_menu": made }));
    assert_eq!(desk.get("/cgi-bin/menu/get", "")["errcode"], 46003);
    let current = desk.get("/cgi-bin/get_current_selfmenu_info", "");
    assert_eq!(current["selfmenu_info"], made);
    desk.arrange(json!({ "console_menu": null }));
    assert_eq!(
        desk.get("/cgi-bin/get_current_selfmenu_info", "")["is_menu_open"],
        0
    );
}
