//! `wxhook serve`: the server.

use std::path::Path;
use std::process::ExitCode;

use clap::{Args, ValueEnum};

use super::open::OpenState;
use super::output::Failure;
use crate::app;
use crate::config::{Handed, Needs, Watch};
use crate::dispatch::Router;

/// What the server does.
#[derive(Debug, Args)]
pub(super) struct ServeArgs {
    /// Receive pushes and keep tokens, or keep tokens alone: the admin listener without webhook, store and handlers
    #[arg(long, value_enum, default_value_t = Role::All)]
    role: Role,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Role {
    All,
    Token,
}

pub(super) fn run<S, O, Taken>(
    args: &ServeArgs,
    config: Option<&Path>,
    routes: fn() -> Router<S>,
    open: O,
) -> Result<ExitCode, Failure>
where
    S: Clone + Send + Sync + 'static,
    O: OpenState<S, Taken>,
{
    // Before anything starts a thread.
    let handed = Handed::take().map_err(|faults| Failure::wrong(&faults))?;
    if args.role == Role::Token {
        let reading = super::read_for_tokens(config)?;
        let config = reading.config;
        if config.accounts.is_empty() {
            return Err(Failure::wrong(
                "no account is configured; set WECHAT_APP_ID and WECHAT_APP_SECRET, or \
                 [accounts.default] in a file",
            ));
        }
        app::logging::start(&config.log_filter, config.log_format).map_err(Failure::wrong)?;
        warn(&reading.warnings);
        let server = app::TokenServer::start(&config, handed).map_err(Failure::failed)?;
        return Ok(server.run().map_err(Failure::failed)?.code());
    }
    let watch = Watch::begin(config, Needs::Accounts).map_err(|faults| Failure::wrong(&faults))?;
    let config = watch.started().config.clone();
    let settings = O::settings(&watch.started().own).map_err(|faults| Failure::wrong(&faults))?;
    let router = routes();
    router.check().map_err(Failure::wrong)?;
    app::logging::start(&config.log_filter, config.log_format).map_err(Failure::wrong)?;
    warn(&watch.started().warnings);
    let state = open.open(settings).map_err(|error| {
        Failure::failed(format!("the handlers' state could not be opened: {error}"))
    })?;
    let routes = router.with_state(state).map_err(Failure::wrong)?;
    let server = app::Server::start_on(config, routes, handed).map_err(|error| match error {
        app::StartError::Bundle(faults) => Failure::wrong(faults),
        error => Failure::failed(error),
    })?;
    server.follow(watch).map_err(Failure::failed)?;
    Ok(server.run().map_err(Failure::failed)?.code())
}

/// Names what is not kept well.
fn warn(warnings: &[String]) {
    for warning in warnings {
        tracing::warn!(warning, "A secret is not kept well.");
    }
}
