//! What every token store does alike.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use futures_util::future::join_all;
use wxhook::clock::Timestamp;
use wxhook::id::AppId;
use wxhook::secret::AccessToken;
use wxhook::store::tokens::{
    NOTE_CHARACTERS, NOTES_KEPT, NewToken, Note, Owner, PutBack, Right, Saved, TokenKey, TokenKind,
    TokenRecord, Tokens,
};

/// Long enough for a real server's steps, short enough to be waited for.
const LASTING: Duration = Duration::from_millis(1_500);

static KEYS: AtomicU32 = AtomicU32::new(0);

/// A key that no test used before in this process, nor in another one that tests beside it.
pub(crate) fn fresh_key() -> TokenKey {
    let number = KEYS.fetch_add(1, Ordering::Relaxed);
    TokenKey {
        account: AppId::parse(&format!("wx{:08x}{number:08x}", std::process::id())).unwrap(),
        kind: TokenKind::Stable,
    }
}

/// A record of this generation.
pub(crate) fn record(token: &str, generation: u64) -> TokenRecord {
    let at = Timestamp::from_milliseconds(1_700_000_000_000);
    TokenRecord {
        token: AccessToken::new(token),
        generation,
        obtained_at: at,
        confirmed_at: at.after(Duration::from_millis(7)),
        expires_at: at.after(Duration::from_secs(7_200)),
        obtained_by: "主机 a/1".to_owned(),
    }
}

fn new(token: &str, asked_ms: i64, known: u64) -> NewToken {
    let asked_at = Timestamp::from_milliseconds(asked_ms);
    NewToken {
        token: AccessToken::new(token),
        asked_at,
        expires_at: asked_at.after(Duration::from_secs(7_200)),
        known,
        by: "b/2".to_owned(),
    }
}

fn owner(number: u8) -> Owner {
    Owner::new([number; 16])
}

async fn acquire(store: &dyn Tokens, key: &TokenKey, number: u8) -> Option<Right> {
    store.acquire(key, &owner(number), LASTING).await.unwrap()
}

/// Plays every promise of the trait on `store`; `pass` lets so much of the store's time pass.
pub(crate) async fn conforms(store: &dyn Tokens, pass: impl AsyncFn(Duration)) {
    what_is_stored_comes_back_whole(store).await;
    kinds_and_accounts_are_apart(store).await;
    one_of_many_gets_the_right(store).await;
    a_right_ends_by_itself_and_is_fenced(store, &pass).await;
    a_right_that_is_asked_for_holds_longer(store, &pass).await;
    only_the_owner_gives_a_right_back(store).await;
    a_lower_generation_is_not_put_back(store).await;
    notes_are_bounded_and_in_order(store).await;
}

async fn what_is_stored_comes_back_whole(store: &dyn Tokens) {
    let key = fresh_key();
    assert_eq!(store.load(&key).await.unwrap(), None);
    let right = acquire(store, &key, 1).await.unwrap();
    let long = "87_ü&%'\"\\".repeat(200);
    let expected = new(&long, 1_700_000_000_123, 0).beside(None);
    let saved = store.save(&right, new(&long, 1_700_000_000_123, 0)).await;
    assert_eq!(saved.unwrap(), Saved::Stored(expected.clone()));
    assert_eq!(store.load(&key).await.unwrap(), Some(expected.clone()));
    // The same again, another one, and one whose clock is behind: as the rule says.
    let mut stored = expected;
    for (token, asked_ms, known) in [
        (long.as_str(), 1_700_000_009_000, 0),
        (long.as_str(), 1_600_000_000_000, 0),
        ("other", 1_700_000_010_000, 0),
        ("behind", 5, 1_900_000_000_000),
        ("behind again", 5, 0),
    ] {
        let expected = new(token, asked_ms, known).beside(Some(&stored));
        let saved = store.save(&right, new(token, asked_ms, known)).await;
        assert_eq!(saved.unwrap(), Saved::Stored(expected.clone()));
        assert_eq!(store.load(&key).await.unwrap().as_ref(), Some(&expected));
        stored = expected;
    }
}

async fn kinds_and_accounts_are_apart(store: &dyn Tokens) {
    let account = fresh_key().account;
    let keys = TokenKind::ALL.map(|kind| TokenKey {
        account: account.clone(),
        kind,
    });
    for (number, key) in (1..).zip(&keys) {
        let right = acquire(store, key, number).await;
        let right = right.expect("each kind has a right of its own");
        let saved = store.save(&right, new(key.kind.name(), 1_000, 0)).await;
        assert!(matches!(saved.unwrap(), Saved::Stored(_)));
    }
    for key in &keys {
        let found = store.load(key).await.unwrap().unwrap();
        assert!(found.token.matches(key.kind.name()));
    }
}

async fn one_of_many_gets_the_right(store: &dyn Tokens) {
    let key = fresh_key();
    let wishes = (0..50).map(|number| acquire(store, &key, number));
    let rights: Vec<Right> = join_all(wishes).await.into_iter().flatten().collect();
    assert_eq!(rights.len(), 1);
    let again = store.acquire(&key, &rights[0].owner, LASTING).await;
    assert_eq!(again.unwrap(), None, "not twice to one owner");
}

async fn a_right_ends_by_itself_and_is_fenced(store: &dyn Tokens, pass: &impl AsyncFn(Duration)) {
    let key = fresh_key();
    let late = acquire(store, &key, 1).await.unwrap();
    pass(LASTING + Duration::from_millis(100)).await;
    let saved = store.save(&late, new("late", 9_000, 0)).await.unwrap();
    assert_eq!(saved, Saved::Fenced, "an ended right stores nothing");
    assert!(!store.holds(&late, LASTING).await.unwrap());
    let next = acquire(store, &key, 2).await.unwrap();
    assert!(next.fence > late.fence);
    let saved = store.save(&next, new("next", 1_000, 0)).await.unwrap();
    assert!(matches!(saved, Saved::Stored(_)));
    let saved = store.save(&late, new("late", 9_000, 0)).await.unwrap();
    assert_eq!(saved, Saved::Fenced);
    assert!(!store.holds(&late, LASTING).await.unwrap());
    store.release(&key, &late.owner).await.unwrap();
    assert!(store.holds(&next, LASTING).await.unwrap());
    let found = store.load(&key).await.unwrap().unwrap();
    assert!(found.token.matches("next"));
}

async fn a_right_that_is_asked_for_holds_longer(store: &dyn Tokens, pass: &impl AsyncFn(Duration)) {
    let key = fresh_key();
    let right = acquire(store, &key, 1).await.unwrap();
    for _ in 0..3 {
        pass(LASTING / 2).await;
        assert!(store.holds(&right, LASTING).await.unwrap());
    }
    assert_eq!(acquire(store, &key, 2).await, None);
}

async fn only_the_owner_gives_a_right_back(store: &dyn Tokens) {
    let key = fresh_key();
    store.release(&key, &owner(1)).await.unwrap();
    let right = acquire(store, &key, 1).await.unwrap();
    store.release(&key, &owner(2)).await.unwrap();
    assert!(store.holds(&right, LASTING).await.unwrap());
    store.release(&key, &owner(1)).await.unwrap();
    assert!(!store.holds(&right, LASTING).await.unwrap());
    let next = acquire(store, &key, 3).await.unwrap();
    assert!(next.fence > right.fence);
}

async fn a_lower_generation_is_not_put_back(store: &dyn Tokens) {
    let key = fresh_key();
    let kept = record("kept", 1_700_000_000_000);
    let put = store.put_back(&key, &kept).await.unwrap();
    assert_eq!(put, PutBack::Stored);
    for generation in [5, 1_700_000_000_000] {
        let put = store.put_back(&key, &record("old", generation)).await;
        assert_eq!(put.unwrap(), PutBack::Newer(kept.clone()));
    }
    let newer = record("newer", 1_700_000_000_001);
    // A right that somebody else has is no matter.
    let _right = acquire(store, &key, 1).await.unwrap();
    let put = store.put_back(&key, &newer).await.unwrap();
    assert_eq!(put, PutBack::Stored);
    assert_eq!(store.load(&key).await.unwrap(), Some(newer));
}

async fn notes_are_bounded_and_in_order(store: &dyn Tokens) {
    let (key, other) = (fresh_key(), fresh_key());
    assert_eq!(store.notes(&key).await.unwrap(), []);
    let note = |number: usize| Note {
        at: Timestamp::from_milliseconds(1_000),
        who: format!("客户 {number}"),
        what: "问".repeat(NOTE_CHARACTERS + 5),
    };
    store.note(&other, note(0)).await.unwrap();
    let count = NOTES_KEPT + 5;
    for number in 0..count {
        store.note(&key, note(number)).await.unwrap();
    }
    let expected: Vec<Note> = (5..count).map(|number| note(number).cut()).collect();
    assert_eq!(store.notes(&key).await.unwrap(), expected);
    assert_eq!(store.notes(&other).await.unwrap().len(), 1);
}
