//! Repeats: the same push again, newly signed and newly sealed, in turn and all at once. And what looks like one.

use std::sync::Barrier;
use std::thread;

use wxhook::http::Settings;
use wxhook::http::webhook::Role;
use wxhook::metric::Counter;
use wxhook::protocol::Mode;

use crate::hostile::stage::{ciphertext_for, push, request, right, sealed_as};
use crate::support::raw;
use crate::webhook::{APP_ID, Door, NOW, account_of, door, open_door_for, text};

/// Delivers a document as WeChat does each time anew; it is answered `success`. What travelled is given back.
fn deliver(door: &Door, mode: Mode, document: &str) -> String {
    let (query, body) = right(mode, document);
    let request = push(&query, &body);
    let answer = raw(door.address, &request);
    let (status, said) = (answer.status, answer.body.as_str());
    assert_eq!((status, said), (200, "success"), "{mode:?}: {document}");
    request
}

fn event(name: &str, more: &str) -> String {
    format!(
        "<xml><ToUserName><![CDATA[gh_1]]></ToUserName><FromUserName><![CDATA[oUser]]></FromUserName>\
         <CreateTime>{NOW}</CreateTime><MsgType><![CDATA[event]]></MsgType>\
         <Event><![CDATA[{name}]]></Event>{more}</xml>"
    )
}

/// Stored, and taken for repeats.
fn counted(door: &Door) -> (u64, u64) {
    let stored = door.counted(Counter::PushesStored);
    assert_eq!(door.stored().len() as u64, stored);
    (stored, door.counted(Counter::PushesRepeated))
}

#[test]
fn one_push_on_eight_connections_at_once_is_stored_once_and_each_is_told_success() {
    for mode in Mode::ALL {
        let door = door(mode);
        let (address, start) = (door.address, Barrier::new(8));
        let answers: Vec<_> = thread::scope(|scope| {
            let deliver = || {
                let (query, body) = right(mode, &text("oUser", 1));
                let request = push(&query, &body);
                start.wait();
                let answer = raw(address, request);
                (answer.status, answer.body)
            };
            let deliveries: Vec<_> = (0..8).map(|_| scope.spawn(deliver)).collect();
            let ended = deliveries.into_iter().map(|delivery| delivery.join());
            ended.map(Result::unwrap).collect()
        });
        assert_eq!(answers, vec![(200, "success".to_owned()); 8], "{mode:?}");
        assert_eq!(counted(&door), (1, 7), "{mode:?}");
    }
}

#[test]
fn events_that_come_again_newly_sealed_are_repeats() {
    let events = [
        event("CLICK", "<EventKey><![CDATA[ORDER]]></EventKey>"),
        event("subscribe", "<EventKey><![CDATA[]]></EventKey>"),
    ];
    for mode in Mode::ALL {
        let door = door(mode);
        for document in &events {
            let [first, second, third] = [(); 3].map(|()| deliver(&door, mode, document));
            assert!(first != second && second != third, "each is sealed anew");
        }
        assert_eq!(counted(&door), (2, 4), "{mode:?}");
    }
}

#[test]
fn cards_taken_in_one_second_are_pushes_of_their_own_and_their_repeats_are_repeats() {
    let card = |code: &str| {
        let more = format!(
            "<CardId><![CDATA[pJb3Uw8c9XkQm1T0s7Zr2LhVnB_9]]></CardId><IsGiveByFriend>0</IsGiveByFriend>\
             <UserCardCode><![CDATA[{code}]]></UserCardCode><OuterId>0</OuterId>"
        );
        event("user_get_card", &more)
    };
    for mode in Mode::ALL {
        let door = door(mode);
        for repeats in [0, 3] {
            for code in ["417852963014", "417852963015", "417852963016"] {
                deliver(&door, mode, &card(code));
            }
            assert_eq!(counted(&door), (3, repeats), "{mode:?}");
        }
    }
}

#[test]
fn the_same_push_to_two_accounts_is_stored_for_each_and_repeated_for_each() {
    const OTHER: &str = "wxfedcba9876543210";
    let account = |name: &str, app_id: &str| {
        let path = format!("/wechat/{name}");
        account_of(Role::Account, name, app_id, Mode::Secure, &[path.as_str()])
    };
    let accounts = vec![account("shop", APP_ID), account("crm", OTHER)];
    let door = open_door_for(accounts, Mode::Secure, Settings::default());
    for repeats in [0, 2] {
        for (name, app_id) in [("shop", APP_ID), ("crm", OTHER)] {
            let (query, body) = sealed_as(&ciphertext_for(app_id, &text("oUser", 1)));
            let target = format!("/wechat/{name}?{query}");
            let answer = raw(door.address, request("POST", &target, "", &body));
            let (status, said) = (answer.status, answer.body.as_str());
            assert_eq!((status, said), (200, "success"), "{name}");
        }
        assert_eq!(counted(&door), (2, repeats));
    }
    let stored = door.stored();
    let accounts = stored.iter().map(|push| push.account.as_str());
    assert_eq!(accounts.collect::<Vec<_>>(), [APP_ID, OTHER]);
}
