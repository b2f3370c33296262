//! Followers, tags, the blacklist.

use std::collections::HashSet;

use serde_json::json;

use super::kit::Desk;
use super::*;

#[test]
fn followers_come_in_pages_of_ten_thousand_and_the_last_page_has_no_data() {
    let mut settings = settings();
    settings.accounts[0].users = Users::made_up(23_000);
    let mut desk = Desk::of(settings);
    let (mut seen, mut counts, mut next) = (HashSet::new(), Vec::new(), String::new());
    loop {
        let page = desk.get("/cgi-bin/user/get", &format!("next_openid={next}"));
        assert_eq!(page["total"], 23_000);
        counts.push(page["count"].as_u64().unwrap());
        let Some(open_ids) = page["data"]["openid"].as_array() else {
            assert_eq!(
                page,
                json!({ "total": 23_000, "count": 0, "next_openid": "" })
            );
            break;
        };
        seen.extend(
            open_ids
                .iter()
                .map(|open_id| open_id.as_str().unwrap().to_owned()),
        );
        next = page["next_openid"].as_str().unwrap().to_owned();
        assert_eq!(open_ids.last().unwrap(), next.as_str());
    }
    assert_eq!(
        (counts, seen.len()),
        (vec![10_000, 10_000, 3_000, 0], 23_000)
    );
    let unknown = desk.get("/cgi-bin/user/get", "next_openid=oNobody");
    assert_eq!(unknown["errcode"], 40003);
}

#[test]
fn who_leaves_is_told_as_not_following_and_is_gone_from_the_list() {
    let mut desk = Desk::with_followers(&["oA", "oB"]);
    let oa = OpenId::new("oA");
    desk.code(
        "/cgi-bin/user/info/updateremark",
        json!({ "openid": "oA", "remark": "阿明" }),
    );
    let told = desk.get("/cgi-bin/user/info", "openid=oA&lang=zh_CN");
    assert_eq!(
        (&told["subscribe"], &told["remark"]),
        (&json!(1), &json!("阿明"))
    );
    desk.platform.user_acted(at(1), &oa, Scene::Unfollow);
    let told = desk.get("/cgi-bin/user/info", "openid=oA");
    assert_eq!(told, json!({ "subscribe": 0, "openid": "oA" }));
    let list = desk.get("/cgi-bin/user/get", "");
    assert_eq!(
        (&list["total"], &list["data"]["openid"]),
        (&json!(1), &json!(["oB"]))
    );
    desk.platform.user_acted(at(60), &oa, Scene::ScanCode);
    let told = desk.get("/cgi-bin/user/info", "openid=oA");
    let since = (&told["subscribe_time"], &told["subscribe_scene"]);
    assert_eq!(since, (&json!(NOON + 60), &json!("ADD_SCENE_QR_CODE")));
    assert_eq!(
        desk.get("/cgi-bin/user/get", "")["data"]["openid"],
        json!(["oB", "oA"])
    );
}

#[test]
fn users_are_asked_for_one_by_one_or_a_hundred_at_once() {
    let mut desk = Desk::with_followers(&["oA", "oB"]);
    assert_eq!(
        desk.get("/cgi-bin/user/info", "openid=oX")["errcode"],
        40003
    );
    assert_eq!(desk.get("/cgi-bin/user/info", "")["errcode"], 40003);
    let path = "/cgi-bin/user/info/batchget";
    let asked = |open_ids: &[&str]| {
        let users: Vec<Value> = open_ids
            .iter()
            .map(|user| json!({ "openid": user }))
            .collect();
        json!({ "user_list": users })
    };
    let told = desk.post(path, asked(&["oB", "oA"]));
    let open_ids: Vec<_> = told["user_info_list"].as_array().unwrap().iter().collect();
    assert_eq!(
        (&open_ids[0]["openid"], &open_ids[1]["openid"]),
        (&json!("oB"), &json!("oA"))
    );
    for (name, body, expected) in [
        ("one unknown", asked(&["oA", "oX"]), 40003),
        ("nobody", asked(&[]), 40032),
        ("a hundred", asked(&["oA"; 100]), 0),
        ("one more", asked(&["oA"; 101]), 40032),
        ("no list", json!({}), 47001),
    ] {
        assert_eq!(desk.code(path, body), expected, "{name}");
    }
}

#[test]
fn a_remark_has_fewer_than_thirty_bytes() {
    let mut desk = Desk::with_followers(&["oA"]);
    let path = "/cgi-bin/user/info/updateremark";
    for (name, open_id, remark, expected) in [
        ("29 bytes", "oA", json!("a".repeat(29)), 0),
        ("30 bytes", "oA", json!("好".repeat(10)), 40092),
        ("taken away", "oA", json!(""), 0),
        ("no text", "oA", json!(7), 40092),
        ("nobody", "oX", json!("a"), 40003),
    ] {
        let got = desk.code(path, json!({ "openid": open_id, "remark": remark }));
        assert_eq!(got, expected, "{name}");
    }
}

fn tag(desk: &mut Desk, name: &str) -> i64 {
    let made = desk.post("/cgi-bin/tags/create", json!({ "tag": { "name": name } }));
    made["tag"]["id"].as_i64().expect("an id")
}

#[test]
fn an_account_has_a_hundred_tags_each_with_a_name_of_its_own() {
    const CREATE: &str = "/cgi-bin/tags/create";
    const UPDATE: &str = "/cgi-bin/tags/update";
    const DELETE: &str = "/cgi-bin/tags/delete";
    let mut desk = Desk::open();
    let create = |name: &str| json!({ "tag": { "name": name } });
    let first = tag(&mut desk, "VIP");
    for number in 1..100 {
        tag(&mut desk, &format!("t{number}"));
    }
    for (name, path, body, expected) in [
        ("one more", CREATE, create("more"), 45056),
        ("taken", CREATE, create("VIP"), 45157),
        ("the platform's", CREATE, create("星标组"), 45157),
        ("no name", CREATE, create(""), 45157),
        ("too long", CREATE, create(&"长".repeat(31)), 45158),
        (
            "renamed",
            UPDATE,
            json!({ "tag": { "id": first, "name": "金" } }),
            0,
        ),
        (
            "renamed to itself",
            UPDATE,
            json!({ "tag": { "id": first, "name": "金" } }),
            0,
        ),
        (
            "renamed to another's",
            UPDATE,
            json!({ "tag": { "id": first, "name": "t1" } }),
            45157,
        ),
        (
            "the star group",
            UPDATE,
            json!({ "tag": { "id": 2, "name": "x" } }),
            45058,
        ),
        (
            "nobody's",
            UPDATE,
            json!({ "tag": { "id": 999, "name": "x" } }),
            45159,
        ),
        (
            "the star group",
            DELETE,
            json!({ "tag": { "id": 2 } }),
            45058,
        ),
        ("gone", DELETE, json!({ "tag": { "id": first } }), 0),
        (
            "gone before",
            DELETE,
            json!({ "tag": { "id": first } }),
            45159,
        ),
        ("room again", CREATE, create("VIP"), 0),
    ] {
        assert_eq!(desk.code(path, body), expected, "{name} {path}");
    }
    let listed = desk.get("/cgi-bin/tags/get", "");
    assert_eq!(listed["tags"].as_array().unwrap().len(), 101);
    assert_eq!(
        listed["tags"][0],
        json!({ "id": 2, "name": "星标组", "count": 0 })
    );
    assert_eq!(desk.look(Shelf::Tags), listed["tags"]);
}

#[test]
fn tagging_changes_those_whom_nothing_stands_against_and_names_the_others() {
    let mut desk = Desk::with_followers(&["oA", "oB", "oGone"]);
    desk.platform
        .user_acted(at(0), &OpenId::new("oGone"), Scene::Unfollow);
    let tags: Vec<i64> = (0..21)
        .map(|number| tag(&mut desk, &format!("t{number}")))
        .collect();
    let path = "/cgi-bin/tags/members/batchtagging";
    let order = |open_ids: &[&str], tag: i64| json!({ "openid_list": open_ids, "tagid": tag });
    for tag in &tags[..20] {
        assert_eq!(desk.code(path, order(&["oA"], *tag)), 0);
    }
    for (name, body, expected) in [
        ("again", order(&["oA"], tags[0]), 0),
        ("the 21st", order(&["oA"], tags[20]), 45059),
        ("not following", order(&["oGone"], tags[0]), 50005),
        ("unknown", order(&["oB", "oX"], tags[0]), 40003),
        ("no such tag", order(&["oB"], 7777), 45159),
        ("nobody", order(&[], tags[0]), 40032),
        ("fifty-one", order(&["oB"; 51], tags[0]), 40032),
    ] {
        assert_eq!(desk.code(path, body), expected, "{name}");
    }
    let partial = desk.post(path, order(&["oA", "oB"], tags[20]));
    assert_eq!(
        (&partial["errcode"], &partial["fail_openid_list"]),
        (&json!(45171), &json!(["oA"]))
    );
    let of = |desk: &mut Desk, open_id: &str| {
        let told = desk.post("/cgi-bin/tags/getidlist", json!({ "openid": open_id }));
        told["tagid_list"].clone()
    };
    assert_eq!(of(&mut desk, "oB"), json!([tags[20]]));
    let fans = desk.post("/cgi-bin/user/tag/get", json!({ "tagid": tags[20] }));
    assert_eq!(
        fans,
        json!({ "count": 1, "data": { "openid": ["oB"] }, "next_openid": "oB" })
    );
    let rest = desk.post(
        "/cgi-bin/user/tag/get",
        json!({ "tagid": tags[20], "next_openid": "oB" }),
    );
    assert_eq!(rest, json!({ "count": 0, "next_openid": "" }));
    let untag = "/cgi-bin/tags/members/batchuntagging";
    assert_eq!(desk.code(untag, order(&["oA", "oB"], tags[0])), 0);
    assert_eq!(of(&mut desk, "oA"), json!(tags[1..20]));
    desk.code("/cgi-bin/tags/delete", json!({ "tag": { "id": tags[1] } }));
    assert_eq!(of(&mut desk, "oA"), json!(tags[2..20]));
}

#[test]
fn who_is_on_the_blacklist_is_not_written_to() {
    let mut desk = Desk::with_followers(&["oA", "oB"]);
    let order = |open_ids: &[&str]| json!({ "openid_list": open_ids });
    let path = "/cgi-bin/tags/members/batchblacklist";
    assert_eq!(desk.code(path, order(&["oA"; 21])), 40032);
    assert_eq!(desk.code(path, order(&["oA", "oX"])), 40003);
    assert_eq!(desk.code(path, order(&["oA"])), 0);
    let list = desk.post(
        "/cgi-bin/tags/members/getblacklist",
        json!({ "begin_openid": "" }),
    );
    assert_eq!(
        list,
        json!({ "total": 1, "count": 1, "data": { "openid": ["oA"] }, "next_openid": "oA" })
    );
    let message: Value = serde_json::from_str(&text("oA", "hi")).unwrap();
    let send = "/cgi-bin/message/custom/send";
    assert_eq!(desk.code(send, message.clone()), 43019);
    assert_eq!(
        desk.code("/cgi-bin/tags/members/batchunblacklist", order(&["oA"])),
        0
    );
    assert_eq!(
        (desk.code(send, message), desk.platform.delivery_count()),
        (0, 1)
    );
}
