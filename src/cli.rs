//! One file for each sub-command: parse, call, exit code.
//!
//! Exit codes: 0 done, 1 the thing failed, 2 wrong use; `serve` adds those of [`crate::app::Exit`].

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::config::{self, Config, Needs, Sources};
use crate::dispatch::Router;
use crate::simulator::handle::DevHandle;
use crate::simulator::pusher::Identity;

mod access_token;
mod admin;
mod api;
mod bundle;
mod component;
mod configuration;
mod dead;
mod decode;
mod dev;
mod door;
mod explain;
mod healthcheck;
mod inbox;
mod media;
mod menu;
mod open;
mod operate;
mod output;
mod qr;
mod quota;
mod record;
mod render;
mod replay;
mod rules;
mod send;
mod serve;
pub mod simulate;
mod store;
mod tag;
mod timeline;
mod user;

pub use open::OpenState;
pub use output::Failure;

/// The server behind a WeChat service account's URL (微信公众号/服务号 服务器).
///
/// Verifies, decrypts and stores every push before it says success, runs your handlers, and sends
/// their replies once. Try it without an account: wxhook dev
#[derive(Debug, Parser)]
#[command(name = "wxhook", version, max_term_width = 100)]
struct Cli {
    /// Read settings from this TOML file (also WXHOOK_CONFIG); the environment wins over it
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the server, configured by a file and the environment
    Serve(serve::ServeArgs),
    /// Run the server with a local WeChat and a throw-away account: a conversation to watch, no configuration
    Dev(dev::DevArgs),
    /// Play WeChat: send pushes to a server, or stand in for api.weixin.qq.com
    Simulate(simulate::SimulateArgs),
    /// Turn a push into JSON: an inner document on standard input, or a sealed body with --query
    Decode(decode::DecodeArgs),
    /// Say which handler a push goes to and why: an inner document on standard input, or --text
    Explain(explain::ExplainArgs),
    /// Look at the pushes that were received
    #[command(subcommand)]
    Inbox(inbox::InboxCommand),
    /// Look at the pushes that were given up, and deal with them
    #[command(subcommand)]
    Dead(dead::DeadCommand),
    /// Look at what third-party platforms (第三方平台) were sent
    #[command(subcommand)]
    Component(component::ComponentCommand),
    /// Look at the access tokens (access_token, with which WeChat's API is called) of the running server
    #[command(subcommand)]
    AccessToken(access_token::AccessTokenCommand),
    /// Send a message: a customer message (客服消息), a template message or a subscribe notice; or a file of them
    Send(send::SendArgs),
    /// Keep the account's custom menu (自定义菜单) as a file
    #[command(subcommand)]
    Menu(menu::MenuCommand),
    /// Upload and download files that messages carry (素材)
    #[command(subcommand)]
    Media(media::MediaCommand),
    /// Make a QR code that tells from which of them a user came (带参数的二维码)
    Qr(qr::QrArgs),
    /// Look at the account's followers (关注者)
    #[command(subcommand)]
    User(user::UserCommand),
    /// Keep the account's tags (标签)
    #[command(subcommand)]
    Tag(tag::TagCommand),
    /// Show what a reply template (回复模板) comes to, or check all templates and rules
    Render(render::RenderArgs),
    /// Look at the rules that answer without code (自动回复规则)
    #[command(subcommand)]
    Rules(rules::RulesCommand),
    /// Make one call of WeChat's API and print its answer
    Api(api::ApiArgs),
    /// Look at how much of WeChat's limits (接口调用频次) is used, and have it cleared
    #[command(subcommand)]
    Quota(quota::QuotaCommand),
    /// Look after the store of pushes
    #[command(subcommand)]
    Store(store::StoreCommand),
    /// Check the configuration, or show what is in force
    #[command(subcommand)]
    Config(configuration::ConfigCommand),
    /// Ask the running server whether it can take pushes; for container health checks
    Healthcheck(healthcheck::HealthcheckArgs),
}

/// The whole program, for a `main.rs` of your own: parses the arguments, runs the command, and gives
/// the exit code. `routes` is called by the commands that need them; `open` makes the state that
/// handlers share, and is called by `serve` only: a function of nothing, or of the settings that stand in
/// `[handlers]` of the configuration ([`OpenState`]).
pub fn main<S, O, Taken>(routes: fn() -> Router<S>, open: O) -> ExitCode
where
    S: Clone + Send + Sync + 'static,
    O: OpenState<S, Taken>,
{
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version are no errors and go to standard output; clap knows which is which.
            drop(error.print());
            return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2));
        }
    };
    let config = cli.config.as_deref();
    let outcome = match cli.command {
        Command::Serve(args) => serve::run(&args, config, routes, open),
        Command::AccessToken(command) => access_token::run(&command, config),
        Command::Dev(args) => dev::run(&args),
        Command::Simulate(args) => {
            simulate_context(config).map(|context| simulate::run(args, context))
        }
        Command::Decode(args) => decode::run(&args, config),
        Command::Explain(args) => explain::run(&args, config, routes),
        Command::Inbox(command) => inbox::run(&command, config),
        Command::Dead(command) => dead::run(&command, config),
        Command::Component(command) => component::run(&command, config),
        Command::Send(args) => send::run(&args, config),
        Command::Menu(command) => menu::run(&command, config),
        Command::Media(command) => media::run(&command, config),
        Command::Qr(args) => qr::run(&args, config),
        Command::User(command) => user::run(&command, config),
        Command::Tag(command) => tag::run(&command, config),
        Command::Render(args) => render::run(&args, config),
        Command::Rules(command) => rules::run(&command, config, routes),
        Command::Api(args) => api::run(&args, config),
        Command::Quota(command) => quota::run(&command, config),
        Command::Store(command) => store::run(&command, config),
        Command::Config(command) => {
            let own = |own: &config::Own| O::settings(own).map(drop);
            configuration::run(&command, config, routes, own)
        }
        Command::Healthcheck(args) => healthcheck::run(&args, config),
    };
    match outcome {
        Ok(code) => code,
        Err(failure) => failure.report(),
    }
}

/// Loads the configuration, or fails with every fault.
fn load(file: Option<&std::path::Path>) -> Result<Config, Failure> {
    let sources = Sources::gather(file).map_err(|faults| Failure::wrong(&faults))?;
    config::load(&sources, Needs::Accounts).map_err(|faults| Failure::wrong(&faults))
}

/// The same for commands that only look: they need no account.
fn load_for_reading(file: Option<&std::path::Path>) -> Result<Config, Failure> {
    let sources = Sources::gather(file).map_err(|faults| Failure::wrong(&faults))?;
    config::load(&sources, Needs::NoAccount).map_err(|faults| Failure::wrong(&faults))
}

/// The same for what deals with tokens alone: accounts need neither Token nor EncodingAESKey.
fn read_for_tokens(file: Option<&std::path::Path>) -> Result<config::Reading, Failure> {
    let sources = Sources::gather(file).map_err(|faults| Failure::wrong(&faults))?;
    config::read(&sources, Needs::Tokens).map_err(|faults| Failure::wrong(&faults))
}

/// What `simulate push` knows of a running `wxhook dev`, and of the configured account.
fn simulate_context(
    config: Option<&std::path::Path>,
) -> Result<simulate::SimulateContext, Failure> {
    let config = load_for_reading(config)?;
    let dev = DevHandle::read(&dev_handle_path()).ok();
    let single = match config.accounts.values().next() {
        Some(account) if config.accounts.len() == 1 => Some(account),
        _ => None,
    };
    Ok(simulate::SimulateContext {
        account: single
            .map(|account| identity(&config, account))
            .transpose()?,
        app_secret: single.and_then(|account| account.app_secret.clone()),
        dev,
    })
}

/// The configured account, pushing to the configured listener of this machine.
fn identity(config: &Config, account: &config::AccountSettings) -> Result<Identity, Failure> {
    let credentials = &account.credentials;
    let mode = credentials.mode().name().parse().map_err(Failure::failed)?;
    Ok(Identity {
        url: format!(
            "http://127.0.0.1:{}{}",
            config.http.listen.port(),
            account.paths[0]
        ),
        app_id: credentials.app_id().clone(),
        token: credentials.token().current.clone(),
        key: credentials
            .ciphers()
            .map(|ciphers| ciphers.current.key().clone()),
        mode,
        original_id: "gh_wxhooksimulated".to_owned(),
    })
}

/// Where a running `wxhook dev` of this user says how it is reached.
fn dev_handle_path() -> PathBuf {
    use std::os::unix::fs::MetadataExt as _;
    let user = std::fs::metadata("/proc/self").map_or(0, |metadata| metadata.uid());
    std::env::temp_dir().join(format!("wxhook-dev-{user}.json"))
}
