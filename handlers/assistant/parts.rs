//! An answer in messages, while it is still being written. No clock, no I/O.

/// Bytes from which the first message leaves: some hundred Chinese characters, so that the user soon has
/// something to read.
const FIRST_BYTES: usize = 300;

/// Bytes of any message at most. WeChat takes 2048; the rest is for the label and for what keeps links
/// from being links.
const MOST_BYTES: usize = 1_800;

/// Ends of sentences that need nothing behind them, and those that need a blank: 3.14 is no end.
const ENDS: [char; 4] = ['。', '！', '？', '…'];
const ENDS_BEFORE_BLANK: [char; 4] = ['.', '!', '?', ';'];
/// What stays with the sentence before it.
const CLOSING: [char; 8] = ['”', '’', '」', '』', '）', ')', '"', '…'];

/// What is written so far and not yet said.
pub(super) struct Parts {
    text: String,
    is_first: bool,
    /// Messages that are left, the last included.
    left: usize,
}

impl Parts {
    /// An answer of at most so many messages, 1 or more.
    pub(super) fn new(most: usize) -> Self {
        Self {
            text: String::new(),
            is_first: true,
            left: most.max(1),
        }
    }

    /// The user can be sent no more than so many messages now, if that is known.
    pub(super) fn allow(&mut self, messages: Option<u32>) {
        let most = messages.map_or(usize::MAX, |most| {
            usize::try_from(most).unwrap_or(usize::MAX)
        });
        self.left = self.left.min(most).max(1);
    }

    pub(super) fn push(&mut self, text: &str) {
        self.text.push_str(text);
    }

    /// The next message, once there is enough for one. The last of them waits for the end.
    pub(super) fn next(&mut self) -> Option<String> {
        if self.left <= 1 {
            return None;
        }
        let at = if self.text.len() > MOST_BYTES {
            cut(&self.text, MOST_BYTES)
        } else if self.is_first && self.text.len() >= FIRST_BYTES {
            boundary(&self.text, FIRST_BYTES / 2)?
        } else {
            return None;
        };
        let part = self.text[..at].trim().to_owned();
        self.text = self.text[at..].trim_start().to_owned();
        if part.is_empty() {
            return None;
        }
        self.is_first = false;
        self.left -= 1;
        Some(part)
    }

    /// Whether the last message is full: what comes now cannot be said any more.
    pub(super) fn is_full(&self) -> bool {
        self.left <= 1 && self.text.len() > MOST_BYTES
    }

    /// The last message, with a note where the answer is not whole; none when all was said.
    pub(super) fn rest(self, note: Option<&str>) -> Option<String> {
        let at = match self.text.len() > MOST_BYTES {
            true => cut(&self.text, MOST_BYTES),
            false => self.text.len(),
        };
        let said = self.text[..at].trim();
        match (said, note) {
            ("", None) => None,
            ("", Some(note)) => Some(note.to_owned()),
            (said, None) => Some(said.to_owned()),
            (said, Some(note)) => Some(format!("{said}\n{note}")),
        }
    }
}

/// Where a text that is longer than `most` is cut: at the best place of its second half, else anywhere.
fn cut(text: &str, most: usize) -> usize {
    let most = text.floor_char_boundary(most);
    boundary(&text[..most], most / 2).unwrap_or(most)
}

/// The best place for a cut, not before `least`: the last paragraph's end, else the last line's, else the
/// last sentence's. The end of the text is none, as nobody knows yet what follows.
fn boundary(text: &str, least: usize) -> Option<usize> {
    let after = |at: &usize| *at >= least && *at < text.len();
    let found = |pattern: &str| text.rfind(pattern).map(|at| at + pattern.len());
    let paragraph = found("\n\n").filter(after);
    let line = || found("\n").filter(after);
    paragraph.or_else(line).or_else(|| sentence(text, least))
}

fn sentence(text: &str, least: usize) -> Option<usize> {
    let mut characters = text.char_indices().rev().peekable();
    let mut following = None;
    while let Some((at, character)) = characters.next() {
        let end = at + character.len_utf8();
        if end < least {
            return None;
        }
        let ends = following.is_some_and(|next: char| {
            let is_end = match character {
                end if ENDS.contains(&end) => true,
                closing if CLOSING.contains(&closing) => {
                    let before = characters.peek().map(|(_, before)| *before);
                    before.is_some_and(|before| {
                        ENDS.contains(&before) || ENDS_BEFORE_BLANK.contains(&before)
                    })
                }
                end => ENDS_BEFORE_BLANK.contains(&end) && next.is_whitespace(),
            };
            is_end && !CLOSING.contains(&next)
        });
        if ends {
            return Some(end);
        }
        following = Some(character);
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What leaves while the answer arrives character by character, and what is left at its end.
    fn said(text: &str, most: usize) -> (Vec<String>, Option<String>, bool) {
        let mut parts = Parts::new(most);
        let mut said = Vec::new();
        for character in text.chars() {
            parts.push(&character.to_string());
            said.extend(parts.next());
            if parts.is_full() {
                return (said, parts.rest(Some("cut")), true);
            }
        }
        (said, parts.rest(None), false)
    }

    #[test]
    fn a_first_message_leaves_soon_and_the_others_are_full() {
        let sentence = "这是一句不长也不短的话，说的是天气。";
        let text = sentence.repeat(100);
        let (said, rest, is_full) = said(&text, 10);
        assert!(!is_full);
        assert_eq!(said[0], sentence.repeat(5));
        assert!(
            said[1..]
                .iter()
                .all(|part| part.len() > MOST_BYTES / 2 && part.len() <= MOST_BYTES)
        );
        assert!(said.iter().all(|part| part.ends_with('。')));
        assert_eq!(format!("{}{}", said.concat(), rest.unwrap()), text);
    }

    #[test]
    fn the_last_message_waits_for_the_end_and_says_when_it_is_cut() {
        assert_eq!(
            said("你好。", 4),
            (vec![], Some("你好。".to_owned()), false)
        );
        let long = "长".repeat(5_000);
        let (parts, rest, is_full) = said(&long, 2);
        assert!(is_full);
        assert_eq!(parts.len(), 1);
        let rest = rest.unwrap();
        assert!(rest.ends_with("长\ncut") && rest.len() <= MOST_BYTES + 4);
        let (parts, rest, _) = said(&long, 1);
        assert!(parts.is_empty());
        assert_eq!(rest.unwrap().len(), MOST_BYTES + 4);

        let mut closing = Parts::new(4);
        closing.push(&"一句话。".repeat(30));
        closing.allow(Some(1));
        assert_eq!(closing.next(), None, "the window holds one message more");
    }

    #[test]
    fn the_best_place_for_a_cut_is_taken() {
        for (name, text, expected) in [
            ("paragraph", "aa. b\nc\n\ndd. e\nf", "aa. b\nc\n\n"),
            ("line", "aa. b\ndd. e", "aa. b\n"),
            ("sentence", "aa 3.14. Bb 2.7", "aa 3.14."),
            ("with its quote", "他说：“好。”然后走", "他说：“好。”"),
            ("with its bracket", "(Yes.) and", "(Yes.)"),
            ("with all its dots", "等等……然后", "等等……"),
        ] {
            let at = boundary(text, 0).unwrap();
            assert_eq!(&text[..at], expected, "{name}");
        }
        for (name, text) in [
            ("the end may go on", "他说：“好。"),
            ("nothing ends", "3.14"),
            ("too early", "a. bbbbbbbbbbbb"),
        ] {
            assert_eq!(boundary(text, 4), None, "{name}");
        }
    }
}
