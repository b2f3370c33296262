//! A plain copy of each account's token under a key that other systems read.
//!
//! | key | what | ends |
//! |---|---|---|
//! | the configured one, `{appid}` replaced | string: the token, nothing else | with the token |
//! | `wxhook:published:{KEY}` | the generation that stands there | a day after the token |

use std::fmt;
use std::time::Duration;

use ::redis::Script;
use futures_util::future::BoxFuture;

use super::link::{AddressError, Link, within_limit};
use super::{KEPT_AFTER_END, milliseconds};
use crate::id::AppId;
use crate::secret::AccessToken;
use crate::store::copies::{Copied, PlainCopies};
use crate::store::tokens::TokensError;

/// KEYS: the copy, its generation. ARGV: token, generation, milliseconds left, milliseconds for which
/// the generation is kept. Gives 0 when a newer one stands there.
const COPY: &str = r"
local known = tonumber(redis.call('GET', KEYS[2]) or '0')
if known and known > tonumber(ARGV[2]) then return 0 end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[3])
redis.call('SET', KEYS[2], ARGV[2], 'PX', ARGV[4])
return 1
";

/// What stands for the AppID in the name of a key.
const PLACE: &str = "{appid}";

/// Why no copies can be kept like this.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CopiesError {
    /// The server's address.
    #[error(transparent)]
    Address(#[from] AddressError),
    /// The pattern of the keys.
    #[error("the key must hold {PLACE}, and no other braces")]
    Pattern,
}

/// Plain copies in one Redis server.
pub struct RedisCopies {
    link: Link,
    copy: Script,
    /// The pattern: what stands before and behind each AppID.
    around: Vec<String>,
}

impl fmt::Debug for RedisCopies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisCopies")
            .field("pattern", &self.around.join(PLACE))
            .finish_non_exhaustive()
    }
}

impl RedisCopies {
    /// Takes the address and the pattern of the keys, in which `{appid}` stands for the AppID. Opens
    /// no connection yet.
    ///
    /// # Errors
    /// [`CopiesError`] says which of the two is wrong, without repeating the address.
    pub fn open(url: &str, pattern: &str) -> Result<Self, CopiesError> {
        let around: Vec<String> = pattern.split(PLACE).map(str::to_owned).collect();
        // Braces say where a cluster keeps a key, and both keys must lie together.
        if around.len() < 2 || around.iter().any(|part| part.contains(['{', '}'])) {
            return Err(CopiesError::Pattern);
        }
        Ok(Self {
            link: Link::to(url)?,
            copy: Script::new(COPY),
            around,
        })
    }

    fn key(&self, account: &AppId) -> String {
        self.around.join(account.as_str())
    }
}

impl PlainCopies for RedisCopies {
    fn copy<'a>(
        &'a self,
        account: &'a AppId,
        token: &'a AccessToken,
        generation: u64,
        remaining: Duration,
    ) -> BoxFuture<'a, Result<Copied, TokensError>> {
        Box::pin(within_limit(async move {
            let key = self.key(account);
            let mut call = self.copy.key(&key);
            call.key(format!("wxhook:published:{{{key}}}"))
                .arg(token.expose())
                .arg(generation)
                .arg(milliseconds(remaining))
                .arg(milliseconds(remaining + KEPT_AFTER_END));
            let is_written: bool = self.link.run(&call).await?;
            Ok(if is_written {
                Copied::Written
            } else {
                Copied::Newer
            })
        }))
    }
}
