//! Mass messages and the events with which they end.

use serde_json::json;

use super::kit::Desk;
use super::*;

const ALL: &str = "/cgi-bin/message/mass/sendall";
const SOME: &str = "/cgi-bin/message/mass/send";

fn words(to: Value, words: &str) -> Value {
    let mut message = json!({ "msgtype": "text", "text": { "content": words } });
    for (name, value) in to.as_object().unwrap() {
        message[name] = value.clone();
    }
    message
}

fn to_all() -> Value {
    json!({ "filter": { "is_to_all": true } })
}

fn status(desk: &mut Desk, id: &Value) -> Value {
    desk.post("/cgi-bin/message/mass/get", json!({ "msg_id": id }))["msg_status"].clone()
}

fn delivered(desk: &Desk) -> Vec<(Way, String)> {
    let all = desk.platform.deliveries_after(0);
    all.map(|delivery| (delivery.way, delivery.open_id.clone()))
        .collect()
}

#[test]
fn a_mass_message_is_accepted_first_then_sent_then_reported() {
    let mut desk = Desk::with_followers(&["oA", "oB", "oC"]);
    let accepted = desk.post(ALL, words(to_all(), "公告"));
    assert_eq!(accepted["errmsg"], "send job submission success");
    assert!(accepted["msg_id"].as_i64().unwrap() > i64::from(u32::MAX));
    assert_eq!(accepted["msg_data_id"], Value::Null);
    let id = accepted["msg_id"].clone();
    assert_eq!(status(&mut desk, &id), "SENDING");
    assert_eq!(desk.platform.next_end(), Some(at(2)));
    assert_eq!(
        (
            delivered(&desk).len(),
            desk.platform.events_after(0).count()
        ),
        (0, 0)
    );
    desk.second = 2;
    assert_eq!(status(&mut desk, &id), "SEND_SUCCESS");
    let everybody = ["oA", "oB", "oC"].map(|user| (Way::Mass, user.to_owned()));
    assert_eq!(delivered(&desk), everybody);
    let event = desk.platform.events_after(0).next().unwrap();
    assert_eq!(
        (event.number, event.at_milliseconds, event.event.as_str()),
        (1, (NOON + 2) * 1000, "MASSSENDJOBFINISH")
    );
    let expected = format!(
        "<MsgID>{id}</MsgID>\n<Status><![CDATA[send success]]></Status>\n<TotalCount>3</TotalCount>\n\
         <FilterCount>3</FilterCount>\n<SentCount>3</SentCount>\n<ErrorCount>0</ErrorCount>\n"
    );
    assert!(event.elements.starts_with(&expected), "{}", event.elements);
}

#[test]
fn the_same_clientmsgid_is_one_message_for_a_day() {
    let mut desk = Desk::with_followers(&["oA", "oB"]);
    let order = |id: &str| {
        let mut message = words(to_all(), "a");
        message["clientmsgid"] = id.into();
        message
    };
    let first = desk.post(ALL, order("n-1"));
    assert_eq!(desk.code(ALL, order(&"n".repeat(33))), 45067);
    desk.second = CLIENT_MESSAGE_ID_SECONDS - 1;
    let again = desk.post(ALL, order("n-1"));
    assert_eq!(
        (&again["errcode"], &again["msg_id"]),
        (&json!(45065), &first["msg_id"])
    );
    desk.second = CLIENT_MESSAGE_ID_SECONDS;
    let later = desk.post(ALL, order("n-1"));
    assert_eq!(later["errcode"], 0);
    assert_ne!(later["msg_id"], first["msg_id"]);
    assert_eq!(desk.look(Shelf::Masses).as_array().unwrap().len(), 2);
}

#[test]
fn a_mass_message_goes_to_a_tag_or_to_two_and_more_users() {
    let mut desk = Desk::with_followers(&["oA", "oB", "oC"]);
    let tag = desk.post("/cgi-bin/tags/create", json!({ "tag": { "name": "VIP" } }));
    let tag = tag["tag"]["id"].clone();
    desk.post(
        "/cgi-bin/tags/members/batchtagging",
        json!({ "openid_list": ["oB"], "tagid": tag }),
    );
    let to_tag = |tag: &Value| json!({ "filter": { "is_to_all": false, "tag_id": tag } });
    let users = |users: &[&str]| json!({ "touser": users });
    for (name, path, message, expected) in [
        ("a tag", ALL, words(to_tag(&tag), "t"), 0),
        ("no such tag", ALL, words(to_tag(&json!(7)), "t"), 40152),
        ("two", SOME, words(users(&["oA", "oC"]), "t"), 0),
        ("one", SOME, words(users(&["oA"]), "t"), 40130),
        ("nobody", SOME, words(users(&[]), "t"), 40031),
        (
            "too many",
            SOME,
            words(users(&vec!["oA"; 10_001]), "t"),
            40032,
        ),
        (
            "an unknown one among them",
            SOME,
            words(users(&["oA", "oX"]), "t"),
            0,
        ),
        ("no words", ALL, words(to_all(), ""), 44004),
        (
            "a card",
            ALL,
            json!({ "filter": { "is_to_all": true }, "msgtype": "wxcard" }),
            45113,
        ),
        ("no type", ALL, to_all(), 40008),
        (
            "no pictures",
            ALL,
            json!({ "filter": { "is_to_all": true }, "msgtype": "image" }),
            40007,
        ),
    ] {
        assert_eq!(desk.code(path, message), expected, "{name}");
    }
    desk.second = 2;
    let now = desk.now();
    desk.platform.settle(now);
    let recipients: Vec<_> = delivered(&desk).into_iter().map(|(_, user)| user).collect();
    assert_eq!(recipients, ["oB", "oA", "oC", "oA"]);
    let last = desk.platform.events_after(2).next().unwrap();
    assert!(
        last.elements
            .contains("<TotalCount>2</TotalCount>\n<FilterCount>1</FilterCount>")
    );
}

#[test]
fn a_user_gets_four_mass_messages_a_month_and_the_endpoints_take_sixty_a_minute() {
    let mut desk = Desk::with_followers(&["oA", "oB"]);
    let mut codes = Vec::new();
    for number in 0..61 {
        codes.push(desk.code(ALL, words(to_all(), &number.to_string())));
    }
    assert_eq!((codes[59], codes[60]), (0, 45011));
    desk.second = 60;
    let now = desk.now();
    desk.platform.settle(now);
    assert_eq!(desk.platform.events_after(0).count(), 60);
    assert_eq!(delivered(&desk).len() as u64, 2 * MASS_PER_USER_AND_MONTH);
}

#[test]
fn a_job_ends_as_it_was_arranged() {
    let mut desk = Desk::with_followers(&["oA", "oB"]);
    desk.arrange(json!({ "next_job": { "kind": "mass", "status": "err(30003)" } }));
    let refused = desk.post(ALL, words(to_all(), "a"));
    let sent = desk.post(ALL, words(to_all(), "b"));
    desk.second = 2;
    assert_eq!(status(&mut desk, &refused["msg_id"]), "SEND_FAIL");
    assert_eq!(status(&mut desk, &sent["msg_id"]), "SEND_SUCCESS");
    assert_eq!(delivered(&desk).len(), 2);
    let first = desk.platform.events_after(0).next().unwrap();
    assert!(first.elements.contains("<![CDATA[err(30003)]]>"));
    assert!(first.elements.contains("<SentCount>0</SentCount>"));
}

#[test]
fn articles_are_sent_from_a_draft_which_is_gone_then_and_can_be_deleted() {
    let mut desk = Desk::of(Settings {
        references: References::Checked,
        ..settings()
    });
    desk.get("/cgi-bin/user/info", "openid=oA");
    let thumb = desk.upload(
        "/cgi-bin/material/add_material",
        "type=image",
        "a.jpg",
        b"x",
    );
    let article = json!({ "title": "t", "content": "c", "thumb_media_id": thumb["media_id"] });
    let draft = desk.post(
        "/cgi-bin/draft/add",
        json!({ "articles": [article, article] }),
    );
    let news = |id: &Value| json!({ "filter": { "is_to_all": true }, "msgtype": "mpnews", "mpnews": { "media_id": id } });
    assert_eq!(desk.code(ALL, news(&json!("nothing"))), 40007);
    let sent = desk.post(ALL, news(&draft["media_id"]));
    assert!(sent["msg_data_id"].is_i64(), "{sent}");
    let delete = "/cgi-bin/message/mass/delete";
    let order = |index: i64| json!({ "msg_id": sent["msg_id"], "article_idx": index });
    assert_eq!(desk.code(delete, order(0)), 40065, "it is being sent");
    desk.second = 2;
    assert_eq!(
        desk.code(
            "/cgi-bin/draft/get",
            json!({ "media_id": draft["media_id"] })
        ),
        40007
    );
    assert_eq!(delivered(&desk), [(Way::Mass, "oA".to_owned())]);
    assert_eq!(desk.code(delete, order(3)), 40060);
    assert_eq!(
        (
            desk.code(delete, order(1)),
            status(&mut desk, &sent["msg_id"])
        ),
        (0, json!("SEND_SUCCESS"))
    );
    assert_eq!(
        (
            desk.code(delete, order(0)),
            status(&mut desk, &sent["msg_id"])
        ),
        (0, json!("DELETE"))
    );
    assert_eq!(desk.code(delete, json!({ "msg_id": 1 })), 40059);
}

#[test]
fn a_preview_goes_to_one_user_at_once_and_the_speed_can_be_set() {
    let mut desk = Desk::with_followers(&["oA"]);
    let preview = "/cgi-bin/message/mass/preview";
    for (name, to, expected) in [
        ("a follower", json!({ "touser": "oA" }), 0),
        ("nobody", json!({ "touser": "oX" }), 40003),
        ("a WeChat ID", json!({ "towxname": "wang_xiaoming" }), 0),
        ("no WeChat ID", json!({ "towxname": "王" }), 40132),
        ("no name at all", json!({}), 40132),
    ] {
        assert_eq!(desk.code(preview, words(to, "look")), expected, "{name}");
    }
    let expected = ["oA", "wang_xiaoming"].map(|user| (Way::Preview, user.to_owned()));
    assert_eq!(delivered(&desk), expected);
    let set = "/cgi-bin/message/mass/speed/set";
    assert_eq!(desk.code(set, json!({})), 45084);
    assert_eq!(desk.code(set, json!({ "speed": 5 })), 45083);
    assert_eq!(desk.code(set, json!({ "speed": 3 })), 0);
    let told = desk.post("/cgi-bin/message/mass/speed/get", json!({}));
    assert_eq!(
        (&told["speed"], &told["realspeed"]),
        (&json!(3), &json!(30))
    );
}
