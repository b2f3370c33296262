//! `wxhook inbox replay`: a push is handled again, by the running server if there is one.

use std::io::ErrorKind;
use std::sync::Arc;

use clap::Args;

use super::admin::ask;
use super::output::{Failure, line};
use crate::app::find_admin_key;
use crate::clock::{Clock, SystemClock};
use crate::config::Config;
use crate::dispatch::Replays;
use crate::id::PushId;
use crate::store::Inbox;
use crate::store::embedded::Embedded;

/// Which push is handled again.
#[derive(Debug, Args)]
pub(super) struct ReplayArgs {
    /// The push's id, as `list` prints it
    id: i64,
    /// Handle a push again that was handled already: its replies are sent again
    #[arg(long)]
    force: bool,
}

pub(super) fn run(args: &ReplayArgs, config: &Config) -> Result<(), Failure> {
    let key = find_admin_key(config).map_err(Failure::failed)?;
    let path = format!("/v1/inbox/{}/replay?force={}", args.id, args.force);
    match ask(config, "POST", &path, key.as_ref()) {
        Ok(answer) if answer.status == 200 => line(format_args!(
            "push {} is pending; the running server handles it now",
            args.id
        )),
        Ok(answer) => Err(Failure::failed(answer.body)),
        Err(error) if error.kind() == ErrorKind::ConnectionRefused => replay_here(args, config),
        Err(error) => Err(Failure::failed(format!(
            "the server at http://{} does not answer: {error}",
            config.http.admin_listen
        ))),
    }
}

/// No server runs: the store is opened here, which also makes sure that nobody else holds it.
fn replay_here(args: &ReplayArgs, config: &Config) -> Result<(), Failure> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::start());
    let store: Arc<dyn Inbox> =
        Embedded::open(config.store.clone(), Arc::clone(&clock)).map_err(Failure::failed)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .map_err(Failure::failed)?;
    let replayed = runtime.block_on(async {
        let replayed = Replays::detached(Arc::clone(&store), clock)
            .replay(PushId(args.id), args.force)
            .await;
        store.close().await;
        replayed
    });
    replayed.map_err(Failure::failed)?;
    line(format_args!(
        "push {} is pending; the next `wxhook serve` handles it",
        args.id
    ))
}
