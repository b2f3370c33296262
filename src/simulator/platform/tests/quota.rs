//! Quotas, request ids, addresses.

use serde_json::json;

use super::kit::Desk;
use super::*;

const DAY: i64 = 24 * 3600;
/// From noon of the first day to midnight in Beijing: `NOON` is 06:13:20 there.
const TO_MIDNIGHT: i64 = DAY - (6 * 3600 + 13 * 60 + 20);

fn remark(desk: &mut Desk) -> i64 {
    desk.code(
        "/cgi-bin/user/info/updateremark",
        json!({ "openid": "o", "remark": "a" }),
    )
}

fn order(desk: &mut Desk, row: &str, order: Value) {
    desk.arrange(json!({ "quota": { "row": row, "order": order } }));
}

fn shown(desk: &mut Desk, path: &str) -> Value {
    desk.post("/cgi-bin/openapi/quota/get", json!({ "cgi_path": path }))
}

#[test]
fn a_day_has_so_many_calls_and_ends_at_midnight_in_beijing() {
    let mut desk = Desk::open();
    order(&mut desk, "remark", json!({ "daily_limit": 2 }));
    assert_eq!([0; 3].map(|_| remark(&mut desk)), [0, 0, 45009]);
    let answer = desk.post("/cgi-bin/user/info/updateremark", json!({}));
    let message = answer["errmsg"].as_str().unwrap();
    assert!(
        message.starts_with("reach max api daily quota limit rid: "),
        "{message}"
    );
    desk.second = TO_MIDNIGHT - 1;
    assert_eq!(remark(&mut desk), 45009);
    desk.second = TO_MIDNIGHT;
    assert_eq!(remark(&mut desk), 0);
    let path = "/cgi-bin/user/info/updateremark";
    assert_eq!(
        shown(&mut desk, path)["quota"],
        json!({ "daily_limit": 2, "used": 1, "remain": 1 })
    );
}

#[test]
fn the_tables_for_new_and_test_accounts_hold_and_followers_multiply_them() {
    let limit = |kind: AccountKind, tier: u64, path: &str| {
        let quotas = Quotas {
            kind,
            tier,
            ..Quotas::default()
        };
        let mut desk = Desk::of(Settings {
            quotas,
            ..settings()
        });
        shown(&mut desk, path)["quota"]["daily_limit"].clone()
    };
    use AccountKind::{New, Test};
    for (kind, tier, path, expected) in [
        (New, 1, "/cgi-bin/token", 2_000),
        (Test, 1, "/cgi-bin/token", 200),
        (New, 1, "/cgi-bin/message/custom/send", 500_000),
        (Test, 1, "/cgi-bin/message/custom/send", 50_000),
        (New, 10, "/cgi-bin/message/custom/send", 5_000_000),
        (Test, 1, "/cgi-bin/user/info/updateremark", 0),
        (New, 1, "/cgi-bin/openapi/quota/get", 0),
    ] {
        assert_eq!(limit(kind, tier, path), expected, "{kind:?} {tier} {path}");
    }
}

#[test]
fn a_minute_has_so_many_calls_where_that_is_limited() {
    let mut desk = Desk::open();
    order(&mut desk, "remark", json!({ "per_minute": 2 }));
    // The first second of a minute.
    desk.second = 40;
    assert_eq!([0; 3].map(|_| remark(&mut desk)), [0, 0, 45011]);
    desk.second = 40 + 59;
    assert_eq!(remark(&mut desk), 45011);
    desk.second = 40 + 60;
    assert_eq!(remark(&mut desk), 0);
    let told = shown(&mut desk, "/cgi-bin/user/info/updateremark");
    assert_eq!(
        told["rate_limit"],
        json!({ "call_count": 2, "refresh_second": 60 })
    );
    assert_eq!(
        told["quota"]["used"], 3,
        "what a minute refuses is not counted"
    );
}

#[test]
fn refused_calls_count_unless_that_is_switched_off() {
    for (count_failed, used) in [(true, 1), (false, 0)] {
        let quotas = Quotas {
            count_failed,
            ..Quotas::default()
        };
        let mut desk = Desk::of(Settings {
            quotas,
            ..settings()
        });
        assert_eq!(
            desk.code("/cgi-bin/user/info/updateremark", json!({})),
            40003
        );
        let told = shown(&mut desk, "/cgi-bin/user/info/updateremark");
        assert_eq!(told["quota"]["used"], used, "{count_failed}");
    }
}

#[test]
fn calls_with_a_bad_token_are_not_counted() {
    let mut desk = Desk::open();
    let call = post(
        "/cgi-bin/user/info/updateremark",
        "access_token=87_0123456789abcdef",
        "{}",
    );
    assert_eq!(desk.answer(&call).code, Some(40001));
    let told = shown(&mut desk, "/cgi-bin/user/info/updateremark");
    assert_eq!(told["quota"]["used"], 0);
}

#[test]
fn all_counters_are_cleared_ten_times_a_month_by_token_or_by_secret() {
    let mut desk = Desk::open();
    order(&mut desk, "remark", json!({ "daily_limit": 1 }));
    let clear = |desk: &mut Desk| desk.code("/cgi-bin/clear_quota", json!({ "appid": APP }));
    let by_secret = |desk: &mut Desk, body: Value, query: &str| {
        let call = post("/cgi-bin/clear_quota/v2", query, &body.to_string());
        desk.answer(&call).code.unwrap()
    };
    let credentials = json!({ "appid": APP, "appsecret": SECRET });
    assert_eq!(
        desk.code("/cgi-bin/clear_quota", json!({ "appid": "wx1" })),
        40013
    );
    for (name, body, query, expected) in [
        ("no appid", json!({}), String::new(), 41002),
        ("no secret", json!({ "appid": APP }), String::new(), 41004),
        (
            "another appid",
            json!({ "appid": "wx1", "appsecret": SECRET }),
            String::new(),
            40013,
        ),
        (
            "a wrong secret",
            json!({ "appid": APP, "appsecret": "x" }),
            String::new(),
            40125,
        ),
        (
            "in the query",
            json!({}),
            format!("appid={APP}&appsecret={SECRET}"),
            0,
        ),
    ] {
        assert_eq!(by_secret(&mut desk, body, &query), expected, "{name}");
    }
    for _ in 0..5 {
        assert_eq!((remark(&mut desk), remark(&mut desk)), (0, 45009));
        assert_eq!(clear(&mut desk), 0);
    }
    for _ in 0..4 {
        assert_eq!(by_secret(&mut desk, credentials.clone(), ""), 0);
    }
    assert_eq!(
        (
            clear(&mut desk),
            by_secret(&mut desk, credentials.clone(), "")
        ),
        (48006, 48006)
    );
    assert_eq!(desk.look(Shelf::Quota)["clears_this_month"], 10);
    // 2023-12-01 00:00 in Beijing.
    desk.second = 1_701_360_000 - NOON;
    assert_eq!(clear(&mut desk), 0);
    let recorded: Vec<String> = desk
        .platform
        .calls_after(0)
        .map(|call| serde_json::to_string(call).unwrap())
        .collect();
    assert!(!recorded.iter().any(|call| call.contains(SECRET)));
}

#[test]
fn one_counter_is_cleared_fifty_times_a_month_and_leaves_the_others() {
    let mut desk = Desk::open();
    order(&mut desk, "remark", json!({ "used": 9 }));
    order(&mut desk, "user_info", json!({ "used": 9 }));
    let path = "/cgi-bin/openapi/quota/clear";
    let body = json!({ "cgi_path": "/cgi-bin/user/info/updateremark" });
    for _ in 0..50 {
        assert_eq!(desk.code(path, body.clone()), 0);
    }
    assert_eq!(desk.code(path, body), 45009);
    assert_eq!(
        shown(&mut desk, "/cgi-bin/user/info/updateremark")["quota"]["used"],
        0
    );
    assert_eq!(shown(&mut desk, "/cgi-bin/user/info")["quota"]["used"], 9);
    for (cgi_path, expected) in [
        ("/cgi-bin/nowhere", 76021),
        ("cgi-bin/user/info", 76021),
        ("https://api.weixin.qq.com/cgi-bin/user/info", 76021),
        ("/sns/oauth2/access_token", 76022),
        ("", 76021),
    ] {
        assert_eq!(
            shown(&mut desk, cgi_path)["errcode"],
            expected,
            "{cgi_path}"
        );
    }
}

#[test]
fn a_figure_that_is_shown_may_be_a_little_wrong() {
    let quotas = Quotas {
        display_error_percent: 1,
        ..Quotas::default()
    };
    let mut desk = Desk::of(Settings {
        quotas,
        ..settings()
    });
    order(&mut desk, "remark", json!({ "used": 5_000 }));
    let mut seen: Vec<i64> = (0..40)
        .map(|_| {
            let told = shown(&mut desk, "/cgi-bin/user/info/updateremark");
            let quota = &told["quota"];
            let (used, left) = (
                quota["used"].as_i64().unwrap(),
                quota["remain"].as_i64().unwrap(),
            );
            assert_eq!(used + left, 10_000);
            used
        })
        .collect();
    seen.sort_unstable();
    assert!(
        (4_950..=5_050).contains(&seen[0]) && (4_950..=5_050).contains(&seen[39]),
        "{seen:?}"
    );
    assert!(seen[0] < seen[39]);
}

#[test]
fn a_refusal_can_be_looked_up_by_its_rid_for_seven_days() {
    let mut desk = Desk::open();
    let body = json!({ "openid": "o", "remark": "a".repeat(30) });
    let refused = desk.post("/cgi-bin/user/info/updateremark", body.clone());
    let message = refused["errmsg"].as_str().unwrap();
    let (_, rid) = message.rsplit_once("rid: ").unwrap();
    let look_up =
        |desk: &mut Desk, rid: &str| desk.post("/cgi-bin/openapi/rid/get", json!({ "rid": rid }));
    desk.second = RID_SECONDS;
    let told = look_up(&mut desk, rid);
    let request = &told["request"];
    assert_eq!(
        (
            &request["invoke_time"],
            &request["request_body"],
            &request["client_ip"]
        ),
        (&json!(NOON), &json!(body.to_string()), &json!("127.0.0.1"))
    );
    assert_eq!(request["response_body"], refused.to_string());
    let never = format!("{:08x}-00000000-00000000", NOON);
    for (rid, expected) in [
        (never.as_str(), 76001),
        ("1234", 76002),
        ("", 76002),
        ("6553f100-zzzzzzzz-00000000", 76002),
    ] {
        assert_eq!(look_up(&mut desk, rid)["errcode"], expected, "{rid}");
    }
    desk.second = RID_SECONDS + 1;
    assert_eq!(look_up(&mut desk, rid)["errcode"], 76004);
}

#[test]
fn the_platform_tells_its_addresses_and_looks_at_the_way_to_ours() {
    let mut desk = Desk::open();
    for path in ["/cgi-bin/get_api_domain_ip", "/cgi-bin/getcallbackip"] {
        let list = desk.get(path, "");
        let list = list["ip_list"].as_array().unwrap();
        let segments = list
            .iter()
            .filter(|entry| entry.as_str().unwrap().contains('/'));
        assert_eq!(segments.count(), 1, "{path}: addresses and a segment");
    }
    let path = "/cgi-bin/callback/check";
    let all = desk.post(
        path,
        json!({ "action": "all", "check_operator": "CHINANET" }),
    );
    assert_eq!(all["dns"][0]["real_operator"], "CHINANET");
    assert_eq!(all["ping"][0]["package_loss"], "0%");
    let dns = desk.post(
        path,
        json!({ "action": "dns", "check_operator": "DEFAULT" }),
    );
    assert!(dns["ping"].is_null() && dns["dns"].is_array());
    let order =
        |action: &str, operator: &str| json!({ "action": action, "check_operator": operator });
    assert_eq!(desk.code(path, order("look", "DEFAULT")), 40202);
    assert_eq!(desk.code(path, order("all", "NOBODY")), 40203);
    let mut alone = Desk::of(Settings {
        has_server_url: false,
        ..settings()
    });
    assert_eq!(alone.code(path, order("all", "DEFAULT")), 40201);
}
