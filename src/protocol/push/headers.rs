//! The elements by which a push is recognised. Only the platform writes them, and each at most once.

use std::borrow::Cow;

use crate::id::OpenId;
use crate::protocol::push::{Kind, Malformed};
use crate::protocol::xml::{self, Leaf, Recovery, Sink};

/// The headers of a readable push, still where they were sent.
pub(super) struct Headers<'d> {
    found: [Option<Leaf<'d>>; GUARDED.len()],
    recovery: Recovery,
    kind: Kind,
}

/// Names that may stand only once directly below the root. Where one stands twice, somebody's text has
/// escaped from its element, and which one is the platform's cannot be known.
const GUARDED: [&str; 16] = [
    "ToUserName",
    "FromUserName",
    "CreateTime",
    "MsgType",
    "MsgId",
    "InfoType",
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

#[derive(Clone, Copy)]
#[repr(usize)]
enum Header {
    FromUserName = 1,
    CreateTime = 2,
    MsgType = 3,
    MsgId = 4,
    InfoType = 5,
}

impl<'d> Headers<'d> {
    /// Reads a text message with its text cut out, anything else as it is.
    pub(super) fn read(body: &'d [u8]) -> Result<Self, Malformed> {
        match Self::walk(body, Recovery::On) {
            Ok(headers) if headers.is_as_expected() => Ok(headers),
            _ => Self::walk(body, Recovery::Off),
        }
    }

    fn walk(body: &'d [u8], recovery: Recovery) -> Result<Self, Malformed> {
        let mut found = Found::default();
        xml::walk(body, recovery, &mut found)?;
        let mut headers = Self {
            found: found.0,
            recovery,
            kind: Kind::Notice,
        };
        headers.kind = headers.recognise()?;
        Ok(headers)
    }

    /// Recovery is right only where there was nothing to cut out, or where a user's text was cut out.
    fn is_as_expected(&self) -> bool {
        let recovered = self.found.iter().flatten().any(|leaf| leaf.recovered);
        !recovered || self.text(Header::MsgType).eq_ignore_ascii_case("text")
    }

    fn recognise(&self) -> Result<Kind, Malformed> {
        let msg_type = self.text(Header::MsgType);
        if msg_type.is_empty() {
            return match self.text(Header::InfoType).is_empty() {
                true => Err(Malformed::Missing { name: "MsgType" }),
                false => Ok(Kind::Notice),
            };
        }
        if self.text(Header::FromUserName).is_empty() {
            let name = "FromUserName";
            return Err(Malformed::Missing { name });
        }
        match msg_type.eq_ignore_ascii_case("event") {
            true => Ok(Kind::Event),
            false => Ok(Kind::Message),
        }
    }

    /// How the document must be read to find the same elements again.
    pub(super) fn recovery(&self) -> Recovery {
        self.recovery
    }

    pub(super) fn kind(&self) -> Kind {
        self.kind
    }

    /// The user in whose lane it belongs; a notice has none.
    pub(super) fn from_user(&self) -> OpenId {
        match self.kind {
            Kind::Notice => OpenId::new(""),
            Kind::Message | Kind::Event | Kind::Malformed => {
                OpenId::new(&*self.text(Header::FromUserName))
            }
        }
    }

    /// What identifies a message: type, id, sender and time. None for what has no id.
    pub(super) fn identity(&self) -> Option<[Cow<'d, str>; 4]> {
        let id = self.text(Header::MsgId);
        if self.kind != Kind::Message || id.is_empty() {
            return None;
        }
        let [msg_type, from, time] =
            [Header::MsgType, Header::FromUserName, Header::CreateTime].map(|name| self.text(name));
        Some([msg_type, id, from, time])
    }

    /// A header's text; empty when it is absent.
    fn text(&self, header: Header) -> Cow<'d, str> {
        let leaf = &self.found[header as usize];
        leaf.as_ref().map(Leaf::text).unwrap_or_default()
    }
}

#[derive(Default)]
struct Found<'d>([Option<Leaf<'d>>; GUARDED.len()]);

/// Which of [`GUARDED`] it is.
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
        match self.0[index].replace(leaf) {
            Some(_) => Err(Malformed::Doubled {
                name: GUARDED[index],
            }),
            None => Ok(()),
        }
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
