//! The document around the ciphertext. Nothing in it is signed but the text of `Encrypt`.

use memchr::memmem;

use crate::protocol::credentials::Mode;
use crate::protocol::xml::{self, Leaf, Recovery, Sink, XmlError};

/// Why no ciphertext was found.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OuterError {
    /// It is no well-formed document.
    #[error(transparent)]
    Xml(#[from] XmlError),
    /// It has no `Encrypt`.
    #[error("it has no Encrypt element")]
    Missing,
    /// In secure mode, where nothing else is in it: it has several `Encrypt`.
    #[error("it has several Encrypt elements")]
    Several,
}

const OPENING: &[u8] = b"<Encrypt>";
const CLOSING: &[u8] = b"</Encrypt>";

/// The texts that may be the signed one: usually one, at most two.
///
/// An account that is configured as secure works with a console that says 兼容, too. Only what a strange text
/// does to such a document is forgiven, and a ciphertext longer than any text: its document has bounds of its
/// own. Otherwise secure mode's document must be what it should be.
pub(crate) fn candidates(mode: Mode, body: &[u8]) -> Result<[Option<&[u8]>; 2], OuterError> {
    use XmlError::{Mismatch, Mixed, Tag, TextTooLong};
    if mode == Mode::Compatible {
        return decorated(body);
    }
    match bare(body) {
        Ok(text) => Ok([Some(text), None]),
        Err(OuterError::Xml(Mismatch { .. } | Mixed { .. } | Tag { .. } | TextTooLong)) => {
            decorated(body)
        }
        Err(error) => Err(error),
    }
}

/// Secure mode: a small document without any user's text is read strictly.
fn bare(body: &[u8]) -> Result<&[u8], OuterError> {
    let mut bare = Bare::default();
    xml::walk(body, Recovery::Off, &mut bare)?;
    bare.found.ok_or(OuterError::Missing)
}

#[derive(Default)]
struct Bare<'d> {
    found: Option<&'d [u8]>,
}

impl<'d> Sink<'d> for Bare<'d> {
    type Error = OuterError;

    fn leaf(&mut self, leaf: Leaf<'d>, depth: usize) -> Result<(), OuterError> {
        if depth == 1 && leaf.name == b"Encrypt" {
            if self.found.is_some() {
                return Err(OuterError::Several);
            }
            self.found = Some(unwrap(leaf.inner));
        }
        Ok(())
    }
}

/// Compatible mode: the siblings are the plain push, whose user text may break the document or hold an
/// `Encrypt` of its own. All of that lies on one side of the true one, so it is the first or the last.
fn decorated(body: &[u8]) -> Result<[Option<&[u8]>; 2], OuterError> {
    xml::root(body)?;
    let first = memmem::find(body, OPENING).and_then(|at| content(body, at));
    let last = memmem::rfind(body, OPENING).and_then(|at| content(body, at));
    match (first, last) {
        (None, None) => Err(OuterError::Missing),
        (first, last) if first == last => Ok([first, None]),
        both => Ok([both.0, both.1]),
    }
}

fn content(body: &[u8], opening: usize) -> Option<&[u8]> {
    let inner = &body[opening + OPENING.len()..];
    let end = memmem::find(inner, CLOSING)?;
    Some(unwrap(&inner[..end]))
}

/// The text that is hashed and decoded: without blanks around it, out of its CDATA.
fn unwrap(inner: &[u8]) -> &[u8] {
    let text = inner.trim_ascii();
    let unwrapped = text
        .strip_prefix(b"<![CDATA[")
        .and_then(|text| text.strip_suffix(b"]]>"));
    unwrapped.unwrap_or(text).trim_ascii()
}
