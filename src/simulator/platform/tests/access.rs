//! Who may ask for tokens from where, and answers that are not what they should be.

use super::*;

fn asked_from(ip: &str) -> Call {
    Call {
        from: Some(ip.parse().unwrap()),
        ..stable(false)
    }
}

#[test]
fn a_frozen_secret_is_refused_ten_minutes_after_and_thawed_ten_minutes_after() {
    let mut platform = platform();
    assert!(platform.administer(at(0), APP, AdminAct::Freeze));
    assert!(!platform.administer(at(0), "wxother", AdminAct::Freeze));
    assert_eq!(token(&mut platform, 599, &stable(false)).1, 7200);
    assert_eq!(code(&mut platform, 600, &stable(false)), Some(40243));
    platform.administer(at(1000), APP, AdminAct::Unfreeze);
    assert_eq!(code(&mut platform, 1599, &stable(false)), Some(40243));
    assert_eq!(code(&mut platform, 1600, &stable(false)), None);
}

#[test]
fn a_whitelist_names_the_address_that_it_lacks_and_spares_ordinary_calls() {
    let mut platform = platform();
    let networks = vec!["198.51.100.0/24".parse().unwrap()];
    platform.administer(at(0), APP, AdminAct::Whitelist(networks));
    let refused = platform.handle(at(0), &asked_from("203.0.113.9"));
    let expected = "invalid ip 203.0.113.9 ipv6 ::ffff:203.0.113.9, not in whitelist rid: ";
    assert!(refused.body.contains(expected), "{}", refused.body);
    let (token, _) = token(&mut platform, 0, &asked_from("198.51.100.7"));
    let message = Call {
        from: Some("203.0.113.9".parse().unwrap()),
        ..send(&token, &text("oUser", "hi"))
    };
    assert_eq!(code(&mut platform, 0, &message), Some(0));
    let froms: Vec<_> = platform
        .tokens()
        .map(|token| token.from.to_string())
        .collect();
    assert_eq!(froms, ["198.51.100.7"]);
}

#[test]
fn an_unknown_address_is_confirmed_or_blocked_for_an_hour_and_then_for_a_day() {
    let mut platform = platform();
    let (ip, call) = ("203.0.113.9".parse().unwrap(), asked_from("203.0.113.9"));
    platform.administer(at(0), APP, AdminAct::RiskControl(true));
    for (name, seconds, act, expected) in [
        ("the first call prompts", 0, None, Some(89503)),
        ("a prompt is pending", 60, None, Some(89501)),
        ("refused once", 100, Some(AdminAct::Refuse(ip)), Some(89507)),
        ("for an hour", 3699, None, Some(89507)),
        ("prompted again", 3700, None, Some(89503)),
        (
            "refused twice",
            4000,
            Some(AdminAct::Refuse(ip)),
            Some(89506),
        ),
        ("for a day", 90_399, None, Some(89506)),
        ("prompted at last", 90_400, None, Some(89503)),
        ("confirmed", 90_500, Some(AdminAct::Confirm(ip)), None),
    ] {
        if let Some(act) = act {
            assert_eq!(platform.prompts(APP).len(), 1, "{name}");
            platform.administer(at(seconds), APP, act);
        }
        assert_eq!(code(&mut platform, seconds, &call), expected, "{name}");
    }
    assert!(platform.prompts(APP).is_empty());
    let other = asked_from("203.0.113.10");
    assert_eq!(code(&mut platform, 90_500, &other), Some(89503));
}

#[test]
fn a_host_fails_alone_and_bodies_are_deformed_on_order() {
    let mut platform = platform();
    let rule = |host: Option<&str>, fault| FaultRule {
        path: None,
        host: host.map(str::to_owned),
        open_id: None,
        when: When::Next(1),
        fault,
    };
    let at_host = |host: &str| Call {
        host: host.to_owned(),
        ..plain()
    };
    let broken = rule(Some("sh.example"), Fault::GatewayTimeout);
    platform.add_fault(broken).unwrap();
    assert_eq!(
        platform.handle(at(0), &at_host("hk.example:80")).status,
        200
    );
    assert_eq!(
        platform.handle(at(0), &at_host("sh.example:80")).status,
        504
    );
    let missing = post("/cgi-bin/message/custom/send", "", "{}");
    for (shape, sign) in [
        (Shape::TextCode, r#""errcode":"41001""#),
        (
            Shape::DoubledKeys,
            r#"{"errcode":null,"errmsg":null,"errcode":41001"#,
        ),
        (Shape::Wrapped, r#"{"base_resp":{"#),
        (Shape::Huge, "   {"),
        (Shape::Empty, ""),
        (Shape::Page, "<html>"),
        (Shape::OddMessage, r#"a \"quoted\" \\ text\r\nof"#),
    ] {
        platform.add_fault(rule(None, Fault::Shape(shape))).unwrap();
        let answer = platform.handle(at(0), &missing);
        assert_eq!(answer.status, 200);
        assert!(
            answer.body.contains(sign),
            "{shape:?}: {:.200}",
            answer.body
        );
    }
}
