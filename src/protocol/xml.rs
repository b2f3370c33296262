//! A bounded reader for the XML that the platform sends, which is not always XML.
//!
//! It finds the elements in one pass over the bytes, without allocating, and leaves texts where they are
//! until somebody asks. A scanner of our own, because it must survive what a strict parser refuses (control
//! characters, invalid UTF-8, bare ampersands, a raw `]]>` in what a user wrote), and because measuring
//! decided: pulling a push of 0.6 KB through quick-xml took as long as all its cryptography.
//! Whatever has a DOCTYPE is refused: no entity is ever expanded but the five predefined ones.

use std::borrow::Cow;

use memchr::{memchr, memmem, memrchr};

mod text;

/// Bytes of the longest document, as of the longest body.
pub const MAX_DOCUMENT_BYTES: usize = 1 << 20;
/// Elements inside each other, the root included. The platform's deepest push has five.
pub const MAX_DEPTH: usize = 16;
/// Elements in a document. The longest known, results of broadcasts, have some hundreds.
pub const MAX_ELEMENTS: usize = 8192;
/// Bytes of the longest element name. The longest known has 28.
pub const MAX_NAME_BYTES: usize = 64;
/// Bytes between the tags of one element without children. Users' texts have a few thousand.
pub const MAX_TEXT_BYTES: usize = 512 << 10;

const CDATA: &[u8] = b"<![CDATA[";

/// Why bytes are not a document of the platform's. Positions count bytes from the beginning.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum XmlError {
    /// It does not begin with an element named `xml`.
    #[error("is not XML with the root element <xml>")]
    NotXml,
    /// It declares a document type, which the platform never does.
    #[error("has a DOCTYPE")]
    Doctype,
    /// It is longer than [`MAX_DOCUMENT_BYTES`].
    #[error("is longer than {MAX_DOCUMENT_BYTES} bytes")]
    TooLong,
    /// Its elements are nested deeper than [`MAX_DEPTH`].
    #[error("has elements nested deeper than {MAX_DEPTH}")]
    TooDeep,
    /// It has more than [`MAX_ELEMENTS`].
    #[error("has more than {MAX_ELEMENTS} elements")]
    TooMany,
    /// One element holds more than [`MAX_TEXT_BYTES`] of text.
    #[error("has an element with more than {MAX_TEXT_BYTES} bytes of text")]
    TextTooLong,
    /// It ends inside an element.
    #[error("ends inside an element")]
    Truncated,
    /// A tag is not well-formed, or its name is longer than [`MAX_NAME_BYTES`] or no UTF-8.
    #[error("has a broken tag at byte {at}")]
    Tag {
        /// Where the tag begins.
        at: usize,
    },
    /// An end tag does not belong to the element that is open.
    #[error("closes another element than it opened at byte {at}")]
    Mismatch {
        /// Where the end tag begins.
        at: usize,
    },
    /// An element holds both text and elements: somebody's text was not kept inside its own.
    #[error("mixes text and elements before byte {at}")]
    Mixed {
        /// Where the element ends.
        at: usize,
    },
    /// Something follows the root element.
    #[error("goes on after its root element at byte {at}")]
    Trailing {
        /// Where that begins.
        at: usize,
    },
}

/// An element without children.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Leaf<'d> {
    /// Its name.
    pub(crate) name: &'d [u8],
    /// What it holds, as it was sent.
    pub(crate) inner: &'d [u8],
    form: Form,
}

/// What [`Leaf::inner`] is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    /// Everything between the tags.
    Pieces,
    /// The inside of a CDATA section, with nothing around the section.
    Section,
    /// What a user wrote, cut out by [`Recovery::On`].
    Written,
}

impl<'d> Leaf<'d> {
    /// Its text: pieces joined, references resolved, characters that XML does not know dropped, blanks
    /// around it trimmed unless people wrote it.
    #[inline]
    pub(crate) fn text(&self) -> Cow<'d, str> {
        let keep_blanks = text::is_written_by_people(self.name);
        match self.form {
            Form::Pieces => text::read(self.inner, keep_blanks),
            Form::Section => text::section(self.inner, keep_blanks),
            Form::Written => text::written(self.inner),
        }
    }

    /// Whether it was cut out.
    pub(crate) fn is_recovered(&self) -> bool {
        self.form == Form::Written
    }
}

/// Whether to cut out the text of a message before the rest is read.
///
/// The platform puts what a user wrote into a CDATA section and does not split a `]]>` in it, so that a
/// user can end the section and write elements of their own. Nothing behind the true end of `Content` is a
/// user's, so the last `]]></Content>` is it. Right for text messages only.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Recovery {
    On,
    Off,
}

/// Receives the elements below the root in document order. `depth` is 1 directly below the root.
pub(crate) trait Sink<'d> {
    type Error: From<XmlError>;

    /// An element that has children; they follow, then [`Sink::close`].
    fn open(&mut self, _name: &'d [u8], _depth: usize) -> Result<(), Self::Error> {
        Ok(())
    }

    /// An element without children.
    fn leaf(&mut self, leaf: Leaf<'d>, depth: usize) -> Result<(), Self::Error>;

    /// The end of the element opened last.
    fn close(&mut self) {}
}

/// Finds the root element behind a byte order mark, blanks, a declaration and comments.
pub(crate) fn root(document: &[u8]) -> Result<usize, XmlError> {
    if document.len() > MAX_DOCUMENT_BYTES {
        return Err(XmlError::TooLong);
    }
    let mut at = if document.starts_with(b"\xEF\xBB\xBF") {
        3
    } else {
        0
    };
    loop {
        at += document[at..]
            .iter()
            .take_while(|byte| is_blank(byte))
            .count();
        let rest = &document[at..];
        at = match rest {
            [b'<', b'?', ..] => after(document, at + 2, b"?>").ok_or(XmlError::NotXml)?,
            [b'<', b'!', b'-', b'-', ..] => {
                after(document, at + 4, b"-->").ok_or(XmlError::NotXml)?
            }
            [b'<', b'x', b'm', b'l', next, ..] if !is_name(*next) => return Ok(at),
            _ if is_doctype(rest) => return Err(XmlError::Doctype),
            _ => return Err(XmlError::NotXml),
        };
    }
}

/// Reads a whole document into the sink.
pub(crate) fn walk<'d, S: Sink<'d>>(
    document: &'d [u8],
    recovery: Recovery,
    sink: &mut S,
) -> Result<(), S::Error> {
    let mut walker = Walker {
        document,
        at: root(document)?,
        elements: 0,
        depth: 0,
        open: [Frame::default(); MAX_DEPTH],
    };
    walker.root_tag()?;
    while walker.depth > 0 {
        walker.step(recovery, sink)?;
    }
    walker.nothing_more().map_err(S::Error::from)
}

#[derive(Clone, Copy, Default)]
struct Frame<'d> {
    name: &'d [u8],
    /// Where its content begins.
    start: usize,
    has_text: bool,
    has_children: bool,
}

struct Tag<'d> {
    name: &'d [u8],
    /// Where what follows it begins.
    end: usize,
    /// Whether it ends its element, too.
    is_empty: bool,
}

struct Walker<'d> {
    document: &'d [u8],
    at: usize,
    elements: usize,
    /// How many of `open` are open.
    depth: usize,
    open: [Frame<'d>; MAX_DEPTH],
}

impl<'d> Walker<'d> {
    /// Reads the text up to the next tag, and the tag. Only called while an element is open.
    fn step<S: Sink<'d>>(&mut self, recovery: Recovery, sink: &mut S) -> Result<(), S::Error> {
        let rest = &self.document[self.at..];
        if rest.first() != Some(&b'<') {
            let length = memchr(b'<', rest).ok_or(XmlError::Truncated)?;
            self.text(&rest[..length]);
            self.at += length;
        }
        match self.document.get(self.at + 1) {
            Some(b'/') => self.end_tag(sink),
            Some(b'!') => self.declaration().map_err(S::Error::from),
            Some(b'?') => {
                self.at = after(self.document, self.at + 2, b"?>").ok_or(XmlError::Truncated)?;
                Ok(())
            }
            _ => self.start_tag(recovery, sink),
        }
    }

    #[inline]
    fn text(&mut self, text: &[u8]) {
        if !text.iter().all(is_blank) {
            self.open[self.depth - 1].has_text = true;
        }
    }

    fn root_tag(&mut self) -> Result<(), XmlError> {
        let tag = self.tag()?;
        self.at = tag.end;
        if !tag.is_empty {
            self.enter(tag.name);
        }
        Ok(())
    }

    fn start_tag<S: Sink<'d>>(&mut self, recovery: Recovery, sink: &mut S) -> Result<(), S::Error> {
        let Tag {
            name,
            end,
            is_empty,
        } = self.tag()?;
        self.announce(sink)?;
        let content = match is_empty {
            true => Some((Form::Pieces, &b""[..], end)),
            false => self.content(name, end, recovery),
        };
        match content {
            Some((form, inner, end)) => {
                self.at = end;
                sink.leaf(Leaf { name, inner, form }, self.depth)
            }
            None => {
                self.at = end;
                self.enter(name);
                Ok(())
            }
        }
    }

    fn tag(&mut self) -> Result<Tag<'d>, XmlError> {
        self.elements += 1;
        if self.elements > MAX_ELEMENTS {
            return Err(XmlError::TooMany);
        }
        if self.depth >= MAX_DEPTH {
            return Err(XmlError::TooDeep);
        }
        let name = self.name(self.at + 1)?;
        let after_name = self.at + 1 + name.len();
        let (end, is_empty) = self.attributes(self.at, after_name)?;
        Ok(Tag {
            name,
            end,
            is_empty,
        })
    }

    /// Opens an element whose content begins here. [`Walker::tag`] has made sure that there is room.
    fn enter(&mut self, name: &'d [u8]) {
        self.open[self.depth] = Frame {
            name,
            start: self.at,
            ..Frame::default()
        };
        self.depth += 1;
    }

    /// Tells the sink about the element that turns out to have children.
    fn announce<S: Sink<'d>>(&mut self, sink: &mut S) -> Result<(), S::Error> {
        let Some(below) = self.depth.checked_sub(1) else {
            return Ok(());
        };
        let parent = &mut self.open[below];
        if !parent.has_children {
            parent.has_children = true;
            if below > 0 {
                sink.open(parent.name, below)?;
            }
        }
        Ok(())
    }

    fn end_tag<S: Sink<'d>>(&mut self, sink: &mut S) -> Result<(), S::Error> {
        let begin = self.at;
        self.depth -= 1;
        let frame = self.open[self.depth];
        self.at = self.after_end_tag(frame.name)?;
        // A root without elements has no text of its own either.
        if frame.has_text && (frame.has_children || self.depth == 0) {
            return Err(XmlError::Mixed { at: begin }.into());
        }
        if self.depth == 0 {
            return Ok(());
        }
        if frame.has_children {
            sink.close();
            return Ok(());
        }
        let inner = &self.document[frame.start..begin];
        if inner.len() > MAX_TEXT_BYTES {
            return Err(XmlError::TextTooLong.into());
        }
        let leaf = Leaf {
            name: frame.name,
            inner,
            form: Form::Pieces,
        };
        sink.leaf(leaf, self.depth)
    }

    fn after_end_tag(&self, name: &[u8]) -> Result<usize, XmlError> {
        let mismatch = XmlError::Mismatch { at: self.at };
        let begin = self.at + b"</".len();
        let rest = self.document[begin..].strip_prefix(name).ok_or(mismatch)?;
        let blanks = rest.iter().take_while(|byte| is_blank(byte)).count();
        match rest.get(blanks) {
            Some(b'>') => Ok(begin + name.len() + blanks + 1),
            Some(_) => Err(mismatch),
            None => Err(XmlError::Truncated),
        }
    }

    /// `<![CDATA[` … `]]>`, or a comment.
    fn declaration(&mut self) -> Result<(), XmlError> {
        let rest = &self.document[self.at..];
        if rest.starts_with(CDATA) {
            let begin = self.at + CDATA.len();
            let end = text::cdata_end(&self.document[begin..]).ok_or(XmlError::Truncated)?;
            self.text(&self.document[begin..begin + end]);
            self.at = begin + end + 3;
            return Ok(());
        }
        if rest.starts_with(b"<!--") {
            self.at = after(self.document, self.at + 4, b"-->").ok_or(XmlError::Truncated)?;
            return Ok(());
        }
        match is_doctype(rest) {
            true => Err(XmlError::Doctype),
            false => Err(XmlError::Tag { at: self.at }),
        }
    }

    #[inline]
    fn name(&self, begin: usize) -> Result<&'d [u8], XmlError> {
        let rest = &self.document[begin..];
        let within = &rest[..rest.len().min(MAX_NAME_BYTES + 1)];
        let length = within.iter().take_while(|byte| is_name(**byte)).count();
        let starts_well = within
            .first()
            .is_some_and(|byte| !matches!(byte, b'0'..=b'9' | b'-' | b'.'));
        let name = &rest[..length];
        // Else two names could come to the same text.
        let is_text = name.is_ascii() || std::str::from_utf8(name).is_ok();
        match length {
            1..=MAX_NAME_BYTES if starts_well && is_text => Ok(name),
            _ => Err(XmlError::Tag { at: begin - 1 }),
        }
    }

    /// Skips attributes, which the platform does not use. Where the tag ends, and whether the element is empty.
    #[inline]
    fn attributes(&self, tag: usize, begin: usize) -> Result<(usize, bool), XmlError> {
        let rest = &self.document[begin..];
        if rest.first() == Some(&b'>') {
            return Ok((begin + 1, false));
        }
        let mut quote = None;
        for (index, byte) in rest.iter().enumerate() {
            match (quote, byte) {
                (Some(open), _) if open == *byte => quote = None,
                (Some(_), _) => {}
                (None, b'"' | b'\'') => quote = Some(*byte),
                (None, b'<') => return Err(XmlError::Tag { at: tag }),
                (None, b'>') => {
                    let is_empty = index > 0 && rest[index - 1] == b'/';
                    return Ok((begin + index + 1, is_empty));
                }
                (None, _) => {}
            }
        }
        Err(XmlError::Truncated)
    }

    /// The whole content of the elements that most pushes have nothing else of: one section or one text
    /// directly between the tags; and what a user wrote. With it, where the element ends.
    #[inline]
    fn content(
        &self,
        name: &[u8],
        begin: usize,
        recovery: Recovery,
    ) -> Option<(Form, &'d [u8], usize)> {
        let rest = &self.document[begin..];
        let (form, inner, end) = match rest.strip_prefix(CDATA) {
            Some(section) if recovery == Recovery::On && self.depth == 1 && name == b"Content" => {
                let length = written_length(section)?;
                (Form::Written, &section[..length], CDATA.len() + length + 3)
            }
            Some(section) => {
                let length = text::cdata_end(section)?;
                (Form::Section, &section[..length], CDATA.len() + length + 3)
            }
            None => {
                let length = memchr(b'<', rest)?;
                (Form::Pieces, &rest[..length], length)
            }
        };
        let tag = rest[end..].strip_prefix(b"</")?;
        let is_end = tag.strip_prefix(name)?.first() == Some(&b'>');
        let length = b"</".len() + name.len() + b">".len();
        (is_end && inner.len() <= MAX_TEXT_BYTES).then_some((form, inner, begin + end + length))
    }

    fn nothing_more(mut self) -> Result<(), XmlError> {
        loop {
            let rest = &self.document[self.at..];
            self.at += rest.iter().take_while(|byte| is_blank(byte)).count();
            let rest = &self.document[self.at..];
            if rest.is_empty() {
                return Ok(());
            }
            let trailing = XmlError::Trailing { at: self.at };
            if !rest.starts_with(b"<!--") {
                return Err(trailing);
            }
            self.at = after(self.document, self.at + 4, b"-->").ok_or(trailing)?;
        }
    }
}

/// How much of a section a user wrote: up to the last end of `Content`.
fn written_length(section: &[u8]) -> Option<usize> {
    // That is a few bytes before the document's end: cheaper than to prepare a search for the whole mark.
    let mut until = section.len();
    loop {
        let last = memrchr(b']', &section[..until])?;
        until = last.checked_sub(1)?;
        if section[until..].starts_with(b"]]></Content>") {
            return Some(until);
        }
        until = last;
    }
}

/// Where the text goes on after the next `mark`.
fn after(document: &[u8], begin: usize, mark: &[u8]) -> Option<usize> {
    let found = memmem::find(document.get(begin..)?, mark)?;
    Some(begin + found + mark.len())
}

fn is_doctype(rest: &[u8]) -> bool {
    rest.get(..9)
        .is_some_and(|head| head.eq_ignore_ascii_case(b"<!DOCTYPE"))
}

/// White space, and the control characters that are dropped from texts.
fn is_blank(byte: &u8) -> bool {
    *byte <= b' '
}

/// What a name may be made of: no character that would make a path ambiguous.
fn is_name(byte: u8) -> bool {
    const NAME: [bool; 256] = {
        let mut table = [false; 256];
        let mut byte = 0;
        while byte < 256 {
            let ascii = byte as u8;
            table[byte] = ascii.is_ascii_alphanumeric()
                || matches!(ascii, b'_' | b'-' | b'.' | b':')
                || byte >= 0x80;
            byte += 1;
        }
        table
    };
    NAME[usize::from(byte)]
}

#[cfg(test)]
mod tests;
