//! Template messages and subscribe notices.

use serde_json::json;

use super::kit::Desk;
use super::*;

const SEND: &str = "/cgi-bin/message/template/send";
const NOTICE: &str = "/cgi-bin/message/subscribe/bizsend";

fn message(open_id: &str, data: Value) -> Value {
    json!({ "touser": open_id, "template_id": "TPL", "data": data })
}

#[test]
fn a_template_message_has_an_id_and_then_a_verdict() {
    let mut desk = Desk::with_followers(&["oA", "oB", "oGone"]);
    desk.platform
        .user_acted(at(0), &OpenId::new("oB"), Scene::Block);
    desk.platform
        .user_acted(at(0), &OpenId::new("oGone"), Scene::Unfollow);
    let data = json!({ "thing1": { "value": "维修" } });
    let sent = desk.post(SEND, message("oA", data.clone()));
    let id = sent["msgid"].as_i64().unwrap();
    assert!(id > 1 << 53, "larger than JavaScript's numbers hold: {id}");
    desk.post(SEND, message("oB", data.clone()));
    desk.arrange(json!({ "next_job": { "kind": "template", "status": "failed: system failed" } }));
    assert_eq!(desk.code(SEND, message("oGone", data.clone())), 43004);
    assert_eq!(desk.code(SEND, message("oX", data)), 40003);
    desk.second = 1;
    let now = desk.now();
    desk.platform.settle(now);
    let told: Vec<_> = desk
        .platform
        .events_after(0)
        .map(|event| {
            (
                event.from_user.as_str(),
                event.event.as_str(),
                event.elements.as_str(),
            )
        })
        .collect();
    let first =
        format!("<MsgID>{id}</MsgID>\n<Status><![CDATA[failed: system failed]]></Status>\n");
    let second = format!(
        "<MsgID>{}</MsgID>\n<Status><![CDATA[failed:user block]]></Status>\n",
        id + 1
    );
    let name = "TEMPLATESENDJOBFINISH";
    assert_eq!(
        told,
        [("oA", name, first.as_str()), ("oB", name, second.as_str())]
    );
    let delivered: Vec<_> = desk.platform.deliveries_after(0).collect();
    assert_eq!(delivered.len(), 1);
    assert_eq!(
        (delivered[0].way, delivered[0].content.as_deref()),
        (Way::Template, Some("thing1: 维修"))
    );
}

#[test]
fn the_same_client_msg_id_to_the_same_user_is_one_message_for_ten_minutes() {
    let mut desk = Desk::with_followers(&["oA", "oB"]);
    let order = |open_id: &str| {
        let mut message = message(open_id, json!({ "thing1": { "value": "a" } }));
        message["client_msg_id"] = "m-1".into();
        message
    };
    let mut send = |second: i64, open_id: &str| {
        desk.second = second;
        let sent = desk.post(SEND, order(open_id));
        (
            sent["msgid"].as_i64().unwrap(),
            desk.platform.delivery_count(),
        )
    };
    let (first, _) = send(0, "oA");
    assert_eq!(send(CLIENT_MSG_ID_SECONDS - 1, "oA"), (first, 1));
    assert_eq!(send(CLIENT_MSG_ID_SECONDS - 1, "oB"), (first + 1, 2));
    assert_eq!(send(CLIENT_MSG_ID_SECONDS, "oA"), (first + 2, 3));
}

#[test]
fn a_value_that_its_name_does_not_allow_is_named() {
    let mut desk = Desk::open();
    for (name, value, good) in [
        ("thing1", json!("好".repeat(20)), true),
        ("thing1", json!("好".repeat(21)), false),
        ("number2", json!("12.5"), true),
        ("number2", json!("12元"), false),
        ("letter3", json!("Abc"), true),
        ("letter3", json!("A1"), false),
        ("phrase4", json!("已经发货了"), true),
        ("phrase4", json!("已经发货了吗"), false),
        ("character_string5", json!("A-1_2"), true),
        ("character_string5", json!("单号"), false),
        ("phone_number6", json!("+86-0766-66888866"), true),
        ("first", json!("随便"), true),
        ("thing1", json!(7), false),
    ] {
        let answer = desk.post(SEND, message("o", json!({ name: { "value": value } })));
        let message = answer["errmsg"].as_str().unwrap();
        assert_eq!(answer["errcode"] == 0, good, "{name} {value}: {answer}");
        assert!(good || message.starts_with(&format!("argument invalid! data.{name}.value ")));
    }
    assert_eq!(
        desk.code(SEND, json!({ "touser": "o", "template_id": "T" })),
        47003
    );
}

#[test]
fn an_account_has_twenty_five_templates_which_must_exist_when_that_is_checked() {
    let mut desk = Desk::of(Settings {
        references: References::Checked,
        ..settings()
    });
    let add = "/cgi-bin/template/api_add_template";
    let short = json!({ "template_id_short": "TM00015", "keyword_name_list": ["单号", "时间"] });
    let made = desk.post(add, short.clone());
    for _ in 1..25 {
        assert_eq!(desk.code(add, short.clone()), 0);
    }
    assert_eq!(desk.code(add, short), 45026);
    let data = json!({ "thing1": { "value": "a" } });
    assert_eq!(desk.code(SEND, message("o", data.clone())), 40037);
    let mut known = message("o", data);
    known["template_id"] = made["template_id"].clone();
    assert_eq!(desk.code(SEND, known.clone()), 0);
    let list = desk.get("/cgi-bin/template/get_all_private_template", "");
    assert_eq!(list["template_list"].as_array().unwrap().len(), 25);
    let delete = "/cgi-bin/template/del_private_template";
    let order = json!({ "template_id": made["template_id"] });
    assert_eq!(
        (desk.code(delete, order.clone()), desk.code(delete, order)),
        (0, 40037)
    );
    assert_eq!(desk.code(SEND, known), 40037);
    let industry = "/cgi-bin/template/api_set_industry";
    let change = json!({ "industry_id1": "1", "industry_id2": "4" });
    assert_eq!(
        (
            desk.code(industry, change.clone()),
            desk.code(industry, change)
        ),
        (0, 43100)
    );
    let told = desk.get("/cgi-bin/template/get_industry", "");
    assert_eq!(told["secondary_industry"]["second_class"], "4");
    let list = desk.get("/cgi-bin/template/get_all_private_template", "");
    assert_eq!(list, json!({ "template_list": [] }));
}

#[test]
fn a_notice_needs_a_consent_which_it_uses_up() {
    let mut desk = Desk::with_followers(&["oA"]);
    let notice = message("oA", json!({ "thing1": { "value": "a" } }));
    assert_eq!(desk.code(NOTICE, notice.clone()), 43101);
    desk.arrange(json!({ "consent": { "openid": "oA", "template_id": "TPL", "count": 2 } }));
    assert_eq!(desk.code(NOTICE, notice.clone()), 0);
    let mut once = notice.clone();
    once["scene"] = 1000.into();
    let path = "/cgi-bin/message/template/subscribe";
    for (title, expected) in [("题".repeat(16), 40062), (String::new(), 40062)] {
        once["title"] = title.into();
        assert_eq!(desk.code(path, once.clone()), expected);
    }
    once["title"] = "题".repeat(15).into();
    assert_eq!(
        (desk.code(path, once.clone()), desk.code(path, once)),
        (0, 43101)
    );
    assert_eq!(desk.code(NOTICE, notice), 43101);
    desk.second = 1;
    let now = desk.now();
    desk.platform.settle(now);
    let events: Vec<_> = desk.platform.events_after(0).collect();
    assert_eq!(
        (events.len(), events[0].event.as_str()),
        (1, "subscribe_msg_sent_event")
    );
    let inside = "<ErrorCode>0</ErrorCode>\n<ErrorStatus><![CDATA[success]]></ErrorStatus>";
    assert!(
        events[0].elements.contains(inside),
        "{}",
        events[0].elements
    );
    let ways: Vec<_> = desk
        .platform
        .deliveries_after(0)
        .map(|delivery| delivery.way)
        .collect();
    assert_eq!(ways, [Way::SubscribeNotice; 2]);
    assert_eq!(desk.look(Shelf::Templates)["consents"][0]["left"], 0);
}

#[test]
fn templates_of_notices_are_kept_apart() {
    let mut desk = Desk::open();
    let add = "/wxaapi/newtmpl/addtemplate";
    for (request, expected) in [
        (json!({ "kidList": [1] }), 200_014),
        (json!({ "tid": "1", "kidList": [] }), 200_020),
        (
            json!({ "tid": "1", "kidList": [1, 2, 3, 4, 5, 6] }),
            200_020,
        ),
    ] {
        assert_eq!(desk.code(add, request.clone()), expected, "{request}");
    }
    let made = desk.post(
        add,
        json!({ "tid": "1", "kidList": [1, 2], "sceneDesc": "test" }),
    );
    let list = desk.get("/wxaapi/newtmpl/gettemplate", "");
    assert_eq!(list["data"][0]["priTmplId"], made["priTmplId"]);
    let delete = json!({ "priTmplId": made["priTmplId"] });
    assert_eq!(desk.code("/wxaapi/newtmpl/deltemplate", delete), 0);
    assert_eq!(
        desk.get("/wxaapi/newtmpl/gettemplate", "")["data"],
        json!([])
    );
}
