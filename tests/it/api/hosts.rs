//! The real program with two API hosts, the first of which fails: what its users get, and how often.

use std::net::TcpListener;
use std::sync::Arc;

use wxhook::clock::SystemClock;
use wxhook::simulator::platform::{Fault, FaultRule, Shape, When};
use wxhook::simulator::skin::Skin;

use crate::main_job::{StandIn, variables};
use crate::support::{ADMIN, Program, counter, eventually, run};

const MESSAGES: u64 = 30;
const SEND: &str = "/cgi-bin/message/custom/send";

/// How many messages of one user surely arrived, and of how many that is not known.
fn pushed(stand_in: &StandIn, hosts: &str) -> (u64, u64, String) {
    let directory = tempfile::tempdir().unwrap();
    let mut environment = variables(hosts, directory.path().to_str().unwrap(), "127.0.0.1:0");
    environment.push(("WXHOOK_ADMIN_KEY", ADMIN));
    environment.push(("WXHOOK__API__TIMEOUT", "3s"));
    let mut program = Program::start(&["serve"], &environment);
    let (webhook, admin) = program.ready();
    let (url, count) = (format!("http://{webhook}/wechat"), MESSAGES.to_string());
    let push = [
        "simulate", "push", "--url", &url, "--text", "{number}", "--count", &count,
    ];
    let (_, out, err) = run(&push, &environment, "");
    let (sent, unknown) = eventually("each reply has an outcome", || {
        let sent = counter(admin, "wxhook_parts_sent_total");
        let unknown = counter(admin, "wxhook_parts_unknown_total");
        (sent + unknown == MESSAGES).then_some((sent, unknown))
    });
    program.signal("TERM");
    assert!(program.wait().success(), "{out}{err}");
    let told = stand_in.told();
    for texts in told.values() {
        let mut once = texts.clone();
        once.sort();
        once.dedup();
        assert_eq!(once.len(), texts.len(), "twice: {texts:?}");
    }
    (sent, unknown, program.printed())
}

#[test]
fn while_a_host_fails_every_message_is_delivered_once_or_named_as_unknown() {
    let lost = Fault::LostAnswer {
        after_milliseconds: 0,
    };
    let hanging = Fault::Hang {
        milliseconds: 10_000,
    };
    for (name, fault, delivers) in [
        ("hanging", Some(hanging), false),
        ("a web page", Some(Fault::Shape(Shape::Page)), true),
        ("a bad gateway", Some(Fault::BadGateway), false),
        ("resetting", Some(Fault::Reset), false),
        ("a lost answer", Some(lost), true),
        ("refusing", None, false),
    ] {
        let stand_in = StandIn::start();
        let first = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = first.local_addr().unwrap().to_string();
        let clock = Arc::new(SystemClock::start());
        let skin = Skin::start(first, Arc::clone(&stand_in.platform), clock).unwrap();
        let hosts = format!("{},{}", skin.url(), stand_in.url);
        let skin = match &fault {
            Some(fault) => {
                let rule = FaultRule {
                    path: None,
                    host: Some(address.clone()),
                    open_id: None,
                    when: When::Always,
                    fault: fault.clone(),
                };
                stand_in.platform.lock().unwrap().add_fault(rule).unwrap();
                Some(skin)
            }
            None => {
                skin.stop().unwrap();
                None
            }
        };
        let (sent, unknown, printed) = pushed(&stand_in, &hosts);
        let platform = stand_in.platform.lock().unwrap();
        let calls = platform.calls_after(0).filter(|call| call.path == SEND);
        let (at_first, at_second) = calls.partition::<Vec<_>, _>(|call| call.host == address);
        let written = (at_first.len() as u64, at_second.len() as u64);
        assert_eq!(written, (unknown, sent), "{name}: each was written once");
        assert_eq!(unknown > 0, fault.is_some(), "{name}");
        let all = if delivers { MESSAGES } else { sent };
        assert_eq!(platform.delivery_count(), all, "{name}");
        drop(platform);
        let tells = printed
            .matches("An API host fails; the others are used.")
            .count();
        assert_eq!(tells, 1, "{name}: {printed}");
        drop(skin.map(Skin::stop));
    }
}
