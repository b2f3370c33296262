//! The console's question and its `echostr`: what is reflected, and what a push makes of one.

use wxhook::metric::{Check, Counter};
use wxhook::protocol::Mode;

use crate::hostile::stage::{request, right, signed, text_message};
use crate::support::raw;
use crate::webhook::door;

/// What the console wants to see again.
const ECHO: &str = "5833258582299191661";

#[test]
fn a_verification_that_lacks_a_signed_part_is_refused_and_nothing_of_it_is_reflected() {
    for mode in Mode::ALL {
        let door = door(mode);
        let ask = |query: &str| {
            let target = format!("/wechat?{query}&echostr={ECHO}");
            raw(door.address, request("GET", &target, "", ""))
        };
        for parameter in ["signature", "timestamp", "nonce"] {
            for (name, value) in [("no", None), ("an empty", Some(""))] {
                let query = signed();
                let pairs = query.split('&').filter_map(|pair| {
                    let (known, _) = pair.split_once('=').unwrap();
                    match known == parameter {
                        true => value.map(|value| format!("{known}={value}")),
                        false => Some(pair.to_owned()),
                    }
                });
                let answer = ask(&pairs.collect::<Vec<_>>().join("&"));
                let (status, body) = (answer.status, answer.body.as_str());
                assert_eq!((status, body), (400, ""), "{mode:?}: {name} {parameter}");
                assert!(!answer.head.contains(ECHO), "{}", answer.head);
            }
        }
        assert_eq!(door.refused(Check::Query), 6, "{mode:?}");
        assert_eq!(ask(&signed()).body, ECHO, "with all of them, {mode:?}");
    }
}

#[test]
fn a_push_whose_url_brings_an_echostr_is_a_push_in_every_mode() {
    for mode in Mode::ALL {
        let door = door(mode);
        let document = text_message();
        let (query, body) = right(mode, &document);
        let target = format!("/wechat?{query}&echostr={ECHO}");
        let answer = raw(door.address, request("POST", &target, "", &body));
        let (status, said) = (answer.status, answer.body.as_str());
        assert_eq!((status, said), (200, "success"), "{mode:?}");
        let stored = door.stored();
        assert_eq!(stored.len(), 1, "{mode:?}");
        assert_eq!(stored[0].body, document.as_bytes(), "{mode:?}");
        assert_eq!(door.counted(Counter::PushesStored), 1, "{mode:?}");
    }
}
