//! `wxhook simulate`: the two sides of a local WeChat, each as a command.

mod events;
mod platform;
mod push;

use std::io;
use std::io::Write;
use std::process::ExitCode;
use std::sync::Arc;

use clap::Args;
use clap::Subcommand;

use crate::clock::Clock;
use crate::clock::SystemClock;
use crate::secret::AppSecret;
use crate::simulator::handle::DevHandle;
use crate::simulator::pusher::Identity;

pub use events::EventArgs;
pub use platform::PlatformArgs;
pub use push::PushArgs;

/// Plays a part of WeChat: the one that pushes, or the one that answers API calls.
#[derive(Debug, Args)]
pub struct SimulateArgs {
    /// Which part.
    #[command(subcommand)]
    pub command: SimulateCommand,
}

/// Which part of WeChat is played.
#[derive(Debug, Subcommand)]
pub enum SimulateCommand {
    /// Sends a message or event of a user to a server, as WeChat would, and judges the answer.
    ///
    /// Finds a running `wxhook dev` by itself; otherwise say --url. With --count it sends many, every
    /// one distinct, and prints how long the answers took.
    #[command(after_help = PUSH_EXAMPLES)]
    Push(Box<PushArgs>),
    /// Answers API calls as api.weixin.qq.com would, and pushes what WeChat says by itself.
    #[command(after_help = PLATFORM_ENDPOINTS)]
    Platform(Box<PlatformArgs>),
}

const PUSH_EXAMPLES: &str = "\
Examples:
  wxhook simulate push --text 你好
  wxhook simulate push --event CLICK --key ORDER
  wxhook simulate push --text 'no {number}' --count 10000 --connections 16
  wxhook simulate push --verify --url http://127.0.0.1:8080/wechat";

const PLATFORM_ENDPOINTS: &str = r#"Push what it says by itself, like the end of a mass message, to a server:
  wxhook simulate platform --push-to http://127.0.0.1:8080/wechat      with the configured account's Token
Look inside, one JSON object a line:
  GET    /simulator/status
  GET    /simulator/deliveries?after=N&openid=X&limit=M   messages that reached their users
  GET    /simulator/calls?after=N&limit=M                 every call: from where, to which host, body, answer
  GET    /simulator/tokens                                every access_token: who asked, when, from where
  GET    /simulator/state?of=users&app_id=X               what the platform keeps: also tags, menus, media, …
  GET    /simulator/events?after=N, /simulator/pushes      what it says by itself, and what became of that
  GET    /simulator/prompts?app_id=X                      addresses that wait for an administrator (89503)
Make trouble:
  POST   /simulator/faults   {"path":"/cgi-bin/stable_token","when":{"next":3},"fault":"bad_gateway"}
                             {"host":"127.0.0.1","when":"always","fault":{"code":{"code":-1}}}
                             {"fault":{"shape":"doubled_keys"}}
  DELETE /simulator/faults
  POST   /simulator/admin    {"app_id":"wx…","act":"freeze"}; also "unfreeze", {"risk_control":true},
                             {"whitelist":["203.0.113.0/24"]}, {"confirm":"203.0.113.9"}, {"refuse":"203.0.113.9"}
  POST   /simulator/acted    {"openid":"o…","scene":"message"}
  POST   /simulator/arrange  {"arrange":{"quota":{"row":"custom_send","order":{"daily_limit":3}}}}
  POST   /simulator/clock    {"advance_milliseconds":7200000}
More: docs/simulator.md"#;

/// What the caller found out before: only it reads the environment and knows the data directory.
#[derive(Debug, Default)]
pub struct SimulateContext {
    /// The configured account, and the URL at which this machine serves it.
    pub account: Option<Identity>,
    /// The AppSecret of the configured account.
    pub app_secret: Option<AppSecret>,
    /// A `wxhook dev` that is running.
    pub dev: Option<DevHandle>,
}

/// Why a command did not end well.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SimulateError {
    /// It was asked for something impossible.
    #[error("{0}")]
    Usage(String),
    /// What it tried failed, or the other side behaved wrongly.
    #[error("{0}")]
    Failed(String),
    /// It could not print.
    #[error("cannot write the output: {0}")]
    Output(#[from] io::Error),
}

impl SimulateError {
    /// 1 when something failed, 2 on wrong use; 0 when the reader of our output had read enough.
    pub fn code(&self) -> u8 {
        match self {
            Self::Output(error) if error.kind() == io::ErrorKind::BrokenPipe => 0,
            Self::Failed(_) | Self::Output(_) => 1,
            Self::Usage(_) => 2,
        }
    }
}

/// Runs the command, prints to the standard output and tells the exit code.
///
/// # Panics
/// Inside a tokio runtime: it starts its own.
pub fn run(args: SimulateArgs, context: SimulateContext) -> ExitCode {
    // Not locked: other threads may log to the same place while this one waits.
    let Err(error) = execute(args, context, &mut io::stdout(), stop_signal) else {
        return ExitCode::SUCCESS;
    };
    let code = error.code();
    if code != 0 {
        // If even this cannot be written, the code still tells.
        let _ = writeln!(io::stderr().lock(), "error: {error}");
    }
    ExitCode::from(code)
}

/// Runs the command on a tokio runtime of its own and prints to `out`. `simulate platform` serves
/// until the future that `stop` makes is ready.
///
/// # Errors
/// [`SimulateError`] tells failure from wrong use.
///
/// # Panics
/// Inside a tokio runtime.
pub fn execute<S: Future<Output = ()>>(
    args: SimulateArgs,
    context: SimulateContext,
    out: &mut dyn Write,
    stop: impl FnOnce() -> S,
) -> Result<(), SimulateError> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(|error| SimulateError::Failed(format!("cannot start a runtime: {error}")))?;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::start());
    match args.command {
        SimulateCommand::Push(push) => runtime.block_on(push::push(*push, context, clock, out)),
        SimulateCommand::Platform(platform) => runtime
            .block_on(async { platform::serve(*platform, context, clock, out, stop()).await }),
    }
}

/// Ready when the process is told to stop: Ctrl-C or SIGTERM.
async fn stop_signal() {
    use tokio::signal::unix::SignalKind;
    let interrupted = tokio::signal::ctrl_c();
    match tokio::signal::unix::signal(SignalKind::terminate()) {
        Ok(mut terminated) => {
            tokio::select! { _ = interrupted => {} _ = terminated.recv() => {} }
        }
        Err(_) => drop(interrupted.await),
    }
}

/// A number that nobody foresees, from which nonces and ids follow.
fn seed() -> Result<u64, SimulateError> {
    getrandom::u64()
        .map_err(|error| SimulateError::Failed(format!("the system has no randomness: {error}")))
}
