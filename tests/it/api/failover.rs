//! A host that fails: what may be repeated arrives through the next one, nothing is written twice,
//! and the host is used again when it answers again.

use std::net::TcpListener;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use tokio::time::Instant;
use wxhook::clock::{ManualClock, SystemClock};
use wxhook::id::AppId;
use wxhook::platform::Platform;
use wxhook::platform::exchange::{Call, Repeat};
use wxhook::platform::hosts::Hosts;
use wxhook::secret::{AccessToken, AppSecret};
use wxhook::simulator;
use wxhook::simulator::platform::{Fault, FaultRule, Shape, When};
use wxhook::simulator::skin::Skin;
use wxhook::transport::{self, HttpTransport};

use super::logs::Logs;
use super::script::{ACCOUNT, SECRET};

const TIMEOUT: Duration = Duration::from_millis(300);
const SEND: &str = "/cgi-bin/message/custom/send";
const STABLE: &str = "/cgi-bin/stable_token";
const PROBE: &str = "/cgi-bin/get_api_domain_ip";

/// One local WeChat behind two hosts.
struct Pair<const HOSTS: usize> {
    platform: Platform,
    clock: Arc<ManualClock>,
    wechat: Arc<Mutex<simulator::platform::Platform>>,
    first: String,
    skins: [Skin; HOSTS],
}

fn pair() -> Pair<2> {
    let settings = simulator::platform::Settings::for_account(
        AppId::parse(ACCOUNT).unwrap(),
        AppSecret::new(SECRET),
    );
    let wechat = Arc::new(Mutex::new(simulator::platform::Platform::new(settings, 7)));
    let skins = [(); 2].map(|()| {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        Skin::start(
            listener,
            Arc::clone(&wechat),
            Arc::new(SystemClock::start()),
        )
        .unwrap()
    });
    let transport = HttpTransport::new(&transport::Settings {
        https: false,
        plain_http: true,
        ..transport::Settings::default()
    })
    .unwrap();
    let hosts = Arc::new(Hosts::parse(skins.iter().map(Skin::url)).unwrap());
    let clock = Arc::new(ManualClock::at(1_700_000_000));
    let platform = Platform::new(transport, hosts, clock.clone());
    let first = skins[0].url().trim_start_matches("http://").to_owned();
    Pair {
        platform,
        clock,
        wechat,
        first,
        skins,
    }
}

impl<const HOSTS: usize> Pair<HOSTS> {
    fn break_first_host(&self, fault: Fault) {
        let rule = FaultRule {
            path: None,
            host: Some(self.first.clone()),
            open_id: None,
            when: When::Always,
            fault,
        };
        self.wechat.lock().unwrap().add_fault(rule).unwrap();
    }

    /// How many calls of this path each host saw.
    fn calls(&self, path: &str) -> [usize; 2] {
        let wechat = self.wechat.lock().unwrap();
        let mut seen = [0; 2];
        let calls = wechat.calls_after(0).filter(|call| call.path == path);
        calls.for_each(|call| seen[usize::from(call.host != self.first)] += 1);
        seen
    }

    /// Messages that reached their user.
    fn deliveries(&self) -> u64 {
        self.wechat.lock().unwrap().delivery_count()
    }

    /// Asks for the stable token, which may be repeated.
    async fn token(&self) -> AccessToken {
        let body = serde_json::json!({
            "grant_type": "client_credential", "appid": ACCOUNT, "secret": SECRET,
        });
        let call = Call {
            timeout: TIMEOUT,
            ..Call::post(STABLE, Bytes::from(body.to_string()))
        };
        let answer = self.platform.call(&call).await.unwrap();
        AccessToken::new(answer.value["access_token"].as_str().unwrap())
    }

    /// Sends a message, which may not.
    async fn send(&self, token: AccessToken) -> Result<(), bool> {
        let body = r#"{"touser":"oUser","msgtype":"text","text":{"content":"hi"}}"#;
        let call = Call {
            access_token: Some(token),
            repeat: Repeat::Harmful,
            timeout: TIMEOUT,
            ..Call::post(SEND, Bytes::from(body))
        };
        let outcome = self.platform.call(&call).await;
        outcome
            .map(drop)
            .map_err(|error| error.surely_not_executed())
    }

    fn stop(self) {
        for skin in self.skins {
            skin.stop().unwrap();
        }
    }
}

#[tokio::test]
async fn a_failing_host_delays_what_may_be_repeated_and_doubles_nothing() {
    let lost = Fault::LostAnswer {
        after_milliseconds: 0,
    };
    // Whether the message was delivered nobody can know here; twice it never is.
    for (name, fault, delivered) in [
        ("resetting", Fault::Reset, 0),
        ("hanging", Fault::Hang { milliseconds: 2000 }, 0),
        ("a bad gateway", Fault::BadGateway, 0),
        ("a gateway's time-out", Fault::GatewayTimeout, 0),
        ("a web page", Fault::Shape(Shape::Page), 1),
        ("a lost answer", lost, 1),
        ("half an answer", Fault::HalfAnswer, 1),
    ] {
        let pair = pair();
        pair.break_first_host(fault);
        let started = Instant::now();
        let token = pair.token().await;
        assert!(started.elapsed() < TIMEOUT * 3, "{name}");
        assert_eq!(pair.calls(STABLE), [1, 1], "{name}");
        assert_eq!(
            pair.send(token).await,
            Err(false),
            "{name}: its outcome is not known"
        );
        assert_eq!(pair.calls(SEND), [1, 0], "{name}: written once");
        assert_eq!(pair.deliveries(), delivered, "{name}: delivered");
        pair.stop();
    }
}

#[tokio::test]
async fn a_host_that_refuses_connections_delays_messages_too_and_loses_none() {
    let Pair {
        platform,
        clock,
        wechat,
        first,
        skins: [refusing, second],
    } = pair();
    refusing.stop().unwrap();
    let pair = Pair {
        platform,
        clock,
        wechat,
        first,
        skins: [second],
    };
    let token = pair.token().await;
    assert_eq!(pair.send(token).await, Ok(()));
    assert_eq!((pair.calls(STABLE), pair.calls(SEND)), ([0, 1], [0, 1]));
    assert_eq!(pair.deliveries(), 1);
    pair.stop();
}

#[tokio::test]
async fn a_host_is_left_and_used_again_and_each_is_logged_once() {
    for (name, fault) in [
        ("a bad gateway", Fault::BadGateway),
        ("a gateway's time-out", Fault::GatewayTimeout),
        ("a web page", Fault::Shape(Shape::Page)),
        ("resetting", Fault::Reset),
        ("hanging", Fault::Hang { milliseconds: 2000 }),
        ("half an answer", Fault::HalfAnswer),
    ] {
        let logs = Logs::default();
        let guard = logs.capture("info");
        let pair = pair();
        pair.break_first_host(fault);
        for _ in 0..6 {
            pair.token().await;
        }
        assert_eq!(pair.calls(STABLE), [3, 6], "{name}");
        pair.wechat.lock().unwrap().clear_faults();
        comes_back(name, &pair, [3, 6]).await;
        is_told_once(name, &logs);
        drop(guard);
        pair.stop();
    }
}

#[tokio::test]
async fn a_host_that_refused_connections_is_used_again_when_it_listens_again() {
    let logs = Logs::default();
    let guard = logs.capture("info");
    let pair = pair();
    let [refusing, second] = pair.skins;
    refusing.stop().unwrap();
    let pair = Pair {
        platform: pair.platform,
        clock: pair.clock,
        wechat: pair.wechat,
        first: pair.first,
        skins: [second],
    };
    for _ in 0..6 {
        pair.token().await;
    }
    assert_eq!(pair.calls(STABLE), [0, 6]);
    let again = TcpListener::bind(&pair.first).unwrap();
    let clock = Arc::new(SystemClock::start());
    let again = Skin::start(again, Arc::clone(&pair.wechat), clock).unwrap();
    comes_back("refusing", &pair, [0, 6]).await;
    is_told_once("refusing", &logs);
    drop(guard);
    again.stop().unwrap();
    pair.stop();
}

/// The first host answers again: it is used after a minute and its probes, and not before.
async fn comes_back<const HOSTS: usize>(
    name: &str,
    pair: &Pair<HOSTS>,
    [first, second]: [usize; 2],
) {
    for probes in 1..=6 {
        pair.clock.advance(Duration::from_secs(10));
        pair.token().await;
        while pair.calls(PROBE) != [probes, 0] || pair.platform.is_probing() {
            tokio::task::yield_now().await;
        }
    }
    assert_eq!(pair.calls(STABLE), [first, second + 6], "{name}: too early");
    pair.token().await;
    assert_eq!(pair.calls(STABLE), [first + 1, second + 6], "{name}");
}

fn is_told_once(name: &str, logs: &Logs) {
    let text = logs.text();
    for line in [
        "An API host fails; the others are used.",
        "An API host works again.",
    ] {
        assert_eq!(text.matches(line).count(), 1, "{name}: {text}");
    }
}
