//! What can be read off a template's text: its tags, what it includes, which filters it names, what its
//! first line says.

use std::ops::Range;
use std::sync::LazyLock;

use regex::Regex;

/// A `{{ … }}` or `{% … %}`, by its place in the text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Tag {
    /// With its braces.
    pub(super) at: Range<usize>,
    /// What is between them.
    inner: Range<usize>,
    is_block: bool,
}

/// The tags of a text, without comments and what stands between `raw` and `endraw`.
pub(super) fn tags(text: &str) -> Vec<Tag> {
    let mut tags = Vec::new();
    let mut at = 0;
    let mut raw = false;
    while let Some(found) = text[at..].find('{') {
        let start = at + found;
        let (end, is_block) = match text.as_bytes().get(start + 1) {
            Some(b'#') if !raw => {
                at = after(text, start + 2, "#}");
                continue;
            }
            Some(b'{') if !raw => (close(text, start + 2, "}}"), false),
            Some(b'%') => (close(text, start + 2, "%}"), true),
            _ => {
                at = start + 1;
                continue;
            }
        };
        // Without an end the tag goes on to the end of the text, where a letter may have several bytes.
        let inner_end = text.floor_char_boundary(end.saturating_sub(2));
        let inner = start + 2..inner_end.max(start + 2);
        let word = first_word(&text[inner.clone()]);
        if raw && !(is_block && word == "endraw") {
            at = start + 1;
            continue;
        }
        raw = is_block && word == "raw";
        if !raw && word != "endraw" {
            tags.push(Tag {
                at: start..end,
                inner,
                is_block,
            });
        }
        at = end;
    }
    tags
}

fn after(text: &str, from: usize, end: &str) -> usize {
    text[from..]
        .find(end)
        .map_or(text.len(), |found| from + found + end.len())
}

/// Behind the end of a tag; an end in quotes is none.
fn close(text: &str, from: usize, end: &str) -> usize {
    let mut quote = None;
    let mut skip = false;
    for (offset, character) in text[from..].char_indices() {
        match (quote, character) {
            _ if skip => skip = false,
            (Some(_), '\\') => skip = true,
            (Some(open), _) if character == open => quote = None,
            (Some(_), _) => {}
            (None, '"' | '\'') => quote = Some(character),
            (None, _) if text[from + offset..].starts_with(end) => {
                return from + offset + end.len();
            }
            (None, _) => {}
        }
    }
    text.len()
}

fn first_word(inner: &str) -> &str {
    let inner = inner.trim_start_matches(['-', '+']).trim_start();
    let end = inner.find(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    &inner[..end.unwrap_or(inner.len())]
}

/// How a template uses another file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Usage {
    /// Its text stands in the tag's place.
    Include,
    /// It is extended, or its macros are used.
    Whole,
}

/// A file that a template uses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Reference {
    pub(super) usage: Usage,
    pub(super) at: Range<usize>,
    /// Its name; `None` when it is only known at run time.
    pub(super) name: Option<String>,
}

static QUOTED: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r#"^\s*(?:"([^"\\]*)"|'([^'\\]*)')(.*)$"#).ok());

/// Every file that a template uses.
pub(super) fn references(text: &str) -> Vec<Reference> {
    let found = tags(text).into_iter().filter(|tag| tag.is_block);
    let found = found.filter_map(|tag| {
        let inner = text[tag.inner.clone()].trim_start_matches(['-', '+']);
        let usage = match first_word(inner) {
            "include" => Usage::Include,
            "extends" | "import" | "from" => Usage::Whole,
            _ => return None,
        };
        let rest = inner.trim_start().split_once(char::is_whitespace);
        let name = rest.and_then(|(_, rest)| {
            let captures = QUOTED.as_ref()?.captures(rest)?;
            // A choice between files is no name.
            let behind = captures.get(3)?.as_str();
            let name = captures.get(1).or(captures.get(2))?.as_str();
            let is_name =
                !behind.trim_start().starts_with(['~', '|', '+']) && !behind.contains(" if ");
            is_name.then(|| name.to_owned())
        });
        Some(Reference {
            usage,
            at: tag.at,
            name,
        })
    });
    found.collect()
}

static FILTERS: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r"\|\s*([A-Za-z_]\w*)|^[-+]?\s*filter\s+([A-Za-z_]\w*)").ok());

/// The filters that a template names, each with its place.
pub(super) fn filters(text: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    for tag in tags(text) {
        let code = without_texts(&text[tag.inner.clone()]);
        let Some(filters) = FILTERS.as_ref() else {
            continue;
        };
        for captures in filters.captures_iter(&code) {
            if let Some(name) = captures.get(1).or(captures.get(2)) {
                found.push((tag.inner.start + name.start(), name.as_str().to_owned()));
            }
        }
    }
    found
}

/// The code with blanks for what is quoted, as many bytes as before.
fn without_texts(code: &str) -> String {
    let mut quote = None;
    let mut skip = false;
    let mut bytes = Vec::with_capacity(code.len());
    for byte in code.bytes() {
        let is_text = quote.is_some();
        match (quote, byte) {
            _ if skip => skip = false,
            (Some(_), b'\\') => skip = true,
            (Some(open), _) if byte == open => quote = None,
            (None, b'"' | b'\'') => quote = Some(byte),
            _ => {}
        }
        bytes.push(if is_text || quote.is_some() {
            b' '
        } else {
            byte
        });
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Whether a template decides or repeats anything.
pub(super) fn has_blocks(text: &str) -> bool {
    tags(text).iter().any(|tag| tag.is_block)
}

/// The place of a name within the tags of a text.
pub(super) fn find_name(text: &str, name: &str) -> Option<usize> {
    let pattern = Regex::new(&format!(r"(?:^|[^\w.])({})(?:\W|$)", regex::escape(name))).ok()?;
    tags(text).into_iter().find_map(|tag| {
        let code = without_texts(&text[tag.inner.clone()]);
        let found = pattern.captures(&code)?.get(1)?;
        Some(tag.inner.start + found.start())
    })
}

/// What the first line says that a template needs: `{# needs: order, eta #}`.
///
/// # Errors
/// A name that none can be.
pub(super) fn needs(text: &str) -> Result<Vec<String>, String> {
    let Some(comment) = text.trim_start().strip_prefix("{#") else {
        return Ok(Vec::new());
    };
    let comment = comment.split("#}").next().unwrap_or_default();
    let comment = comment.trim_matches(['-', '+']).trim();
    let Some(names) = comment.strip_prefix("needs:") else {
        return Ok(Vec::new());
    };
    let names = names.split([',', '，']).map(str::trim);
    let is_name = |name: &str| {
        !name.starts_with(|c: char| c.is_ascii_digit())
            && name
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
    };
    names
        .filter(|name| !name.is_empty())
        .map(|name| match is_name(name) {
            true => Ok(name.to_owned()),
            false => Err(name.to_owned()),
        })
        .collect()
}

/// The line of a place, from 1.
pub(crate) fn line_of(text: &str, at: usize) -> usize {
    let before = text.as_bytes().get(..at).unwrap_or_default();
    1 + before.iter().filter(|byte| **byte == b'\n').count()
}
