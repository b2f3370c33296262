//! `wxhook serve`: the server.

use std::path::Path;
use std::process::ExitCode;

use super::output::Failure;
use crate::app;
use crate::dispatch::Router;

pub(super) fn run<S, E>(
    config: Option<&Path>,
    routes: fn() -> Router<S>,
    open: impl FnOnce() -> Result<S, E>,
) -> Result<ExitCode, Failure>
where
    S: Clone + Send + Sync + 'static,
    E: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let config = super::load(config)?;
    let router = routes();
    router.check().map_err(Failure::wrong)?;
    app::logging::start(&config.log_filter, config.log_format).map_err(Failure::wrong)?;
    let state = open().map_err(|error| {
        let error: Box<dyn std::error::Error + Send + Sync> = error.into();
        Failure::failed(format!("the handlers' state could not be opened: {error}"))
    })?;
    let routes = router.with_state(state).map_err(Failure::wrong)?;
    let server = app::Server::start(config, routes).map_err(Failure::failed)?;
    Ok(server.run().map_err(Failure::failed)?.code())
}
