//! What is rightly signed and cannot be read: how much of it is kept.

use std::ops::Range;
use std::time::Duration;

use wxhook::metric::Counter;
use wxhook::protocol::Mode;
use wxhook::store::PushState;

use crate::hostile::stage::{push, right, text_message};
use crate::support::raw;
use crate::webhook::{Door, door};

/// Unreadable plaintext pushes that are kept at once.
const BURST: u64 = 60;
/// After them one more is kept in each such period.
const PERIOD: Duration = Duration::from_secs(10);
/// Bytes of the largest unreadable plaintext push that is kept.
const LARGEST: usize = 64 * 1024;

/// Delivers documents that each are another push; every one is answered `success`.
fn deliver(door: &Door, mode: Mode, documents: impl IntoIterator<Item = String>) {
    for document in documents {
        let (query, body) = right(mode, &document);
        let answer = raw(door.address, push(&query, &body));
        let (status, said) = (answer.status, answer.body.as_str());
        assert_eq!((status, said), (200, "success"), "{mode:?}");
    }
}

/// A document from nobody, of so many bytes.
fn from_nobody(number: u64, bytes: usize) -> String {
    let bare = format!("<xml><a>{number}</a></xml>");
    let blanks = " ".repeat(bytes - bare.len());
    bare.replace("</a>", &format!("{blanks}</a>"))
}

/// As many of them, each another.
fn unreadable(numbers: Range<u64>) -> impl Iterator<Item = String> {
    numbers.map(|number| from_nobody(number, 64))
}

fn kept(door: &Door) -> usize {
    let stored = door.stored();
    let malformed = stored
        .iter()
        .filter(|push| push.state == PushState::Malformed);
    malformed.count()
}

#[test]
fn of_unreadable_plaintext_pushes_a_burst_is_kept_and_the_rest_is_answered_and_counted() {
    let plain = door(Mode::Plain);
    deliver(&plain, Mode::Plain, unreadable(0..BURST + 1));
    assert_eq!(kept(&plain), 60);
    assert_eq!(plain.counted(Counter::PushesMalformed), 61);
    // Readable ones are not held up by that, and time lets one more through.
    deliver(&plain, Mode::Plain, [text_message()]);
    assert_eq!(plain.stored().len(), 61);
    plain.clock.advance(PERIOD);
    deliver(&plain, Mode::Plain, unreadable(100..102));
    assert_eq!(kept(&plain), 61);
    assert_eq!(plain.counted(Counter::PushesMalformed), 63);

    // Where the document is signed, WeChat itself has sent it.
    let secure = door(Mode::Secure);
    deliver(&secure, Mode::Secure, unreadable(0..BURST + 1));
    assert_eq!(kept(&secure), 61);
}

#[test]
fn an_unreadable_push_beyond_64_kib_is_answered_and_counted_and_kept_where_it_is_signed() {
    for (mode, largest_kept) in [
        (Mode::Plain, LARGEST),
        (Mode::Compatible, LARGEST + 1),
        (Mode::Secure, LARGEST + 1),
    ] {
        let door = door(mode);
        let sizes = [LARGEST, LARGEST + 1].map(|bytes| from_nobody(1, bytes));
        deliver(&door, mode, sizes);
        let stored = door.stored();
        let largest = stored.iter().map(|push| push.body.len()).max();
        assert_eq!(largest, Some(largest_kept), "{mode:?}");
        assert_eq!(door.counted(Counter::PushesMalformed), 2, "{mode:?}");
        assert_eq!(door.counted(Counter::PushesStored), stored.len() as u64);
    }
}
