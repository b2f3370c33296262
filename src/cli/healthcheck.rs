//! `wxhook healthcheck`: a probe for images without a shell.

use std::path::Path;
use std::process::ExitCode;

use clap::Args;

use super::admin::ask;
use super::output::{Failure, line};

/// Ask the running server whether it can take pushes.
#[derive(Debug, Args)]
pub(super) struct HealthcheckArgs {
    /// Ask only whether the process lives (/healthz instead of /readyz)
    #[arg(long)]
    alive: bool,
}

pub(super) fn run(args: &HealthcheckArgs, config: Option<&Path>) -> Result<ExitCode, Failure> {
    let config = super::load_for_reading(config)?;
    let path = if args.alive { "/healthz" } else { "/readyz" };
    let url = format!("http://{}{path}", config.http.admin_listen);
    let answer = ask(&config, "GET", path, None)
        .map_err(|error| Failure::failed(format!("nobody answers at {url}: {error}")))?;
    if answer.status != 200 {
        let (status, body) = (answer.status, answer.body);
        return Err(Failure::failed(format!("{url} answers {status}: {body}")));
    }
    line(answer.body)?;
    Ok(ExitCode::SUCCESS)
}
