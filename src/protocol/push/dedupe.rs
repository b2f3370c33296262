//! What makes two pushes the same.
//!
//! A message is its account, type, id, sender and time: ids alone have collided between senders. An event
//! has no id, and sender and second are the same for different events, so it is its whole document, which a
//! repeat carries unchanged (only the envelope is sealed anew).

use sha2::{Digest as _, Sha256};

use crate::id::AppId;
use crate::protocol::push::headers::Headers;
use crate::protocol::push::{DedupeKey, Kind, Malformed};
use crate::protocol::xml::{self, Leaf, Sink};

/// Bytes gathered before they are hashed: hashing many small pieces costs more than the hash.
const GATHERED: usize = 512;

/// The key of a readable push.
pub(super) fn key(
    account: &AppId,
    headers: &Headers<'_>,
    body: &[u8],
) -> Result<DedupeKey, Malformed> {
    let account = account.as_str().as_bytes();
    if let Some([msg_type, id, from, time]) = headers.identity() {
        let [msg_type, id, from, time] = [msg_type, id, from, time].map(str::as_bytes);
        return Ok(of_parts(&[account, b"m", msg_type, id, from, time]));
    }
    let tag: &[u8] = match headers.kind() {
        Kind::Notice => b"n",
        Kind::Message | Kind::Event | Kind::Malformed => b"e",
    };
    let mut canonical = Canonical::default();
    xml::walk(body, headers.recovery(), &mut canonical)?;
    let digest = canonical.0.finish();
    Ok(of_parts(&[account, tag, &digest]))
}

/// The key of what could not be read: its bytes.
pub(super) fn of_malformed(account: &AppId, body: &[u8]) -> DedupeKey {
    let digest: [u8; 32] = Sha256::digest(body).into();
    of_parts(&[account.as_str().as_bytes(), b"malformed", &digest])
}

fn of_parts(parts: &[&[u8]]) -> DedupeKey {
    let mut hasher = Gathering::default();
    parts.iter().for_each(|part| hasher.part(part));
    let digest = hasher.finish();
    let mut key = [0; 16];
    key.copy_from_slice(&digest[..16]);
    DedupeKey(key)
}

/// The document without its spelling: how elements lie inside each other, their names and texts, in order.
/// `Encrypt` is excluded, because in compatible mode's plain twin it differs between repeats.
#[derive(Default)]
struct Canonical(Gathering);

impl<'d> Sink<'d> for Canonical {
    type Error = Malformed;

    fn open(&mut self, name: &'d [u8], _depth: usize) -> Result<(), Malformed> {
        self.0.push(b'{');
        self.0.part(name);
        Ok(())
    }

    fn leaf(&mut self, leaf: Leaf<'d>, depth: usize) -> Result<(), Malformed> {
        if depth == 1 && leaf.name == b"Encrypt" {
            return Ok(());
        }
        self.0.push(b'=');
        self.0.part(leaf.name);
        self.0.part(leaf.text().as_bytes());
        Ok(())
    }

    fn close(&mut self) {
        self.0.push(b'}');
    }
}

/// A hasher of length-prefixed parts.
struct Gathering {
    hasher: Sha256,
    gathered: [u8; GATHERED],
    length: usize,
}

impl Default for Gathering {
    fn default() -> Self {
        Self {
            hasher: Sha256::new(),
            gathered: [0; GATHERED],
            length: 0,
        }
    }
}

impl Gathering {
    /// Four bytes of length, big-endian, then the bytes: no two lists of parts hash the same bytes.
    #[inline]
    fn part(&mut self, part: &[u8]) {
        self.bytes(&(part.len() as u32).to_be_bytes());
        self.bytes(part);
    }

    fn push(&mut self, mark: u8) {
        self.bytes(&[mark]);
    }

    #[inline]
    fn bytes(&mut self, bytes: &[u8]) {
        if bytes.len() > GATHERED - self.length {
            self.hasher.update(&self.gathered[..self.length]);
            self.length = 0;
        }
        match self
            .gathered
            .get_mut(self.length..self.length + bytes.len())
        {
            Some(room) => {
                room.copy_from_slice(bytes);
                self.length += bytes.len();
            }
            None => self.hasher.update(bytes),
        }
    }

    fn finish(mut self) -> [u8; 32] {
        self.hasher.update(&self.gathered[..self.length]);
        self.hasher.finalize().into()
    }
}
