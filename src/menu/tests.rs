use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

const WHOLE: &str = r#"[[button]]
name = "查单"
type = "click"
key = "ORDER"

[[button]]
name = "更多"

[[button.sub_button]]
name = "官网"
type = "view"
url = "https://example.com/a?b=1&c=2"

[[button.sub_button]]
name = "商城"
type = "miniprogram"
url = "https://example.com"
appid = "wx0123456789abcdef"
pagepath = "pages/index"

[[conditionalmenu]]
matchrule = { tag_id = 102, client_platform_type = 1 }

[[conditionalmenu.button]]
name = "VIP"
type = "scancode_waitmsg"
key = "SCAN"
"#;

fn menu(text: &str) -> Menu {
    Menu::parse(text).unwrap()
}

/// The platform, as far as menus go: newer conditional menus have greater numbers and are listed first.
#[derive(Default)]
struct Account {
    button: Value,
    conditional: Vec<Value>,
    last: i64,
}

impl Account {
    fn apply(&mut self, call: &Call) {
        let body = call.body().unwrap_or_default();
        match call {
            Call::Delete => *self = Self::default(),
            Call::Create(_) => self.button = body["button"].clone(),
            Call::DeleteConditional(found) => {
                let before = self.conditional.len();
                self.conditional
                    .retain(|menu| menu["menuid"].as_i64() != found.menuid.parse().ok());
                assert_eq!(self.conditional.len() + 1, before);
            }
            Call::AddConditional(_) => {
                assert!(!self.button.is_null(), "65303: no default menu");
                self.last += 1;
                let mut menu = body;
                menu["menuid"] = json!(self.last);
                // Oldest first: the order of the list must not matter.
                self.conditional.push(menu);
            }
        }
    }

    fn current(&self) -> Current {
        if self.button.is_null() {
            return Current::default();
        }
        let answer = json!({
            "menu": { "button": self.button, "menuid": 1 },
            "conditionalmenu": self.conditional,
        });
        Current::from_menu_get(&answer).unwrap()
    }

    fn with(text: &str) -> Self {
        let mut account = Self::default();
        for call in plan(&menu(text), &Current::default()).calls {
            account.apply(&call);
        }
        account
    }
}

/// What the plan from one file to another prints.
fn printed(old: &str, new: &str) -> String {
    plan(&menu(new), &Account::with(old).current()).to_string()
}

#[test]
fn a_file_is_sent_in_the_platforms_own_words() {
    let planned = plan(&menu(WHOLE), &Current::default());
    let bodies: Vec<_> = planned.calls.iter().map(Call::body).collect();
    assert_eq!(
        bodies,
        [
            Some(json!({ "button": [
                { "name": "查单", "type": "click", "key": "ORDER" },
                { "name": "更多", "sub_button": [
                    { "name": "官网", "type": "view", "url": "https://example.com/a?b=1&c=2" },
                    { "name": "商城", "type": "miniprogram", "url": "https://example.com",
                      "appid": "wx0123456789abcdef", "pagepath": "pages/index" },
                ] },
            ] })),
            Some(json!({
                "button": [{ "name": "VIP", "type": "scancode_waitmsg", "key": "SCAN" }],
                "matchrule": { "tag_id": "102", "client_platform_type": "1" },
            })),
        ]
    );
}

#[test]
fn every_fault_of_a_file_is_told_at_once_with_line_place_and_remedy() {
    let text = r#"
titel = "x"

[[button]]
name = "一二三四五六"
type = "clik"

[[button]]
name = "更多"
url = "https://example.com"

[[button.sub_button]]
name = "官网"
type = "view"
url = "example.com"

[[button.sub_button]]
name = "深"
sub_button = []

[[button.sub_button]]
name = "bell\u0007"
type = "miniprogram"
url = "https://example.com"
appid = "wx12"

[[button]]
name = "空"
sub_button = []

[[button]]
type = 5

[[conditionalmenu]]
matchrule = { sex = 1, group_id = 2, tag_id = "VIP", client_platform_type = 4 }
button = []

[[conditionalmenu]]
matchrule = {}

[[conditionalmenu]]
[[conditionalmenu.button]]
name = "键"
type = "click"
key = ""
"#;
    insta::assert_snapshot!(Menu::parse(text).unwrap_err().to_string(), @r#"
    line 2: the file: titel: is not known; remove it; there can be: button, conditionalmenu
    line 4: button: 4 buttons, and 3 are allowed; remove some, or put some inside another
    line 5: button 1: name = "一二三四五六": has 18 bytes, and 16 are allowed; shorten it; a Chinese character has 3 bytes
    line 6: 一二三四五六: type = "clik": is no type of button; choose one of click, view, scancode_push, scancode_waitmsg, pic_sysphoto, pic_photo_or_album, pic_weixin, location_select, media_id, article_id, article_view_limited, view_limited, miniprogram
    line 10: 更多: url: is not known; remove it; there can be: name, sub_button
    line 15: 更多 / 官网: url = "example.com": is not the address of a page; write a URL that begins with https:// or http://
    line 19: 更多 / 深: a button that opens from another cannot open a third row; give it a type instead of sub_button
    line 21: 更多 / bell�: pagepath: is missing; write pagepath = "…"
    line 22: 更多 / button 3: name = "bell\u{7}": has a control character or \uXXXX, which the platform refuses (40033); write the characters themselves
    line 29: 空: opens nothing; write [[button.sub_button]] once for each, or give it a type
    line 31: button 4: name: is missing; write name = "…"
    line 35: conditionalmenu 1: matchrule: group_id: is the older name of tag_id; write tag_id
    line 35: conditionalmenu 1: matchrule: sex: was withdrawn by the platform (65320); give such users a tag, and write tag_id
    line 35: conditionalmenu 1: matchrule: tag_id: is no number; write a number: tag_id = 2
    line 35: conditionalmenu 1: matchrule: client_platform_type = 4: is no kind of device; write 1 (iOS), 2 (Android) or 3 (other)
    line 36: conditionalmenu 1: has no button; write its buttons, or remove it
    line 38: conditionalmenu 2: button: is missing; write [[conditionalmenu.button]] for each button
    line 39: conditionalmenu 2: matchrule: matches nobody in particular (65304); write tag_id, client_platform_type, or both
    line 41: conditionalmenu 3: matchrule: is missing; write matchrule = { tag_id = 100 } or { client_platform_type = 1 }
    line 45: conditionalmenu 3: 键: key = "": is empty; write something
    "#);
}

#[test]
fn what_is_no_menu_file_is_refused_with_the_line() {
    let hosts = |count: usize, host: &dyn Fn(usize) -> String| {
        let conditional = |n| {
            format!(
                "[[conditionalmenu]]\nmatchrule = {{ tag_id = {n} }}\n[[conditionalmenu.button]]\n\
                 name = \"a\"\ntype = \"view\"\nurl = \"https://{}/\"\n",
                host(n)
            )
        };
        let menus: String = (1..=count).map(conditional).collect();
        format!("{WHOLE}\n{menus}")
    };
    let long_key = WHOLE.replace("ORDER", &"K".repeat(129));
    let long_url = WHOLE.replace("/a?b", &"/".repeat(1010));
    for (name, text, expected) in [
        ("empty", "", "line 1: button: is missing"),
        (
            "a typing error",
            "[[button]\nname = 1",
            "line 1: not TOML: ",
        ),
        (
            "a table",
            "[button]\nname = \"a\"",
            "line 1: button: is no list",
        ),
        (
            "a text in a list",
            "button = [1]",
            "line 1: button 1: is no button",
        ),
        (
            "four buttons",
            &"[[button]]\nname=\"a\"\ntype=\"click\"\nkey=\"k\"\n".repeat(4),
            "4 buttons, and 3 are allowed",
        ),
        (
            "a long key",
            &long_key,
            "has 129 bytes, and 128 are allowed",
        ),
        ("a long url", &long_url, "bytes, and 1024 are allowed"),
        (
            "no default menu",
            &format!("button = []\n{}", &WHOLE[WHOLE.find("[[cond").unwrap()..]),
            "needs a default menu (65303)",
        ),
        (
            "four domains",
            &hosts(4, &|n| format!("example{n}.com")),
            "(example1.com, example2.com, example3.com, example4.com), which the platform refuses (65316)",
        ),
        (
            "\\u",
            &WHOLE.replace("\"查单\"", "'\\u67e5'"),
            "\\uXXXX, which the platform refuses (40033)",
        ),
    ] {
        let faults = Menu::parse(text).expect_err(name).to_string();
        assert!(faults.contains(expected), "{name}: {faults}");
    }
    // Four hosts may be one domain: that is for the platform to say.
    let planned = plan(
        &menu(&hosts(4, &|n| format!("a{n}.example.com"))),
        &Current::default(),
    );
    assert_eq!(planned.notes.len(), 1, "{:?}", planned.notes);
}

#[test]
fn each_kind_of_difference_is_told_as_a_person_says_it() {
    let new = r#"
[[button]]
name = "更多"

[[button.sub_button]]
name = "商城"
type = "miniprogram"
url = "https://example.com/shop"
appid = "wx0123456789abcdef"
pagepath = "pages/index"

[[button.sub_button]]
name = "关于"
type = "view"
url = "https://example.com/about"

[[button]]
name = "订单"
type = "click"
key = "ORDER"

[[button]]
name = "官网"
type = "view"
url = "https://example.com/a?b=1&c=2"

[[conditionalmenu]]
matchrule = { client_platform_type = 2 }
button = [{ name = "安卓", type = "click", key = "A" }]

[[conditionalmenu]]
matchrule = { tag_id = 102, client_platform_type = 1 }

[[conditionalmenu.button]]
name = "VIP"
type = "click"
key = "SCAN"
"#;
    insta::assert_snapshot!(printed(WHOLE, new), @r#"
    > 更多: place 2 → 1
    ~ 更多 / 商城: url "https://example.com" → "https://example.com/shop"
    + 更多 / 关于: view https://example.com/about
    ~ 订单: name "查单" → "订单"
    > 官网: was 更多 / 官网
    + conditionalmenu (client_platform_type = 2 (Android)): 1 button
    + conditionalmenu (client_platform_type = 2 (Android)): 安卓: click A
    ~ conditionalmenu (tag_id = 102, client_platform_type = 1 (iOS)): menuid 1: deleted and made anew, for it cannot be changed
    ~ conditionalmenu (tag_id = 102, client_platform_type = 1 (iOS)): VIP: scancode_waitmsg SCAN → click SCAN
    call 1: POST /cgi-bin/menu/create: the default menu, 3 buttons
    call 2: POST /cgi-bin/menu/delconditional: menuid 1 (tag_id = 102, client_platform_type = 1 (iOS))
    call 3: POST /cgi-bin/menu/addconditional: tag_id = 102, client_platform_type = 1 (iOS); 1 button
    call 4: POST /cgi-bin/menu/addconditional: client_platform_type = 2 (Android); 1 button
    "#);
    insta::assert_snapshot!(printed(new, WHOLE), @r#"
    > 查单: place 2 → 1
    ~ 查单: name "订单" → "查单"
    > 更多 / 官网: was 官网
    ~ 更多 / 商城: url "https://example.com/shop" → "https://example.com"
    - 更多 / 关于: view https://example.com/about
    ~ conditionalmenu (tag_id = 102, client_platform_type = 1 (iOS)): menuid 1: deleted and made anew, for it cannot be changed
    ~ conditionalmenu (tag_id = 102, client_platform_type = 1 (iOS)): VIP: click SCAN → scancode_waitmsg SCAN
    - conditionalmenu (client_platform_type = 2 (Android)): menuid 2
    - conditionalmenu (client_platform_type = 2 (Android)): 安卓: click A
    call 1: POST /cgi-bin/menu/create: the default menu, 2 buttons
    call 2: POST /cgi-bin/menu/delconditional: menuid 2 (client_platform_type = 2 (Android))
    call 3: POST /cgi-bin/menu/delconditional: menuid 1 (tag_id = 102, client_platform_type = 1 (iOS))
    call 4: POST /cgi-bin/menu/addconditional: tag_id = 102, client_platform_type = 1 (iOS); 1 button
    "#);
}

#[test]
fn a_button_that_opened_others_and_does_something_now_loses_them() {
    let old = "[[button]]\nname=\"a\"\nsub_button=[{name=\"x\",type=\"click\",key=\"X\"},{name=\"y\",type=\"click\",key=\"Y\"}]";
    let new = "[[button]]\nname=\"a\"\ntype=\"click\"\nkey=\"A\"\n[[button]]\nname=\"x\"\ntype=\"click\"\nkey=\"X\"";
    insta::assert_snapshot!(printed(old, new), @r#"
    ~ a: opens 2 buttons → click A
    - a / y: click Y
    > x: was a / x
    call 1: POST /cgi-bin/menu/create: the default menu, 2 buttons
    "#);
    insta::assert_snapshot!(printed(old, "button = []"), @r#"
    - a: opens 2 buttons
    - a / x: click X
    - a / y: click Y
    call 1: GET /cgi-bin/menu/delete: every menu
    "#);
    insta::assert_snapshot!(printed(old, old), @"no difference: the account's menu is as the file says");
}

#[test]
fn only_the_menus_that_come_first_are_made_anew() {
    let file = |tags: &[u32]| {
        let conditional = |tag: &u32| {
            format!(
                "[[conditionalmenu]]\nmatchrule = {{ tag_id = {tag} }}\nbutton = [{{ name = \"b\", type = \"click\", key = \"K\" }}]\n"
            )
        };
        let menus: String = tags.iter().map(conditional).collect();
        format!("[[button]]\nname = \"a\"\ntype = \"click\"\nkey = \"K\"\n{menus}")
    };
    // (before, after, deleted, added): at most what comes first is touched.
    for (before, after, expected) in [
        (&[1, 2, 3][..], &[1, 2, 3][..], (0, 0)),
        (&[1, 2, 3], &[9, 1, 2, 3], (0, 1)),
        (&[1, 2, 3], &[1, 3], (1, 0)),
        (&[1, 2, 3], &[2, 1, 3], (1, 1)),
        (&[1, 2, 3], &[3, 2, 1], (2, 2)),
        (&[1, 2, 3], &[1, 2, 3, 4], (3, 4)),
        (&[1], &[], (1, 0)),
        (&[1, 1], &[1], (1, 0)),
    ] {
        let mut account = Account::with(&file(before));
        let planned = plan(&menu(&file(after)), &account.current());
        let count = |wanted: &str| {
            let calls = planned.calls.iter();
            calls.filter(|call| call.path().ends_with(wanted)).count()
        };
        let found = (count("delconditional"), count("addconditional"));
        assert_eq!(found, expected, "{before:?} → {after:?}");
        for call in &planned.calls {
            account.apply(call);
        }
        let current = account.current();
        let tags = current.conditionalmenu.iter();
        let tags: Vec<_> = tags.map(|found| found.menu.matchrule.tag_id).collect();
        let wanted: Vec<_> = after.iter().map(|tag| Some(i64::from(*tag))).collect();
        assert_eq!(tags, wanted, "{before:?} → {after:?}");
    }
}

#[test]
fn a_menu_that_an_earlier_rule_hides_is_noted() {
    let hidden = format!(
        "{WHOLE}\n[[conditionalmenu]]\nmatchrule = {{ tag_id = 102, client_platform_type = 1 }}\nbutton = [{{ name = \"b\", type = \"click\", key = \"K\" }}]"
    );
    let planned = plan(&menu(&hidden), &Current::default());
    assert_eq!(
        planned.notes,
        ["conditionalmenu 2 is never shown: whomever it matches, conditionalmenu 1 matches first"]
    );
}

#[test]
fn a_menu_made_in_the_console_becomes_a_file_and_what_it_cannot_keep_is_noted() {
    let answer = json!({
        "is_menu_open": 1,
        "selfmenu_info": { "button": [
            { "name": "内容", "sub_button": { "list": [
                { "type": "view", "name": "网页", "url": "https://example.com" },
                { "type": "news", "name": "图文", "value": "M1", "news_info": { "list": [
                    { "title": "t", "content_url": "https://mp.weixin.qq.com/s?a=1" }, { "title": "u" },
                ] } },
                { "type": "video", "name": "视频", "value": "http://203.0.113.9/v.mp4" },
                { "type": "voice", "name": "语音", "value": "M2" },
            ] } },
            { "type": "text", "name": "文字", "value": "您好" },
            { "type": "img", "name": "图片", "value": "M3" },
        ] },
    });
    let current = Current::from_selfmenu(&answer).unwrap();
    assert_eq!(current.origin, Origin::Console);
    let kept = Menu {
        button: current.button.clone(),
        conditionalmenu: Vec::new(),
    };
    assert_eq!(menu(&kept.to_file()), kept);
    insta::assert_snapshot!(format!("{}\n{}", current.notes.join("\n"), kept.to_file()), @r#"
    内容 / 图文: the console sends 2 article(s); the file opens the first as a page
    内容 / 视频: the console sends a video, of which the platform tells only an address that expires; the file has a click, which a handler must answer
    文字: the console answers with a text; the file has a click, which a handler must answer with: 您好
    [[button]]
    name = "内容"

    [[button.sub_button]]
    name = "网页"
    type = "view"
    url = "https://example.com"

    [[button.sub_button]]
    name = "图文"
    type = "view"
    url = "https://mp.weixin.qq.com/s?a=1"

    [[button.sub_button]]
    name = "视频"
    type = "click"
    key = "内容 / 视频"

    [[button.sub_button]]
    name = "语音"
    type = "media_id"
    media_id = "M2"

    [[button]]
    name = "文字"
    type = "click"
    key = "文字"

    [[button]]
    name = "图片"
    type = "media_id"
    media_id = "M3"
    "#);
    // An API menu takes its place, and says so.
    let planned = plan(&kept, &current);
    assert_eq!((planned.calls.len(), planned.notes.len()), (1, 1));
    let none = json!({ "is_menu_open": 0 });
    assert_eq!(Current::from_selfmenu(&none), Ok(Current::default()));
    assert!(Current::from_selfmenu(&json!({})).is_err());
}

#[test]
fn withdrawn_rules_and_unknown_buttons_of_the_account_are_noted_and_never_kept() {
    let answer = json!({
        "menu": { "button": [{ "type": "hologram", "name": "新", "sub_button": [] }], "menuid": 5 },
        "conditionalmenu": [{
            "button": [{ "type": "click", "name": "b", "key": "K", "sub_button": [] }],
            "matchrule": { "group_id": "2", "sex": "1", "country": "" }, "menuid": "7",
        }],
    });
    let current = Current::from_menu_get(&answer).unwrap();
    insta::assert_snapshot!(current.notes.join("\n"), @r#"
    新: the type "hologram" is not known
    conditional menu 7: its rule has sex, which the platform has withdrawn
    "#);
    let wanted = menu(
        "[[button]]\nname=\"新\"\ntype=\"click\"\nkey=\"N\"\n[[conditionalmenu]]\nmatchrule={tag_id=2}\nbutton=[{name=\"b\",type=\"click\",key=\"K\"}]",
    );
    insta::assert_snapshot!(plan(&wanted, &current).to_string(), @r#"
    ~ 新: hologram (not known to this version) → click N
    + conditionalmenu (tag_id = 2): 1 button
    + conditionalmenu (tag_id = 2): b: click K
    - conditionalmenu (tag_id = 2): menuid 7
    - conditionalmenu (tag_id = 2): b: click K
    call 1: POST /cgi-bin/menu/create: the default menu, 1 button
    call 2: POST /cgi-bin/menu/delconditional: menuid 7 (tag_id = 2)
    call 3: POST /cgi-bin/menu/addconditional: tag_id = 2; 1 button
    "#);
}

fn tap() -> impl Strategy<Value = Action> {
    (0..Kind::ALL.len(), "[a-c\"\\\\ 单😀]{1,3}").prop_map(|(kind, text)| {
        let kind = Kind::ALL[kind];
        let value = |member: &&str| match *member {
            "url" => format!("https://example.com/{text}"),
            "appid" => "wx0123456789abcdef".to_owned(),
            _ => format!("x{text}"),
        };
        let values = kind.members().iter().map(value).collect();
        Action::Tap(Tap { kind, values })
    })
}

fn row(action: impl Strategy<Value = Action>, most: usize) -> impl Strategy<Value = Vec<Button>> {
    let name = "[ab\"'\\\\#=单]{1,2}x";
    let button = (name, action).prop_map(|(name, action)| Button { name, action });
    vec(button, 1..=most)
}

fn any_row() -> impl Strategy<Value = Vec<Button>> {
    row(prop_oneof![tap(), row(tap(), 5).prop_map(Action::Open)], 3)
}

fn any_menu() -> impl Strategy<Value = Menu> {
    let rule = (prop::option::of(1i64..4), prop::option::of(0..3usize))
        .prop_filter("a rule matches something", |(tag, client)| {
            tag.is_some() || client.is_some()
        })
        .prop_map(|(tag_id, client)| MatchRule {
            tag_id,
            client_platform_type: client.map(|client| Client::ALL[client]),
        });
    let conditional =
        (rule, row(tap(), 2)).prop_map(|(matchrule, button)| Conditional { matchrule, button });
    (any_row(), vec(conditional, 0..4)).prop_map(|(button, conditionalmenu)| Menu {
        button,
        conditionalmenu,
    })
}

proptest! {
    #[test]
    fn every_menu_comes_back_from_its_file(wanted in any_menu()) {
        prop_assert_eq!(Menu::parse(&wanted.to_file()), Ok(wanted));
    }

    #[test]
    fn after_the_calls_of_a_plan_there_is_nothing_left_to_plan(old in any_menu(), new in any_menu()) {
        let mut account = Account::default();
        for wanted in [&old, &new] {
            let planned = plan(wanted, &account.current());
            prop_assert_eq!(planned.differences.is_empty(), planned.calls.is_empty());
            for call in &planned.calls {
                account.apply(call);
            }
            prop_assert_eq!(plan(wanted, &account.current()).calls, []);
            let current = account.current();
            prop_assert_eq!(&current.button, &wanted.button);
            let found: Vec<_> = current.conditionalmenu.into_iter().map(|found| found.menu).collect();
            prop_assert_eq!(&found, &wanted.conditionalmenu);
        }
    }

    #[test]
    fn no_text_is_a_panic(text in "[\\[\\]a-z_=\"\n{},0-9]{0,80}|(\\[\\[button\\]\\]\n(name|type|key|sub_button) = (1|\"a\"|\\[\\]|\\{\\})\n){0,4}") {
        drop(Menu::parse(&text));
    }
}
