//! Telling the simulated platform what a user did, so that it opens the sending window.

use std::fmt;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;

use super::Push;
use super::Target;
use super::TargetError;
use super::wire;
use super::wire::Connection;
use crate::clock::Timestamp;
use crate::id::OpenId;
use crate::simulator::platform::Platform;

/// Who is told of what a user did, before the push goes out.
#[derive(Clone, Default)]
pub enum Feed {
    /// Nobody: there is no simulated platform, or it does not look at sending windows.
    #[default]
    Nobody,
    /// A platform in this process.
    Platform(Arc<Mutex<Platform>>),
    /// A platform behind its skin.
    Remote(RemoteFeed),
}

/// The way to a platform in another process.
#[derive(Debug)]
pub struct RemoteFeed {
    target: Arc<Target>,
    connection: Option<Connection>,
}

impl Clone for RemoteFeed {
    /// The clone has a connection of its own.
    fn clone(&self) -> Self {
        Self {
            target: Arc::clone(&self.target),
            connection: None,
        }
    }
}

impl fmt::Debug for Feed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Nobody => "Nobody",
            Self::Platform(_) => "Platform",
            Self::Remote(_) => "Remote",
        })
    }
}

/// How long the platform in another process may take to note what a user did.
const FEED_LIMIT: Duration = Duration::from_secs(2);

impl Feed {
    /// A platform behind its skin at this URL.
    ///
    /// # Errors
    /// [`TargetError`] when the URL is none.
    pub fn remote(simulator_url: &str) -> Result<Self, TargetError> {
        let target = Target::parse(&format!(
            "{}/simulator/acted",
            simulator_url.trim_end_matches('/')
        ))?;
        Ok(Self::Remote(RemoteFeed {
            target: Arc::new(target),
            connection: None,
        }))
    }

    pub(super) async fn tell(&mut self, now: Timestamp, push: &Push) {
        let Some(scene) = push.scene else { return };
        match self {
            Self::Nobody => {}
            Self::Platform(platform) => {
                let mut platform = platform.lock().unwrap_or_else(PoisonError::into_inner);
                platform.user_acted(now, &OpenId::new(push.open_id.as_str()), scene);
            }
            Self::Remote(remote) => {
                let acted = serde_json::json!({ "openid": push.open_id, "scene": scene });
                remote.post(acted.to_string().as_bytes()).await;
            }
        }
    }
}

impl RemoteFeed {
    async fn post(&mut self, body: &[u8]) {
        let request = self.target.post("", "application/json", body);
        let exchange = wire::exchange(&mut self.connection, &self.target, &request);
        match tokio::time::timeout(FEED_LIMIT, exchange).await {
            Ok(Ok((204, _))) => {}
            // The platform will then refuse the reply with 45015, which everybody can see.
            _ => tracing::warn!("The local WeChat did not note what the user did."),
        }
    }
}
