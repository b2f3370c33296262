//! Log lines on standard output: text for people, JSON for machines.

use std::io::{IsTerminal as _, stdout};

use tracing_subscriber::EnvFilter;

use crate::config::LogFormat;

/// Starts logging. Called once, before anything logs.
///
/// # Errors
/// What is wrong with the filter.
pub fn start(filter: &str, format: LogFormat) -> Result<(), String> {
    let parsed = EnvFilter::builder().parse(filter).map_err(|error| {
        format!("log.filter = {filter:?}: {error}; write a level, or a filter such as info,wxhook::dispatch=debug")
    })?;
    let mut lines = tracing_subscriber::fmt().with_env_filter(parsed);
    if !stdout().is_terminal() {
        // Journals, containers and files keep what they get; colours are for eyes.
        lines = lines.with_ansi(false);
    }
    let started = match format {
        LogFormat::Text => lines.try_init(),
        LogFormat::Json => lines.json().flatten_event(true).try_init(),
    };
    started.map_err(|error| format!("logging was started before: {error}"))
}
