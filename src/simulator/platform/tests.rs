//! The rules of the platform, one table each.

use std::time::Duration;

use proptest::prelude::*;
use serde_json::Value;

use super::*;

mod access;
mod drafts;
mod kit;
mod mass;
mod media;
mod menus;
mod quota;
mod service;
mod talks;
mod templates;
mod users;

const APP: &str = "wx0123456789abcdef";
const SECRET: &str = "0123456789abcdef0123456789abcdef";
const NOON: i64 = 1_700_000_000;

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_seconds(NOON + seconds)
}

fn settings() -> Settings {
    Settings::for_account(AppId::parse(APP).unwrap(), AppSecret::new(SECRET))
}

fn platform() -> Platform {
    Platform::new(settings(), 7)
}

fn post(path: &str, query: &str, body: &str) -> Call {
    Call {
        method: "POST".into(),
        path: path.into(),
        query: query.into(),
        has_content_length: true,
        body: Bytes::copy_from_slice(body.as_bytes()),
        ..Call::default()
    }
}

fn stable(force: bool) -> Call {
    let body = serde_json::json!({
        "grant_type": "client_credential", "appid": APP, "secret": SECRET, "force_refresh": force,
    });
    post("/cgi-bin/stable_token", "", &body.to_string())
}

fn plain() -> Call {
    Call {
        method: "GET".into(),
        path: "/cgi-bin/token".into(),
        query: format!("grant_type=client_credential&appid={APP}&secret={SECRET}"),
        ..Call::default()
    }
}

fn send(token: &str, body: &str) -> Call {
    post(
        "/cgi-bin/message/custom/send",
        &format!("access_token={token}"),
        body,
    )
}

fn text(open_id: &str, content: &str) -> String {
    serde_json::json!({ "touser": open_id, "msgtype": "text", "text": { "content": content } })
        .to_string()
}

fn token(platform: &mut Platform, seconds: i64, call: &Call) -> (String, i64) {
    let answer = platform.handle(at(seconds), call);
    let body: Value = serde_json::from_str(&answer.body).unwrap();
    let text = body["access_token"].as_str().expect(&answer.body);
    (text.to_owned(), body["expires_in"].as_i64().unwrap())
}

fn code(platform: &mut Platform, seconds: i64, call: &Call) -> Option<i64> {
    platform.handle(at(seconds), call).code
}

#[test]
fn a_stable_token_stays_until_five_minutes_are_left() {
    let mut platform = platform();
    let first = token(&mut platform, 0, &stable(false));
    assert_eq!((first.0.len(), first.1), (170, 7200));
    for (name, seconds, same, left) in [
        ("a second later", 1, true, 7199),
        ("at the last moment", 6899, true, 301),
        ("with five minutes left", 6900, false, 7200),
        ("after that", 6901, false, 7199),
    ] {
        let (text, expires_in) = token(&mut platform, seconds, &stable(false));
        assert_eq!((text == first.0, expires_in), (same, left), "{name}");
    }
    assert_eq!(platform.tokens().count(), 2);
    let answers: Vec<u64> = platform.tokens().map(|token| token.answers).collect();
    assert_eq!(answers, [3, 2]);
}

#[test]
fn an_old_token_outlives_its_successor_by_five_minutes_and_a_forced_one_not_at_all() {
    let message = text("oUser", "hi");
    let mut platform = platform();
    let (first, _) = token(&mut platform, 0, &plain());
    let (second, _) = token(&mut platform, 100, &plain());
    let (stable_one, _) = token(&mut platform, 100, &stable(false));
    let (forced, _) = token(&mut platform, 200, &stable(true));
    for (name, token, seconds, expected) in [
        ("replaced, within the overlap", &first, 399, 0),
        ("replaced, after the overlap", &first, 400, 40001),
        ("the successor", &second, 400, 0),
        ("killed by force", &stable_one, 200, 40001),
        ("the forced one", &forced, 400, 0),
        ("the last moment of a life", &second, 7299, 0),
        ("after its life", &second, 7300, 42001),
    ] {
        let got = code(&mut platform, seconds, &send(token, &message));
        assert_eq!(got, Some(expected), "{name}");
    }
}

#[test]
fn forced_renewals_are_thirty_seconds_apart_and_twenty_a_day() {
    let mut platform = platform();
    let (first, _) = token(&mut platform, 0, &stable(true));
    let (soon, _) = token(&mut platform, 29, &stable(true));
    let (later, _) = token(&mut platform, 30, &stable(true));
    assert_eq!((first == soon, first == later), (true, false));
    for round in 2..20 {
        token(&mut platform, round * 30, &stable(true));
    }
    let last = code(&mut platform, 600, &stable(true));
    assert_eq!(last, Some(45009));
    assert_eq!(token(&mut platform, 600, &stable(false)).1, 7170);
    // Midnight in Beijing, not in Greenwich.
    assert_eq!(token(&mut platform, 86_400, &stable(true)).1, 7200);
}

#[test]
fn the_token_endpoints_look_at_the_appid_first() {
    let frozen = {
        let mut settings = settings();
        settings.accounts[0].secret_frozen = true;
        Platform::new(settings, 1)
    };
    let body = |grant: &str, app: &str, secret: &str| {
        let text = format!(r#"{{"grant_type":"{grant}","appid":"{app}","secret":"{secret}"}}"#);
        post("/cgi-bin/stable_token", "", &text)
    };
    let get = Call {
        method: "GET".into(),
        ..stable(false)
    };
    let posted = Call {
        method: "POST".into(),
        has_content_length: true,
        ..plain()
    };
    let query = |query: &str| Call {
        query: query.into(),
        ..plain()
    };
    let mut usual = platform();
    for (name, call, expected) in [
        ("empty", post("/cgi-bin/stable_token", "", ""), 44002),
        ("no JSON", post("/cgi-bin/stable_token", "", "a=b"), 47001),
        ("no appid", post("/cgi-bin/stable_token", "", "{}"), 41002),
        ("unknown appid, wrong grant", body("x", "wx1", "y"), 40013),
        ("wrong grant", body("x", APP, "y"), 40002),
        ("wrong secret", body("client_credential", APP, "y"), 40125),
        ("GET on stable", get, 43002),
        ("POST on plain", posted, 43001),
        ("plain, no grant", query("appid=wx1"), 40013),
        (
            "plain, no secret",
            query(&format!("grant_type=client_credential&appid={APP}&secret=")),
            41004,
        ),
    ] {
        assert_eq!(code(&mut usual, 0, &call), Some(expected), "{name}");
    }
    let mut frozen = frozen;
    assert_eq!(code(&mut frozen, 0, &plain()), Some(40243));
    assert_eq!(usual.tokens().count(), 0);
}

#[test]
fn the_stable_endpoint_takes_ten_thousand_calls_a_minute() {
    let mut platform = platform();
    for _ in 0..10_000 {
        platform.handle(at(0), &stable(false));
    }
    assert_eq!(code(&mut platform, 0, &stable(false)), Some(45011));
    assert_eq!(code(&mut platform, 60, &stable(false)), None);
}

#[test]
fn what_is_no_call_of_the_api_is_an_html_page() {
    let mut platform = platform();
    let chunked = Call {
        has_content_length: false,
        ..stable(false)
    };
    let nowhere = post("/cgi-bin/stable/access_token", "", "{}");
    for (name, call, status) in [("no length", chunked, 412), ("no such path", nowhere, 404)] {
        let answer = platform.handle(at(0), &call);
        assert_eq!(
            (answer.status, answer.content_type),
            (status, "text/html"),
            "{name}"
        );
        assert!(answer.body.starts_with("<html>"), "{name}");
    }
}

#[test]
fn a_refusal_is_http_200_with_a_rid_that_tells_the_time() {
    let mut platform = platform();
    let answer = platform.handle(at(0), &post("/cgi-bin/message/custom/send", "", "{}"));
    assert_eq!(
        (answer.status, answer.content_type),
        (200, "application/json; encoding=utf-8")
    );
    let start = format!(r#"{{"errcode":41001,"errmsg":"access_token missing rid: {NOON:08x}-"#);
    assert!(answer.body.starts_with(&start), "{}", answer.body);
    assert_eq!(
        answer.body.len(),
        start.len() + "01234567-01234567\"}".len()
    );
}

#[test]
fn custom_send_checks_what_it_delivers() {
    let mut platform = platform();
    let (token, _) = token(&mut platform, 0, &stable(false));
    for (name, body, expected) in [
        ("nothing", String::new(), 44002),
        ("no JSON", "touser=o".into(), 47001),
        ("no object", "[]".into(), 47001),
        (
            "nobody",
            r#"{"msgtype":"text","text":{"content":"a"}}"#.into(),
            40003,
        ),
        (
            "no type",
            r#"{"touser":"o","text":{"content":"a"}}"#.into(),
            40008,
        ),
        (
            "unknown type",
            r#"{"touser":"o","msgtype":"link","link":{}}"#.into(),
            40008,
        ),
        (
            "no branch",
            r#"{"touser":"o","msgtype":"text"}"#.into(),
            44004,
        ),
        (
            "another branch",
            r#"{"touser":"o","msgtype":"image","text":{}}"#.into(),
            40008,
        ),
        ("empty text", text("o", ""), 44004),
        ("2048 bytes", text("o", &"a".repeat(2048)), 0),
        ("2049 bytes", text("o", &"a".repeat(2049)), 45002),
        (
            "683 characters, 2049 bytes",
            text("o", &"您".repeat(683)),
            45002,
        ),
        (
            "escaped",
            r#"{"touser":"o","msgtype":"text","text":{"content":"\u60a8"}}"#.into(),
            40033,
        ),
        (
            "escaped ASCII",
            r#"{"touser":"o","msgtype":"text","text":{"content":"\u003c"}}"#.into(),
            40033,
        ),
        (
            "half a pair",
            r#"{"touser":"o","msgtype":"text","text":{"content":"\ud83d\ude00"}}"#.into(),
            40033,
        ),
        (
            "escaped control",
            r#"{"touser":"o","msgtype":"text","text":{"content":"a\u0007"}}"#.into(),
            0,
        ),
        (
            "a backslash, then u",
            r#"{"touser":"o","msgtype":"text","text":{"content":"\\u60a8"}}"#.into(),
            0,
        ),
    ] {
        let got = code(&mut platform, 1, &send(&token, &body));
        assert_eq!(got, Some(expected), "{name}");
    }
    let invalid_utf8 = Call {
        body: Bytes::from_static(b"{\"touser\":\"\xff\"}"),
        ..send(&token, "")
    };
    assert_eq!(code(&mut platform, 1, &invalid_utf8), Some(47001));
    assert_eq!(platform.delivery_count(), 3);
}

#[test]
fn custom_send_knows_what_each_type_must_hold() {
    let article = r#"{"title":"t","description":"","url":"u","picurl":""}"#;
    let item = r#"{"id":"1","content":"好"}"#;
    let menu = |items: usize| format!(r#"{{"list":[{}]}}"#, vec![item; items].join(","));
    let said = |content: usize| {
        let content = "a".repeat(content);
        format!(r#"{{"list":[{{"id":"1","content":"{content}"}}]}}"#)
    };
    let news = |articles: &[&str]| format!(r#"{{"articles":[{}]}}"#, articles.join(","));
    let mut platform = platform();
    let (token, _) = token(&mut platform, 0, &stable(false));
    let mut delivered = Vec::new();
    for (kind, branch, expected) in [
        ("image", r#"{"media_id":"m"}"#.to_owned(), 0),
        ("image", r#"{"media_id":""}"#.into(), 40007),
        ("image", r#"{"media_id":7}"#.into(), 47001),
        ("image", r#"{"MediaId":"m"}"#.into(), 40007),
        ("image", "[]".into(), 40008),
        ("voice", r#"{"media_id":"m"}"#.into(), 0),
        ("voice", "{}".into(), 40007),
        (
            "video",
            r#"{"media_id":"m","thumb_media_id":"t","title":"T"}"#.into(),
            0,
        ),
        ("video", r#"{"media_id":"m"}"#.into(), 40007),
        (
            "video",
            r#"{"media_id":"m","thumb_media_id":"t","title":null}"#.into(),
            47001,
        ),
        (
            "music",
            r#"{"musicurl":"u","thumb_media_id":"t","title":"T","description":"d"}"#.into(),
            0,
        ),
        (
            "music",
            r#"{"musicurl":"u","title":"T","description":"d"}"#.into(),
            40007,
        ),
        (
            "music",
            r#"{"MusicUrl":"u","thumb_media_id":"t","title":"T","description":"d"}"#.into(),
            44004,
        ),
        ("news", news(&[article]), 0),
        ("news", news(&[]), 45008),
        ("news", news(&[article, article]), 45008),
        ("news", news(&["{}"]), 44003),
        (
            "news",
            news(&[r#"{"title":"t","description":"d","url":"u"}"#]),
            44003,
        ),
        ("news", "{}".into(), 44003),
        ("news", r#"{"articles":{}}"#.into(), 47001),
        ("mpnews", r#"{"media_id":"m"}"#.into(), 0),
        ("mpnews", "{}".into(), 40007),
        ("mpnewsarticle", r#"{"article_id":"a"}"#.into(), 0),
        ("mpnewsarticle", r#"{"media_id":"a"}"#.into(), 53600),
        ("msgmenu", menu(1), 0),
        ("msgmenu", menu(10), 0),
        ("msgmenu", menu(11), 45098),
        ("msgmenu", menu(0), 45098),
        ("msgmenu", "{}".into(), 45098),
        ("msgmenu", said(128), 0),
        ("msgmenu", said(129), 45099),
        ("msgmenu", said(0), 45099),
        (
            "msgmenu",
            r#"{"list":[{"id":101,"content":"a"}]}"#.into(),
            47001,
        ),
        (
            "msgmenu",
            r#"{"head_content":"h","list":[{"id":"1","content":"a"}],"tail_content":"t"}"#.into(),
            0,
        ),
        ("wxcard", r#"{"card_id":"c"}"#.into(), 0),
        ("wxcard", "{}".into(), 44004),
        (
            "miniprogrampage",
            r#"{"title":"t","appid":"w","pagepath":"p","thumb_media_id":"m"}"#.into(),
            0,
        ),
        (
            "miniprogrampage",
            r#"{"title":"t","pagepath":"p","thumb_media_id":"m"}"#.into(),
            40166,
        ),
        (
            "miniprogrampage",
            r#"{"title":"t","appid":"w","thumb_media_id":"m"}"#.into(),
            40165,
        ),
        (
            "miniprogrampage",
            r#"{"title":"t","appid":"w","pagepath":"p"}"#.into(),
            40007,
        ),
        (
            "miniprogrampage",
            r#"{"appid":"w","pagepath":"p","thumb_media_id":"m"}"#.into(),
            44004,
        ),
        ("transfer_customer_service", "{}".into(), 40008),
        ("link", r#"{"title":"t"}"#.into(), 40008),
    ] {
        let body = format!(r#"{{"touser":"o","msgtype":"{kind}","{kind}":{branch}}}"#);
        let got = code(&mut platform, 1, &send(&token, &body));
        assert_eq!(got, Some(expected), "{body}");
        delivered.extend((expected == 0).then_some(kind));
    }
    let recorded: Vec<_> = platform
        .deliveries_after(0)
        .map(|delivery| delivery.message_type.as_str())
        .collect();
    assert_eq!(recorded, delivered);
    let menus = platform.deliveries_after(0);
    let shown = menus.filter_map(|delivery| delivery.content.as_deref());
    assert!(shown.into_iter().any(|content| content == "h\na\nt"));
}

#[test]
fn custom_send_records_who_speaks_and_the_mark_of_an_ai() {
    let mut platform = platform();
    let (token, _) = token(&mut platform, 0, &stable(false));
    for (frame, expected) in [
        (r#""customservice":{"kf_account":"a01@gh_abc"}"#, 0),
        (r#""aimsgcontext":{"is_ai_msg":1}"#, 0),
        (r#""aimsgcontext":{"is_ai_msg":0}"#, 0),
        (r#""aimsgcontext":{"is_ai_msg":2}"#, 47001),
        (r#""aimsgcontext":{"is_ai_msg":true}"#, 47001),
        (r#""customservice":{}"#, 61452),
        (r#""customservice":{"kf_account":"a01"}"#, 61452),
        (r#""customservice":{"kf_account":"@gh_abc"}"#, 61452),
    ] {
        let body =
            format!(r#"{{"touser":"o","msgtype":"image","image":{{"media_id":"m"}},{frame}}}"#);
        let got = code(&mut platform, 1, &send(&token, &body));
        assert_eq!(got, Some(expected), "{frame}");
    }
    let recorded: Vec<_> = platform
        .deliveries_after(0)
        .map(|delivery| (delivery.kf_account.as_deref(), delivery.is_ai))
        .collect();
    assert_eq!(
        recorded,
        [(Some("a01@gh_abc"), false), (None, true), (None, false)]
    );
}

#[test]
fn escapes_can_be_shown_to_the_user_as_they_are() {
    let mut platform = Platform::new(
        Settings {
            escapes: Escapes::Shown,
            ..settings()
        },
        7,
    );
    let (token, _) = token(&mut platform, 0, &stable(false));
    let body = r#"{"touser":"o","msgtype":"text","text":{"content":"a\u60a8\n\\u60a8\u003c"}}"#;
    assert_eq!(code(&mut platform, 0, &send(&token, body)), Some(0));
    let delivery = platform.deliveries_after(0).next().unwrap();
    let shown = "a\\u60a8\n\\u60a8\\u003c";
    assert_eq!(delivery.content.as_deref(), Some(shown));
}

#[test]
fn a_token_that_is_missing_or_garbage_has_its_own_code() {
    let mut platform = platform();
    let body = text("o", "a");
    let well_formed = "87_abcdefghijklmnopqrstuvwxyz";
    assert_eq!(code(&mut platform, 0, &send("", &body)), Some(41001));
    assert_eq!(
        code(&mut platform, 0, &send(well_formed, &body)),
        Some(40001)
    );
    let mut seen: Vec<_> = (0..50)
        .filter_map(|_| code(&mut platform, 0, &send("x%20y", &body)))
        .collect();
    seen.sort_unstable();
    seen.dedup();
    assert_eq!(seen, [40001, 40014]);
}

#[test]
fn a_delivery_is_recorded_as_it_was_sent() {
    let mut platform = platform();
    let (token, _) = token(&mut platform, 0, &stable(false));
    let body = r#"{ "touser":"oA", "msgtype":"text", "text":{"content":"您好"} }"#;
    platform.handle(at(1), &send(&token, body));
    platform.handle(at(2), &send(&token, &text("oB", "b")));
    let first = platform.deliveries_after(0).next().cloned();
    let expected = Delivery {
        number: 1,
        at_milliseconds: (NOON + 1) * 1000,
        app_id: APP.into(),
        way: Way::Custom,
        open_id: "oA".into(),
        message_type: "text".into(),
        content: Some("您好".into()),
        kf_account: None,
        is_ai: false,
        body: Bytes::copy_from_slice(body.as_bytes()),
        token: 1,
    };
    assert_eq!(first, Some(expected));
    let later: Vec<&str> = platform
        .deliveries_after(1)
        .map(|delivery| delivery.open_id.as_str())
        .collect();
    assert_eq!(later, ["oB"]);
    let calls: Vec<_> = platform
        .calls_after(0)
        .map(|call| (call.path.as_str(), call.token, call.code))
        .collect();
    let path = "/cgi-bin/message/custom/send";
    let token_call = ("/cgi-bin/stable_token", None, None);
    assert_eq!(
        calls,
        [
            token_call,
            (path, Some(1), Some(0)),
            (path, Some(1), Some(0))
        ]
    );
}

#[test]
fn windows_open_by_what_the_user_did_and_close_by_count_and_time() {
    use Scene::*;
    const HOURS_48: i64 = 48 * 3600;
    // Acts (second, scene), messages sent before the one in question (second, count), its second.
    type Case<'a> = (&'a str, &'a [(i64, Scene)], (i64, u32), i64, i64);
    let cases: &[Case<'_>] = &[
        ("nothing done", &[], (0, 0), 0, 45015),
        ("fifth message", &[(0, Message)], (0, 4), 0, 0),
        ("sixth message", &[(0, Message)], (0, 5), 0, 45047),
        ("the last moment", &[(0, Message)], (0, 0), HOURS_48 - 1, 0),
        ("after 48 hours", &[(0, Message)], (0, 0), HOURS_48, 45015),
        ("third after a click", &[(0, MenuClick)], (0, 2), 59, 0),
        ("fourth after a click", &[(0, MenuClick)], (0, 3), 59, 45047),
        (
            "a minute after a click",
            &[(0, MenuClick)],
            (0, 0),
            60,
            45015,
        ),
        ("follow", &[(0, Follow)], (0, 2), 59, 0),
        ("scan", &[(0, ScanCode)], (0, 2), 59, 0),
        (
            "refilled, not added",
            &[(0, Message), (1, Message)],
            (1, 5),
            1,
            45047,
        ),
        (
            "click first, then message",
            &[(0, Message), (0, MenuClick)],
            (0, 7),
            0,
            0,
        ),
        (
            "both used up",
            &[(0, Message), (0, MenuClick)],
            (0, 8),
            0,
            45047,
        ),
        (
            "the soonest is used first",
            &[(0, Message), (0, MenuClick)],
            (0, 3),
            100,
            0,
        ),
        (
            "unfollowed",
            &[(0, Message), (1, Unfollow)],
            (1, 0),
            1,
            45015,
        ),
        ("blocked", &[(0, Message), (1, Block)], (1, 0), 1, 48002),
        (
            "unblocked",
            &[(0, Message), (1, Block), (2, Unblock)],
            (2, 0),
            2,
            0,
        ),
    ];
    for (name, acts, (sent_at, sent), second, expected) in cases {
        let mut platform = Platform::new(
            Settings {
                windows: Windows::On,
                token_lifetime_seconds: 1_000_000,
                ..settings()
            },
            7,
        );
        let (token, _) = token(&mut platform, 0, &stable(false));
        for (second, scene) in *acts {
            platform.user_acted(at(*second), &OpenId::new("o"), *scene);
        }
        for _ in 0..*sent {
            platform.handle(at(*sent_at), &send(&token, &text("o", "a")));
        }
        let got = code(&mut platform, *second, &send(&token, &text("o", "b")));
        assert_eq!(got, Some(*expected), "{name}");
    }
}

#[test]
fn only_known_users_are_written_to_when_they_are_known() {
    let mut settings = settings();
    settings.accounts[0].users = Users::Known([OpenId::new("oA")].into());
    let mut platform = Platform::new(settings, 7);
    let (token, _) = token(&mut platform, 0, &stable(false));
    assert_eq!(
        code(&mut platform, 0, &send(&token, &text("oA", "a"))),
        Some(0)
    );
    assert_eq!(
        code(&mut platform, 0, &send(&token, &text("oB", "a"))),
        Some(40003)
    );
}

#[test]
fn faults_strike_where_when_and_how_they_are_told() {
    // The rule, and for each of four sends: code, fault, deliveries so far.
    type Seen = (Option<i64>, Option<WireFault>, u64);
    let busy = r#"{"code":{"code":-1}}"#;
    let reset = Some(WireFault::Reset {
        after_milliseconds: 0,
    });
    let good = |deliveries| (Some(0), None, deliveries);
    let cases: Vec<(&str, String, [Seen; 3])> = vec![
        (
            "the next one, by default",
            format!(r#"{{"fault":{busy}}}"#),
            [(Some(-1), None, 0), good(1), good(2)],
        ),
        (
            "the second",
            format!(r#"{{"when":{{"nth":2}},"fault":{busy}}}"#),
            [good(1), (Some(-1), None, 1), good(2)],
        ),
        (
            "always",
            r#"{"when":"always","fault":{"code":{"code":40001}}}"#.into(),
            [
                (Some(40001), None, 0),
                (Some(40001), None, 0),
                (Some(40001), None, 0),
            ],
        ),
        (
            "never, by chance",
            format!(r#"{{"when":{{"probability":0.0}},"fault":{busy}}}"#),
            [good(1), good(2), good(3)],
        ),
        (
            "another path",
            format!(r#"{{"path":"/cgi-bin/token","fault":{busy}}}"#),
            [good(1), good(2), good(3)],
        ),
        (
            "another user",
            format!(r#"{{"open_id":"oB","fault":{busy}}}"#),
            [good(1), good(2), good(3)],
        ),
        (
            "this user, twice",
            r#"{"open_id":"oA","when":{"next":2},"fault":"reset"}"#.into(),
            [(None, reset, 0), (None, reset, 0), good(1)],
        ),
        (
            "delivered, but the answer is lost",
            r#"{"fault":{"lost_answer":{}}}"#.into(),
            [(Some(0), reset, 1), good(2), good(3)],
        ),
        (
            "delivered late",
            r#"{"fault":{"delay":{"milliseconds":6000}}}"#.into(),
            [
                (Some(0), Some(WireFault::Delay { milliseconds: 6000 }), 1),
                good(2),
                good(3),
            ],
        ),
        (
            "half an answer",
            r#"{"fault":"half_answer"}"#.into(),
            [(Some(0), Some(WireFault::Half), 1), good(2), good(3)],
        ),
        (
            "a gateway",
            r#"{"fault":"bad_gateway"}"#.into(),
            [(None, None, 0), good(1), good(2)],
        ),
    ];
    for (name, rule, expected) in cases {
        let mut platform = platform();
        let (token, _) = token(&mut platform, 0, &stable(false));
        platform
            .add_fault(serde_json::from_str(&rule).expect(name))
            .unwrap();
        let seen: Vec<Seen> = (0..3)
            .map(|_| {
                let answer = platform.handle(at(0), &send(&token, &text("oA", "a")));
                (answer.code, answer.fault, platform.delivery_count())
            })
            .collect();
        assert_eq!(seen, expected, "{name}");
    }
}

#[test]
fn fault_rules_that_make_no_sense_are_refused() {
    let mut platform = platform();
    let rule = |when| FaultRule {
        path: None,
        host: None,
        open_id: None,
        when,
        fault: Fault::Reset,
    };
    for (when, expected) in [
        (When::Probability(1.1), FaultError::Probability),
        (When::Probability(f64::NAN), FaultError::Probability),
        (When::Nth(0), FaultError::Zero),
        (When::Next(0), FaultError::Zero),
    ] {
        assert_eq!(platform.add_fault(rule(when)), Err(expected), "{when:?}");
    }
    for _ in 0..MAX_FAULT_RULES {
        platform.add_fault(rule(When::Always)).unwrap();
    }
    let one_more = platform.add_fault(rule(When::Always));
    assert_eq!(one_more, Err(FaultError::TooMany));
    platform.clear_faults();
    assert_eq!(platform.handle(at(0), &plain()).fault, None);
}

#[test]
fn records_and_debug_texts_hold_no_secret() {
    let mut platform = platform();
    platform.handle(at(0), &stable(false));
    platform.handle(at(0), &plain());
    let broken = post("/cgi-bin/stable_token", "", SECRET);
    platform.handle(at(0), &broken);
    let recorded: Vec<_> = platform
        .calls_after(0)
        .map(|call| serde_json::to_string(call).unwrap())
        .collect();
    assert!(recorded[0].contains("(redacted)"), "{}", recorded[0]);
    for text in recorded.into_iter().chain([
        format!("{:?}", stable(false)),
        format!("{:?}", plain()),
        format!("{:?}", platform.calls_after(0).collect::<Vec<_>>()),
        format!("{:?}", platform.settings),
    ]) {
        assert!(!text.contains(SECRET), "{text}");
    }
}

#[test]
fn only_the_latest_records_are_kept() {
    let mut platform = Platform::new(
        Settings {
            records: 2,
            ..settings()
        },
        7,
    );
    let (first, _) = token(&mut platform, 0, &plain());
    for _ in 0..2 {
        token(&mut platform, 0, &plain());
    }
    assert_eq!(platform.tokens().count(), 2);
    assert_eq!(platform.calls_after(0).count(), 2);
    let forgotten = code(&mut platform, 0, &send(&first, &text("o", "a")));
    assert_eq!(forgotten, Some(40001));
}

#[test]
fn the_same_calls_with_the_same_seed_have_the_same_answers() {
    let answers = || {
        let mut platform = platform();
        let mut answers = vec![platform.handle(at(0), &plain())];
        answers.push(platform.handle(at(1), &stable(true)));
        answers.push(platform.handle(at(2), &send("x", "y")));
        answers
    };
    assert_eq!(answers(), answers());
}

/// Paths that exist and one that does not, so that noise gets past the door.
fn any_call() -> impl Strategy<Value = Call> {
    let path = prop_oneof![
        Just("/cgi-bin/token".to_owned()),
        Just("/cgi-bin/stable_token".to_owned()),
        Just("/cgi-bin/message/custom/send".to_owned()),
        ".*",
    ];
    let body = prop_oneof![
        any::<Vec<u8>>(),
        r#"\{"touser":"o","msgtype":"(text|news|msgmenu)","(text|news|msgmenu)":\{"content":"(\\\\|\\u[0-9a-f]{4}|.)*"\}\}"#
            .prop_map(String::into_bytes),
    ];
    ("GET|POST|PUT", path, ".*", any::<bool>(), body).prop_map(
        |(method, path, query, has_content_length, body)| Call {
            method,
            path,
            query,
            has_content_length,
            body: body.into(),
            ..Call::default()
        },
    )
}

proptest! {
    #[test]
    fn no_call_makes_the_platform_panic(
        calls in proptest::collection::vec((any_call(), any::<bool>(), any::<i32>()), 1..8),
        shown in any::<bool>(),
    ) {
        let escapes = if shown { Escapes::Shown } else { Escapes::Refused };
        let mut platform = Platform::new(Settings { escapes, records: 3, ..settings() }, 1);
        let (token, _) = token(&mut platform, 0, &plain());
        for (mut call, with_token, seconds) in calls {
            if with_token {
                call.query = format!("access_token={token}&{}", call.query);
            }
            let answer = platform.handle(at(i64::from(seconds)), &call);
            prop_assert!(matches!(answer.status, 200 | 404 | 412));
        }
    }

    /// Whatever times come: what the stable endpoint hands out works, and for five minutes at least.
    #[test]
    fn a_stable_token_that_was_just_handed_out_works_for_five_minutes(
        steps in proptest::collection::vec((0_u64..4000, any::<bool>()), 1..30),
    ) {
        let mut platform = platform();
        let mut now = at(0);
        let mut answered = 0;
        for (seconds, force) in steps {
            now = now.after(Duration::from_secs(seconds));
            let answer = platform.handle(now, &stable(force));
            let body: Value = serde_json::from_str(&answer.body).unwrap();
            let Some(text) = body["access_token"].as_str() else {
                prop_assert_eq!(answer.code, Some(45009));
                continue;
            };
            answered += 1;
            let left = body["expires_in"].as_u64().unwrap();
            prop_assert!((300..=7200).contains(&left));
            let later = now.after(Duration::from_secs(left) - Duration::from_millis(1));
            let sent = platform.handle(later, &send(text, &super::tests::text("o", "a")));
            prop_assert_eq!(sent.code, Some(0));
        }
        prop_assert_eq!(platform.delivery_count(), answered);
    }
}
