//! What is between two tags, as text.

use std::borrow::Cow;

use memchr::{memchr, memmem};

use super::CDATA;

/// Bytes of the longest reference that is resolved, from `&` to `;`.
const MAX_REFERENCE_BYTES: usize = 12;

/// Names whose blanks matter, because people wrote the text.
#[inline]
pub(super) fn is_written_by_people(name: &[u8]) -> bool {
    matches!(
        name,
        b"Content" | b"Label" | b"Title" | b"Description" | b"Recognition"
    )
}

/// Where a CDATA section ends: before its `]]>`.
#[inline]
pub(super) fn cdata_end(section: &[u8]) -> Option<usize> {
    let mut at = 0;
    loop {
        at += memchr(b']', section.get(at..)?)?;
        match section.get(at..at + 3)? {
            b"]]>" => return Some(at),
            _ => at += 1,
        }
    }
}

/// The text of an element without children. `keep_blanks`: only blanks beside a CDATA section are dropped.
pub(super) fn read(inner: &[u8], keep_blanks: bool) -> Cow<'_, str> {
    if let Some(content) = only_cdata(inner) {
        return section(content, keep_blanks);
    }
    let is_literal = memchr(b'<', inner).is_none() && memchr(b'&', inner).is_none();
    let text = match is_literal {
        true => clean(Cow::Borrowed(inner)),
        false => clean(Cow::Owned(join(inner))),
    };
    if keep_blanks { text } else { trim(text) }
}

/// The text of an element that holds one CDATA section.
#[inline]
pub(super) fn section(content: &[u8], keep_blanks: bool) -> Cow<'_, str> {
    let text = clean(Cow::Borrowed(content));
    if keep_blanks { text } else { trim(text) }
}

/// What a user wrote, cut out of its CDATA section. Undoes the split of a `]]>`, should the platform make one.
pub(super) fn written(content: &[u8]) -> Cow<'_, str> {
    const SPLIT: &[u8] = b"]]]]><![CDATA[>";
    let mut rest = content;
    let mut joined = Vec::new();
    while let Some(at) = memmem::find(rest, SPLIT) {
        joined.extend_from_slice(&rest[..at]);
        joined.extend_from_slice(b"]]>");
        rest = &rest[at + SPLIT.len()..];
    }
    if joined.is_empty() {
        return clean(Cow::Borrowed(content));
    }
    joined.extend_from_slice(rest);
    clean(Cow::Owned(joined))
}

/// The usual case: one section, with nothing but blanks around it.
fn only_cdata(inner: &[u8]) -> Option<&[u8]> {
    let section = inner.trim_ascii().strip_prefix(CDATA)?;
    let end = cdata_end(section)?;
    (end + 3 == section.len()).then(|| &section[..end])
}

/// All pieces, in order: sections as they are, texts with their references resolved. Blank texts beside a
/// section are layout.
fn join(inner: &[u8]) -> Vec<u8> {
    let has_section = memmem::find(inner, CDATA).is_some();
    let mut joined = Vec::with_capacity(inner.len());
    let mut rest = inner;
    while !rest.is_empty() {
        let length = memchr(b'<', rest).unwrap_or(rest.len());
        let (text, markup) = rest.split_at(length);
        if !(has_section && text.trim_ascii().is_empty()) {
            resolve(text, &mut joined);
        }
        rest = match markup.strip_prefix(CDATA) {
            Some(section) => {
                let end = cdata_end(section).unwrap_or(section.len());
                joined.extend_from_slice(&section[..end]);
                section.get(end + 3..).unwrap_or_default()
            }
            None => after_markup(markup),
        };
    }
    joined
}

/// Skips a comment or a processing instruction: the reader lets nothing else stand in a text.
fn after_markup(markup: &[u8]) -> &[u8] {
    let mark: &[u8] = match markup {
        [b'<', b'!', ..] => b"-->",
        _ => b"?>",
    };
    let end = memmem::find(markup, mark).map(|at| at + mark.len());
    end.and_then(|end| markup.get(end..)).unwrap_or_default()
}

/// Resolves the predefined entities and character references; what is none stays as it is.
fn resolve(text: &[u8], joined: &mut Vec<u8>) {
    let mut rest = text;
    while let Some(at) = memchr(b'&', rest) {
        joined.extend_from_slice(&rest[..at]);
        rest = &rest[at..];
        let within = &rest[..rest.len().min(MAX_REFERENCE_BYTES)];
        let reference = memchr(b';', within).map(|end| &rest[1..end]);
        match reference.and_then(|name| Some((name, referred(name)?))) {
            Some((name, character)) => {
                let mut bytes = [0; 4];
                joined.extend_from_slice(character.encode_utf8(&mut bytes).as_bytes());
                rest = &rest[name.len() + 2..];
            }
            None => {
                joined.push(b'&');
                rest = &rest[1..];
            }
        }
    }
    joined.extend_from_slice(rest);
}

fn referred(name: &[u8]) -> Option<char> {
    match name {
        b"lt" => Some('<'),
        b"gt" => Some('>'),
        b"amp" => Some('&'),
        b"quot" => Some('"'),
        b"apos" => Some('\''),
        [b'#', b'x' | b'X', digits @ ..] => number(digits, 16),
        [b'#', digits @ ..] => number(digits, 10),
        _ => None,
    }
}

fn number(digits: &[u8], radix: u32) -> Option<char> {
    let digits = std::str::from_utf8(digits).ok()?;
    u32::from_str_radix(digits, radix)
        .ok()
        .and_then(char::from_u32)
}

/// UTF-8 with a replacement for what is none, without the characters that XML 1.0 does not know.
fn clean(bytes: Cow<'_, [u8]>) -> Cow<'_, str> {
    let is_plain = is_plain(&bytes);
    let text = match bytes {
        Cow::Borrowed(bytes) => match std::str::from_utf8(bytes) {
            Ok(text) => Cow::Borrowed(text),
            Err(_) => String::from_utf8_lossy(bytes),
        },
        Cow::Owned(bytes) => Cow::Owned(
            String::from_utf8(bytes)
                .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned()),
        ),
    };
    let has_suspect = || {
        text.bytes()
            .fold(false, |found, byte| found | is_suspect(byte))
    };
    if !is_plain && has_suspect() && !text.chars().all(is_character) {
        return Cow::Owned(text.chars().filter(|c| is_character(*c)).collect());
    }
    text
}

/// Whether all is printable ASCII, which most texts are: eight bytes at a time.
#[inline]
fn is_plain(bytes: &[u8]) -> bool {
    const HIGH: u64 = 0x8080_8080_8080_8080;
    const BLANKS: u64 = 0x2020_2020_2020_2020;
    let (words, rest) = bytes.as_chunks();
    // A byte below the blank borrows from its high bit, and one above ASCII has that bit.
    let marks = words.iter().fold(0, |marks, word| {
        let word = u64::from_ne_bytes(*word);
        marks | word | word.wrapping_sub(BLANKS)
    });
    marks & HIGH == 0 && rest.iter().all(|byte| matches!(byte, b' '..=0x7F))
}

/// Whether the byte is a control character, or begins one of the two non-characters (EF BF BE, EF BF BF)
/// or one of their many neighbours. Without branches, so that whole blocks are looked at together.
fn is_suspect(byte: u8) -> bool {
    (byte < b' ') & (byte != b'\t') & (byte != b'\n') & (byte != b'\r') | (byte == 0xEF)
}

/// XML 1.0's Char. What it lacks of Unicode are most C0 controls and two non-characters.
fn is_character(c: char) -> bool {
    !matches!(c, '\0'..='\u{8}' | '\u{B}' | '\u{C}' | '\u{E}'..='\u{1F}' | '\u{FFFE}' | '\u{FFFF}')
}

#[inline]
fn trim(text: Cow<'_, str>) -> Cow<'_, str> {
    match text {
        Cow::Borrowed(text) => Cow::Borrowed(text.trim_ascii()),
        Cow::Owned(text) => match text.trim_ascii() {
            trimmed if trimmed.len() == text.len() => Cow::Owned(text),
            trimmed => Cow::Owned(trimmed.to_owned()),
        },
    }
}
