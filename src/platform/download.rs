//! An answer that may be a file: told apart from JSON and pages, and read as it comes, never whole.

use std::fmt;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures_util::stream::{BoxStream, Stream, StreamExt};
use tokio::time::Instant;

use crate::platform::decode::{Decoded, decode};
use crate::platform::exchange::{Answer, Call, ExchangeError, MAX_ANSWER_BYTES, judge, read_whole};
use crate::platform::hosts::ApiHost;
use crate::transport::{Response, Transport, TransportError};

/// How long a file may stand still while it comes.
pub const PROGRESS_TIMEOUT: Duration = Duration::from_secs(15);

/// How long a whole file may take to come, however steadily: what drips must end too.
pub const WHOLE_TIMEOUT: Duration = Duration::from_secs(600);

type Chunks = BoxStream<'static, Result<Bytes, TransportError>>;

/// What came back from a call whose answer may be a file.
#[derive(Debug)]
pub enum Received {
    /// The platform answered in JSON.
    Json(Answer),
    /// A file, whose bytes are still to be read.
    File(Download),
}

/// A file that is being downloaded. Dropping it ends the connection.
pub struct Download {
    /// The platform's word for what it is, like `image/jpeg`.
    pub content_type: Option<String>,
    /// The name that the platform gave the file. Only its extension tells something; it is no path
    /// to write to.
    pub file_name: Option<String>,
    /// How many bytes the platform announced.
    pub length: Option<u64>,
    chunks: Chunks,
}

impl fmt::Debug for Download {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Download")
            .field("content_type", &self.content_type)
            .field("length", &self.length)
            .finish_non_exhaustive()
    }
}

/// Why a file that began well did not come whole.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DownloadError {
    /// It ended, or the connection broke, before all of it was here.
    #[error("the file broke off after {received} bytes{}", of_announced(*announced))]
    Truncated {
        /// Bytes that came.
        received: u64,
        /// Bytes that were announced.
        announced: Option<u64>,
    },
    /// It is longer than the caller wants.
    #[error("the file has more than {limit} bytes, which is as much as was asked for")]
    TooLong {
        /// The caller's limit in bytes.
        limit: u64,
    },
    /// Nothing came for [`PROGRESS_TIMEOUT`], or it was not whole after [`WHOLE_TIMEOUT`].
    #[error("the file stood still or took too long: {received} bytes came")]
    Stalled {
        /// Bytes that came.
        received: u64,
    },
}

fn of_announced(announced: Option<u64>) -> String {
    announced.map_or_else(String::new, |bytes| format!(" of {bytes}"))
}

/// How far a download has come.
struct Progress {
    chunks: Chunks,
    received: u64,
    announced: Option<u64>,
    limit: u64,
    ends_at: Option<Instant>,
    is_over: bool,
}

impl Progress {
    async fn next(&mut self) -> Option<Result<Bytes, DownloadError>> {
        if self.is_over {
            return None;
        }
        let step = self.step().await;
        self.is_over = !matches!(step, Some(Ok(_)));
        step
    }

    async fn step(&mut self) -> Option<Result<Bytes, DownloadError>> {
        let (limit, announced) = (self.limit, self.announced);
        if announced.is_some_and(|length| length > limit) {
            return Some(Err(DownloadError::TooLong { limit }));
        }
        let now = Instant::now();
        let ends_at = *self.ends_at.get_or_insert(now + WHOLE_TIMEOUT);
        let until = ends_at.min(now + PROGRESS_TIMEOUT);
        let received = self.received;
        let truncated = DownloadError::Truncated {
            received,
            announced,
        };
        match tokio::time::timeout_at(until, self.chunks.next()).await {
            Err(_elapsed) => Some(Err(DownloadError::Stalled { received })),
            Ok(None) if announced.is_some_and(|length| length != received) => Some(Err(truncated)),
            Ok(None) => None,
            Ok(Some(Err(_broken))) => Some(Err(truncated)),
            Ok(Some(Ok(chunk))) => {
                self.received += chunk.len() as u64;
                if self.received > limit {
                    return Some(Err(DownloadError::TooLong { limit }));
                }
                Some(Ok(chunk))
            }
        }
    }
}

impl Download {
    /// The bytes as they come, at most `limit` of them. After an error nothing follows. What the
    /// reader takes its time for, the platform waits for: nothing piles up here.
    ///
    /// Must be read within a tokio runtime.
    pub fn chunks(
        self,
        limit: u64,
    ) -> impl Stream<Item = Result<Bytes, DownloadError>> + Send + 'static {
        let progress = Progress {
            chunks: self.chunks,
            received: 0,
            announced: self.length,
            limit,
            ends_at: None,
            is_over: false,
        };
        futures_util::stream::unfold(progress, |mut progress| async {
            let chunk = progress.next().await?;
            Some((chunk, progress))
        })
    }

    /// The whole file in memory, if it has at most `limit` bytes.
    ///
    /// # Errors
    /// [`DownloadError`]; what came until then is dropped.
    pub async fn bytes(self, limit: u64) -> Result<Bytes, DownloadError> {
        let mut whole = BytesMut::new();
        let mut chunks = std::pin::pin!(self.chunks(limit));
        while let Some(chunk) = chunks.next().await {
            whole.extend_from_slice(&chunk?);
        }
        Ok(whole.freeze())
    }
}

/// Makes one call to one host. Within the call's timeout it is known what comes; the file itself has
/// limits of its own.
pub(super) async fn download(
    transport: &dyn Transport,
    host: &ApiHost,
    call: &Call,
) -> Result<Received, ExchangeError> {
    let beginning = async {
        let response = transport.send(call.request_to(host)).await?;
        tell_apart(response, call).await
    };
    match tokio::time::timeout(call.timeout, beginning).await {
        Ok(outcome) => outcome,
        Err(_elapsed) => Err(ExchangeError::Transport(TransportError::TimedOut {
            limit_seconds: call.timeout.as_secs(),
        })),
    }
}

/// The status is 200 in every case, and errors come as `application/json` or as `text/plain`: so the
/// type decides only where it says that this is no file, and else the first byte does.
async fn tell_apart(response: Response, call: &Call) -> Result<Received, ExchangeError> {
    let said = response.content_type.as_deref().unwrap_or_default();
    let is_text = ["application/json", "text/plain", "text/html"]
        .iter()
        .any(|kind| {
            said.get(..kind.len())
                .is_some_and(|begin| begin.eq_ignore_ascii_case(kind))
        });
    let status = response.status;
    if is_text || status != 200 {
        let body = read_whole(response.body).await?;
        return judge(status, &body, call).map(Received::Json);
    }
    let (head, rest) = begin(response.body).await?;
    let head = match looks_like_json(&head) {
        true => match object_or_bytes(head, rest).await? {
            Ok(body) => return judge(status, &body, call).map(Received::Json),
            Err((head, rest)) => (head, rest),
        },
        false => (head, rest),
    };
    let (head, rest) = head;
    if head.is_empty() {
        return Err(ExchangeError::Empty);
    }
    let file_name = response.content_disposition.as_deref().and_then(file_name);
    Ok(Received::File(Download {
        content_type: response.content_type,
        file_name,
        length: response.content_length,
        chunks: futures_util::stream::iter([Ok(head)]).chain(rest).boxed(),
    }))
}

/// The first bytes of a body: enough to see how it begins.
async fn begin(mut chunks: Chunks) -> Result<(Bytes, Chunks), ExchangeError> {
    let mut head = BytesMut::new();
    while let Some(chunk) = chunks.next().await {
        head.extend_from_slice(&chunk?);
        if first_letter(&head).is_some() || head.len() > MAX_ANSWER_BYTES {
            break;
        }
    }
    Ok((head.freeze(), chunks))
}

/// The first byte that is neither blank nor of a byte-order mark.
fn first_letter(head: &[u8]) -> Option<u8> {
    let head = head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(head);
    head.trim_ascii_start().first().copied()
}

fn looks_like_json(head: &[u8]) -> bool {
    first_letter(head) == Some(b'{')
}

/// A body that begins with a brace is JSON if it is an object that the platform might answer: with a
/// code, or with what stands in for a file. Anything else is a file, and so is what is too long.
async fn object_or_bytes(
    head: Bytes,
    mut rest: Chunks,
) -> Result<Result<Bytes, (Bytes, Chunks)>, ExchangeError> {
    let mut body = BytesMut::from(&head[..]);
    while body.len() <= MAX_ANSWER_BYTES {
        match rest.next().await {
            Some(Ok(chunk)) => body.extend_from_slice(&chunk),
            Some(Err(error)) => {
                // Of a file that breaks off its reader is told, with what came before.
                let broken = futures_util::stream::iter([Err(error)]).boxed();
                return Ok(Err((body.freeze(), broken)));
            }
            None => {
                let body = body.freeze();
                let is_answer = match decode(&body) {
                    Decoded::Object { value, .. } => {
                        STAND_INS.iter().any(|key| value.get(key).is_some())
                    }
                    _ => false,
                };
                let nothing = futures_util::stream::empty().boxed();
                return Ok(if is_answer {
                    Ok(body)
                } else {
                    Err((body, nothing))
                });
            }
        }
    }
    Ok(Err((body.freeze(), rest)))
}

/// Members that tell an answer of the platform from a file that happens to be JSON.
const STAND_INS: [&str; 5] = ["errcode", "base_resp", "video_url", "news_item", "down_url"];

/// The name in `attachment; filename="a.jpg"`.
fn file_name(disposition: &str) -> Option<String> {
    let (_, behind) = disposition.split_once("filename=")?;
    let name = match behind.strip_prefix('"') {
        Some(quoted) => quoted.split('"').next()?,
        None => behind.split(';').next()?.trim(),
    };
    (!name.is_empty()).then(|| name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::platform::error::ErrorCode;

    fn response(content_type: Option<&str>, pieces: &[&'static [u8]]) -> Response {
        let pieces: Vec<_> = pieces
            .iter()
            .map(|piece| Ok(Bytes::from_static(piece)))
            .collect();
        Response {
            status: 200,
            content_type: content_type.map(str::to_owned),
            content_length: None,
            content_disposition: Some("attachment; filename=\"a.jpg\"".to_owned()),
            body: futures_util::stream::iter(pieces).boxed(),
        }
    }

    async fn told_apart(content_type: Option<&str>, pieces: &[&'static [u8]]) -> String {
        let call = Call::get("/cgi-bin/media/get");
        match tell_apart(response(content_type, pieces), &call).await {
            Ok(Received::Json(answer)) => format!("json {}", answer.value),
            Ok(Received::File(file)) => {
                let name = file.file_name.clone().unwrap();
                let bytes = file.bytes(1 << 21).await.unwrap();
                format!("{name} of {}", bytes.len())
            }
            Err(ExchangeError::Refused { code, .. }) => format!("code {code}"),
            Err(error) => error.to_string(),
        }
    }

    #[tokio::test]
    async fn files_answers_errors_and_pages_are_told_apart() {
        const BRACES: &[u8] = &[b'{'; 700_000];
        for (name, content_type, pieces, expected) in [
            (
                "a picture",
                Some("image/jpeg"),
                &[b"\xff\xd8\xff".as_slice(), b"x"][..],
                "a.jpg of 4",
            ),
            ("no type", None, &[b"\xff\xd8"], "a.jpg of 2"),
            (
                "an error",
                Some("application/json; encoding=utf-8"),
                &[br#"{"errcode":40007}"#],
                "code 40007",
            ),
            (
                "an error as text",
                Some("Text/Plain"),
                &[br#"{"errcode":40007}"#],
                "code 40007",
            ),
            (
                "an error as a picture, in pieces",
                Some("image/jpeg"),
                &[b" ", br#"{"errcode""#, b":40007}"],
                "code 40007",
            ),
            (
                "a video",
                Some("text/plain"),
                &[br#"{"video_url":"http://x"}"#],
                "json {\"video_url\":\"http://x\"}",
            ),
            (
                "a video without a type",
                None,
                &[br#"{"video_url":"u"}"#],
                "json {\"video_url\":\"u\"}",
            ),
            (
                "a file that is JSON",
                Some("application/octet-stream"),
                &[br#"{"a":1}"#],
                "a.jpg of 7",
            ),
            (
                "a file of braces",
                Some("voice/speex"),
                &[BRACES, BRACES],
                "a.jpg of 1400000",
            ),
            (
                "a page",
                Some("text/html"),
                &[b"<html>"],
                "a web page instead of an answer: a proxy, a portal or a wrong address is in between",
            ),
            ("nothing", Some("image/jpeg"), &[], "an empty answer"),
        ] {
            assert_eq!(told_apart(content_type, pieces).await, expected, "{name}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_file_that_does_not_come_whole_says_how() {
        let pieces = || futures_util::stream::iter([Ok(Bytes::from_static(b"12345"))]);
        let broken = || {
            let reason = "reset".to_owned();
            futures_util::stream::iter([Err(TransportError::Broken { reason })])
        };
        let hang = futures_util::stream::pending();
        let drip = futures_util::stream::unfold((), |()| async {
            tokio::time::sleep(Duration::from_secs(14)).await;
            Some((Ok(Bytes::from_static(b"1")), ()))
        });
        for (name, length, chunks, expected) in [
            ("whole", Some(5), pieces().boxed(), Ok(5)),
            ("of unknown length", None, pieces().boxed(), Ok(5)),
            (
                "short",
                Some(6),
                pieces().boxed(),
                Err(DownloadError::Truncated {
                    received: 5,
                    announced: Some(6),
                }),
            ),
            (
                "broken",
                None,
                pieces().chain(broken()).boxed(),
                Err(DownloadError::Truncated {
                    received: 5,
                    announced: None,
                }),
            ),
            (
                "announced as too long",
                Some(11),
                pieces().boxed(),
                Err(DownloadError::TooLong { limit: 10 }),
            ),
            (
                "endless",
                None,
                futures_util::stream::repeat_with(|| Ok(Bytes::from_static(b"12345"))).boxed(),
                Err(DownloadError::TooLong { limit: 10 }),
            ),
            (
                "hanging",
                Some(6),
                pieces().chain(hang).boxed(),
                Err(DownloadError::Stalled { received: 5 }),
            ),
            (
                "dripping",
                None,
                drip.take(50).boxed(),
                Err(DownloadError::TooLong { limit: 10 }),
            ),
        ] {
            let file = Download {
                content_type: None,
                file_name: None,
                length,
                chunks,
            };
            let outcome = file.bytes(10).await.map(|bytes| bytes.len());
            assert_eq!(outcome, expected, "{name}");
        }
        let drip = futures_util::stream::unfold((), |()| async {
            tokio::time::sleep(Duration::from_secs(14)).await;
            Some((Ok(Bytes::from_static(b"1")), ()))
        });
        let file = Download {
            content_type: None,
            file_name: None,
            length: None,
            chunks: drip.boxed(),
        };
        assert_eq!(
            file.bytes(1000).await,
            Err(DownloadError::Stalled { received: 42 })
        );
    }

    #[tokio::test]
    async fn a_code_under_another_status_counts() {
        let mut answer = response(Some("image/jpeg"), &[br#"{"errcode":40001}"#]);
        answer.status = 500;
        let error = tell_apart(answer, &Call::get("/x")).await.unwrap_err();
        assert_eq!(error.code(), Some(ErrorCode(40001)));
    }
}
