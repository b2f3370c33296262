//! What the platform says by itself, carried to the server over real sockets.

use std::sync::Arc;
use std::sync::Mutex;
use std::time::Duration;

use serde_json::Value;
use serde_json::json;
use wxhook::id::AppId;
use wxhook::secret::AppSecret;
use wxhook::simulator::platform::Platform;
use wxhook::simulator::platform::Settings;
use wxhook::simulator::pusher::Mode;
use wxhook::simulator::pusher::Target;
use wxhook::simulator::skin::Skin;

use super::APP;
use super::SECRET;
use super::Served;
use super::USER;
use super::access_token;
use super::clock;
use super::lines;
use super::listener;
use super::ordered;
use super::post;
use super::pusher::Answered;
use super::pusher::ORIGINAL_ID;
use super::pusher::between;
use super::pusher::ok;
use super::pusher::pusher;
use super::pusher::server;
use super::raw;

/// Milliseconds that a mass message takes here: no test waits for it, the clock is moved.
const MASS_MILLISECONDS: u64 = 3_600_000;

/// A platform that pushes its own events to `url`.
fn pushing(url: &str) -> Served {
    let mut settings = Settings::for_account(AppId::parse(APP).unwrap(), AppSecret::new(SECRET));
    settings.jobs.mass = MASS_MILLISECONDS;
    let platform = Arc::new(Mutex::new(Platform::new(settings, 7)));
    let skin = Skin::start_pushing(
        listener(),
        Arc::clone(&platform),
        clock(),
        pusher(url, Mode::Secure),
    )
    .unwrap();
    let target = Target::parse(skin.url()).unwrap();
    Served {
        skin,
        platform,
        target,
    }
}

async fn called(served: &Served, path: &str, body: Value) -> Value {
    let (answer, _) = raw(served.skin.url(), &post(path, &body.to_string())).await;
    serde_json::from_str(answer.split("\r\n\r\n").nth(1).unwrap()).unwrap()
}

/// The deliveries on record, as soon as there are so many.
async fn carried(served: &Served, count: usize) -> Vec<Value> {
    let all = async {
        loop {
            let all = lines(served, "/simulator/pushes").await;
            if all.len() >= count {
                return all;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), all)
        .await
        .expect("the event was not carried")
}

#[tokio::test]
async fn the_end_of_a_mass_message_reaches_the_server_when_its_time_comes() {
    // The first delivery fails, so the event must come again.
    let server = server(|number, _| match number {
        0 => Answered::Last("HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n".to_owned()),
        _ => ok("success"),
    })
    .await;
    let served = pushing(&server.url);
    let token = access_token(&served).await;
    let path = format!("/cgi-bin/message/mass/send?access_token={token}");
    let message = json!({
        "touser": [USER, "oSecondUser"], "msgtype": "text", "text": { "content": "a" },
    });
    let accepted = called(&served, &path, message).await;
    let id = accepted["msg_id"].as_i64().unwrap();
    assert!(lines(&served, "/simulator/events").await.is_empty());
    assert!(
        server.seen.lock().unwrap().is_empty(),
        "it has not ended yet"
    );

    let passing = json!({ "advance_milliseconds": MASS_MILLISECONDS }).to_string();
    ordered(&served, &post("/simulator/clock", &passing)).await;
    let pushes = carried(&served, 1).await;
    assert_eq!(
        pushes,
        [json!({
            "event": 1, "name": "MASSSENDJOBFINISH", "verdict": pushes[0]["verdict"],
            "is_good": true, "attempts": pushes[0]["attempts"], "status": 200,
        })]
    );
    let seen = server.seen.lock().unwrap().clone();
    let documents: Vec<_> = seen.iter().map(|seen| seen.opened()).collect();
    // The connection that the first answer closed may be tried once more before that is noticed.
    assert!(documents.len() >= 2, "it came again after the failure");
    assert!(pushes[0]["attempts"].as_u64() >= Some(documents.len() as u64));
    assert!(
        documents.iter().all(|again| again == &documents[0]),
        "the same event, sent again"
    );
    let document = &documents[0];
    for (name, expected) in [
        ("ToUserName", ORIGINAL_ID),
        ("MsgType", "event"),
        ("Event", "MASSSENDJOBFINISH"),
        ("Status", "send success"),
    ] {
        assert_eq!(between(document, name), Some(expected), "{document}");
    }
    for part in [
        format!("<MsgID>{id}</MsgID>"),
        "<SentCount>2</SentCount>".to_owned(),
    ] {
        assert!(document.contains(&part), "{document}");
    }
    served.skin.stop().unwrap();
}

#[tokio::test]
async fn a_scan_arranged_from_outside_reaches_the_server_at_once() {
    let server = server(|_, _| ok("success")).await;
    let served = pushing(&server.url);
    let token = access_token(&served).await;
    let path = format!("/cgi-bin/qrcode/create?access_token={token}");
    let request = json!({
        "action_name": "QR_STR_SCENE", "action_info": { "scene": { "scene_str": "shop-7" } },
    });
    let made = called(&served, &path, request).await;
    let ticket = made["ticket"].as_str().unwrap();
    for _ in 0..2 {
        let scan = json!({ "arrange": { "scan": { "openid": USER, "ticket": ticket } } });
        ordered(&served, &post("/simulator/arrange", &scan.to_string())).await;
    }
    assert_eq!(carried(&served, 2).await.len(), 2);
    let seen = server.seen.lock().unwrap().clone();
    let told: Vec<_> = seen.iter().map(|seen| seen.opened()).collect();
    let told: Vec<_> = told
        .iter()
        .map(|document| {
            ["FromUserName", "Event", "EventKey", "Ticket"].map(|name| between(document, name))
        })
        .collect();
    let expected = |event, key| [Some(USER), Some(event), Some(key), Some(ticket)];
    assert_eq!(
        told,
        [
            expected("subscribe", "qrscene_shop-7"),
            expected("SCAN", "shop-7")
        ]
    );
    let bad = json!({ "arrange": { "scan": { "openid": USER, "ticket": "gQmadeUp" } } });
    let (answer, _) = raw(
        served.skin.url(),
        &post("/simulator/arrange", &bad.to_string()),
    )
    .await;
    assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
    assert!(answer.contains("no QR code has this ticket"), "{answer}");
    served.skin.stop().unwrap();
}
