//! The client against the local WeChat, over real sockets.

use std::net::TcpListener;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use wxhook::api::{Api, ApiParts, Delivery, Settings};
use wxhook::clock::{Clock, SystemClock};
use wxhook::id::AppId;
use wxhook::metric::Counters;
use wxhook::platform::Platform;
use wxhook::platform::hosts::Hosts;
use wxhook::secret::AppSecret;
use wxhook::simulator;
use wxhook::simulator::platform::{Fault, FaultRule, When};
use wxhook::simulator::skin::Skin;
use wxhook::store::memory_tokens::MemoryTokens;
use wxhook::token::{Endpoint, Keeper, KeeperParts};
use wxhook::transport::{self, HttpTransport};

use super::script::{ACCOUNT, SECRET};

const MESSAGE: &str =
    r#"{"touser":"oJb3Uw5c9XkQm1T0s7Zr2LhVnA_8","msgtype":"text","text":{"content":"你好"}}"#;
const SEND: &str = "/cgi-bin/message/custom/send";

pub(crate) struct Play {
    pub(crate) api: Api,
    pub(crate) account: AppId,
    wechat: Arc<Mutex<simulator::platform::Platform>>,
    skin: Skin,
}

/// A client, and the local WeChat that answers it.
pub(crate) fn play() -> Play {
    let account = AppId::parse(ACCOUNT).unwrap();
    let secret = AppSecret::new(SECRET);
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::start());
    let settings = simulator::platform::Settings::for_account(account.clone(), secret.clone());
    let wechat = Arc::new(Mutex::new(simulator::platform::Platform::new(settings, 7)));
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let skin = Skin::start(listener, Arc::clone(&wechat), Arc::clone(&clock)).unwrap();
    let transport = HttpTransport::new(&transport::Settings {
        https: false,
        plain_http: true,
        ..transport::Settings::default()
    })
    .unwrap();
    let hosts = Arc::new(Hosts::parse([skin.url()]).unwrap());
    let platform = Arc::new(Platform::new(transport, hosts, Arc::clone(&clock)));
    let keeper = Arc::new(Keeper::new(KeeperParts {
        account: account.clone(),
        secret,
        endpoint: Endpoint::Stable,
        store: MemoryTokens::new(clock.clone()),
        platform: Arc::clone(&platform),
        clock: Arc::clone(&clock),
        counters: Arc::new(Counters::default()),
        tally: None,
    }));
    let settings = Settings {
        timeout: Duration::from_millis(500),
        ..Settings::default()
    };
    let api = Api::new(ApiParts {
        platform,
        sources: vec![keeper],
        tickets: None,
        clock,
        quotas: None,
        settings,
    });
    Play {
        api,
        account,
        wechat,
        skin,
    }
}

#[tokio::test]
async fn what_the_client_says_of_a_message_is_what_happened_to_it() {
    let code = |code| {
        Some(Fault::Code {
            code,
            message: None,
        })
    };
    for (name, fault, word, delivered, sends) in [
        ("nothing goes wrong", None, "sent", 1, 1),
        ("a replaced token", code(40001), "sent", 1, 2),
        ("an expired token", code(42001), "sent", 1, 2),
        ("busy", code(-1), "not sent", 0, 1),
        ("no window", code(45015), "refused", 0, 1),
        ("a reset", Some(Fault::Reset), "unknown", 0, 1),
        ("a bad gateway", Some(Fault::BadGateway), "unknown", 0, 1),
        ("half an answer", Some(Fault::HalfAnswer), "unknown", 1, 1),
        (
            "a lost answer",
            Some(Fault::LostAnswer {
                after_milliseconds: 10,
            }),
            "unknown",
            1,
            1,
        ),
        (
            "a late answer",
            Some(Fault::Delay { milliseconds: 2000 }),
            "unknown",
            1,
            1,
        ),
    ] {
        let play = play();
        if let Some(fault) = fault {
            let rule = FaultRule {
                path: Some(SEND.to_owned()),
                host: None,
                open_id: None,
                when: When::Next(1),
                fault,
            };
            play.wechat.lock().unwrap().add_fault(rule).unwrap();
        }
        let delivery = play.api.deliver(&play.account, Bytes::from(MESSAGE)).await;
        let said = match &delivery {
            Delivery::Sent { .. } => "sent",
            Delivery::Refused { .. } => "refused",
            Delivery::Impossible { .. } => "impossible",
            Delivery::NotSent { .. } => "not sent",
            Delivery::Unknown { .. } => "unknown",
        };
        let calls = {
            let wechat = play.wechat.lock().unwrap();
            let calls = wechat
                .calls_after(0)
                .filter(|call| call.path == SEND)
                .count();
            (wechat.delivery_count(), calls)
        };
        assert_eq!(
            (said, calls),
            (word, (delivered, sends)),
            "{name}: {delivery:?}"
        );
        play.skin.stop().unwrap();
    }
}
