//! What was asked and answered before, as far as the model is told.

use serde::{Deserialize, Serialize};

/// Bytes of JSON that are remembered; a conversation may have 16 KiB.
const MAX_BYTES: usize = 12 * 1024;
/// Bytes of an answer that are remembered.
const MAX_ANSWER_BYTES: usize = 4 * 1024;

/// The last turns of a conversation.
#[derive(Clone, Default, Serialize, Deserialize)]
pub(crate) struct History {
    turns: Vec<Turn>,
}

#[derive(Clone, Serialize, Deserialize)]
struct Turn {
    asked: String,
    answered: String,
}

/// One line of what the model is given.
#[derive(Debug, PartialEq, Serialize)]
pub(super) struct Line<'a> {
    role: &'static str,
    content: &'a str,
}

impl History {
    /// Everything that the model is given for this question.
    pub(super) fn lines<'a>(&'a self, prompt: &'a str, question: &'a str) -> Vec<Line<'a>> {
        let line = |role, content| Line { role, content };
        let mut lines = Vec::with_capacity(2 * self.turns.len() + 2);
        lines.extend((!prompt.is_empty()).then(|| line("system", prompt)));
        for turn in &self.turns {
            lines.push(line("user", &turn.asked));
            lines.push(line("assistant", &turn.answered));
        }
        lines.push(line("user", question));
        lines
    }

    /// With one turn more, and as many as there is room for, the latest.
    pub(super) fn with(mut self, asked: &str, answered: &str, most: usize) -> Self {
        let end = answered.floor_char_boundary(MAX_ANSWER_BYTES);
        self.turns.push(Turn {
            asked: asked.to_owned(),
            answered: answered[..end].to_owned(),
        });
        while self.turns.len() > most || self.bytes() > MAX_BYTES {
            self.turns.remove(0);
        }
        self
    }

    fn bytes(&self) -> usize {
        // What cannot be written is too big, until nothing is left.
        let written = serde_json::to_vec(&self.turns);
        written.map_or(usize::MAX, |written| written.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_latest_turns_are_remembered_as_far_as_there_is_room() {
        let history = History::default()
            .with("one", "1", 2)
            .with("two", "2", 2)
            .with("three", "3", 2);
        let said: Vec<&str> = history
            .lines("be brief", "four")
            .iter()
            .map(|line| line.content)
            .collect();
        assert_eq!(said, ["be brief", "two", "2", "three", "3", "four"]);
        assert_eq!(history.lines("", "four").len(), 5, "no prompt, no line");

        let mut long = History::default();
        for _ in 0..9 {
            long = long.with("why?", &"\"长\"".repeat(2_000), 20);
            assert!(serde_json::to_vec(&long).unwrap().len() < 16 * 1024);
        }
        assert_eq!(long.turns.len(), 2);
        assert!(
            History::default()
                .with(&"\u{1}".repeat(9_000), "x", 20)
                .turns
                .is_empty()
        );
        assert!(History::default().with("a", "b", 0).turns.is_empty());
    }
}
