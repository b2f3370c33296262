//! Makes what the platform said fit to be shown: short, and without secrets.

/// Bytes of an answer that are kept for people.
pub(crate) const MAX_EXCERPT_BYTES: usize = 2048;

/// Bytes of an answer that are looked at: enough that hiding long secrets leaves an excerpt.
const MAX_SCANNED_BYTES: usize = 4 * MAX_EXCERPT_BYTES;

/// Names whose values are secrets, in queries and in JSON alike.
const SECRET_NAMES: [&str; 6] = [
    "access_token",
    "refresh_token",
    "appsecret",
    "secret",
    "ticket",
    "key",
];

/// What stands in a secret's place.
const HIDDEN: &str = "[redacted]";

/// The beginning of an answer as text, at most [`MAX_EXCERPT_BYTES`], without the given secret and
/// without whatever stands behind a secret's name.
pub(crate) fn excerpt(body: &[u8], secret: Option<&str>) -> String {
    let window = body.get(..MAX_SCANNED_BYTES).unwrap_or(body);
    let mut text = String::from_utf8_lossy(window).into_owned();
    if let Some(secret) = secret.filter(|secret| !secret.is_empty()) {
        text = text.replace(secret, HIDDEN);
        if window.len() < body.len() {
            // The window may end within the secret, whose beginning would not be recognised.
            let end = text.floor_char_boundary(text.len().saturating_sub(secret.len()));
            text.truncate(end);
        }
    }
    let mut text = hide_named(&text);
    let cut = text.floor_char_boundary(MAX_EXCERPT_BYTES);
    text.truncate(cut);
    text
}

/// Replaces values behind `name=` and `"name":`.
fn hide_named(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, value, after)) = next_secret(rest) {
        shown.push_str(before);
        if !value.is_empty() {
            shown.push_str(HIDDEN);
        }
        rest = after;
    }
    shown.push_str(rest);
    shown
}

/// Splits at the next value behind a secret's name: what comes before it, it, what follows.
fn next_secret(text: &str) -> Option<(&str, &str, &str)> {
    let (name_end, value_start) = SECRET_NAMES
        .iter()
        .filter_map(|name| first_assignment(text, name))
        .min()?;
    debug_assert!(name_end <= value_start);
    let (before, from_value) = text.split_at(value_start);
    let ends = |c: char| {
        matches!(
            c,
            '"' | '\'' | '&' | ' ' | '<' | '>' | ',' | '}' | '\n' | '\r'
        )
    };
    let value_length = from_value.find(ends).unwrap_or(from_value.len());
    let (value, after) = from_value.split_at(value_length);
    Some((before, value, after))
}

/// Where `name` is first followed by a value: the end of the name and the start of the value.
fn first_assignment(text: &str, name: &str) -> Option<(usize, usize)> {
    text.match_indices(name).find_map(|(at, _)| {
        let name_end = at + name.len();
        let rest = text.get(name_end..)?;
        let after_quote = rest.trim_start_matches(['"', '\'', '\\']);
        let after_blank = after_quote.trim_start();
        let value = after_blank.strip_prefix(['=', ':'])?;
        let value = value.trim_start().trim_start_matches(['"', '\'', '\\']);
        Some((name_end, text.len() - value.len()))
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn secrets_are_hidden_wherever_they_stand() {
        for (name, body, expected) in [
            (
                "in a query",
                "GET /x?access_token=87_abc&y=1",
                "GET /x?access_token=[redacted]&y=1",
            ),
            (
                "in JSON",
                r#"{"access_token": "87_abc","expires_in":7200}"#,
                r#"{"access_token": "[redacted]","expires_in":7200}"#,
            ),
            (
                "the known one, anywhere",
                "bad: T-O-K-E-N!",
                "bad: [redacted]!",
            ),
            (
                "a name alone",
                "access_token missing rid: 1-2-3",
                "access_token missing rid: 1-2-3",
            ),
            ("at the end", "secret=", "secret="),
            (
                "two",
                "secret=a&appsecret=b",
                "secret=[redacted]&appsecret=[redacted]",
            ),
        ] {
            assert_eq!(
                excerpt(body.as_bytes(), Some("T-O-K-E-N")),
                expected,
                "{name}"
            );
        }
    }

    proptest! {
        #[test]
        fn an_excerpt_is_bounded_and_never_shows_the_secret(
            before in any::<Vec<u8>>(), length in 0usize..10_000, after in any::<Vec<u8>>(),
        ) {
            let secret = "87_qwertyuiop";
            let filler = vec![b'.'; length];
            let body = [&before[..], &filler, secret.as_bytes(), &after].concat();
            let shown = excerpt(&body, Some(secret));
            prop_assert!(shown.len() <= MAX_EXCERPT_BYTES);
            prop_assert!(!shown.contains(secret));
        }
    }
}
