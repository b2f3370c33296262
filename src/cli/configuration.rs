//! `wxhook config`: says all that is wrong before a start does, and what is in force with where it was written.

use std::path::Path;
use std::process::ExitCode;

use clap::{Args, Subcommand};

use super::output::{Failure, line};
use crate::config::{self, Faults, Needs, Origin, Own, Setting, Sources};
use crate::dispatch::Router;

/// Check the configuration.
#[derive(Debug, Subcommand)]
pub(super) enum ConfigCommand {
    /// Check settings, the handlers' own, routes, templates and rules without starting anything; exit 2 with
    /// one line for each fault. The handlers' own, templates and rules are looked at when the settings are right
    Check,
    /// Print every setting that is in force and where it was written; a secret shows its length alone.
    /// Opens nothing and asks nobody
    Show(ShowArgs),
}

/// What is shown.
#[derive(Debug, Args)]
pub(super) struct ShowArgs {
    /// Leave out what has its default
    #[arg(long)]
    changed: bool,
    /// Print one JSON object a line
    #[arg(long)]
    json: bool,
}

pub(super) fn run<S>(
    command: &ConfigCommand,
    config: Option<&Path>,
    routes: fn() -> Router<S>,
    own: fn(&Own) -> Result<(), Faults>,
) -> Result<ExitCode, Failure>
where
    S: Clone + Send + Sync + 'static,
{
    match command {
        ConfigCommand::Check => check(config, routes, own),
        ConfigCommand::Show(args) => show(args, config),
    }
}

fn check<S>(
    config: Option<&Path>,
    routes: fn() -> Router<S>,
    own: fn(&Own) -> Result<(), Faults>,
) -> Result<ExitCode, Failure>
where
    S: Clone + Send + Sync + 'static,
{
    let mut faults = Vec::new();
    let reading = match read(config, Needs::Accounts) {
        Ok(reading) => Some(reading),
        Err(Failure::Wrong(wrong)) => {
            faults.push(wrong);
            None
        }
        Err(failure) => return Err(failure),
    };
    if let Some(reading) = &reading {
        faults.extend(own(&reading.own).err().map(|faults| faults.to_string()));
        let bundle = reading.config.bundle.read();
        faults.extend(bundle.err().map(|faults| faults.to_string()));
    }
    faults.extend(routes().check().err().map(|faults| faults.to_string()));
    let Some(reading) = reading.filter(|_| faults.is_empty()) else {
        return Err(Failure::Wrong(faults.join("\n")));
    };
    let config = reading.config;
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
    for warning in &reading.warnings {
        line(format_args!("warning: {warning}"))?;
    }
    line("the configuration is right")?;
    Ok(ExitCode::SUCCESS)
}

fn show(args: &ShowArgs, config: Option<&Path>) -> Result<ExitCode, Failure> {
    let reading = read(config, Needs::NoAccount)?;
    let shown: Vec<&Setting> = reading
        .settings
        .iter()
        .filter(|setting| !args.changed || setting.origin != Origin::Default)
        .collect();
    if args.json {
        shown.iter().try_for_each(|setting| line(setting.json()))?;
        return Ok(ExitCode::SUCCESS);
    }
    let written = |setting: &Setting| {
        let comes_to = match setting.effective {
            Some(effective) if !setting.is_set() => format!(" → {effective}"),
            _ => String::new(),
        };
        format!("{} = {}{comes_to}", setting.key, setting.shown())
    };
    for setting in shown {
        line(format_args!(
            "{:<56}  # {}",
            written(setting),
            setting.origin
        ))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn read(config: Option<&Path>, needs: Needs) -> Result<config::Reading, Failure> {
    let sources = Sources::gather(config).map_err(|faults| Failure::wrong(&faults))?;
    config::read(&sources, needs).map_err(|faults| Failure::wrong(&faults))
}
