//! Files that do not come as they should, through the client and over real sockets: each fault has an
//! error of its own, in time, and nothing piles up.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::future::join_all;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use wxhook::api::media::{GetMedia, Media};
use wxhook::api::{CallError, Settings};
use wxhook::platform::download::{Download, DownloadError, PROGRESS_TIMEOUT};
use wxhook::platform::exchange::ExchangeError;
use wxhook::platform::hosts::Hosts;
use wxhook::transport::{self, HttpTransport, TransportError};

use super::script::{Ground, Stage};
use crate::support::now;

/// Bytes of the longest file that is wanted here.
const LIMIT: u64 = 1024 * 1024;

/// What the kernel may hold of a stream that nobody reads, on both sides of it.
const IN_SOCKETS: u64 = 16 * 1024 * 1024;

/// How long it may take until it is known what comes.
const SOON: Duration = Duration::from_secs(3);

/// What follows the beginning of an answer.
#[derive(Debug, Clone, Copy)]
enum Then {
    /// The connection is closed.
    Close,
    /// Nothing, and the connection stays.
    Stall,
    /// The same bytes, for as long as somebody takes them.
    Again(&'static [u8]),
}

/// A file's name, and what is answered to whoever wants it.
struct Case {
    media_id: &'static str,
    answer: &'static str,
    then: Then,
    /// What comes of it, in a word, and whether the platform surely did nothing.
    expected: (&'static str, bool),
}

const fn case(
    media_id: &'static str,
    answer: &'static str,
    then: Then,
    expected: (&'static str, bool),
) -> Case {
    Case {
        media_id,
        answer,
        then,
        expected,
    }
}

const CASES: &[Case] = &[
    case(
        "a_file",
        "image/jpeg\r\nContent-Length: 5\r\n\r\n12345",
        Then::Close,
        ("a file of 5", true),
    ),
    case(
        "an_error_as_text",
        "text/plain\r\nContent-Length: 45\r\n\r\n{\"errcode\":40007,\"errmsg\":\"invalid media_id\"}",
        Then::Close,
        ("code 40007", true),
    ),
    case(
        "an_error_as_a_picture",
        "image/jpeg\r\nContent-Length: 17\r\n\r\n{\"errcode\":40007}",
        Then::Close,
        ("code 40007", true),
    ),
    case(
        "cut_short",
        "image/jpeg\r\nContent-Length: 10\r\n\r\n12345",
        Then::Close,
        ("broke off after 5 of 10", false),
    ),
    case(
        "cut_short_at_once",
        "image/jpeg\r\nContent-Length: 10\r\n\r\n",
        Then::Close,
        ("broken", false),
    ),
    case(
        "chunks_cut_short",
        "image/jpeg\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n12345\r\n5\r\n12",
        Then::Close,
        ("broke off after 7 of ?", false),
    ),
    case(
        "chunks_without_an_end",
        "image/jpeg\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n12345\r\n",
        Then::Close,
        ("broke off after 5 of ?", false),
    ),
    case(
        "an_error_cut_short",
        "application/json\r\nContent-Length: 40\r\n\r\n{\"errcode\":40",
        Then::Close,
        ("broken", false),
    ),
    case(
        "an_error_as_a_picture_cut_short",
        "image/jpeg\r\nContent-Length: 40\r\n\r\n{\"errcode\":40",
        Then::Close,
        ("broke off after 13 of 40", false),
    ),
    case(
        "endless_chunks",
        "image/jpeg\r\nTransfer-Encoding: chunked\r\n\r\n",
        Then::Again(b"10\r\n0123456789abcdef\r\n"),
        ("more than 1048576", false),
    ),
    case(
        "endless_until_the_connection_closes",
        "image/jpeg\r\n\r\n",
        Then::Again(b"0123456789abcdef"),
        ("more than 1048576", false),
    ),
    case(
        "announced_as_endless",
        "image/jpeg\r\nContent-Length: 9000000000000000\r\n\r\n12345",
        Then::Again(b"0123456789abcdef"),
        ("more than 1048576", false),
    ),
    case(
        "an_endless_error",
        "text/plain\r\n\r\n{\"errcode\":40007,\"errmsg\":\"",
        Then::Again(b"0123456789abcdef"),
        ("too long an answer", false),
    ),
    case(
        "stalling",
        "image/jpeg\r\nContent-Length: 10\r\n\r\n12345",
        Then::Stall,
        ("stood still after 5", false),
    ),
    case(
        "stalling_at_once",
        "image/jpeg\r\nContent-Length: 10\r\n\r\n",
        Then::Stall,
        ("late", false),
    ),
    case(
        "a_stalling_error",
        "text/plain\r\nContent-Length: 40\r\n\r\n{\"errcode\":40",
        Then::Stall,
        ("late", false),
    ),
    case(
        "a_video",
        "text/plain\r\nContent-Length: 34\r\n\r\n{\"video_url\":\"http://v.example/1\"}",
        Then::Close,
        ("a video at http://v.example/1", true),
    ),
    case(
        "an_answer_without_a_video",
        "application/json\r\nContent-Length: 2\r\n\r\n{}",
        Then::Close,
        ("an answer that lacks something", false),
    ),
    case(
        "a_page",
        "text/html\r\nContent-Length: 13\r\n\r\n<html></html>",
        Then::Close,
        ("a page", false),
    ),
    case(
        "nothing",
        "image/jpeg\r\nContent-Length: 0\r\n\r\n",
        Then::Close,
        ("nothing", false),
    ),
    case(
        "compressed",
        "image/jpeg\r\nContent-Encoding: gzip\r\nContent-Length: 5\r\n\r\n12345",
        Then::Close,
        ("gzip", false),
    ),
];

/// The platform, as far as it gives tokens and files.
struct Files {
    address: SocketAddr,
    /// Bytes of endless files that left.
    endless: Arc<AtomicU64>,
}

async fn files() -> Files {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let endless = Arc::new(AtomicU64::new(0));
    let counted = Arc::clone(&endless);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(answered(stream, Arc::clone(&counted)));
        }
    });
    Files { address, endless }
}

/// Answers one request. Whoever asked may go away at any time.
async fn answered(mut stream: TcpStream, endless: Arc<AtomicU64>) {
    let (mut asked, mut buffer) = (Vec::new(), [0; 1024]);
    while !asked.windows(4).any(|end| end == b"\r\n\r\n") {
        match stream.read(&mut buffer).await {
            Ok(count) if count > 0 => asked.extend_from_slice(&buffer[..count]),
            _ => return,
        }
    }
    let asked = String::from_utf8(asked).unwrap();
    let media_id = asked.split("media_id=").nth(1);
    let media_id = media_id.and_then(|rest| rest.split(['&', ' ']).next());
    let case = CASES.iter().find(|case| Some(case.media_id) == media_id);
    let (answer, then) = match case {
        Some(case) => (case.answer, case.then),
        None => (TOKEN, Then::Close),
    };
    let head = "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Type: ";
    drop(stream.write_all(format!("{head}{answer}").as_bytes()).await);
    match then {
        Then::Close => {}
        Then::Stall => drop(stream.read_to_end(&mut Vec::new()).await),
        Then::Again(bytes) => {
            let piece = bytes.repeat(1024);
            while stream.write_all(&piece).await.is_ok() {
                endless.fetch_add(piece.len() as u64, Ordering::Relaxed);
            }
        }
    }
}

const TOKEN: &str = "application/json\r\nContent-Length: 46\r\n\r\n\
                     {\"access_token\":\"87_hidden\",\"expires_in\":7200}";

fn stage(files: &Files) -> Stage {
    let settings = transport::Settings {
        https: false,
        plain_http: true,
        ..transport::Settings::default()
    };
    let ground = Ground {
        hosts: Hosts::parse([&*format!("http://{}", files.address)]).unwrap(),
        settings: Settings {
            media_timeout: Duration::from_secs(1),
            patience: Duration::ZERO,
            ..Settings::default()
        },
        ..Ground::default()
    };
    Stage::on(HttpTransport::new(&settings).unwrap(), ground)
}

impl Stage {
    async fn file(&self, media_id: &str) -> Result<Media, CallError> {
        let media_id = media_id.to_owned();
        self.api.call(&self.account, &GetMedia { media_id }).await
    }
}

fn refused(error: &CallError) -> (String, bool) {
    let word = match error {
        CallError::Answer { .. } => "an answer that lacks something".to_owned(),
        CallError::Exchange(error) => match error {
            ExchangeError::Transport(TransportError::Broken { .. }) => "broken".to_owned(),
            ExchangeError::Transport(TransportError::TimedOut { .. }) => "late".to_owned(),
            ExchangeError::Transport(TransportError::Encoded { encoding }) => encoding.clone(),
            ExchangeError::Refused { code, .. } => format!("code {code}"),
            ExchangeError::Page { .. } => "a page".to_owned(),
            ExchangeError::Empty => "nothing".to_owned(),
            ExchangeError::TooLong => "too long an answer".to_owned(),
            other => format!("{other:?}"),
        },
        other => format!("{other:?}"),
    };
    (word, error.surely_not_executed())
}

async fn read(file: Download) -> (String, bool) {
    match file.bytes(LIMIT).await {
        Ok(bytes) => (format!("a file of {}", bytes.len()), true),
        Err(DownloadError::Truncated {
            received,
            announced,
        }) => {
            let announced = announced.map_or("?".to_owned(), |bytes| bytes.to_string());
            (format!("broke off after {received} of {announced}"), false)
        }
        Err(DownloadError::TooLong { limit }) => (format!("more than {limit}"), false),
        Err(DownloadError::Stalled { received }) => {
            (format!("stood still after {received}"), false)
        }
        Err(other) => (format!("{other:?}"), false),
    }
}

#[tokio::test]
async fn every_file_that_does_not_come_whole_has_an_error_of_its_own_in_time() {
    let files = files().await;
    let stage = stage(&files);
    let client = &stage;
    let outcomes = join_all(CASES.iter().map(|case| async move {
        let began = now();
        let beginning = client.file(case.media_id).await;
        assert!(now() - began < SOON, "{}", case.media_id);
        let found = match beginning {
            Ok(Media::File(file)) => read(file).await,
            Ok(Media::Video { video_url }) => (format!("a video at {video_url}"), true),
            Err(error) => {
                let texts = format!("{error} {error:?}");
                assert!(!texts.contains("hidden"), "{}: {texts}", case.media_id);
                refused(&error)
            }
        };
        (case, found, now() - began)
    }));
    let longest = PROGRESS_TIMEOUT + SOON;
    for (case, (word, not_executed), took) in outcomes.await {
        let found = (word.as_str(), not_executed);
        assert_eq!(found, case.expected, "{}", case.media_id);
        assert!(took < longest, "{}: {took:?}", case.media_id);
    }
    let after = stage.file("a_file").await.unwrap();
    let Media::File(after) = after else {
        panic!("no file: {after:?}");
    };
    assert_eq!(read(after).await.0, "a file of 5");
}

#[tokio::test]
async fn what_a_slow_reader_does_not_take_stays_with_the_platform() {
    let files = files().await;
    let stage = stage(&files);
    let Media::File(file) = stage.file("endless_chunks").await.unwrap() else {
        panic!("no file");
    };
    let mut chunks = std::pin::pin!(file.chunks(u64::MAX));
    let mut taken = chunks.next().await.unwrap().unwrap().len() as u64;
    // Until nothing leaves any more: the sockets are full.
    let mut before = u64::MAX;
    while before != files.endless.load(Ordering::Relaxed) {
        before = files.endless.load(Ordering::Relaxed);
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    assert!(
        before < IN_SOCKETS,
        "{before} bytes left, {taken} were taken"
    );
    while taken < 2 * IN_SOCKETS {
        taken += chunks.next().await.unwrap().unwrap().len() as u64;
    }
}
