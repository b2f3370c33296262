//! Where tokens come from and are kept, who may have them, and which pages are signed.

use super::account::{AccountSettings, check_name};
use super::raw::Reader;
use super::value::Problem;
use crate::api::jssdk::Origin;
use crate::http::client::{Client, Right};
use crate::id::AppId;
use crate::platform::hosts::ApiHost;
use crate::secret::{ClientKey, StoreAddress};
#[cfg(feature = "mysql")]
use crate::store::mysql::MysqlTokens;
#[cfg(feature = "redis")]
use crate::store::redis::{CopiesError, RedisCopies, RedisTokens};
use crate::token::Endpoint;

/// A central token service to ask, instead of the platform.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenService {
    /// Where it is.
    pub url: ApiHost,
    /// Our key there.
    pub key: ClientKey,
}

/// Where access tokens are kept.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum TokenStoreKind {
    /// In the data directory.
    Embedded,
    /// In memory: the platform is asked once after each start.
    Memory,
    /// In Redis, for all processes that have its address.
    #[cfg(feature = "redis")]
    Redis(StoreAddress),
    /// In MySQL or MariaDB, for all processes that have its address.
    #[cfg(feature = "mysql")]
    Mysql(StoreAddress),
}

/// What `[token]` says of this server's own keepers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenSettings {
    /// Where access tokens are kept.
    pub store: TokenStoreKind,
    /// Which of the platform's endpoints gives them.
    pub endpoint: Endpoint,
    /// Where a plain copy of each token is kept for other systems, if anywhere.
    pub publish: Option<PublishSettings>,
}

/// What `[token.publish]` says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublishSettings {
    /// The Redis server.
    pub url: StoreAddress,
    /// The pattern of the keys: `{appid}` stands for the AppID.
    pub key: String,
}

const CLIENT_KEYS: [&str; 3] = ["key", "rights", "accounts"];

/// Reads `token.store` and `token.endpoint`.
pub(super) fn settings(reader: &mut Reader) -> Option<TokenSettings> {
    // An address has a password in it.
    let store = reader.address("token.store", store);
    if matches!(store, Some(None)) {
        reader.fault("token.store", "is empty", STORES);
    }
    let endpoint = reader.text("token.endpoint", endpoint);
    let publish = publish(reader);
    Some(TokenSettings {
        store: store??,
        endpoint: endpoint?,
        publish: publish?,
    })
}

/// Reads `[token.publish]`: an address and a key, or neither.
fn publish(reader: &mut Reader) -> Option<Option<PublishSettings>> {
    let url = reader.address("token.publish.url", publish_url);
    let key = reader.text("token.publish.key", publish_key);
    match (url?, key?) {
        (None, None) => Some(None),
        (Some(url), Some(key)) => Some(Some(PublishSettings { url, key })),
        (Some(_), None) => {
            reader.fault(
                "token.publish.key",
                "is not set, but token.publish.url is",
                "name the key that the other system reads, like \"wx:{appid}:access_token\"",
            );
            None
        }
        (None, Some(_)) => {
            reader.fault(
                "token.publish.url",
                "is not set, but token.publish.key is",
                "name the Redis server that the other system reads: redis://…",
            );
            None
        }
    }
}

#[cfg(feature = "redis")]
fn publish_url(address: &str) -> Result<StoreAddress, Problem> {
    RedisTokens::open(address).map_err(wrong_address)?;
    Ok(StoreAddress::new(address))
}

#[cfg(feature = "redis")]
fn publish_key(pattern: &str) -> Result<Option<String>, Problem> {
    let pattern = pattern.trim();
    if pattern.is_empty() {
        return Ok(None);
    }
    match RedisCopies::open("redis://localhost", pattern) {
        Err(error @ CopiesError::Pattern) => {
            let remedy = "write it like \"wx:{appid}:access_token\"";
            Err(Problem::new(error.to_string(), remedy))
        }
        _ => Ok(Some(pattern.to_owned())),
    }
}

#[cfg(not(feature = "redis"))]
fn publish_url(address: &str) -> Result<StoreAddress, Problem> {
    redis(address).map(|_| StoreAddress::new(address))
}

#[cfg(not(feature = "redis"))]
fn publish_key(pattern: &str) -> Result<Option<String>, Problem> {
    let pattern = pattern.trim();
    Ok((!pattern.is_empty()).then(|| pattern.to_owned()))
}

const STORES: &str =
    "use \"embedded\", \"memory\", or the address of a server: redis://…, rediss://… or mysql://…";

fn store(text: &str) -> Result<TokenStoreKind, Problem> {
    match text {
        "embedded" => Ok(TokenStoreKind::Embedded),
        "memory" => Ok(TokenStoreKind::Memory),
        address if address.starts_with("redis://") || address.starts_with("rediss://") => {
            redis(address)
        }
        address if address.starts_with("mysql://") => mysql(address),
        _ => Err(Problem::new("is not a token store", STORES)),
    }
}

#[cfg(any(feature = "redis", feature = "mysql"))]
fn wrong_address(error: impl std::error::Error) -> Problem {
    let remedy = "mend it; write what has a meaning in addresses as %XX in a password";
    Problem::new(error.to_string(), remedy)
}

#[cfg(feature = "redis")]
fn redis(address: &str) -> Result<TokenStoreKind, Problem> {
    RedisTokens::open(address).map_err(wrong_address)?;
    Ok(TokenStoreKind::Redis(StoreAddress::new(address)))
}

#[cfg(not(feature = "redis"))]
fn redis(_address: &str) -> Result<TokenStoreKind, Problem> {
    Err(Problem::new(
        "names a Redis server, and this wxhook was built without Redis",
        "build it with --features redis, or use \"embedded\"",
    ))
}

#[cfg(feature = "mysql")]
fn mysql(address: &str) -> Result<TokenStoreKind, Problem> {
    MysqlTokens::open(address).map_err(wrong_address)?;
    Ok(TokenStoreKind::Mysql(StoreAddress::new(address)))
}

#[cfg(not(feature = "mysql"))]
fn mysql(_address: &str) -> Result<TokenStoreKind, Problem> {
    Err(Problem::new(
        "names a MySQL server, and this wxhook was built without MySQL",
        "build it with --features mysql, or use \"embedded\"",
    ))
}

pub(super) fn endpoint(text: &str) -> Result<Endpoint, Problem> {
    match text.trim() {
        "stable" => Ok(Endpoint::Stable),
        "plain" => Ok(Endpoint::Plain),
        _ => Err(Problem::new(
            "is not a token endpoint",
            "use \"stable\", or \"plain\" if no other system asks that endpoint for this account",
        )),
    }
}

/// Only one who asks the platform publishes what it gave.
pub(super) fn check_publisher(
    reader: &mut Reader,
    settings: Option<&TokenSettings>,
    service: Option<&TokenService>,
) {
    if service.is_some() && settings.is_some_and(|settings| settings.publish.is_some()) {
        reader.fault(
            "token.publish.url",
            "is set, but this server gets its tokens from token.source",
            "set it at the central wxhook, which asks the platform",
        );
    }
}

/// Reads `token.source` and `token.client_key`: both, or neither.
pub(super) fn service(reader: &mut Reader) -> Option<Option<TokenService>> {
    let url = reader.text("token.source", |text| match text.trim() {
        "" | "platform" => Ok(None),
        url => ApiHost::parse(url).map(Some).map_err(|error| {
            Problem::new(
                error.to_string(),
                "write the admin listener of the central wxhook: http://HOST:8081",
            )
        }),
    });
    let key = reader.secret("token.client_key", client_key);
    match (url?, key?) {
        (None, _) => Some(None),
        (Some(url), Some(key)) => Some(Some(TokenService { url, key })),
        (Some(_), None) => {
            reader.fault(
                "token.client_key",
                "is not set, but token.source is",
                "copy the key of this server's [clients.NAME] at the central wxhook",
            );
            None
        }
    }
}

/// Reads `jssdk.origins`.
pub(super) fn origins(reader: &mut Reader) -> Option<Vec<Origin>> {
    let origins = reader.list("jssdk.origins", |text| match text.trim() {
        "" => Ok(None),
        text => Origin::parse(text).map(Some).map_err(|error| {
            Problem::new(error.to_string(), "write it like https://shop.example.com")
        }),
    })?;
    Some(origins.into_iter().flatten().collect())
}

/// Reads every client; there need not be any.
pub(super) fn clients(
    reader: &mut Reader,
    accounts: &[(String, AccountSettings)],
) -> Option<Vec<Client>> {
    let mut clients = Vec::new();
    for name in reader.names("clients") {
        let key = |field: &str| format!("clients.{name}.{field}");
        let is_set = CLIENT_KEYS.iter().any(|field| reader.is_set(&key(field)));
        if name == "default" && !is_set {
            // Its keys are known even when none of them is set.
            CLIENT_KEYS
                .iter()
                .for_each(|field| reader.skip(&key(field)));
            continue;
        }
        clients.push(client(reader, &name, accounts));
    }
    let clients: Vec<Client> = clients.into_iter().collect::<Option<_>>()?;
    for (index, client) in clients.iter().enumerate() {
        if let Some(other) = clients[..index].iter().find(|one| one.key == client.key) {
            reader.fault(
                &format!("clients.{}.key", client.name),
                format!("is also the key of clients.{}", other.name),
                "give each client its own, so that the audit can tell them apart",
            );
        }
    }
    Some(clients)
}

fn client(reader: &mut Reader, name: &str, known: &[(String, AccountSettings)]) -> Option<Client> {
    let field = |field: &str| format!("clients.{name}.{field}");
    check_name(reader, "clients", name);
    if name == "admin" {
        let remedy = "choose another name: the audit calls the admin key so";
        reader.fault("clients.admin", "is the admin key's own name", remedy);
    }
    let key = reader.secret(&field("key"), client_key);
    if matches!(key, Some(None)) {
        let remedy = "make one, for example with: openssl rand -hex 32";
        reader.fault(&field("key"), "is not set", remedy);
    }
    let rights = reader.list(&field("rights"), right);
    let accounts = reader.list(&field("accounts"), |text| account(text, known));
    let accounts: Vec<AppId> = accounts?.into_iter().flatten().collect();
    Some(Client {
        name: name.to_owned(),
        key: key??,
        rights: rights?.into_iter().flatten().collect(),
        accounts: (!accounts.is_empty()).then_some(accounts),
    })
}

fn client_key(text: &str) -> Result<ClientKey, Problem> {
    if text.len() < 16 {
        return Err(Problem::new("is too short", "use 16 characters or more"));
    }
    Ok(ClientKey::new(text))
}

fn right(text: &str) -> Result<Option<Right>, Problem> {
    if text.is_empty() {
        return Ok(None);
    }
    let found = Right::ALL.into_iter().find(|right| right.name() == text);
    found.map(Some).ok_or_else(|| {
        Problem::new(
            "is not a right",
            "choose from \"token:read\", \"token:report\" and \"jssdk\"",
        )
    })
}

fn account(text: &str, known: &[(String, AccountSettings)]) -> Result<Option<AppId>, Problem> {
    if text.is_empty() {
        return Ok(None);
    }
    let is_meant = |(name, account): &&(String, AccountSettings)| {
        name == text || account.credentials.app_id().as_str() == text
    };
    let found = known.iter().find(is_meant);
    found
        .map(|(_, account)| Some(account.credentials.app_id().clone()))
        .ok_or_else(|| Problem::new("is not an account", "name one of [accounts.NAME]"))
}
