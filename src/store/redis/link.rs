//! The way to one Redis server: connections that answered just now, and one limit for each call.

use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use ::redis::aio::MultiplexedConnection;
use ::redis::{AsyncConnectionConfig, Client, RedisError, ScriptInvocation, Value};
use tokio::sync::Semaphore;

use crate::store::tokens::TokensError;

/// The longest that a call may take, with connecting: a server that needs longer is away.
pub const ANSWER_LIMIT: Duration = Duration::from_secs(1);

/// Connections of one process at most; further calls wait for one within their limit.
const CONNECTIONS: usize = 4;

/// Why an address of a Redis server cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AddressError {
    /// It is not of the form `redis://USER:PASSWORD@HOST:PORT/DATABASE`, or `rediss://` for TLS.
    #[error(
        "the address is not of the form redis://USER:PASSWORD@HOST:PORT/DATABASE (rediss:// for TLS)"
    )]
    Form,
}

/// Connections, made when they are needed; one that failed is not used again.
pub(super) struct Link {
    client: Client,
    idle: Mutex<Vec<MultiplexedConnection>>,
    permits: Semaphore,
}

impl Link {
    /// Takes the address; opens no connection yet.
    pub(super) fn to(url: &str) -> Result<Self, AddressError> {
        // An error says that a provider is installed already: an embedding program's choice stands.
        let _ = rustls::crypto::ring::default_provider().install_default();
        // What the library says about an address might repeat the password.
        let client = Client::open(url).map_err(|_unsaid| AddressError::Form)?;
        Ok(Self {
            client,
            idle: Mutex::default(),
            permits: Semaphore::new(CONNECTIONS),
        })
    }

    pub(super) async fn run<T: ::redis::FromRedisValue>(
        &self,
        call: &ScriptInvocation<'_>,
    ) -> Result<T, TokensError> {
        self.ask(async |connection| call.invoke_async(connection).await)
            .await
    }

    /// Asks on a connection that answered just now. Whatever fails on it, or is not waited for to its
    /// end, it is not used again: nobody knows what would come over it.
    pub(super) async fn ask<T>(
        &self,
        question: impl AsyncFnOnce(&mut MultiplexedConnection) -> Result<T, RedisError>,
    ) -> Result<T, TokensError> {
        let _permit = self.permits.acquire().await.map_err(TokensError::away)?;
        let mut connection = self.ready().await?;
        let answer = question(&mut connection).await.map_err(failure)?;
        self.idle().push(connection);
        Ok(answer)
    }

    fn idle(&self) -> MutexGuard<'_, Vec<MultiplexedConnection>> {
        self.idle.lock().unwrap_or_else(|e| e.into_inner())
    }

    /// An idle connection that still answers, or a new one.
    async fn ready(&self) -> Result<MultiplexedConnection, TokensError> {
        let idle = self.idle().pop();
        if let Some(mut idle) = idle {
            let pong: Result<Value, RedisError> = ::redis::cmd("PING").query_async(&mut idle).await;
            if pong.is_ok() {
                return Ok(idle);
            }
            // The others are as old: they go with it.
            self.idle().clear();
        }
        let settings = AsyncConnectionConfig::new()
            .set_connection_timeout(ANSWER_LIMIT)
            .set_response_timeout(ANSWER_LIMIT);
        self.client
            .get_multiplexed_async_connection_with_config(&settings)
            .await
            .map_err(failure)
    }
}

fn failure(error: RedisError) -> TokensError {
    if error.code() == Some("WRONGTYPE") {
        return TokensError::unreadable("a key of ours is of another type");
    }
    match error.kind() {
        ::redis::ErrorKind::TypeError | ::redis::ErrorKind::ParseError => {
            TokensError::unreadable(error.category())
        }
        _ => TokensError::away(error.category()),
    }
}

/// The whole call within [`ANSWER_LIMIT`].
pub(super) async fn within_limit<T>(
    call: impl Future<Output = Result<T, TokensError>>,
) -> Result<T, TokensError> {
    tokio::time::timeout(ANSWER_LIMIT, call)
        .await
        .unwrap_or_else(|_elapsed| Err(TokensError::Away(Arc::from("it did not answer in time"))))
}
