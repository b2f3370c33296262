//! `wxhook simulate push`

mod replies;
mod report;

use std::fs;
use std::io::Write;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;

use super::SimulateContext;
use super::SimulateError;
use super::seed;
use crate::clock::Clock;
use crate::id::AppId;
use crate::secret::AesKey;
use crate::secret::PushToken;
use crate::simulator::handle::DevHandle;
use crate::simulator::pusher::DEFAULT_REPEATS;
use crate::simulator::pusher::Feed;
use crate::simulator::pusher::Gesture;
use crate::simulator::pusher::Identity;
use crate::simulator::pusher::LoadPlan;
use crate::simulator::pusher::Mode;
use crate::simulator::pusher::Push;
use crate::simulator::pusher::Pusher;
use crate::simulator::pusher::Target;
use crate::simulator::seal;

use replies::Replies;

/// Arguments of `simulate push`.
#[derive(Debug, Args)]
pub struct PushArgs {
    /// What the user does.
    #[command(flatten)]
    pub gesture: GestureArgs,
    /// The EventKey of an event.
    #[arg(long, conflicts_with_all = ["text", "follow", "unfollow", "file", "verify"])]
    pub key: Option<String>,
    /// The OpenID of the user.
    #[arg(long, value_name = "OPENID", default_value = DEFAULT_USER)]
    pub user: String,
    /// The server's URL; that of a running `wxhook dev`, or the configured account's on this machine.
    #[arg(long)]
    pub url: Option<String>,
    /// How the push travels: plain (明文), compatible (兼容) or secure (安全).
    #[arg(long)]
    pub mode: Option<Mode>,
    /// The account's AppID.
    #[arg(long, value_name = "APPID", value_parser = AppId::parse)]
    pub app_id: Option<AppId>,
    /// The Token of the server configuration, which signs pushes; not an access_token.
    #[arg(long, value_name = "TOKEN", value_parser = push_token)]
    pub token: Option<PushToken>,
    /// The EncodingAESKey of the server configuration: 43 characters.
    #[arg(long, value_name = "KEY", value_parser = seal::decode_key)]
    pub encoding_aes_key: Option<AesKey>,
    /// The account's original id.
    #[arg(long, value_name = "GH_ID")]
    pub original_id: Option<String>,
    /// Where the local api.weixin.qq.com listens, whose replies are shown; that of a running `wxhook dev`.
    #[arg(long, value_name = "URL")]
    pub simulator_url: Option<String>,
    /// Seconds to wait for the reply at the local WeChat.
    #[arg(long, value_name = "SECONDS", default_value_t = 15, value_parser = clap::value_parser!(u64).range(..=3600))]
    pub wait: u64,
    /// How often a push that failed is sent again. With --count, 0 unless given.
    #[arg(long, value_name = "TIMES", value_parser = clap::value_parser!(u32).range(..=10))]
    pub repeats: Option<u32>,
    /// Sends so many pushes, every one distinct; `{number}` in a text, key or file is the number of the push.
    #[arg(long, value_name = "PUSHES", conflicts_with = "verify", value_parser = clap::value_parser!(u64).range(1..))]
    pub count: Option<u64>,
    /// Pushes per second; as fast as answers come unless given.
    #[arg(long, value_name = "PER_SECOND", requires = "count", value_parser = positive)]
    pub rate: Option<f64>,
    /// Connections kept open.
    #[arg(long, requires = "count", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub connections: u32,
    /// Made-up users that take turns. One user's pushes keep their order and their connection.
    #[arg(long, requires = "count", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..))]
    pub users: u32,
    /// Prints one JSON object instead of text.
    #[arg(long)]
    pub json: bool,
    /// Pushes to a server on another machine, too.
    #[arg(long)]
    pub yes: bool,
}

/// What the user does: one of these. With --count, and none of them, a numbered text.
#[derive(Debug, Args)]
#[group(multiple = false, id = "what")]
pub struct GestureArgs {
    /// Writes a text.
    #[arg(long)]
    pub text: Option<String>,
    /// Causes an event, by the platform's name: CLICK, VIEW, SCAN, …
    #[arg(long, value_name = "EVENT")]
    pub event: Option<String>,
    /// Follows the account.
    #[arg(long)]
    pub follow: bool,
    /// Stops following the account.
    #[arg(long)]
    pub unfollow: bool,
    /// Causes the push in this file: a whole document, `<xml>…</xml>`.
    #[arg(long, value_name = "PATH")]
    pub file: Option<PathBuf>,
    /// Nothing: asks for the echo, as WeChat does when the URL is registered.
    #[arg(long)]
    pub verify: bool,
}

/// What users write under load when nothing else is said.
const NUMBERED_TEXT: &str = "push {number}";

/// The user of pushes that name none: 28 characters, like a real OpenID.
const DEFAULT_USER: &str = "oSimulatedUser00000000000001";

/// The original id of accounts that name none.
pub(super) const DEFAULT_ORIGINAL_ID: &str = "gh_5f2c9a7d10be";

/// Bytes of the longest document that is pushed; servers need not take more.
const MAX_FILE_BYTES: u64 = 1024 * 1024;

pub(super) fn push_token(text: &str) -> Result<PushToken, &'static str> {
    let fits = (3..=32).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric());
    fits.then(|| PushToken::new(text))
        .ok_or("is no Token: 3 to 32 letters and digits")
}

fn positive(text: &str) -> Result<f64, &'static str> {
    text.parse()
        .ok()
        .filter(|rate: &f64| rate.is_finite() && *rate > 0.0)
        .ok_or("is no positive number")
}

pub(super) fn usage(problem: impl ToString) -> SimulateError {
    SimulateError::Usage(problem.to_string())
}

/// Who pushes, and where its replies can be seen.
struct Party {
    identity: Identity,
    simulator_url: Option<String>,
}

pub(super) async fn push(
    args: PushArgs,
    context: SimulateContext,
    clock: Arc<dyn Clock>,
    out: &mut dyn Write,
) -> Result<(), SimulateError> {
    let party = Party::choose(&args, context)?;
    let identity = party.identity.clone();
    let pusher = Pusher::new(identity, Arc::clone(&clock), seed()?).map_err(usage)?;
    let gesture = match args.gesture.verify {
        true => None,
        false => Some(gesture(&args)?),
    };
    let replies = match &party.simulator_url {
        Some(url) => Some(Replies::from_now(url, clock).await?),
        None => None,
    };
    let feed = match &party.simulator_url {
        Some(url) => Feed::remote(url).map_err(usage)?,
        None => Feed::Nobody,
    };
    let default_repeats = match args.count {
        Some(_) => 0,
        None => DEFAULT_REPEATS,
    };
    let mut pusher = pusher
        .with_feed(feed)
        .with_repeats(args.repeats.unwrap_or(default_repeats));
    match (gesture, args.count) {
        (None, _) => verify(&args, pusher, out).await,
        (Some(gesture), Some(count)) => {
            let plan = plan(&args, gesture, count)?;
            push_many(&args, &plan, pusher, replies, out).await
        }
        (Some(gesture), None) => {
            let push = pusher.make(gesture, &args.user);
            push_one(&args, &party, (pusher, push), replies, out).await
        }
    }
}

async fn verify(
    args: &PushArgs,
    mut pusher: Pusher,
    out: &mut dyn Write,
) -> Result<(), SimulateError> {
    let verification = pusher.verify_url().await;
    report::verification(out, args.json, &verification)?;
    if verification.is_right {
        return Ok(());
    }
    Err(SimulateError::Failed(
        "the URL did not prove that it knows the Token; WeChat would refuse it".to_owned(),
    ))
}

async fn push_one(
    args: &PushArgs,
    party: &Party,
    (mut pusher, push): (Pusher, Push),
    replies: Option<Replies>,
    out: &mut dyn Write,
) -> Result<(), SimulateError> {
    let pushed = pusher.push(&push).await;
    let is_good = pushed.verdict().is_good();
    if !args.json {
        report::attempts(out, &party.identity, &push, &pushed)?;
    }
    // A user who has left, or who was answered at once, waits for nothing.
    let waits = is_good && pushed.verdict().user_sees().is_none() && !args.gesture.unfollow;
    let wait = Duration::from_secs(if waits { args.wait } else { 0 });
    let received = match replies {
        Some(mut replies) => Some(replies.of(&push.open_id, wait).await?),
        None => None,
    };
    if args.json {
        report::push_json(out, &party.identity, &push, &pushed, received.as_deref())?;
    } else {
        report::received(out, received.as_deref(), wait)?;
    }
    match is_good {
        true => Ok(()),
        false => Err(SimulateError::Failed(format!(
            "WeChat would not be content: {}",
            pushed.verdict()
        ))),
    }
}

async fn push_many(
    args: &PushArgs,
    plan: &LoadPlan,
    mut pusher: Pusher,
    replies: Option<Replies>,
    out: &mut dyn Write,
) -> Result<(), SimulateError> {
    let loaded = pusher.load(plan).await;
    let received = match replies {
        Some(mut replies) => {
            let wait = Duration::from_secs(args.wait);
            Some(replies.counted(loaded.good(), wait).await?)
        }
        None => None,
    };
    report::load(out, args.json, plan, &loaded, received)?;
    match loaded.failed() {
        0 => Ok(()),
        failed => Err(SimulateError::Failed(format!(
            "{failed} of {} pushes failed",
            loaded.total()
        ))),
    }
}

fn plan(args: &PushArgs, gesture: Gesture, count: u64) -> Result<LoadPlan, SimulateError> {
    Ok(LoadPlan {
        gesture,
        rate: args.rate,
        count,
        connections: args.connections,
        users: args.users,
        // 17 digits, like real ones, and others at every start.
        first_message_id: 24_000_000_000_000_000 + seed()? % 900_000_000_000_000,
    })
}

fn gesture(args: &PushArgs) -> Result<Gesture, SimulateError> {
    let wanted = &args.gesture;
    if let Some(path) = &wanted.file {
        return document(path).map(Gesture::Document);
    }
    if let Some(text) = &wanted.text {
        return Ok(Gesture::Text(text.clone()));
    }
    if let Some(name) = &wanted.event {
        let key = args.key.clone().unwrap_or_default();
        let name = name.clone();
        return Ok(Gesture::Event { name, key });
    }
    match (wanted.follow, wanted.unfollow, args.count) {
        (true, _, _) => Ok(Gesture::Follow),
        (_, true, _) => Ok(Gesture::Unfollow),
        (_, _, Some(_)) => Ok(Gesture::Text(NUMBERED_TEXT.to_owned())),
        (_, _, None) => Err(usage(
            "say what the user does: --text, --event, --follow, --unfollow, --file or --verify",
        )),
    }
}

fn document(path: &Path) -> Result<String, SimulateError> {
    let named =
        |problem: &dyn ToString| usage(format!("{}: {}", path.display(), problem.to_string()));
    let length = fs::metadata(path).map_err(|error| named(&error))?.len();
    if length > MAX_FILE_BYTES {
        return Err(named(&"is larger than 1 MiB"));
    }
    let document = fs::read_to_string(path).map_err(|error| named(&error))?;
    match document.contains("</xml>") {
        true => Ok(document),
        false => Err(named(&"is no push: it does not end in </xml>")),
    }
}

impl Party {
    /// Flags come first; then a running `dev`, unless a URL leads elsewhere; then the configured account.
    fn choose(args: &PushArgs, context: SimulateContext) -> Result<Self, SimulateError> {
        let dev_is_meant = |dev: &DevHandle| match &args.url {
            Some(url) => *url == dev.url || context.account.is_none(),
            None => true,
        };
        let dev = context.dev.as_ref().filter(|dev| dev_is_meant(dev));
        let base = match dev {
            Some(dev) => Some(identity_of(dev)?),
            None => context.account.clone(),
        };
        let simulator_url = args
            .simulator_url
            .clone()
            .or_else(|| dev.map(|dev| dev.simulator_url.clone()));
        let identity = with_flags(args, base)?;
        let target = Target::parse(&identity.url)
            .map_err(|error| usage(format!("--url {}: {error}", identity.url)))?;
        if !target.is_loopback() && !args.yes {
            return Err(usage(format!(
                "{} is another machine; add --yes if it is meant to receive made-up pushes",
                identity.url
            )));
        }
        Ok(Self {
            identity,
            simulator_url,
        })
    }
}

fn identity_of(dev: &DevHandle) -> Result<Identity, SimulateError> {
    let broken = |problem: &dyn ToString| {
        let problem = problem.to_string();
        usage(format!(
            "the running dev has left an unusable handle: {problem}"
        ))
    };
    let key = dev.encoding_aes_key.as_deref().map(seal::decode_key);
    Ok(Identity {
        url: dev.url.clone(),
        app_id: AppId::parse(&dev.app_id).map_err(|error| broken(&error))?,
        token: PushToken::new(dev.token.as_str()),
        key: key.transpose().map_err(|error| broken(&error))?,
        mode: dev.mode.parse().map_err(|error| broken(&error))?,
        original_id: dev.original_id.clone(),
    })
}

fn with_flags(args: &PushArgs, base: Option<Identity>) -> Result<Identity, SimulateError> {
    let missing = |flag: &str| {
        usage(format!(
            "no `wxhook dev` is running and no account is configured: say {flag}, or set WECHAT_APP_ID and WECHAT_TOKEN"
        ))
    };
    let field = |of: fn(&Identity) -> String| base.as_ref().map(of);
    let url = args.url.clone().or_else(|| field(|base| base.url.clone()));
    let app_id = args.app_id.clone();
    let app_id = app_id.or_else(|| base.as_ref().map(|base| base.app_id.clone()));
    let token = args.token.clone();
    let token = token.or_else(|| base.as_ref().map(|base| base.token.clone()));
    let key = args.encoding_aes_key.clone();
    let key = key.or_else(|| base.as_ref().and_then(|base| base.key.clone()));
    let default_mode = if key.is_some() {
        Mode::Secure
    } else {
        Mode::Plain
    };
    let mode = args.mode.or_else(|| base.as_ref().map(|base| base.mode));
    let original_id = args.original_id.clone();
    Ok(Identity {
        url: url.ok_or_else(|| missing("--url"))?,
        app_id: app_id.ok_or_else(|| missing("--app-id"))?,
        token: token.ok_or_else(|| missing("--token"))?,
        mode: mode.unwrap_or(default_mode),
        key,
        original_id: original_id
            .or_else(|| field(|base| base.original_id.clone()))
            .unwrap_or_else(|| DEFAULT_ORIGINAL_ID.to_owned()),
    })
}
