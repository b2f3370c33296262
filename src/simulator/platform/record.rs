//! What the platform remembers for those who check on us.

use core::net::IpAddr;
use std::collections::VecDeque;
use std::fmt;

use bytes::Bytes;
use serde::Deserialize;
use serde::Serialize;
use serde::Serializer;

use super::WireFault;

/// In which way something came to a user.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Way {
    /// As a customer message.
    Custom,
    /// As a mass message.
    Mass,
    /// As the preview of a mass message.
    Preview,
    /// As a template message.
    Template,
    /// As a subscribe notice, one-time or not.
    SubscribeNotice,
}

/// A message that reached its user.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Delivery {
    /// Counts from 1 in the order of delivery.
    pub number: u64,
    /// When, in milliseconds since 1970.
    pub at_milliseconds: i64,
    /// Which account wrote.
    pub app_id: String,
    /// In which way.
    pub way: Way,
    /// To whom.
    pub open_id: String,
    /// `text`, `image`, …
    pub message_type: String,
    /// What the user reads, as far as that is in the message: a text, the lines of a menu, the title of
    /// a card.
    pub content: Option<String>,
    /// The customer-service account that speaks.
    pub kf_account: Option<String>,
    /// Whether the user is told that an AI has made it.
    pub is_ai: bool,
    /// The request's body, byte for byte.
    #[serde(serialize_with = "as_text")]
    pub body: Bytes,
    /// The number of the token that the call carried.
    pub token: u64,
}

/// One call, whatever became of it. Its `Debug` shows neither query nor body.
#[derive(Clone, PartialEq, Eq, Serialize)]
pub struct CallRecord {
    /// Counts from 1 in the order of arrival.
    pub number: u64,
    /// When, in milliseconds since 1970.
    pub at_milliseconds: i64,
    /// From which address it came.
    pub from: IpAddr,
    /// The `Host` header.
    pub host: String,
    /// The HTTP method.
    pub method: String,
    /// The path alone.
    pub path: String,
    /// The query as it was sent, an access token included, but without an AppSecret.
    pub query: String,
    /// The number of the token that it carried, if that was one of ours.
    pub token: Option<u64>,
    /// The body, byte for byte up to [`RECORDED_BODY_BYTES`]; that of a token request without its
    /// AppSecret. As text in JSON.
    #[serde(serialize_with = "as_text")]
    pub body: Bytes,
    /// Bytes of the whole body.
    pub body_bytes: usize,
    /// The HTTP status of the answer, whether or not it arrived.
    pub status: u16,
    /// The `errcode` of the answer.
    pub code: Option<i64>,
    /// What the network did to the answer.
    pub fault: Option<WireFault>,
}

impl fmt::Debug for CallRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CallRecord")
            .field("number", &self.number)
            .field("host", &self.host)
            .field("method", &self.method)
            .field("path", &self.path)
            .field("token", &self.token)
            .field("status", &self.status)
            .field("code", &self.code)
            .field("fault", &self.fault)
            .finish_non_exhaustive()
    }
}

fn as_text<S: Serializer>(bytes: &Bytes, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&String::from_utf8_lossy(bytes))
}

/// Bytes of a body that are kept: more would be whole files.
pub const RECORDED_BODY_BYTES: usize = 64 * 1024;

/// What is kept of a body.
pub(super) fn beginning_of(body: &Bytes) -> Bytes {
    match body.len() {
        // A copy: a slice would keep the whole body alive.
        length if length > RECORDED_BODY_BYTES => {
            Bytes::copy_from_slice(&body[..RECORDED_BODY_BYTES])
        }
        _ => body.clone(),
    }
}

/// The latest so many of something, numbered from 1.
#[derive(Debug)]
pub(super) struct Ring<T> {
    kept: VecDeque<T>,
    capacity: usize,
    count: u64,
}

impl<T> Ring<T> {
    pub(super) fn new(capacity: usize) -> Self {
        Self {
            kept: VecDeque::new(),
            capacity: capacity.max(1),
            count: 0,
        }
    }

    /// Keeps what `make` returns for the next number, and gives back what had to go for it.
    pub(super) fn push(&mut self, make: impl FnOnce(u64) -> T) -> Option<T> {
        self.count += 1;
        self.kept.push_back(make(self.count));
        (self.kept.len() > self.capacity)
            .then(|| self.kept.pop_front())
            .flatten()
    }

    pub(super) fn count(&self) -> u64 {
        self.count
    }

    pub(super) fn after(&self, after: u64) -> impl Iterator<Item = &T> {
        let first = self.count - self.kept.len() as u64;
        let skipped = usize::try_from(after.saturating_sub(first)).unwrap_or(usize::MAX);
        self.kept.iter().skip(skipped)
    }

    pub(super) fn get(&self, number: u64) -> Option<&T> {
        self.kept.get(self.index(number)?)
    }

    pub(super) fn get_mut(&mut self, number: u64) -> Option<&mut T> {
        let index = self.index(number)?;
        self.kept.get_mut(index)
    }

    fn index(&self, number: u64) -> Option<usize> {
        let first = self.count - self.kept.len() as u64 + 1;
        usize::try_from(number.checked_sub(first)?).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ring_keeps_the_latest_and_goes_on_counting() {
        let mut ring = Ring::new(2);
        assert_eq!(ring.push(|n| n * 10), None);
        assert_eq!(ring.push(|n| n * 10), None);
        assert_eq!(ring.push(|n| n * 10), Some(10));
        assert_eq!(ring.count(), 3);
        assert_eq!(ring.after(0).copied().collect::<Vec<_>>(), [20, 30]);
        assert_eq!(ring.after(2).copied().collect::<Vec<_>>(), [30]);
        assert_eq!(ring.after(9).count(), 0);
        assert_eq!(
            (ring.get(1), ring.get(3), ring.get(4)),
            (None, Some(&30), None)
        );
    }
}
