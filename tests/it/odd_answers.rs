//! What comes instead of an answer of the platform, over real sockets: each thing has its name, and
//! says whether the call can have been executed.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use wxhook::platform::exchange::{Call, ExchangeError, exchange};
use wxhook::platform::hosts::ApiHost;
use wxhook::simulator::platform::FaultRule;
use wxhook::transport::{self, HttpTransport, TransportError};

use crate::main_job::{APP_ID, SECRET, StandIn};

const STABLE: &str = "/cgi-bin/stable_token";

fn question(path: &'static str) -> Call {
    let body = json!({"grant_type": "client_credential", "appid": APP_ID, "secret": SECRET});
    Call {
        timeout: Duration::from_secs(5),
        ..Call::post(path, body.to_string().into())
    }
}

fn transport() -> Arc<HttpTransport> {
    let settings = transport::Settings {
        https: false,
        plain_http: true,
        ..transport::Settings::default()
    };
    HttpTransport::new(&settings).unwrap()
}

/// Every text that no error may say.
fn secrets(stand_in: &StandIn) -> Vec<String> {
    let platform = stand_in.platform.lock().unwrap();
    let mut secrets: Vec<String> = platform.tokens().map(|token| token.text.clone()).collect();
    secrets.push(SECRET.to_owned());
    secrets
}

/// What came, in a word, and whether the platform surely did nothing.
fn word(error: &ExchangeError) -> (String, bool) {
    let word = match error {
        ExchangeError::Transport(TransportError::Broken { .. }) => "broken".to_owned(),
        ExchangeError::Transport(TransportError::TimedOut { .. }) => "late".to_owned(),
        ExchangeError::Transport(TransportError::Encoded { encoding }) => encoding.clone(),
        ExchangeError::Transport(TransportError::NotConnected { .. }) => "no connection".to_owned(),
        ExchangeError::Status { status, .. } => format!("status {status}"),
        ExchangeError::Refused { code, .. } => format!("code {code}"),
        ExchangeError::Page { .. } => "a page".to_owned(),
        ExchangeError::Empty => "nothing".to_owned(),
        ExchangeError::Unreadable { .. } => "unreadable".to_owned(),
        ExchangeError::TooLong => "too long".to_owned(),
        other => format!("{other:?}"),
    };
    (word, error.surely_not_executed())
}

#[tokio::test]
async fn every_odd_answer_has_its_name_and_a_good_one_comes_through_next() {
    let stand_in = StandIn::start();
    let (transport, host) = (transport(), ApiHost::parse(&stand_in.url).unwrap());
    for (fault, expected) in [
        (json!("bad_gateway"), ("status 502", false)),
        (json!("gateway_timeout"), ("status 504", false)),
        (json!("reset"), ("broken", false)),
        (json!("half_answer"), ("broken", false)),
        (json!("wrong_length"), ("broken", false)),
        (json!({"lost_answer": {}}), ("broken", false)),
        (json!("gzip"), ("gzip", false)),
        (json!({"shape": "page"}), ("a page", false)),
        (json!({"shape": "empty"}), ("nothing", false)),
        (json!({"shape": "huge"}), ("too long", false)),
        (json!({"code": {"code": 40164}}), ("code 40164", true)),
        (json!({"code": {"code": -1}}), ("code -1", false)),
        (json!({"delay": {"milliseconds": 7000}}), ("late", false)),
    ] {
        let rule = json!({"path": STABLE, "fault": fault});
        let rule: FaultRule = serde_json::from_value(rule).unwrap();
        stand_in.platform.lock().unwrap().add_fault(rule).unwrap();
        let error = exchange(&*transport, &host, &question(STABLE))
            .await
            .unwrap_err();
        let (word, not_executed) = word(&error);
        assert_eq!((word.as_str(), not_executed), expected, "{fault}: {error}");
        let texts = format!("{error} {error:?}");
        for secret in secrets(&stand_in) {
            assert!(!texts.contains(&secret), "{fault}: {texts}");
        }
        let good = exchange(&*transport, &host, &question(STABLE)).await;
        assert!(
            good.unwrap().value["access_token"].is_string(),
            "after {fault}"
        );
    }
    for (fault, shape) in [
        (json!({"shape": "doubled_keys"}), "twice"),
        (json!({"date": {"skew_seconds": 86_400}}), "another date"),
    ] {
        let rule = json!({"path": STABLE, "fault": fault});
        let rule: FaultRule = serde_json::from_value(rule).unwrap();
        stand_in.platform.lock().unwrap().add_fault(rule).unwrap();
        let good = exchange(&*transport, &host, &question(STABLE)).await;
        assert!(good.unwrap().value["access_token"].is_string(), "{shape}");
    }
    let error = exchange(&*transport, &host, &question("/cgi-bin/none")).await;
    assert_eq!(word(&error.unwrap_err()), ("status 404".to_owned(), true));
    let platform = stand_in.platform.lock().unwrap();
    assert_eq!(platform.minted(), 1);
    assert_eq!(platform.calls_to("/cgi-bin/token"), 0);
    assert!(platform.delivered_again().is_empty());
    let shown = format!("{:?}", platform.calls_after(0).collect::<Vec<_>>());
    assert!(!shown.contains(SECRET), "{shown}");
}
