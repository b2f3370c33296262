//! `wxhook simulate platform`

use std::io::Write;
use std::net::SocketAddr;
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::Mutex;

use clap::Args;
use clap::ValueEnum;

use super::EventArgs;
use super::SimulateContext;
use super::SimulateError;
use super::events::Shown;
use super::seed;
use crate::clock::Clock;
use crate::id::AppId;
use crate::secret::AppSecret;
use crate::simulator::platform::DEFAULT_TOKEN_LENGTH;
use crate::simulator::platform::Platform;
use crate::simulator::platform::Settings;
use crate::simulator::platform::TOKEN_LIFETIME_SECONDS;
use crate::simulator::platform::TOKEN_OVERLAP_SECONDS;
use crate::simulator::platform::Windows;
use crate::simulator::skin::Skin;

/// Arguments of `simulate platform`.
#[derive(Debug, Args)]
pub struct PlatformArgs {
    /// Where to listen; port 0 takes a free one.
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:8082")]
    pub listen: SocketAddr,
    /// The AppID of the account; the configured one, or a made-up one.
    #[arg(long, value_name = "APPID", value_parser = AppId::parse)]
    pub app_id: Option<AppId>,
    /// The AppSecret of the account; the configured one, or a made-up one. Not for real secrets:
    /// others can read the arguments of a process.
    #[arg(long, value_name = "SECRET", value_parser = app_secret)]
    pub app_secret: Option<AppSecret>,
    /// Whether customer messages need an open sending window. A `simulate push --simulator-url` opens it.
    #[arg(long, value_enum, default_value_t = WindowSwitch::On)]
    pub windows: WindowSwitch,
    /// Characters of an access_token. The platform asks callers to expect 512.
    #[arg(long, value_name = "COUNT", default_value_t = DEFAULT_TOKEN_LENGTH,
          value_parser = token_length)]
    pub token_length: usize,
    /// Seconds that an access_token lives.
    #[arg(long, value_name = "SECONDS", default_value_t = TOKEN_LIFETIME_SECONDS,
          value_parser = clap::value_parser!(u32).range(1..=86_400))]
    pub token_lifetime: u32,
    /// Seconds for which an access_token outlives its successor.
    #[arg(long, value_name = "SECONDS", default_value_t = TOKEN_OVERLAP_SECONDS,
          value_parser = clap::value_parser!(u32).range(0..=86_400))]
    pub token_overlap: u32,
    /// Seconds for which it outlives a forced renewal; WeChat promises none.
    #[arg(long, value_name = "SECONDS", default_value_t = 0,
          value_parser = clap::value_parser!(u32).range(0..=86_400))]
    pub forced_overlap: u32,
    /// Answers 43003 to everything: here is only plain http, and WeChat's own hosts want https.
    #[arg(long)]
    pub https_only: bool,
    /// The server that is told what this WeChat says by itself.
    #[command(flatten)]
    pub events: EventArgs,
    /// Prints one JSON object instead of text.
    #[arg(long)]
    pub json: bool,
    /// Listens where other machines can reach it, too, and pushes to a server on another machine. It has
    /// no password.
    #[arg(long)]
    pub yes: bool,
}

/// Whether customer messages need an open sending window.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum WindowSwitch {
    /// As on the platform.
    On,
    /// A message counts in every window that is open; WeChat does not say which of the two it does.
    Shared,
    /// As until 2023-06: a message allows 20 within 48 hours.
    Old,
    /// Everybody may be written to.
    Off,
}

fn token_length(text: &str) -> Result<usize, &'static str> {
    text.parse()
        .ok()
        .filter(|length| (16..=4096).contains(length))
        .ok_or("is no number from 16 to 4096")
}

fn app_secret(text: &str) -> Result<AppSecret, &'static str> {
    (!text.is_empty())
        .then(|| AppSecret::new(text))
        .ok_or("is empty")
}

pub(super) async fn serve(
    args: PlatformArgs,
    context: SimulateContext,
    clock: Arc<dyn Clock>,
    out: &mut dyn Write,
    stop: impl Future<Output = ()>,
) -> Result<(), SimulateError> {
    if !args.listen.ip().is_loopback() && !args.yes {
        return Err(SimulateError::Usage(format!(
            "--listen {} can be reached by other machines, and the local WeChat has no password; add --yes if that is meant",
            args.listen
        )));
    }
    let seed = seed()?;
    let configured = context.account.as_ref();
    let app_id = args
        .app_id
        .or_else(|| configured.map(|account| account.app_id.clone()))
        .map_or_else(|| made_up_app_id(seed), Ok)?;
    let pusher = args
        .events
        .pusher(&app_id, context.account, args.yes, Arc::clone(&clock))?;
    let (pusher, pushed) = pusher.unzip();
    // A made-up secret opens nothing but this process, so it may be printed; a given one is not.
    let given = args.app_secret.or(context.app_secret);
    let made_up = format!("{seed:016x}{:016x}", seed.rotate_left(29));
    let secret = given
        .clone()
        .unwrap_or_else(|| AppSecret::new(made_up.as_str()));
    let mut settings = Settings::for_account(app_id.clone(), secret);
    settings.token_length = args.token_length;
    settings.token_lifetime_seconds = args.token_lifetime;
    settings.token_overlap_seconds = args.token_overlap;
    settings.forced_overlap_seconds = args.forced_overlap;
    settings.https_only = args.https_only;
    settings.windows = match args.windows {
        WindowSwitch::On => Windows::On,
        WindowSwitch::Shared => Windows::Shared,
        WindowSwitch::Old => Windows::Old,
        WindowSwitch::Off => Windows::Off,
    };
    let platform = Arc::new(Mutex::new(Platform::new(settings, seed)));
    let skin = TcpListener::bind(args.listen)
        .and_then(|listener| match pusher {
            Some(pusher) => Skin::start_pushing(listener, platform, clock, pusher),
            None => Skin::start(listener, platform, clock),
        })
        .map_err(|error| {
            SimulateError::Failed(format!("cannot listen on {}: {error}", args.listen))
        })?;
    let about = About {
        url: skin.url(),
        app_id: &app_id,
        secret: given.is_none().then_some(made_up.as_str()),
        pushed: pushed.as_ref(),
    };
    match args.json {
        true => about.print_json(out)?,
        false => about.print(out)?,
    }
    stop.await;
    skin.stop()
        .map_err(|error| SimulateError::Failed(format!("the server ended badly: {error}")))
}

fn made_up_app_id(seed: u64) -> Result<AppId, SimulateError> {
    AppId::parse(&format!("wx{seed:016x}"))
        .map_err(|error| SimulateError::Failed(error.to_string()))
}

/// What is printed of a platform that serves.
struct About<'a> {
    url: &'a str,
    app_id: &'a AppId,
    /// The AppSecret, if it is made up.
    secret: Option<&'a str>,
    pushed: Option<&'a Shown>,
}

impl About<'_> {
    fn print_json(&self, out: &mut dyn Write) -> Result<(), SimulateError> {
        let line = serde_json::json!({
            "url": self.url, "app_id": self.app_id.as_str(), "app_secret": self.secret,
            "push_to": self.pushed.map(|pushed| &pushed.url),
            "mode": self.pushed.map(|pushed| pushed.mode),
        });
        writeln!(out, "{line}")?;
        Ok(out.flush()?)
    }

    fn print(&self, out: &mut dyn Write) -> Result<(), SimulateError> {
        let Self { url, app_id, .. } = self;
        writeln!(out, "A local api.weixin.qq.com listens at {url}.")?;
        if let Some(Shown { url, mode }) = self.pushed {
            writeln!(out, "What it says by itself is pushed to {url} ({mode}).")?;
        }
        writeln!(out, "Point a server at it:")?;
        writeln!(out, "  export WXHOOK_API_HOSTS={url}")?;
        writeln!(out, "  export WECHAT_APP_ID={app_id}")?;
        if let Some(secret) = self.secret {
            writeln!(out, "  export WECHAT_APP_SECRET={secret}")?;
        }
        writeln!(out, "Look inside:")?;
        writeln!(out, "  curl {url}/simulator/deliveries")?;
        writeln!(out, "  curl {url}/simulator/calls")?;
        if self.pushed.is_some() {
            writeln!(out, "  curl {url}/simulator/pushes")?;
        }
        writeln!(out, "Ctrl-C ends it.")?;
        Ok(out.flush()?)
    }
}
