use std::sync::Arc;
use std::time::Duration;

use tempfile::TempDir;
use wxhook::clock::{Clock, ManualClock};
use wxhook::store::embedded::EmbeddedTokens;
use wxhook::store::memory_tokens::MemoryTokens;
use wxhook::store::tokens::{Owner, PutBack, Tokens};

use super::conformance::{conforms, fresh_key, record};

fn clock() -> Arc<ManualClock> {
    Arc::new(ManualClock::at(1_700_000_000))
}

#[tokio::test]
async fn the_store_in_memory_conforms() {
    let clock = clock();
    let store = MemoryTokens::new(clock.clone() as Arc<dyn Clock>);
    conforms(&*store, async |by| clock.advance(by)).await;
}

#[tokio::test]
async fn the_embedded_store_conforms() {
    let (clock, directory) = (clock(), TempDir::new().unwrap());
    let store = EmbeddedTokens::open(directory.path(), clock.clone()).unwrap();
    conforms(&*store, async |by| clock.advance(by)).await;
}

#[tokio::test]
async fn an_embedded_token_survives_its_process_and_is_seen_by_another() {
    let (clock, directory) = (clock(), TempDir::new().unwrap());
    let key = fresh_key();
    let first = EmbeddedTokens::open(directory.path(), clock.clone()).unwrap();
    let second = EmbeddedTokens::open(directory.path(), clock.clone()).unwrap();
    let kept = record("kept", 1_700_000_000_000);
    assert_eq!(first.put_back(&key, &kept).await.unwrap(), PutBack::Stored);
    assert_eq!(second.load(&key).await.unwrap(), Some(kept.clone()));
    drop((first, second));
    let third = EmbeddedTokens::open(directory.path(), clock).unwrap();
    assert_eq!(third.load(&key).await.unwrap(), Some(kept));
}

#[tokio::test]
async fn a_right_of_before_the_clock_was_set_back_bars_nobody() {
    let (clock, directory) = (clock(), TempDir::new().unwrap());
    let key = fresh_key();
    let store = EmbeddedTokens::open(directory.path(), clock.clone()).unwrap();
    let lasting = Duration::from_secs(15);
    let dead = store.acquire(&key, &Owner::new([1; 16]), lasting).await;
    assert!(dead.unwrap().is_some());
    clock.set_wall(wxhook::clock::Timestamp::from_seconds(1_600_000_000));
    let next = store.acquire(&key, &Owner::new([2; 16]), lasting).await;
    assert!(next.unwrap().is_some());
}

#[cfg(unix)]
#[tokio::test]
async fn only_its_owner_can_read_the_file_of_tokens() {
    use std::os::unix::fs::PermissionsExt as _;
    let directory = TempDir::new().unwrap();
    let store = EmbeddedTokens::open(directory.path(), clock()).unwrap();
    let kept = record("kept", 1_700_000_000_000);
    store.put_back(&fresh_key(), &kept).await.unwrap();
    for file in std::fs::read_dir(directory.path()).unwrap() {
        let file = file.unwrap();
        let mode = file.metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o077, 0, "{}", file.path().display());
    }
}

#[test]
fn a_file_of_something_else_is_refused() {
    let directory = TempDir::new().unwrap();
    let file = rusqlite_file(directory.path());
    let error = EmbeddedTokens::open(directory.path(), clock()).unwrap_err();
    assert!(error.to_string().contains("tokens.db"), "{error}");
    assert!(file.exists());
}

fn rusqlite_file(directory: &std::path::Path) -> std::path::PathBuf {
    let path = directory.join("tokens.db");
    let connection = rusqlite::Connection::open(&path).unwrap();
    connection.execute_batch("CREATE TABLE other (x)").unwrap();
    path
}
