//! A text that is longer than one message may be, in several.

use crate::protocol::message::{Body, MAX_TEXT_BYTES, Message, Text};

/// A message in the order in which it is to be said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pieces {
    /// At least one message; more than one only of a text.
    pub messages: Vec<Message>,
    /// Bytes of the text that are not in them, because there would have been too many.
    pub left_out: usize,
}

/// Ends of sentences: where one may be followed by a cut.
const SENTENCE_ENDS: [char; 7] = ['。', '！', '？', '…', '.', '!', '?'];
/// What may stand between the end of a sentence and the next one, and stays with the former.
const CLOSING: [char; 8] = ['”', '’', '」', '』', '）', ')', '"', '\''];

impl Message {
    /// A text of more than [`MAX_TEXT_BYTES`] as at most so many messages (1 or more); anything else as it
    /// is.
    ///
    /// Cut is between paragraphs, else lines, else sentences, else words, else characters, never inside
    /// a tag, and never inside a link that would fit into one message. Blanks at a cut are dropped. What
    /// `at_most` messages cannot hold is left out; the last then ends with `sign`.
    #[must_use]
    pub fn split(&self, at_most: usize, sign: &str) -> Pieces {
        let Body::Text(text) = &self.body else {
            return self.whole();
        };
        if text.content.len() <= MAX_TEXT_BYTES {
            return self.whole();
        }
        let (texts, left_out) = split(&text.content, at_most.max(1), sign, MAX_TEXT_BYTES);
        let piece = |content: String| Self {
            body: Text::new(content).into(),
            ..self.clone()
        };
        Pieces {
            messages: texts.into_iter().map(piece).collect(),
            left_out,
        }
    }

    fn whole(&self) -> Pieces {
        Pieces {
            messages: vec![self.clone()],
            left_out: 0,
        }
    }
}

/// The pieces, and how many bytes are left out.
fn split(text: &str, at_most: usize, sign: &str, limit: usize) -> (Vec<String>, usize) {
    let nicely = cut_up(text, at_most, limit, |_| limit / 2);
    if nicely.len() <= at_most {
        return (nicely, 0);
    }
    // Each piece costs a message: rather a cut within a sentence than one more of them.
    let tightly = cut_up(text, at_most, limit, |rest| {
        let slack = rest.div_ceil(limit) * limit - rest;
        limit - slack.min(limit / 2)
    });
    if tightly.len() <= at_most {
        return (tightly, 0);
    }
    // Room for the sign, whatever it is.
    let sign = &sign[..sign.floor_char_boundary(limit / 2)];
    let mut pieces = Vec::new();
    let mut rest = text;
    while pieces.len() + 1 < at_most {
        let (piece, after) = cut(rest, limit, limit / 2);
        pieces.push(piece.to_owned());
        rest = after;
    }
    let (last, left_out) = cut(rest, limit - sign.len(), limit / 2);
    pieces.push(format!("{last}{sign}"));
    (pieces, left_out.len())
}

/// All of the text, or one piece more than `at_most`. `least` says of the bytes that are left how many
/// the next piece has at least, if there is a better place to cut beyond it.
fn cut_up(text: &str, at_most: usize, limit: usize, least: impl Fn(usize) -> usize) -> Vec<String> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while !rest.is_empty() && pieces.len() <= at_most {
        let (piece, after) = cut(rest, limit, least(rest.len()));
        pieces.push(piece.to_owned());
        rest = after;
    }
    pieces
}

/// The first piece, not empty and at most `limit` bytes, and what comes after the cut.
fn cut(text: &str, limit: usize, least: usize) -> (&str, &str) {
    if text.len() <= limit {
        return (text, "");
    }
    // A link that goes on beyond this is too long to be kept whole.
    let near = &text[..text.floor_char_boundary(limit.saturating_mul(3))];
    let most = before_a_link(near, near.floor_char_boundary(limit), limit);
    let at = best_cut(near, least.min(most), most);
    let at = if at == 0 { first_character(text) } else { at };
    let (piece, rest) = text.split_at(at);
    let kept = piece.trim_end();
    // A piece of blanks alone stays: the platform refuses an empty text, and nothing is lost.
    let piece = if kept.is_empty() { piece } else { kept };
    (piece, rest.trim_start())
}

/// The best place between the two, looking from the end.
fn best_cut(text: &str, least: usize, most: usize) -> usize {
    let from = text.floor_char_boundary(least);
    let found =
        |place: Option<usize>| place.filter(|at| *at > from && !is_within_a_link(text, *at));
    let head = &text[..most];
    let paragraph = head.rfind("\n\n").map(|at| at + 2);
    let line = head.rfind('\n').map(|at| at + 1);
    found(paragraph)
        .or_else(|| found(line))
        .or_else(|| last_place(text, from, most, ends_a_sentence))
        .or_else(|| last_place(text, from, most, |before, _| before.ends_with(' ')))
        .unwrap_or(most)
}

/// The last character boundary above `from` and at most `most` that is such a place and in no link.
fn last_place(
    text: &str,
    from: usize,
    most: usize,
    is_place: impl Fn(&str, &str) -> bool,
) -> Option<usize> {
    let places = text[from..most].char_indices().rev();
    let ends = places.map(|(at, character)| from + at + character.len_utf8());
    ends.filter(|at| is_place(&text[..*at], &text[*at..]))
        .find(|at| !is_within_a_link(text, *at))
}

/// Whether a sentence ends here. A full stop of ASCII ends one only before a blank: not in `3.14` or a name.
fn ends_a_sentence(before: &str, after: &str) -> bool {
    if after.starts_with(CLOSING) || after.starts_with(SENTENCE_ENDS) {
        return false;
    }
    let end = before.trim_end_matches(CLOSING);
    match end.chars().next_back() {
        Some('.' | '!' | '?') => after.starts_with([' ', '\n']),
        Some(last) => SENTENCE_ENDS.contains(&last),
        None => false,
    }
}

/// The same place, or the beginning of the link or tag that it would cut, if that can be kept whole.
fn before_a_link(text: &str, at: usize, limit: usize) -> usize {
    match link_around(text, at) {
        Some((0, _)) | None => match tag_around(text, at) {
            Some(begin) if begin > 0 => begin,
            _ => at,
        },
        // A link that fits into no message is cut between its tags, if they can be kept.
        Some((begin, end)) if end - begin > limit => match tag_around(text, at) {
            Some(tag) if tag > 0 => tag,
            _ => at,
        },
        Some((begin, _)) => begin,
    }
}

fn is_within_a_link(text: &str, at: usize) -> bool {
    link_around(text, at).is_some()
}

/// The link `<a …>…</a>` in which this place lies: where it begins and ends.
fn link_around(text: &str, at: usize) -> Option<(usize, usize)> {
    let begin = last_link_before(text, at)?;
    let end = find_ignoring_case(&text[begin..], "</a>").map(|end| begin + end + "</a>".len());
    // Without an end it is a tag alone.
    let end = end.or_else(|| text[begin..].find('>').map(|end| begin + end + 1))?;
    (begin < at && at < end).then_some((begin, end))
}

/// The beginning of a tag, of a link or of its end, in which this place lies.
fn tag_around(text: &str, at: usize) -> Option<usize> {
    let begin = text[..at].rfind('<')?;
    let inside = &text[begin..at];
    let rest = text[begin + 1..].trim_start_matches('/');
    let is_tag = rest.starts_with(['a', 'A']) && !inside.contains('>');
    // Without an end it is no tag, but a text.
    (is_tag && text[at..].contains('>')).then_some(begin)
}

fn last_link_before(text: &str, at: usize) -> Option<usize> {
    let mut upto = at;
    loop {
        let begin = text[..upto].rfind('<')?;
        let mut after = text[begin + 1..].chars();
        let is_a = after
            .next()
            .is_some_and(|name| name.eq_ignore_ascii_case(&'a'));
        if is_a && after.next().is_some_and(char::is_whitespace) {
            return Some(begin);
        }
        upto = begin;
    }
}

fn find_ignoring_case(text: &str, needle: &str) -> Option<usize> {
    let (bytes, needle) = (text.as_bytes(), needle.as_bytes());
    bytes
        .windows(needle.len())
        .position(|window| window.eq_ignore_ascii_case(needle))
}

fn first_character(text: &str) -> usize {
    text.chars().next().map_or(0, char::len_utf8)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn pieces(text: &str, limit: usize) -> Vec<String> {
        split(text, usize::MAX, "", limit).0
    }

    #[test]
    fn a_text_is_cut_at_the_best_place_that_wastes_no_half_message() {
        for (name, text, expected) in [
            ("short", "一二三", vec!["一二三"]),
            (
                "between paragraphs",
                "abcdefgh. ijk\n\nlm\nno pqrst",
                vec!["abcdefgh. ijk", "lm\nno pqrst"],
            ),
            (
                "between lines",
                "abcdefgh. ij\nklm no pqrst",
                vec!["abcdefgh. ij", "klm no pqrst"],
            ),
            (
                "after a sentence",
                "一二三。四五六七八",
                vec!["一二三。", "四五六七八"],
            ),
            (
                "after the mark that closes it",
                "“一二！”三四五六七",
                vec!["“一二！”", "三四五六七"],
            ),
            (
                "not in a number",
                "abcdefghij 3.1415926 klm",
                vec!["abcdefghij", "3.1415926 klm"],
            ),
            (
                "between words",
                "abcdefghij klmnopqrs tu",
                vec!["abcdefghij", "klmnopqrs tu"],
            ),
            (
                "between characters",
                "一二三四五六七八九十",
                vec!["一二三四五六", "七八九十"],
            ),
            (
                "not for a paragraph of a few bytes",
                "a\n\nbcdefghijklmnopqrstuvw",
                vec!["a\n\nbcdefghijklmnopqr", "stuvw"],
            ),
        ] {
            assert_eq!(pieces(text, 20), expected, "{name}");
        }
    }

    #[test]
    fn a_link_is_never_cut_where_it_fits_and_no_tag_is_ever_cut() {
        let link = "<a href=\"https://e.cn/x\">看。这里</a>";
        assert!(link.len() < 60);
        let text = format!("一二三四五六七八九十一二{link}。十");
        assert_eq!(
            pieces(&text, 60),
            ["一二三四五六七八九十一二", &format!("{link}。十")]
        );

        let long = format!("<a href=\"https://e.cn/x\">{}</a>", "字".repeat(30));
        let found = pieces(&long, 60);
        assert_eq!(found.concat(), long);
        assert!(
            found[0].starts_with("<a href=\"https://e.cn/x\">字"),
            "{found:?}"
        );
        assert!(found.last().unwrap().ends_with("字</a>") || found.last().unwrap() == "</a>");
        assert!(found.iter().all(|piece| piece.len() <= 60), "{found:?}");

        assert_eq!(
            pieces("1 <a and 2 < b and c", 10).concat().len(),
            18,
            "no tag"
        );
    }

    #[test]
    fn what_may_not_be_said_is_left_out_with_a_sign() {
        let text = "一二三四五。".repeat(10);
        let (pieces, left_out) = split(&text, 2, "……（未完）", 60);
        assert_eq!(pieces.len(), 2);
        assert!(pieces[1].ends_with("。……（未完）"), "{pieces:?}");
        assert!(pieces.iter().all(|piece| piece.len() <= 60));
        let kept = pieces.concat().replace("……（未完）", "");
        assert_eq!(text.strip_prefix(&kept).unwrap().len(), left_out);
    }

    #[test]
    fn a_text_that_fits_tightly_costs_no_message_more() {
        let text = format!("{}。{}", "一".repeat(12), "二".repeat(46));
        assert_eq!(text.len(), 177);
        assert_eq!(
            split(&text, 4, "", 60).0.len(),
            4,
            "there is room to cut nicely"
        );
        let (pieces, left_out) = split(&text, 3, "", 60);
        assert_eq!((pieces.len(), pieces.concat(), left_out), (3, text, 0));
    }

    #[test]
    fn a_message_keeps_who_says_it_in_every_piece() {
        let long = Text::new("长。".repeat(1_000)).by("a@b").ai();
        let pieces = long.split(5, "…");
        assert_eq!((pieces.messages.len(), pieces.left_out), (3, 0));
        for piece in &pieces.messages {
            assert_eq!(piece.check(), Ok(()));
            assert_eq!((piece.is_ai, &piece.kf_account), (true, &long.kf_account));
        }
        let short = Message::from("短");
        assert_eq!(short.split(1, "…").messages, [short]);
    }

    proptest! {
        #[test]
        fn whatever_is_said_arrives_whole_in_order_and_in_pieces_that_fit(
            text in r"(一二|。|a|\. |\n|\n\n| |<a href='x'>|</a>|<|😀){1,80}",
            limit in 16_usize..80,
        ) {
            let found = pieces(&text, limit);
            let joined = |text: &str| text.split_whitespace().collect::<String>();
            prop_assert_eq!(joined(&found.concat()), joined(&text));
            for piece in &found {
                prop_assert!(!piece.is_empty() && piece.len() <= limit, "{piece:?}");
                let opened = piece.matches("<a href").count();
                let whole = piece.matches("<a href='x'>").count();
                prop_assert_eq!(opened, whole, "a tag is cut: {:?}", piece);
            }
        }

        #[test]
        fn no_more_is_said_than_may_be(
            text in r"(一二三四五六|。|\n| ){1,200}", at_most in 1_usize..5, limit in 30_usize..60,
        ) {
            let (found, left_out) = split(&text, at_most, "（未完）", limit);
            prop_assert!(found.len() <= at_most);
            prop_assert!(found.iter().all(|piece| piece.len() <= limit));
            prop_assert_eq!(left_out > 0, found.last().is_some_and(|last| last.ends_with("（未完）")));
        }
    }
}
