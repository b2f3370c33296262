//! The elements by which a push is recognised. Only the platform writes them, and each at most once.

use std::borrow::Cow;

use crate::id::OpenId;
use crate::protocol::push::{Kind, Malformed};
use crate::protocol::xml::{self, Leaf, Recovery, Sink};

/// The headers of a readable push.
pub(super) struct Headers<'d> {
    kind: Kind,
    recovery: Recovery,
    /// The texts of [`Header`], empty when absent.
    texts: [Cow<'d, str>; Header::COUNT],
}

/// The headers whose texts are looked at here: the first names of [`GUARDED`].
#[derive(Clone, Copy)]
enum Header {
    FromUserName,
    MsgType,
    MsgId,
    CreateTime,
    InfoType,
}

impl Header {
    const COUNT: usize = 5;
}

/// Names that may stand only once directly below the root. Where one stands twice, somebody's text has
/// escaped from its element, and which one is the platform's cannot be known.
const GUARDED: [&str; 16] = [
    "FromUserName",
    "MsgType",
    "MsgId",
    "CreateTime",
    "InfoType",
    "ToUserName",
    "Event",
    "EventKey",
    "Ticket",
    "Encrypt",
    "Content",
    "MsgID",
    "MsgDataId",
    "Idx",
    "bizmsgmenuid",
    "AppId",
];

impl<'d> Headers<'d> {
    /// Reads a text message with its text cut out, anything else as it is.
    pub(super) fn read(body: &'d [u8]) -> Result<Self, Malformed> {
        let mut found = Found::default();
        let walked = xml::walk(body, Recovery::On, &mut found);
        if walked.is_ok() && !found.recovered {
            return Self::recognise(&found, Recovery::Off);
        }
        if walked.is_ok() {
            let headers = Self::recognise(&found, Recovery::On);
            if headers.as_ref().is_ok_and(Self::is_text) {
                return headers;
            }
        }
        let mut found = Found::default();
        xml::walk(body, Recovery::Off, &mut found)?;
        Self::recognise(&found, Recovery::Off)
    }

    fn recognise(found: &Found<'d>, recovery: Recovery) -> Result<Self, Malformed> {
        let text = |leaf: &Option<Leaf<'d>>| leaf.as_ref().map(Leaf::text).unwrap_or_default();
        let mut headers = Self {
            kind: Kind::Notice,
            recovery,
            texts: found.kept.each_ref().map(text),
        };
        let name = match headers.text(Header::MsgType) {
            "" if headers.text(Header::InfoType).is_empty() => "MsgType",
            "" => return Ok(headers),
            _ if headers.text(Header::FromUserName).is_empty() => "FromUserName",
            msg_type => {
                headers.kind = match msg_type.eq_ignore_ascii_case("event") {
                    true => Kind::Event,
                    false => Kind::Message,
                };
                return Ok(headers);
            }
        };
        Err(Malformed::Missing { name })
    }

    /// Only of a text message may the text be cut out.
    fn is_text(&self) -> bool {
        self.text(Header::MsgType).eq_ignore_ascii_case("text")
    }

    /// How the document must be read to find the same elements again.
    pub(super) fn recovery(&self) -> Recovery {
        self.recovery
    }

    pub(super) fn kind(&self) -> Kind {
        self.kind
    }

    /// The user in whose lane it belongs; a notice has none.
    pub(super) fn user(&self) -> OpenId {
        match self.kind {
            Kind::Notice => OpenId::new(""),
            Kind::Message | Kind::Event | Kind::Malformed => {
                OpenId::new(self.text(Header::FromUserName))
            }
        }
    }

    /// What identifies a message: type, id, sender and time. None for what has no id.
    pub(super) fn identity(&self) -> Option<[&str; 4]> {
        let id = self.text(Header::MsgId);
        if self.kind != Kind::Message || id.is_empty() {
            return None;
        }
        let msg_type = self.text(Header::MsgType);
        let from = self.text(Header::FromUserName);
        Some([msg_type, id, from, self.text(Header::CreateTime)])
    }

    fn text(&self, header: Header) -> &str {
        &self.texts[header as usize]
    }
}

#[derive(Default)]
struct Found<'d> {
    kept: [Option<Leaf<'d>>; Header::COUNT],
    /// A bit for each name of [`GUARDED`].
    seen: u16,
    /// Whether a text was cut out.
    recovered: bool,
}

/// Which of [`GUARDED`] it is.
#[inline]
fn guarded(name: &[u8]) -> Option<usize> {
    GUARDED
        .iter()
        .position(|guarded| guarded.as_bytes() == name)
}

impl<'d> Sink<'d> for Found<'d> {
    type Error = Malformed;

    fn open(&mut self, name: &'d [u8], depth: usize) -> Result<(), Malformed> {
        match guarded(name) {
            Some(index) if depth == 1 => Err(Malformed::Nested {
                name: GUARDED[index],
            }),
            _ => Ok(()),
        }
    }

    fn leaf(&mut self, leaf: Leaf<'d>, depth: usize) -> Result<(), Malformed> {
        if depth > 1 {
            return Ok(());
        }
        let Some(index) = guarded(leaf.name) else {
            return Ok(());
        };
        if self.seen & 1 << index != 0 {
            return Err(Malformed::Doubled {
                name: GUARDED[index],
            });
        }
        self.seen |= 1 << index;
        self.recovered |= leaf.is_recovered();
        if let Some(place) = self.kept.get_mut(index) {
            *place = Some(leaf);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_header_has_its_place() {
        for (header, name) in [
            (Header::FromUserName, "FromUserName"),
            (Header::CreateTime, "CreateTime"),
            (Header::MsgType, "MsgType"),
            (Header::MsgId, "MsgId"),
            (Header::InfoType, "InfoType"),
        ] {
            assert_eq!(GUARDED[header as usize], name);
        }
    }
}
