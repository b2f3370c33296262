//! Text that every channel can carry.

use std::fmt;
use std::ops::Deref;

use serde::Serialize;

/// Text without the characters that a channel would refuse, show as an escape, or not be able to write.
///
/// Dropped are all C0 control characters but the line feed, which breaks a line (in JSON they would need
/// the escapes that the platform refuses or shows; XML 1.0 knows most of them not at all), and the two
/// non-characters that XML 1.0 excludes. Everything else stays as it is, `<`, `&` and emoji included.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default, Serialize)]
#[serde(transparent)]
pub struct Words(String);

impl Words {
    /// Takes the text without what cannot be said.
    pub fn new(text: impl Into<String>) -> Self {
        let mut text = text.into();
        text.retain(can_be_said);
        Self(text)
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn can_be_said(character: char) -> bool {
    match character {
        '\n' => true,
        '\0'..='\u{1F}' | '\u{FFFE}' | '\u{FFFF}' => false,
        _ => true,
    }
}

/// A user's text in which nothing is a link any more: a zero width space (U+200B) goes between each `<`
/// and the tag that it would begin.
///
/// The platform makes links of `<a …>` in whatever an account says, so a text that repeats what a user
/// wrote, or what a stranger put into a database, can be made to carry a stranger's link.
///
/// ```
/// use wxhook::protocol::message::{Text, without_links};
///
/// let written = r#"<a href="https://evil.example">click</a> if 1 < 2"#;
/// let reply = Text::new(format!("您说：{}", without_links(written)));
/// assert!(!reply.content.contains("<a"));
/// assert!(reply.content.ends_with("if 1 < 2"));
/// ```
pub fn without_links(text: &str) -> String {
    // First what is dropped later, else it could hold a tag apart until then.
    let text = Words::new(text).0;
    let mut defused = String::with_capacity(text.len());
    for (at, character) in text.char_indices() {
        defused.push(character);
        if character == '<' && begins_tag(&text[at + 1..]) {
            defused.push('\u{200B}');
        }
    }
    defused
}

fn begins_tag(rest: &str) -> bool {
    rest.trim_start().starts_with(['a', 'A', '/'])
}

impl Deref for Words {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Words {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<&str> for Words {
    fn from(text: &str) -> Self {
        Self::new(text)
    }
}

impl From<String> for Words {
    fn from(text: String) -> Self {
        Self::new(text)
    }
}

impl PartialEq<str> for Words {
    fn eq(&self, other: &str) -> bool {
        self.0 == other
    }
}

impl PartialEq<&str> for Words {
    fn eq(&self, other: &&str) -> bool {
        self.0 == *other
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_users_text_loses_its_links_and_nothing_else() {
        for (name, written, expected) in [
            (
                "a link",
                "<a href='x'>y</a>",
                "<\u{200B}a href='x'>y<\u{200B}/a>",
            ),
            ("in capitals", "<A>", "<\u{200B}A>"),
            (
                "held apart by a control character",
                "<\u{1}a>",
                "<\u{200B}a>",
            ),
            ("held apart by blanks", "< \na>", "<\u{200B} \na>"),
            ("a comparison", "1<2 & 3 < b", "1<2 & 3 < b"),
            ("a heart", "<3", "<3"),
            ("at the end", "a<", "a<"),
        ] {
            assert_eq!(without_links(written), expected, "{name}");
        }
    }

    proptest! {
        #[test]
        fn whatever_is_written_no_tag_is_left(text in r"(<|/|a|A| |\n|\x01|\PC){0,40}") {
            let defused = without_links(&text);
            let tag = regex::Regex::new(r"<\s*[aA/]").unwrap();
            prop_assert!(!tag.is_match(&defused), "{defused:?}");
            prop_assert_eq!(without_links(&defused), defused.clone(), "twice is once");
            prop_assert_eq!(defused.replace('\u{200B}', ""), Words::new(text.replace('\u{200B}', "")).0);
        }
    }
}
