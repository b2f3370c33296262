//! Where a local WeChat pushes what it says by itself, as the flags of `simulate platform` name it.

use std::sync::Arc;

use clap::Args;

use super::SimulateError;
use super::push::DEFAULT_ORIGINAL_ID;
use super::push::push_token;
use super::push::usage;
use super::seed;
use crate::clock::Clock;
use crate::id::AppId;
use crate::secret::AesKey;
use crate::secret::PushToken;
use crate::simulator::pusher::Identity;
use crate::simulator::pusher::Mode;
use crate::simulator::pusher::Pusher;
use crate::simulator::pusher::Target;
use crate::simulator::seal;

/// The server that is told how jobs end and who scanned a code.
#[derive(Debug, Args)]
pub struct EventArgs {
    /// Pushes events to this server URL: how jobs end, who scanned a code, customer-service sessions.
    #[arg(long, value_name = "URL")]
    pub push_to: Option<String>,
    /// The Token of the server configuration, which signs those pushes; the configured account's. Not an
    /// access_token.
    #[arg(long, value_name = "TOKEN", requires = "push_to", value_parser = push_token)]
    pub token: Option<PushToken>,
    /// The EncodingAESKey of the server configuration: 43 characters; the configured account's.
    #[arg(long, value_name = "KEY", visible_alias = "encoding-aes-key", requires = "push_to",
          value_parser = seal::decode_key)]
    pub aes_key: Option<AesKey>,
    /// How those pushes travel: plain (明文), compatible (兼容) or secure (安全); the configured account's
    /// way, else secure when there is a key.
    #[arg(long, requires = "push_to")]
    pub mode: Option<Mode>,
    /// The account's original id, to which those pushes are addressed.
    #[arg(long, value_name = "GH_ID", requires = "push_to")]
    pub original_id: Option<String>,
}

impl EventArgs {
    /// The account's push client, if its events are to be pushed. What no flag says, the configured
    /// account does.
    pub(super) fn pusher(
        self,
        app_id: &AppId,
        configured: Option<Identity>,
        may_leave: bool,
        clock: Arc<dyn Clock>,
    ) -> Result<Option<(Pusher, Shown)>, SimulateError> {
        let Some(url) = self.push_to else {
            return Ok(None);
        };
        let target =
            Target::parse(&url).map_err(|error| usage(format!("--push-to {url}: {error}")))?;
        if !target.is_loopback() && !may_leave {
            return Err(usage(format!(
                "--push-to {url} is another machine; add --yes if it is meant to receive made-up pushes"
            )));
        }
        let base = configured.as_ref();
        let token = self.token.or_else(|| base.map(|base| base.token.clone()));
        let token = token.ok_or_else(|| {
            usage("--push-to needs --token, or WECHAT_TOKEN of the configured account")
        })?;
        let key = self.aes_key.or_else(|| base?.key.clone());
        let mode = self.mode.or_else(|| base.map(|base| base.mode));
        let mode = mode.unwrap_or(match key {
            Some(_) => Mode::Secure,
            None => Mode::Plain,
        });
        let original_id = self.original_id.or_else(|| Some(base?.original_id.clone()));
        let identity = Identity {
            url: url.clone(),
            app_id: app_id.clone(),
            token,
            key,
            mode,
            original_id: original_id.unwrap_or_else(|| DEFAULT_ORIGINAL_ID.to_owned()),
        };
        let pusher = Pusher::new(identity, clock, seed()?).map_err(|error| {
            usage(format!(
                "--push-to {url}: {error}; give --aes-key, or --mode plain"
            ))
        })?;
        Ok(Some((pusher, Shown { url, mode })))
    }
}

/// What is printed about it.
pub(super) struct Shown {
    pub(super) url: String,
    pub(super) mode: Mode,
}
