//! The way to one Redis server: connections that answered just now, and one limit for each call.

use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use ::redis::aio::MultiplexedConnection;
use ::redis::{
    AsyncConnectionConfig, Client, RedisError, ScriptInvocation, TlsCertificates, Value,
};
use tokio::sync::Semaphore;

use crate::store::address::{AuthorityError, NOT_LET_IN, authority, certificate_fault};
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
    /// The authority that it names cannot be used.
    #[error(transparent)]
    Authority(#[from] AuthorityError),
    /// It names an authority, and is not one of TLS.
    #[error("the address names an ssl-ca, and redis:// is spoken without TLS: write rediss://")]
    AuthorityWithoutTls,
    /// It asks for TLS that trusts anybody.
    #[error(
        "the address ends with #insecure, which is not taken: name its authority as ?ssl-ca=FILE"
    )]
    Insecure,
}

/// The client for an address, with the authority that it names or the system's.
fn client(address: &str) -> Result<Client, AddressError> {
    // What the library says about an address might repeat the password.
    let url = ::redis::parse_redis_url(address).ok_or(AddressError::Form)?;
    if url.fragment() == Some("insecure") {
        return Err(AddressError::Insecure);
    }
    let client = match authority(&url)? {
        None => Client::open(address),
        Some(_) if url.scheme() != "rediss" => return Err(AddressError::AuthorityWithoutTls),
        Some(pem) => {
            let certificates = TlsCertificates {
                client_tls: None,
                root_cert: Some(pem),
            };
            Client::build_with_tls(address, certificates)
        }
    };
    client.map_err(|_unsaid| AddressError::Form)
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
        Ok(Self {
            client: client(url)?,
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
            .map_err(unconnected)
    }
}

/// While connecting, a server answers only to the password and the number of the database.
fn unconnected(error: RedisError) -> TokensError {
    match error.kind() {
        ::redis::ErrorKind::ResponseError => {
            TokensError::away("it wants a password, or refuses the database of its address")
        }
        _ => failure(error),
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
        ::redis::ErrorKind::AuthenticationFailed => TokensError::away(NOT_LET_IN),
        _ if matches!(error.code(), Some("NOAUTH" | "WRONGPASS")) => TokensError::away(NOT_LET_IN),
        _ => match certificate_fault(&error) {
            Some(fault) => TokensError::away(fault),
            None => TokensError::away(error.category()),
        },
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
