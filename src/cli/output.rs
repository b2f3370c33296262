//! What commands print, and how they fail.

use std::fmt;
use std::io::{self, Write as _};
use std::process::ExitCode;

/// Why a command did not do what it was asked.
#[derive(Debug)]
pub enum Failure {
    /// The thing failed: exit code 1.
    Failed(String),
    /// It was called or configured wrongly: exit code 2.
    Wrong(String),
    /// Whoever read our output has stopped: nothing to say.
    Unheard,
}

impl Failure {
    /// The thing failed.
    pub(super) fn failed(reason: impl fmt::Display) -> Self {
        Self::Failed(reason.to_string())
    }

    /// Called or configured wrongly.
    pub(super) fn wrong(reason: impl fmt::Display) -> Self {
        Self::Wrong(reason.to_string())
    }

    /// Says it on standard error, and gives the exit code.
    #[expect(
        clippy::print_stderr,
        reason = "this is where commands say why they failed"
    )]
    pub(super) fn report(&self) -> ExitCode {
        let (text, code) = match self {
            Self::Failed(text) => (text, 1),
            Self::Wrong(text) => (text, 2),
            Self::Unheard => return ExitCode::SUCCESS,
        };
        for line in text.lines() {
            eprintln!("wxhook: {line}");
        }
        ExitCode::from(code)
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Self::Unheard,
            _ => Self::Failed(format!("cannot write the output: {error}")),
        }
    }
}

/// Prints one line on standard output.
pub(super) fn line(text: impl fmt::Display) -> Result<(), Failure> {
    writeln!(io::stdout().lock(), "{text}").map_err(Failure::from)
}

/// A wall-clock time for people: local, to the millisecond.
pub(super) fn local_time(time: crate::clock::Timestamp) -> String {
    match jiff::Timestamp::from_millisecond(time.milliseconds()) {
        Ok(time) => time
            .to_zoned_datetime(jiff::tz::TimeZone::system())
            .strftime("%Y-%m-%d %H:%M:%S%.3f")
            .to_string(),
        Err(_) => format!("{} ms", time.milliseconds()),
    }
}
