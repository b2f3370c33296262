//! `wxhook dev`: the server, a local WeChat and a throw-away account, and a conversation to watch.
//!
//! The server runs as a process of its own, exactly as `wxhook serve` would, so that `--crash` can
//! kill it and what is shown is what happens.

use std::process::ExitCode;
use std::time::Duration;

use clap::Args;

use super::output::Failure;
use crate::app::Signals;

mod columns;
mod script;
mod stage;

use columns::Columns;
use stage::Stage;

/// Run the server with a local WeChat.
#[derive(Debug, Args)]
pub(super) struct DevArgs {
    /// Kill the server with SIGKILL while a handler runs, and start it again
    #[arg(long)]
    crash: bool,
    /// Where the server listens; port 0 is any free one
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:0")]
    listen: std::net::SocketAddr,
}

/// How long a reply may take before the show is called a failure: the slow handler needs 8 s.
const PATIENCE: Duration = Duration::from_secs(30);

pub(super) fn run(args: &DevArgs) -> Result<ExitCode, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(Failure::failed)?;
    runtime.block_on(async {
        let mut stop = Signals::listen().map_err(Failure::failed)?;
        let mut stage = Stage::build(args.listen).await?;
        let played = tokio::select! {
            played = play(&mut stage, args.crash) => played,
            _ = stop.next() => Ok(()),
        };
        stage.clear().await;
        played.map(|()| ExitCode::SUCCESS)
    })
}

async fn play(stage: &mut Stage, crash: bool) -> Result<(), Failure> {
    let columns = Columns;
    columns.title("what the user sees", "what the server does")?;
    if crash {
        script::crash(stage, &columns).await?;
    } else {
        script::conversation(stage, &columns).await?;
    }
    columns.say(&format!(
        "wxhook stays up at {}. In a second terminal, try:\n\
         \x20   wxhook simulate push --text 你好          (cargo run --release -- simulate push --text 你好)\n\
         \x20   wxhook simulate push --event CLICK --key ORDER\n\
         \x20   wxhook simulate push --count 2000 --connections 16 --users 50\n\
         The handlers are in handlers/. Everything received is kept until you end this with Ctrl-C:\n\
         \x20   WXHOOK_DATA_DIR={} wxhook inbox list",
        stage.url(),
        stage.data_dir().display(),
    ))?;
    script::watch(stage, &columns).await
}
