//! File and environment become each room's settings; every fault is reported at once.
//!
//! `wxhook.example.toml` is compiled in: it is the list of keys, their defaults and their documentation.
//! Over it lies the operator's file, over that the environment. [`load`] takes both as values, so
//! that tests need neither; [`Sources::gather`] reads the process's environment, and [`Handed::take`] the
//! listeners that came with it; nobody else does.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

mod account;
mod bundle;
mod component;
mod environment;
mod fault;
mod form;
mod handed;
mod nearest;
mod own;
mod permission;
mod quota;
mod raw;
mod rooms;
mod rotation;
mod setting;
mod token;
mod value;
mod watch;
mod window;
mod written;

pub use account::AccountSettings;
pub use component::ComponentSettings;
pub use fault::{Fault, Faults, Origin};
pub use form::Form;
pub use handed::Handed;
pub use own::Own;
pub use quota::{CounterStoreKind, QuotaSettings};
pub use rotation::Rotation;
pub use setting::Setting;
pub use token::{PublishSettings, TokenService, TokenSettings, TokenStoreKind};
pub use watch::{Files, Watch};

use crate::secret::AdminKey;

/// The text of `wxhook.example.toml`: every key, its default and what it means.
pub const EXAMPLE: &str = include_str!("../wxhook.example.toml");

/// What configuration is made of, before anything is checked. Its `Debug` shows no value: it may be a
/// secret.
#[derive(Clone, Default)]
pub struct Sources {
    /// The operator's file: its path and its text.
    pub file: Option<(PathBuf, String)>,
    /// The environment.
    pub environment: BTreeMap<String, String>,
}

impl fmt::Debug for Sources {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sources")
            .field("file", &self.file.as_ref().map(|(path, _)| path))
            .field("environment", &self.environment.keys())
            .finish()
    }
}

impl Sources {
    /// Reads the process's environment, and the file that `--config` or `WXHOOK_CONFIG` names.
    ///
    /// # Errors
    /// A fault that names the file when it cannot be read.
    pub fn gather(config: Option<&Path>) -> Result<Self, Faults> {
        let environment: BTreeMap<String, String> = std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .collect();
        let (path, origin) = match (config, environment.get("WXHOOK_CONFIG")) {
            (Some(path), _) => (path.to_path_buf(), Origin::Argument("--config")),
            (None, Some(path)) if !path.is_empty() => (
                PathBuf::from(path),
                Origin::Environment("WXHOOK_CONFIG".to_owned()),
            ),
            _ => {
                return Ok(Self {
                    file: None,
                    environment,
                });
            }
        };
        match std::fs::read_to_string(&path) {
            Ok(text) => Ok(Self {
                file: Some((path, text)),
                environment,
            }),
            Err(error) => Err(Faults::one(Fault {
                key: "the configuration file".to_owned(),
                origin,
                value: Some(path.display().to_string()),
                problem: format!("cannot be read: {error}"),
                remedy: "name a readable file, or leave it out to use the defaults".to_owned(),
            })),
        }
    }
}

/// Which store keeps the pushes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StoreKind {
    /// One SQLite file, synced before `success`.
    Embedded,
    /// Nothing survives the process.
    Memory,
}

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// The whole configuration, checked.
#[derive(Debug, Clone)]
pub struct Config {
    /// The listeners.
    pub http: crate::http::Settings,
    /// The admin key, when one is configured.
    pub admin_key: Option<AdminKey>,
    /// Which store.
    pub store_kind: StoreKind,
    /// The embedded store.
    pub store: crate::store::embedded::Settings,
    /// Handlers, retries, sends.
    pub dispatch: crate::dispatch::Settings,
    /// Templates and rules.
    pub bundle: crate::dispatch::BundleSettings,
    /// The platform's hosts.
    pub hosts: Arc<crate::platform::hosts::Hosts>,
    /// How they are connected to.
    pub transport: crate::transport::Settings,
    /// How they are called.
    pub api: crate::api::Settings,
    /// The central token service to ask, instead of the platform.
    pub token_service: Option<TokenService>,
    /// Who may ask the admin listener beside the admin key.
    pub clients: Vec<crate::http::client::Client>,
    /// The origins of pages that are signed for the JS-SDK.
    pub js_origins: Vec<crate::api::jssdk::Origin>,
    /// Where access tokens are kept, and which endpoint gives them.
    pub token: TokenSettings,
    /// How calls are counted and limited.
    pub quota: QuotaSettings,
    /// What is logged.
    pub log_filter: String,
    /// How it looks.
    pub log_format: LogFormat,
    /// The accounts, by name.
    pub accounts: BTreeMap<String, AccountSettings>,
    /// The third-party platforms, by name.
    pub components: BTreeMap<String, ComponentSettings>,
}

/// What a command needs of the configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Needs {
    /// At least one account, with what verifies and opens its pushes.
    Accounts,
    /// Accounts as far as there are any, with nothing that verifies and opens pushes: it receives none.
    Tokens,
    /// No account: it only looks at the store or at the running server.
    NoAccount,
}

/// A configuration, checked, and how it was written.
#[derive(Debug, Clone)]
pub struct Reading {
    /// What the rooms are told.
    pub config: Config,
    /// Every key that is in force, with its value and its origin.
    pub settings: Vec<Setting>,
    /// What is the handlers' own.
    pub own: Own,
    /// What is not wrong and should be mended: secrets that everybody may read.
    pub warnings: Vec<String>,
}

/// Checks everything and reports all faults at once.
///
/// # Errors
/// [`Faults`]: one line for each wrong or unknown setting, with key, value and remedy.
pub fn read(sources: &Sources, needs: Needs) -> Result<Reading, Faults> {
    let mut reader = raw::Reader::new(sources)?;
    let config = rooms::read(&mut reader, needs);
    let (settings, own) = reader.finish()?;
    Ok(Reading {
        // Without a fault every part is there.
        config: config.ok_or_else(Faults::default)?,
        warnings: permission::warnings(sources, &settings),
        settings,
        own,
    })
}

/// The same for those who only want the settings of the rooms.
///
/// # Errors
/// As [`read`].
pub fn load(sources: &Sources, needs: Needs) -> Result<Config, Faults> {
    read(sources, needs).map(|reading| reading.config)
}

/// Every variable that sets a key, the shortest name first. Each also has a twin with `_FILE` at its end,
/// which holds the path of a file with the value.
pub fn variables(key: &str) -> Vec<String> {
    let short = environment::names_of(key).into_iter().map(str::to_owned);
    short.chain([environment::variable_of(key)]).collect()
}

/// A duration as settings write it, for command-line arguments.
///
/// # Errors
/// A sentence that says how durations are written.
pub fn parse_duration(text: &str) -> Result<std::time::Duration, String> {
    value::duration(text).map_err(|problem| format!("{}; {}", problem.problem, problem.remedy))
}

#[cfg(test)]
mod tests;
