//! How much of a request's body was given to its connection.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use futures_util::stream::{BoxStream, Stream, StreamExt};

/// Counts the bytes of one body that were given to its connection.
///
/// The last byte is the one that matters: before the platform has it, it has no request, and cannot have
/// carried it out. A byte that was given may still not have left, so *whole* says nothing for sure.
#[derive(Debug)]
pub(super) struct Handed {
    length: u64,
    given: Arc<AtomicU64>,
}

impl Handed {
    /// For a body of so many bytes.
    pub(super) fn of(length: u64) -> Self {
        Self {
            length,
            given: Arc::default(),
        }
    }

    /// Whether the platform may have the whole request. One without a body may always have left.
    pub(super) fn may_be_whole(&self) -> bool {
        self.given.load(Ordering::Acquire) >= self.length
    }

    /// The body, counted while it is taken; it breaks rather than be of another length than was announced.
    pub(super) fn counting(
        &self,
        chunks: BoxStream<'static, std::io::Result<Bytes>>,
    ) -> impl Stream<Item = std::io::Result<Bytes>> + Send + 'static {
        let (length, given) = (self.length, Arc::clone(&self.given));
        chunks.map(move |chunk| {
            let chunk = chunk?;
            let more = chunk.len() as u64;
            // Only this stream adds to it.
            if given.load(Ordering::Acquire).saturating_add(more) > length {
                return Err(std::io::Error::other("more bytes than announced"));
            }
            given.fetch_add(more, Ordering::AcqRel);
            Ok(chunk)
        })
    }
}

#[cfg(test)]
mod tests {
    use futures_util::stream;

    use super::*;

    fn chunks(texts: &'static [&'static str]) -> BoxStream<'static, std::io::Result<Bytes>> {
        stream::iter(texts.iter().map(|text| Ok(Bytes::from(*text)))).boxed()
    }

    #[tokio::test]
    async fn a_body_may_be_whole_from_its_last_byte_on() {
        let handed = Handed::of(4);
        let mut body = handed.counting(chunks(&["ab", "cd"]));
        let mut seen = vec![handed.may_be_whole()];
        while let Some(chunk) = body.next().await {
            chunk.unwrap();
            seen.push(handed.may_be_whole());
        }
        assert_eq!(seen, [false, false, true]);
        assert!(Handed::of(0).may_be_whole(), "a request without a body");
    }

    #[tokio::test]
    async fn a_body_breaks_before_it_gives_more_than_was_announced() {
        let handed = Handed::of(3);
        let mut body = handed.counting(chunks(&["ab", "cd"]));
        assert!(body.next().await.unwrap().is_ok());
        assert!(body.next().await.unwrap().is_err());
        assert!(!handed.may_be_whole());
    }
}
