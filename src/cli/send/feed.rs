//! The file of a batch: looked at whole before the first message goes, then read again line by line.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read as _};
use std::path::Path;

use sha2::{Digest as _, Sha256};

use super::message::{MAX_BYTES, Message};

/// Lines of the longest file.
pub(super) const MAX_LINES: u32 = 1_000_000;

/// Faulty lines that are told.
const MAX_FAULTS: usize = 20;

/// What a file is, before anything of it is sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Looked {
    /// Messages.
    pub(super) lines: u32,
    /// The SHA-256 of the file.
    pub(super) digest: String,
}

/// The messages of a file.
#[derive(Debug)]
pub(super) struct Feed {
    reader: BufReader<File>,
    subscribe: bool,
    digest: Sha256,
    /// The number of the last line, from 1.
    at: u32,
}

impl Feed {
    pub(super) fn open(file: &Path, subscribe: bool) -> io::Result<Self> {
        Ok(Self {
            reader: BufReader::new(File::open(file)?),
            subscribe,
            digest: Sha256::new(),
            at: 0,
        })
    }

    /// Looks at every line: a batch must not end in the middle because of a line that never was right.
    pub(super) fn look(file: &Path, subscribe: bool) -> Result<Looked, String> {
        let named = |error: io::Error| format!("{}: {error}", file.display());
        let mut feed = Self::open(file, subscribe).map_err(named)?;
        let (mut faults, mut lines) = (Vec::new(), 0);
        loop {
            match feed.next() {
                Ok(None) => break,
                Ok(Some(_)) => lines += 1,
                Err(fault) if feed.at > MAX_LINES || faults.len() >= MAX_FAULTS => {
                    faults.push(fault);
                    break;
                }
                Err(fault) => faults.push(fault),
            }
        }
        if !faults.is_empty() {
            return Err(faults.join("\n"));
        }
        if lines == 0 {
            return Err(format!("{} has no message", file.display()));
        }
        let digest = feed.digest.finalize();
        let digest = digest.iter().map(|byte| format!("{byte:02x}")).collect();
        Ok(Looked { lines, digest })
    }

    /// The next message with the number of its line. Empty lines are passed over.
    pub(super) fn next(&mut self) -> Result<Option<(u32, Message)>, String> {
        loop {
            self.at = self.at.saturating_add(1);
            let at = self.at;
            let fault = |text: String| format!("line {at}: {text}");
            if at > MAX_LINES {
                return Err(fault(format!(
                    "a batch may have {MAX_LINES} lines; split the file"
                )));
            }
            let mut line = Vec::new();
            let read = (&mut self.reader)
                .take(MAX_BYTES + 1)
                .read_until(b'\n', &mut line);
            if read.map_err(|error| fault(error.to_string()))? == 0 {
                return Ok(None);
            }
            self.digest.update(&line);
            if line.len() as u64 > MAX_BYTES {
                self.pass_over().map_err(|error| fault(error.to_string()))?;
                return Err(fault(format!("has more than {MAX_BYTES} bytes")));
            }
            if line.trim_ascii().is_empty() {
                continue;
            }
            let body = serde_json::from_slice(&line)
                .map_err(|error| fault(format!("no JSON: {error}")))?;
            let message = Message::parse(body, self.subscribe).map_err(fault)?;
            return Ok(Some((at, message)));
        }
    }

    /// The rest of a line that is too long.
    fn pass_over(&mut self) -> io::Result<()> {
        loop {
            let buffer = self.reader.fill_buf()?;
            let end = buffer.iter().position(|byte| *byte == b'\n');
            let length = end.map_or(buffer.len(), |end| end + 1);
            if length == 0 {
                return Ok(());
            }
            self.reader.consume(length);
            if end.is_some() {
                return Ok(());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn every_faulty_line_is_told_before_anything_is_sent() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("batch.jsonl");
        let good = r#"{"touser":"o1","msgtype":"text","text":{"content":"a"}}"#;
        fs::write(&path, format!("{good}\n\n{good}")).unwrap();
        let looked = Feed::look(&path, false).unwrap();
        assert_eq!((looked.lines, looked.digest.len()), (2, 64));
        let long = format!("{good}{}", " ".repeat(70_000));
        fs::write(&path, format!("{good}\n{{\n[]\n{long}\n{good}\n{{}}\n")).unwrap();
        let faults = Feed::look(&path, false).unwrap_err();
        let lines: Vec<&str> = faults.lines().collect();
        assert_eq!(lines.len(), 4, "{faults}");
        for (line, begin) in lines.iter().zip([
            "line 2: no JSON: ",
            "line 3: is no JSON object",
            "line 4: has more than 65536 bytes",
            "line 6: touser is missing",
        ]) {
            assert!(line.starts_with(begin), "{line}");
        }
        fs::write(&path, "\n\n").unwrap();
        assert!(
            Feed::look(&path, false)
                .unwrap_err()
                .ends_with("has no message")
        );
    }
}
