//! People who answer, and whom.

use serde_json::json;

use super::kit::Desk;
use super::*;

const ANNE: &str = "anne@wxhook";
const BOB: &str = "bob@wxhook";

const CREATE: &str = "/customservice/kfsession/create";
const CLOSE: &str = "/customservice/kfsession/close";

fn account(desk: &mut Desk, name: &str) -> i64 {
    let body = json!({ "kf_account": name, "nickname": "客服" });
    desk.code("/customservice/kfaccount/add", body)
}

fn online(desk: &mut Desk, name: &str, is_online: bool) {
    desk.arrange(json!({ "agent": { "kf_account": name, "is_online": is_online } }));
}

/// Somebody who accepted an invitation and is online.
fn agent(desk: &mut Desk, name: &str) {
    assert_eq!(account(desk, name), 0);
    let invitation = json!({ "kf_account": name, "invite_wx": format!("wx-{name}") });
    let path = "/customservice/kfaccount/inviteworker";
    assert_eq!(desk.code(path, invitation.clone()), 0);
    online(desk, name, true);
    assert_eq!(desk.code(path, invitation), 65408);
}

fn session(desk: &mut Desk, path: &str, name: &str, open_id: &str) -> i64 {
    let body = json!({ "kf_account": name, "openid": open_id });
    desk.code(path, body)
}

#[test]
fn accounts_of_customer_service_are_made_named_bound_and_taken_away() {
    let mut desk = Desk::open();
    assert_eq!(account(&mut desk, "anne"), 65401, "no account's name");
    assert_eq!(account(&mut desk, ANNE), 0);
    assert_eq!(account(&mut desk, ANNE), 65406);
    let rename = |name: &str, nickname: &str| json!({ "kf_account": name, "nickname": nickname });
    let path = "/customservice/kfaccount/update";
    assert_eq!(desk.code(path, rename(ANNE, &"长".repeat(17))), 65403);
    assert_eq!(desk.code(path, rename(BOB, "b")), 65401);
    assert_eq!(desk.code(path, rename(ANNE, "小安")), 0);
    assert_eq!(session(&mut desk, CREATE, ANNE, "oA"), 65402);
    agent(&mut desk, BOB);
    let invitation = json!({ "kf_account": ANNE, "invite_wx": format!("wx-{BOB}") });
    assert_eq!(
        desk.code("/customservice/kfaccount/inviteworker", invitation),
        65407
    );
    let listed = desk.get("/cgi-bin/customservice/getkflist", "");
    assert_eq!(
        listed["kf_list"],
        json!([
            { "kf_account": ANNE, "kf_id": "1001", "kf_nick": "小安", "kf_headimgurl": "" },
            { "kf_account": BOB, "kf_id": "1002", "kf_nick": "客服", "kf_headimgurl": "",
              "kf_wx": format!("wx-{BOB}") },
        ])
    );
    for number in 2..MAX_SERVICE_ACCOUNTS {
        assert_eq!(account(&mut desk, &format!("a{number}@wxhook")), 0);
    }
    assert_eq!(account(&mut desk, "more@wxhook"), 65405);
    let gone = desk.get(
        "/customservice/kfaccount/del",
        &format!("kf_account={ANNE}"),
    );
    assert_eq!(gone["errcode"], 0);
    let gone = desk.get(
        "/customservice/kfaccount/del",
        &format!("kf_account={ANNE}"),
    );
    assert_eq!(gone["errcode"], 65401);
    assert_eq!(account(&mut desk, "more@wxhook"), 0);
}

#[test]
fn a_session_begins_with_somebody_who_is_online_and_the_server_is_told_of_both_ends() {
    let mut desk = Desk::with_followers(&["oA", "oB"]);
    agent(&mut desk, ANNE);
    agent(&mut desk, BOB);
    online(&mut desk, BOB, false);
    desk.arrange(json!({ "waiting": { "openid": "oA" } }));
    let waiting = desk.get("/customservice/kfsession/getwaitcase", "");
    assert_eq!(
        waiting,
        json!({ "count": 1, "waitcaselist": [{ "openid": "oA", "latest_time": NOON }] })
    );
    let of_user = |desk: &mut Desk| desk.get("/customservice/kfsession/getsession", "openid=oA");
    assert_eq!(of_user(&mut desk)["kf_account"], "");
    for (what, name, open_id, expected) in [
        (CREATE, BOB, "oA", 65415),
        (CREATE, "nobody@wxhook", "oA", 65401),
        (CREATE, ANNE, "oStranger", 40003),
        (CLOSE, ANNE, "oA", 65413),
        (CREATE, ANNE, "oA", 0),
        (CREATE, ANNE, "oA", 0),
    ] {
        assert_eq!(
            session(&mut desk, what, name, open_id),
            expected,
            "{what} {name}"
        );
    }
    online(&mut desk, BOB, true);
    assert_eq!(session(&mut desk, CREATE, BOB, "oA"), 65414);
    assert_eq!(session(&mut desk, CLOSE, BOB, "oA"), 65414);
    assert_eq!(of_user(&mut desk)["kf_account"], ANNE);
    assert_eq!(of_user(&mut desk)["createtime"], NOON);
    let waiting = desk.get("/customservice/kfsession/getwaitcase", "");
    assert_eq!(waiting["count"], 0, "somebody answers now");
    let listed = format!("kf_account={ANNE}");
    let listed = desk.get("/customservice/kfsession/getsessionlist", &listed);
    assert_eq!(
        listed,
        json!({ "sessionlist": [{ "openid": "oA", "createtime": NOON }] })
    );
    let online = desk.get("/cgi-bin/customservice/getonlinekflist", "");
    assert_eq!(
        online["kf_online_list"][0],
        json!({ "kf_account": ANNE, "status": 1, "kf_id": "1001", "accepted_case": 1 })
    );
    assert_eq!(session(&mut desk, CLOSE, ANNE, "oA"), 0);
    assert_eq!(desk.look(Shelf::Service)["sessions"], json!([]));
    let now = desk.now();
    desk.platform.settle(now);
    let told: Vec<_> = desk
        .platform
        .events_after(0)
        .map(|event| {
            (
                event.event.as_str(),
                event.from_user.as_str(),
                event.elements.as_str(),
            )
        })
        .collect();
    let elements = format!("<KfAccount><![CDATA[{ANNE}]]></KfAccount>\n");
    assert_eq!(
        told,
        [
            ("kf_create_session", "oA", elements.as_str()),
            ("kf_close_session", "oA", elements.as_str()),
        ]
    );
}
