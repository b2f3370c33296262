//! `wxhook config check`: says all that is wrong, before a start does.

use std::path::Path;
use std::process::ExitCode;

use clap::Subcommand;

use super::output::{Failure, line};
use crate::dispatch::Router;

/// Check the configuration.
#[derive(Debug, Subcommand)]
pub(super) enum ConfigCommand {
    /// Check file, environment and routes without starting anything; exit 2 with one line for each fault
    Check,
}

pub(super) fn run<S>(
    command: &ConfigCommand,
    config: Option<&Path>,
    routes: fn() -> Router<S>,
) -> Result<ExitCode, Failure>
where
    S: Clone + Send + Sync + 'static,
{
    let ConfigCommand::Check = command;
    let checked = super::load(config);
    let routed = routes().check();
    let config = match (checked, routed) {
        (Ok(config), Ok(())) => config,
        (Err(Failure::Wrong(faults)), Err(routes)) => {
            return Err(Failure::Wrong(format!("{faults}\n{routes}")));
        }
        (Err(failure), _) => return Err(failure),
        (_, Err(routes)) => return Err(Failure::wrong(routes)),
    };
    config.bundle.read().map_err(Failure::wrong)?;
    for (name, account) in &config.accounts {
        line(format_args!(
            "account {name}: {} in {} mode at {}{}",
            account.credentials.app_id(),
            account.credentials.mode().name(),
            account.paths.join(", "),
            if account.app_secret.is_some() || config.token_service.is_some() {
                ""
            } else {
                "; no app_secret: it receives, but cannot reply"
            },
        ))?;
    }
    line("the configuration is right")?;
    Ok(ExitCode::SUCCESS)
}
