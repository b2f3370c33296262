//! The way of a push through the public listener: what is answered, and what is stored.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use wxhook::api::{self, Api, ApiParts};
use wxhook::clock::{Clock, ManualClock};
use wxhook::dispatch::passive::PassiveTerms;
use wxhook::dispatch::{Replays, SharedWindows};
use wxhook::http::admin::{Admin, AdminParts, Pushes};
use wxhook::http::webhook::{Account, Role, Webhook};
use wxhook::http::{Listeners, Running, Settings};
use wxhook::id::AppId;
use wxhook::metric::{Check, Counter, Counters};
use wxhook::platform::Platform;
use wxhook::platform::hosts::Hosts;
use wxhook::protocol::push::Kind;
use wxhook::protocol::{Credentials, Mode, Rotating, envelope};
use wxhook::secret::{AdminKey, PushToken};
use wxhook::simulator::pusher::{self, Gesture, Identity, Pusher, Verdict};
use wxhook::simulator::seal;
use wxhook::store::memory::MemoryInbox;
use wxhook::store::{Filter, Inbox, PushState, StoredPush};
use wxhook::token::central::Central;
use wxhook::transport::{self, HttpTransport};

use crate::support::{Answer, get, now, post, raw};

mod echoes;
mod malformed;
mod repeats;

pub(crate) const TOKEN: &str = "token1234567890";
pub(crate) const KEY: &str = "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG";
pub(crate) const APP_ID: &str = "wx0123456789abcdef";
pub(crate) const NOW: i64 = 1_700_000_000;

pub(crate) struct Door {
    pub(crate) address: SocketAddr,
    admin: SocketAddr,
    clock: Arc<ManualClock>,
    pub(crate) inbox: Arc<MemoryInbox>,
    pub(crate) counters: Arc<Counters>,
    mode: Mode,
    _running: Running,
}

pub(crate) fn open_door(mode: Mode, settings: Settings) -> Door {
    open_door_of(Role::Account, mode, settings)
}

fn open_door_of(role: Role, mode: Mode, settings: Settings) -> Door {
    let paths: &[&str] = match role {
        Role::Account => &["/wechat", "/wechat/default"],
        Role::Component => &["/component/default"],
    };
    let account = account_of(role, "default", APP_ID, mode, paths);
    open_door_for(vec![account], mode, settings)
}

/// Whose pushes come to these paths, signed and sealed with the Token and the key of these tests.
fn account_of(role: Role, name: &str, app_id: &str, mode: Mode, paths: &[&str]) -> Account {
    let key = envelope::decode_key(KEY).unwrap();
    let credentials = Credentials::new(
        AppId::parse(app_id).unwrap(),
        mode,
        Rotating {
            current: PushToken::new(TOKEN),
            previous: Some(PushToken::new("oldtoken")),
        },
        (mode != Mode::Plain).then_some(Rotating {
            current: key,
            previous: None,
        }),
    );
    Account {
        passive: PassiveTerms::default(),
        name: name.to_owned(),
        credentials: credentials.unwrap(),
        paths: paths.iter().map(|path| (*path).to_owned()).collect(),
        role,
        release_check: role == Role::Component,
    }
}

/// A door of several accounts, which have one mode.
fn open_door_for(accounts: Vec<Account>, mode: Mode, settings: Settings) -> Door {
    let clock = Arc::new(ManualClock::at(NOW));
    let inbox = MemoryInbox::new(Arc::clone(&clock) as Arc<dyn Clock>);
    let counters = Arc::new(Counters::default());
    let any_port = SocketAddr::from(([127, 0, 0, 1], 0));
    let settings = Settings {
        listen: any_port,
        admin_listen: any_port,
        workers: 2,
        ..settings
    };
    let listeners = Listeners::bind(&settings).unwrap();
    let (address, admin) = listeners.addresses().unwrap();
    let store = Arc::clone(&inbox) as Arc<dyn Inbox>;
    let webhook = Webhook::new(
        accounts,
        &settings,
        Arc::clone(&store),
        Arc::clone(&clock) as Arc<dyn Clock>,
        Arc::clone(&counters),
        None,
    );
    let desk = Admin::new(AdminParts {
        pushes: Some(Pushes {
            bundles: wxhook::dispatch::Bundles::default(),
            replays: Replays::detached(Arc::clone(&store), Arc::clone(&clock) as Arc<dyn Clock>),
            windows: SharedWindows::default(),
            gauges: Arc::default(),
            sources: Arc::clone(webhook.sources()),
            inbox: store,
        }),
        counters: Arc::clone(&counters),
        key: AdminKey::new("an admin key for the test"),
        ..without_tokens(&(Arc::clone(&clock) as Arc<dyn Clock>))
    });
    let running = listeners
        .serve(&settings, Arc::new(webhook), Arc::new(desk))
        .unwrap();
    Door {
        address,
        admin,
        clock,
        inbox,
        counters,
        mode,
        _running: running,
    }
}

/// An admin listener without pushes, whose accounts have no AppSecret.
fn without_tokens(clock: &Arc<dyn Clock>) -> AdminParts {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    let transport = HttpTransport::new(&transport::Settings {
        https: false,
        plain_http: true,
        ..transport::Settings::default()
    });
    let hosts = Arc::new(Hosts::parse(["http://127.0.0.1:1"]).unwrap());
    let platform = Platform::new(transport.unwrap(), hosts, Arc::clone(clock));
    let api = Api::new(ApiParts {
        platform: Arc::new(platform),
        sources: Vec::new(),
        tickets: None,
        clock: Arc::clone(clock),
        quotas: None,
        settings: api::Settings::default(),
    });
    let handle = runtime.handle().clone();
    // Nobody is asked for anything here; a runtime must not be dropped within another.
    runtime.shutdown_background();
    AdminParts {
        pushes: None,
        central: Central::new(Vec::new(), BTreeMap::new(), Arc::clone(clock), handle),
        api: Arc::new(api),
        origins: Vec::new(),
        clock: Arc::clone(clock),
        counters: Arc::new(Counters::default()),
        key: AdminKey::new("an admin key for the test"),
        clients: Vec::new(),
    }
}

pub(crate) fn door(mode: Mode) -> Door {
    open_door(mode, Settings::default())
}

impl Door {
    fn pusher(&self, mode: pusher::Mode) -> Pusher {
        let identity = Identity {
            url: format!("http://{}/wechat", self.address),
            app_id: AppId::parse(APP_ID).unwrap(),
            token: PushToken::new(TOKEN),
            key: Some(seal::decode_key(KEY).unwrap()),
            mode,
            original_id: "gh_5f2c9a7d10be".to_owned(),
        };
        Pusher::new(identity, Arc::clone(&self.clock) as Arc<dyn Clock>, 7).unwrap()
    }

    pub(crate) fn stored(&self) -> Vec<StoredPush> {
        futures_util::FutureExt::now_or_never(self.inbox.list(Filter::default()))
            .unwrap()
            .unwrap()
    }

    /// How many requests this check has refused.
    pub(crate) fn refused(&self, check: Check) -> u64 {
        self.counters.refused(check)
    }

    pub(crate) fn is_plain(&self) -> bool {
        self.mode == Mode::Plain
    }

    fn counted(&self, counter: Counter) -> u64 {
        self.counters.value(counter)
    }
}

pub(crate) fn signed_at(seconds: i64, nonce: &str, token: &str) -> String {
    let signature = seal::sign(&[token, &seconds.to_string(), nonce]);
    format!("signature={signature}&timestamp={seconds}&nonce={nonce}")
}

fn text(user: &str, message_id: u64) -> String {
    format!(
        "<xml><ToUserName><![CDATA[gh_1]]></ToUserName><FromUserName><![CDATA[{user}]]></FromUserName>\
         <CreateTime>{NOW}</CreateTime><MsgType><![CDATA[text]]></MsgType>\
         <Content><![CDATA[你好]]></Content><MsgId>{message_id}</MsgId></xml>"
    )
}

#[tokio::test]
async fn a_push_is_stored_before_success_in_every_mode_and_its_repeat_is_recognised() {
    for (mode, pushed) in [
        (Mode::Plain, pusher::Mode::Plain),
        (Mode::Compatible, pusher::Mode::Compatible),
        (Mode::Secure, pusher::Mode::Secure),
    ] {
        let door = door(mode);
        let mut pusher = door.pusher(pushed);
        let push = pusher.make(Gesture::Text("你好".to_owned()), "oUser");
        for _ in 0..2 {
            let report = pusher.push(&push).await;
            assert!(
                matches!(report.verdict(), Verdict::Success),
                "{mode:?}: {report:?}"
            );
        }
        let stored = door.stored();
        assert_eq!(stored.len(), 1, "{mode:?}");
        assert_eq!(stored[0].user.as_str(), "oUser");
        assert_eq!(stored[0].body, push.document.as_bytes(), "{mode:?}");
        assert_eq!(stored[0].verified, mode.name());
        assert_eq!(door.counted(Counter::PushesStored), 1);
        assert_eq!(door.counted(Counter::PushesRepeated), 1);
    }
}

#[tokio::test]
async fn the_url_is_verified_by_an_echo_after_the_signature_only() {
    let door = door(Mode::Secure);
    assert!(
        door.pusher(pusher::Mode::Secure)
            .verify_url()
            .await
            .is_right
    );

    let query = signed_at(NOW, "77", TOKEN);
    let right = get(
        door.address,
        &format!("/wechat?{query}&echostr=%3Cb%3E5833258582299191661"),
    );
    assert_eq!(
        (right.status, right.body.as_str()),
        (200, "<b>5833258582299191661")
    );
    assert!(
        right
            .head
            .to_ascii_lowercase()
            .contains("x-content-type-options: nosniff")
    );
    let forged = query.replace("nonce=77", "nonce=78");
    let wrong = get(
        door.address,
        &format!("/wechat?{forged}&echostr=5833258582299191661"),
    );
    assert_eq!((wrong.status, wrong.body.as_str()), (403, ""));
    let plain = self::door(Mode::Plain);
    assert_eq!(
        get(plain.address, &format!("/wechat?{query}")).status,
        400,
        "no echostr"
    );
}

#[test]
fn what_is_not_a_push_is_refused_with_an_empty_answer_and_stores_nothing() {
    let door = door(Mode::Plain);
    let right = signed_at(NOW, "77", TOKEN);
    let body = text("oUser", 1);
    let post = |target: &str, body: &str| post(door.address, target, body);
    let big = "x".repeat(1024 * 1024 + 1);
    for (name, answer, status) in [
        ("another path", post(&format!("/other?{right}"), &body), 404),
        ("no query", post("/wechat", &body), 400),
        (
            "doubled nonce",
            post(&format!("/wechat?{right}&nonce=77"), &body),
            400,
        ),
        (
            "oversized nonce",
            post(&format!("/wechat?{right}{}", "7".repeat(200)), &body),
            400,
        ),
        (
            "wrong signature",
            post(&format!("/wechat?{}", signed_at(NOW, "77", "other")), &body),
            403,
        ),
        (
            "stale",
            post(
                &format!("/wechat?{}", signed_at(NOW - 601, "77", TOKEN)),
                &body,
            ),
            403,
        ),
        (
            "from the future",
            post(
                &format!("/wechat?{}", signed_at(NOW + 601, "77", TOKEN)),
                &body,
            ),
            403,
        ),
        (
            "encrypted",
            post(
                &format!("/wechat?{right}&encrypt_type=aes&msg_signature=00"),
                &body,
            ),
            403,
        ),
        (
            "unknown encryption",
            post(&format!("/wechat?{right}&encrypt_type=rot13"), &body),
            400,
        ),
        ("too large", post(&format!("/wechat?{right}"), &big), 413),
        (
            "no XML",
            post(&format!("/wechat?{right}"), "{\"a\":1}"),
            400,
        ),
        ("empty", post(&format!("/wechat?{right}"), ""), 400),
        (
            "DOCTYPE",
            post(
                &format!("/wechat?{right}"),
                &format!("<!DOCTYPE a [<!ENTITY b \"c\">]>{body}"),
            ),
            400,
        ),
    ] {
        assert_eq!(
            (answer.status, answer.body.as_str()),
            (status, ""),
            "{name}"
        );
    }
    let put = raw(
        door.address,
        format!(
            "PUT /wechat?{right} HTTP/1.1\r\nHost: t\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
        ),
    );
    assert_eq!(put.status, 405);
    assert!(
        put.head.to_ascii_lowercase().contains("allow: get, post"),
        "{}",
        put.head
    );
    assert_eq!(door.stored(), []);
}

#[test]
fn a_signed_plaintext_push_to_a_secure_account_is_refused_even_with_the_previous_token() {
    let door = door(Mode::Secure);
    for token in [TOKEN, "oldtoken"] {
        let query = signed_at(NOW, "77", token);
        let answer = post(door.address, &format!("/wechat?{query}"), &text("oUser", 1));
        assert_eq!((answer.status, answer.body.as_str()), (403, ""));
    }
    assert_eq!(door.counted(Counter::RequestsForged), 2);
    assert_eq!(door.stored(), []);
}

#[test]
fn the_previous_token_and_a_trailing_slash_are_taken() {
    let door = door(Mode::Plain);
    let query = signed_at(NOW, "77", "oldtoken");
    let answer = post(
        door.address,
        &format!("/wechat/default/?{query}"),
        &text("oUser", 1),
    );
    assert_eq!((answer.status, answer.body.as_str()), (200, "success"));
    assert_eq!(door.stored()[0].verified, "plain, previous token");
}

#[test]
fn what_is_signed_but_unreadable_is_success_and_kept_as_malformed() {
    let door = door(Mode::Secure);
    let key = seal::decode_key(KEY).unwrap();
    let doubled = text("oUser", 1).replace("</xml>", "<MsgId>2</MsgId></xml>");
    for inner in ["", "no XML at all", "<!DOCTYPE a>", &doubled] {
        let sealed = seal::seal(&key, APP_ID, [7; 16], inner.as_bytes());
        let query = signed_at(NOW, "77", TOKEN);
        let signature = seal::sign(&[TOKEN, &NOW.to_string(), "77", &sealed]);
        let target = format!("/wechat?{query}&encrypt_type=aes&msg_signature={signature}");
        let answer = post(
            door.address,
            &target,
            &format!("<xml><Encrypt><![CDATA[{sealed}]]></Encrypt></xml>"),
        );
        assert_eq!(
            (answer.status, answer.body.as_str()),
            (200, "success"),
            "{inner}"
        );
    }
    let stored = door.stored();
    assert_eq!(stored.len(), 4);
    assert!(
        stored
            .iter()
            .all(|push| push.state == PushState::Malformed && push.kind == Kind::Malformed)
    );
    assert_eq!(stored[3].body, doubled.as_bytes());
    assert!(
        stored[3].reason.as_deref().unwrap().contains("MsgId"),
        "{:?}",
        stored[3].reason
    );
    assert_eq!(door.counted(Counter::PushesMalformed), 4);
}

#[test]
fn twenty_authentic_pushes_that_are_stale_by_the_same_offset_convince_us_that_our_clock_is_wrong() {
    let door = door(Mode::Plain);
    let push = |number: i64, seconds: i64| -> Answer {
        let query = signed_at(seconds, &number.to_string(), TOKEN);
        post(
            door.address,
            &format!("/wechat?{query}"),
            &text("oUser", number.unsigned_abs()),
        )
    };
    let statuses: Vec<u16> = (0..25)
        .map(|number| push(number, NOW - 7_200 + number).status)
        .collect();
    assert_eq!(statuses[..19], [403; 19]);
    assert_eq!(statuses[19..], [200; 6]);
    assert_eq!(push(30, NOW).status, 200);
    assert_eq!(push(31, NOW - 7_200).status, 403);
}

#[test]
fn a_slow_body_is_given_up_and_a_slow_store_is_answered_503_within_the_budget() {
    let budget = Duration::from_millis(400);
    let door = open_door(
        Mode::Plain,
        Settings {
            request_budget: budget,
            ..Settings::default()
        },
    );
    let query = signed_at(NOW, "77", TOKEN);
    let slow = raw(
        door.address,
        format!(
            "POST /wechat?{query} HTTP/1.1\r\nHost: t\r\nConnection: close\r\nContent-Length: 500\r\n\r\n<xml>"
        ),
    );
    assert_eq!(slow.status, 408);

    let room = Arc::clone(door.inbox.room());
    let taken = room
        .try_acquire_many(u32::try_from(room.available_permits()).unwrap())
        .unwrap();
    let began = now();
    let target = format!("/wechat?{query}");
    let answer = post(door.address, &target, &text("oUser", 1));
    assert_eq!(
        answer.status,
        503,
        "{answer:?} {}",
        door.counted(Counter::RequestsInvalid)
    );
    assert!(now() - began >= budget, "it waited for its whole budget");
    assert_eq!(door.counted(Counter::RequestsOverloaded), 1);
    drop(taken);
    assert_eq!(post(door.address, &target, &text("oUser", 1)).status, 200);
}

#[test]
fn the_admin_listener_tells_liveness_readiness_and_with_its_key_the_counters() {
    let door = door(Mode::Plain);
    assert_eq!(get(door.admin, "/healthz").body, "ok\n");
    let ready = get(door.admin, "/readyz");
    assert_eq!(ready.status, 200);
    assert!(
        ready.body.contains("\"ready\":true") && ready.body.contains("durability"),
        "{}",
        ready.body
    );
    assert_eq!(get(door.admin, "/v1/counters").status, 401);
    assert_eq!(get(door.admin, "/wechat").status, 404);
    assert_eq!(get(door.address, "/healthz").status, 404);
    let with_key = |host: &str| {
        raw(
            door.admin,
            format!(
                "GET /v1/counters HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer an admin key for the test\r\nConnection: close\r\n\r\n"
            ),
        )
    };
    assert!(
        with_key("127.0.0.1:8081")
            .body
            .contains("\"wxhook_pushes_stored_total\":0")
    );
    assert_eq!(with_key("rebound.example").status, 401);
}

/// A sealed and signed push of any inner document, at a path.
fn post_sealed(door: &Door, path: &str, nonce: &str, inner: &str) -> Answer {
    let key = seal::decode_key(KEY).unwrap();
    let sealed = seal::seal(&key, APP_ID, [7; 16], inner.as_bytes());
    let query = signed_at(NOW, nonce, TOKEN);
    let signature = seal::sign(&[TOKEN, &NOW.to_string(), nonce, &sealed]);
    let target = format!("{path}?{query}&encrypt_type=aes&msg_signature={signature}");
    let body = format!(
        "<xml><AppId><![CDATA[{APP_ID}]]></AppId><Encrypt><![CDATA[{sealed}]]></Encrypt></xml>"
    );
    post(door.address, &target, &body)
}

fn ticket_notice(component: &str, created: i64, ticket: &str) -> String {
    format!(
        "<xml><AppId><![CDATA[{component}]]></AppId><CreateTime>{created}</CreateTime>\
         <InfoType><![CDATA[component_verify_ticket]]></InfoType>\
         <ComponentVerifyTicket><![CDATA[{ticket}]]></ComponentVerifyTicket></xml>"
    )
}

#[test]
fn a_components_newest_ticket_is_kept_with_the_notice_that_brought_it() {
    let door = open_door_of(Role::Component, Mode::Secure, Settings::default());
    let kept = || {
        let component = AppId::parse(APP_ID).unwrap();
        let ticket = door.inbox.component_ticket(component);
        futures_util::FutureExt::now_or_never(ticket)
            .unwrap()
            .unwrap()
    };
    assert_eq!(kept(), None);
    for (nonce, created, ticket) in [
        ("1", NOW - 600, "ticket@@@first"),
        ("2", NOW, "ticket@@@second"),
        ("3", NOW - 300, "ticket@@@late"),
    ] {
        let notice = ticket_notice(APP_ID, created, ticket);
        let answer = post_sealed(&door, "/component/default", nonce, &notice);
        assert_eq!(
            (answer.status, answer.body.as_str()),
            (200, "success"),
            "{ticket}"
        );
    }
    let newest = kept().unwrap();
    assert_eq!(newest.ticket.expose(), "ticket@@@second");
    assert_eq!(newest.created_at.seconds(), NOW);
    assert_eq!(newest.received_at.seconds(), NOW);
    let stored = door.stored();
    assert_eq!(stored.len(), 3);
    assert!(
        stored
            .iter()
            .all(|push| push.kind == Kind::Notice && push.user.as_str().is_empty())
    );
}

#[test]
fn a_notice_for_another_component_is_malformed_and_its_ticket_is_not_kept() {
    let door = open_door_of(Role::Component, Mode::Secure, Settings::default());
    let foreign = ticket_notice("wxother", NOW, "ticket@@@foreign");
    let answer = post_sealed(&door, "/component/default", "1", &foreign);
    assert_eq!((answer.status, answer.body.as_str()), (200, "success"));
    let stored = door.stored();
    assert_eq!(stored[0].state, PushState::Malformed);
    assert!(
        stored[0]
            .reason
            .as_deref()
            .unwrap()
            .contains("another AppId")
    );
    let component = AppId::parse(APP_ID).unwrap();
    let ticket = door.inbox.component_ticket(component);
    assert_eq!(
        futures_util::FutureExt::now_or_never(ticket)
            .unwrap()
            .unwrap(),
        None
    );
}

#[test]
fn messages_relayed_for_an_authorizer_come_with_its_app_id_in_the_path() {
    let door = open_door_of(Role::Component, Mode::Secure, Settings::default());
    let relayed = text("oAuthorizersUser", 1);
    for (path, status) in [
        ("/component/default/wxaaaaaaaaaaaaaaaa", 200),
        ("/component/default", 200),
        ("/component/default/wxaaaaaaaaaaaaaaaa/more", 404),
        ("/component/other", 404),
    ] {
        assert_eq!(
            post_sealed(&door, path, "1", &relayed).status,
            status,
            "{path}"
        );
    }
    let stored = door.stored();
    assert_eq!(
        stored.len(),
        1,
        "the same document is the same push, whatever the path says"
    );
    assert_eq!(stored[0].kind, Kind::Message);
    assert_eq!(stored[0].user.as_str(), "oAuthorizersUser");
    let account = open_door_of(Role::Account, Mode::Secure, Settings::default());
    assert_eq!(
        post_sealed(&account, "/wechat/more", "1", &relayed).status,
        404
    );
}

#[test]
fn the_check_before_a_third_party_platform_is_published_is_answered_sealed() {
    let door = open_door_of(Role::Component, Mode::Secure, Settings::default());
    let asked = |nonce: &str, content: &str| {
        let inner = text("oTester", nonce.parse().unwrap())
            .replace("gh_1", "gh_3c884a361561")
            .replace("你好", content);
        let path = "/component/default/wx570bc396a51b8ff8";
        post_sealed(&door, path, nonce, &inner)
    };
    let answer = asked("1", "TESTCOMPONENT_MSG_TYPE_TEXT");
    assert_eq!(answer.status, 200);
    let part = |name: &str| {
        let (_, rest) = answer.body.split_once(&format!("<{name}>")).unwrap();
        let (value, _) = rest.split_once(&format!("</{name}>")).unwrap();
        let value = value.trim_start_matches("<![CDATA[");
        value.trim_end_matches("]]>").to_owned()
    };
    let (sealed, timestamp, nonce) = (part("Encrypt"), part("TimeStamp"), part("Nonce"));
    let signature = seal::sign(&[TOKEN, &timestamp, &nonce, &sealed]);
    assert_eq!(signature, part("MsgSignature"));
    let key = seal::decode_key(KEY).unwrap();
    let reply = String::from_utf8(seal::open(&key, APP_ID, &sealed).unwrap()).unwrap();
    assert!(
        reply.contains("<![CDATA[TESTCOMPONENT_MSG_TYPE_TEXT_callback]]>"),
        "{reply}"
    );
    // Its repeat is answered like the first; what needs a token, and everything else, is success.
    assert_ne!(asked("1", "TESTCOMPONENT_MSG_TYPE_TEXT").body, "success");
    assert_eq!(asked("2", "QUERY_AUTH_CODE:code").body, "success");
    assert_eq!(asked("3", "你好").body, "success");
    assert_eq!(door.stored().len(), 3);
}

#[test]
fn a_source_that_only_sends_rubbish_is_closed_each_time_and_its_right_pushes_are_taken() {
    let door = door(Mode::Plain);
    // The first of two refused requests on a connection: is it kept for the second?
    let is_kept = || {
        let request = "GET /other HTTP/1.1\r\nHost: t\r\n\r\n";
        let last = "GET /other HTTP/1.1\r\nHost: t\r\nConnection: close\r\n\r\n";
        let answer = raw(door.address, format!("{request}{last}"));
        assert_eq!(answer.status, 404);
        !answer.head.contains("connection: close")
    };
    assert!(is_kept());
    for _ in 0..60 {
        get(door.address, "/other");
    }
    assert!(!is_kept());
    assert!(door.counted(Counter::RequestsGuarded) >= 1);
    let target = format!("/wechat?{}", signed_at(NOW, "77", TOKEN));
    let answer = post(door.address, &target, &text("oUser", 1));
    assert_eq!((answer.status, answer.body.as_str()), (200, "success"));
}

#[test]
fn the_admin_listener_tells_which_mode_is_wrong_and_which_check_refused() {
    let door = door(Mode::Secure);
    assert!(
        get(door.admin, "/readyz")
            .body
            .contains("\"wrong_mode\":[]")
    );
    let target = format!("/wechat?{}", signed_at(NOW, "77", TOKEN));
    assert_eq!(post(door.address, &target, &text("oUser", 1)).status, 403);
    let ready = get(door.admin, "/readyz");
    assert_eq!(ready.status, 200);
    assert!(
        ready.body.contains("set WECHAT_MODE=plain"),
        "{}",
        ready.body
    );
    assert!(
        ready.body.contains("\"allow_list\":\"off\""),
        "{}",
        ready.body
    );
    let counters = raw(
        door.admin,
        "GET /v1/counters HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer an admin key for the test\r\nConnection: close\r\n\r\n",
    );
    let name = r#""wxhook_requests_refused_total{check=\"downgrade\"}":1"#;
    assert!(counters.body.contains(name), "{}", counters.body);
}
