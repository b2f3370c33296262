//! The allow-list by WeChat's own callback addresses: asked for, kept, and never a reason to shut WeChat out.

use std::net::SocketAddr;

use serde_json::Value;
use wxhook::clock::{Clock, SystemClock};

use crate::main_job::{StandIn, TOKEN, variables};
use crate::support::{Program, eventually, get, raw};
use crate::webhook::signed_at;

/// One that the local WeChat names, and one that it does not.
const WECHAT: &str = "192.0.2.146";
const STRANGER: &str = "203.0.113.9";

fn start(platform: &str, directory: &str) -> (Program, SocketAddr, SocketAddr) {
    let mut variables = variables(platform, directory, "127.0.0.1:0");
    variables.extend([
        ("WECHAT_MODE", "plain"),
        ("WXHOOK__SERVER__ALLOW_LIST", "wechat"),
        ("WXHOOK__SERVER__TRUSTED_PROXIES", "127.0.0.1"),
        ("WXHOOK__API__PATIENCE", "0s"),
    ]);
    let mut program = Program::start(&["serve"], &variables);
    let (webhook, admin) = program.ready();
    (program, webhook, admin)
}

/// A rightly signed push that a proxy on this machine passes on; the status of its answer.
fn push(webhook: SocketAddr, number: u32, source: &str) -> u16 {
    let now = SystemClock::start().now().seconds();
    let query = signed_at(now, &number.to_string(), TOKEN);
    let body = format!(
        "<xml><ToUserName>gh_1</ToUserName><FromUserName>o{number}</FromUserName><CreateTime>{now}</CreateTime>\
         <MsgType>text</MsgType><Content>x</Content><MsgId>{number}</MsgId></xml>"
    );
    let length = body.len();
    let request = format!(
        "POST /wechat?{query} HTTP/1.1\r\nHost: t\r\nConnection: close\r\nX-Forwarded-For: {source}\r\n\
         Content-Length: {length}\r\n\r\n{body}"
    );
    raw(webhook, request).status
}

fn said(program: &mut Program, text: &str) {
    let mut is_said = || program.printed().contains(text).then_some(());
    eventually(text, &mut is_said);
}

fn told(admin: SocketAddr) -> Value {
    let ready: Value = serde_json::from_str(&get(admin, "/readyz").body).unwrap();
    ready["allow_list"].clone()
}

#[test]
fn the_last_good_list_of_wechats_addresses_is_kept_and_without_one_nobody_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().to_str().unwrap();
    let nobody = "http://127.0.0.1:1";

    let (mut program, webhook, admin) = start(nobody, path);
    said(&mut program, "never did");
    assert_eq!(told(admin)["open_for_want_of_a_list"], true);
    assert_eq!(push(webhook, 1, STRANGER), 200, "no list was ever seen");
    program.kill();

    let stand_in = StandIn::start();
    let (mut program, webhook, admin) = start(&stand_in.url, path);
    eventually("the list is there", || {
        (told(admin)["wechat_addresses"] == 3).then_some(())
    });
    assert_eq!(push(webhook, 2, WECHAT), 200);
    assert_eq!(push(webhook, 3, STRANGER), 403);
    said(&mut program, "not on server.allow_list");
    program.kill();

    let (mut program, webhook, admin) = start(nobody, path);
    said(&mut program, "the last list is kept");
    assert_eq!(told(admin)["wechat_addresses"], 3);
    assert_eq!(push(webhook, 4, WECHAT), 200);
    assert_eq!(push(webhook, 5, STRANGER), 403);
}

#[test]
fn the_list_needs_an_account_that_can_ask_for_it() {
    let (code, _, errors) = crate::support::run(
        &["config", "check"],
        &[
            ("WECHAT_APP_ID", "wx0123456789abcdef"),
            ("WECHAT_TOKEN", TOKEN),
            (
                "WXHOOK__SERVER__ALLOW_LIST",
                "wechat,203.0.113.0/24,nonsense",
            ),
        ],
        "",
    );
    assert_ne!(code, 0);
    assert!(errors.contains("server.allow_list"), "{errors}");
    let (code, _, errors) = crate::support::run(
        &["config", "check"],
        &[
            ("WECHAT_APP_ID", "wx0123456789abcdef"),
            ("WECHAT_TOKEN", TOKEN),
            ("WXHOOK__SERVER__ALLOW_LIST", "wechat"),
        ],
        "",
    );
    assert_ne!(code, 0);
    assert!(errors.contains("no account has an AppSecret"), "{errors}");
}
