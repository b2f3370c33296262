//! The whole server under load, beside a bare actix-web that does nothing but answer.
//!
//! `cargo bench --bench server -- [rounds] [--quick | --latency | --backlog [pushes]]`. Only ratios
//! within one run mean anything: the same machine is a different machine a minute later. Every server
//! runs in a process of its own, so that CPU time and memory are its own; pushes are built before a
//! round begins; a wrong, failed or missing answer fails the run.

#![expect(clippy::print_stdout, reason = "a benchmark prints what it measured")]
#![expect(clippy::print_stderr, reason = "and what went wrong")]

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

#[path = "server/backlog.rs"]
mod backlog;
#[path = "server/latency.rs"]
mod latency;
#[path = "server/loader.rs"]
mod loader;
#[path = "server/push.rs"]
mod push;
#[path = "server/served.rs"]
mod served;
#[path = "server/spread.rs"]
mod spread;
#[path = "server/throughput.rs"]
mod throughput;
#[path = "server/usage.rs"]
mod usage;

/// Rounds unless an argument says otherwise; odd, so that the median is one of them.
const ROUNDS: usize = 5;

/// Pushes that a store keeps pending when `--backlog` does not say.
const BACKLOG: usize = 1_000_000;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("failed: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &[String]) -> Result<(), String> {
    if let [flag, kind, directory] = arguments
        && flag == "--serve"
    {
        let kind = served::Kind::parse(kind).ok_or("no such server")?;
        return served::serve(kind, Path::new(directory));
    }
    let number = arguments.iter().find_map(|argument| argument.parse().ok());
    let asked = |flag: &str| arguments.iter().any(|argument| argument == flag);
    let directory = directory()?;
    println!("{}", usage::machine(&directory));
    println!(
        "wxhook {}, one loader thread, loopback, keep-alive",
        env!("CARGO_PKG_VERSION")
    );
    if asked("--latency") {
        latency::measure(&directory, number.unwrap_or(ROUNDS))
    } else if asked("--backlog") {
        backlog::measure(&directory, number.unwrap_or(BACKLOG))
    } else if asked("--quick") {
        throughput::measure(&directory, 1, 20)
    } else {
        throughput::measure(&directory, number.unwrap_or(ROUNDS), 1)
    }
}

/// Where the stores are: on the disk that the program was built on, not on a memory file system.
fn directory() -> Result<PathBuf, String> {
    let directory = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("bench");
    std::fs::create_dir_all(&directory).map_err(|error| error.to_string())?;
    Ok(directory)
}

/// A directory for one store; gone when dropped.
fn store_in(directory: &Path) -> Result<tempfile::TempDir, String> {
    tempfile::tempdir_in(directory).map_err(|error| error.to_string())
}

#[expect(clippy::disallowed_methods, reason = "a benchmark measures real time")]
fn now() -> Instant {
    Instant::now()
}

/// Seconds since 1970: what pushes are signed at.
#[expect(
    clippy::disallowed_methods,
    reason = "the servers' clock is the real one"
)]
fn timestamp() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.map_or(0, |since| since.as_secs() as i64)
}
