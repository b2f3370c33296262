//! Server-sent events, as far as answers are made of them. No clock, no I/O.

use std::collections::VecDeque;

use serde::Deserialize;
use serde_json::Value;

use crate::assistant::service::{AskError, Finish, Piece, reason_of};

/// Bytes of one line. Pieces of answers have a few hundred.
const MAX_LINE_BYTES: usize = 64 * 1024;
/// Bytes of one answer with everything around it.
const MAX_BYTES: usize = 4 * 1024 * 1024;

/// Bytes that arrive, and the pieces in them.
#[derive(Default)]
pub(super) struct Events {
    /// The line that has not ended yet.
    line: Vec<u8>,
    pieces: VecDeque<Piece>,
    read: usize,
}

#[derive(Deserialize)]
struct Chunk {
    #[serde(default)]
    choices: Vec<Choice>,
    error: Option<Value>,
}

#[derive(Deserialize)]
struct Choice {
    #[serde(default)]
    delta: Delta,
    finish_reason: Option<String>,
}

#[derive(Default, Deserialize)]
struct Delta {
    content: Option<String>,
}

impl Events {
    /// The next piece that is whole.
    pub(super) fn next(&mut self) -> Option<Piece> {
        self.pieces.pop_front()
    }

    pub(super) fn push(&mut self, bytes: &[u8]) -> Result<(), AskError> {
        self.read = self.read.saturating_add(bytes.len());
        for part in bytes.split_inclusive(|byte| *byte == b'\n') {
            if self.line.len() + part.len() > MAX_LINE_BYTES {
                return Err(AskError::TooMuch);
            }
            self.line.extend_from_slice(part);
            if part.ends_with(b"\n") {
                let line = std::mem::take(&mut self.line);
                self.read_line(line.trim_ascii())?;
            }
        }
        match self.read > MAX_BYTES {
            true => Err(AskError::TooMuch),
            false => Ok(()),
        }
    }

    /// Anything but data is for others: comments that keep the connection alive, names of events.
    fn read_line(&mut self, line: &[u8]) -> Result<(), AskError> {
        let Some(data) = line.strip_prefix(b"data:") else {
            return Ok(());
        };
        let data = data.trim_ascii();
        if data == b"[DONE]" {
            self.pieces.push_back(Piece::End(Finish::Whole));
            return Ok(());
        }
        let chunk: Chunk = serde_json::from_slice(data).map_err(|_| AskError::Garbled)?;
        if let Some(error) = chunk.error.filter(|error| !error.is_null()) {
            let reason = reason_of(&error);
            return Err(AskError::Failed { reason });
        }
        // One answer was asked for.
        let Some(choice) = chunk.choices.into_iter().next() else {
            return Ok(());
        };
        let text = choice.delta.content.filter(|text| !text.is_empty());
        self.pieces.extend(text.map(Piece::Text));
        let finish = choice.finish_reason.map(|reason| match reason.as_str() {
            "length" => Finish::TooLong,
            "content_filter" => Finish::Filtered,
            _ => Finish::Whole,
        });
        self.pieces.extend(finish.map(Piece::End));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STREAM: &str = ": keep-alive\r\n\r\nevent: x\ndata: {\"choices\":[{\"delta\":{\"role\":\"assistant\",\"content\":\"\"}}]}\n\n\
        data: {\"choices\":[{\"delta\":{\"content\":\"你\"}}]}\r\n\r\ndata:{\"choices\":[{\"delta\":{\"content\":\"好\"},\"finish_reason\":null}]}\n\n\
        data: {\"choices\":[],\"usage\":{}}\n\ndata: {\"choices\":[{\"delta\":{},\"finish_reason\":\"length\"}]}\n\ndata: [DONE]\n\n";

    fn pieces(stream: &[u8], at_once: usize) -> Result<Vec<Piece>, AskError> {
        let mut events = Events::default();
        for bytes in stream.chunks(at_once) {
            events.push(bytes)?;
        }
        Ok(std::iter::from_fn(|| events.next()).collect())
    }

    #[test]
    fn an_answer_is_the_same_however_its_bytes_arrive() {
        let expected = [
            Piece::Text("你".to_owned()),
            Piece::Text("好".to_owned()),
            Piece::End(Finish::TooLong),
            Piece::End(Finish::Whole),
        ];
        for at_once in [1, 2, 7, STREAM.len()] {
            let read = pieces(STREAM.as_bytes(), at_once).unwrap();
            assert_eq!(read, expected, "{at_once} at once");
        }
    }

    #[test]
    fn what_is_no_answer_is_refused_and_never_grows() {
        let refused = |stream: &[u8]| pieces(stream, 1_000).unwrap_err().to_string();
        assert_eq!(refused(b"data: {no\n"), AskError::Garbled.to_string());
        assert_eq!(refused(b"data: \xff\n"), AskError::Garbled.to_string());
        let quoting =
            b"data: {\"error\":{\"message\":\"you asked: hush\",\"code\":\"overloaded\"}}\n";
        assert_eq!(
            refused(quoting),
            "the model's service failed in the middle of its answer: overloaded"
        );
        let endless = vec![b'x'; MAX_LINE_BYTES + 1];
        assert_eq!(refused(&endless), AskError::TooMuch.to_string());
        let mut chatter = Vec::new();
        while chatter.len() <= MAX_BYTES {
            chatter.extend_from_slice(b": nothing is said at all, again and again and again\n");
        }
        assert_eq!(refused(&chatter), AskError::TooMuch.to_string());
    }
}
