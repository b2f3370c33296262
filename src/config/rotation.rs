//! What a configuration that was read again changes in a running server: Tokens and EncodingAESKeys, the
//! current and the previous ones. Everything else waits for a restart, and is named.

use std::collections::{BTreeMap, BTreeSet};

use super::fault::Origin;
use super::setting::Setting;
use super::{Config, Reading};
use crate::protocol::Credentials;

/// The fields of an account or a component that change without a restart.
const ROTATING: [&str; 4] = [
    "token",
    "previous_token",
    "encoding_aes_key",
    "previous_encoding_aes_key",
];

/// What changes, and what does not.
#[derive(Debug, Clone, Default)]
pub struct Rotation {
    /// The accounts whose secrets change, by name.
    pub accounts: BTreeMap<String, Credentials>,
    /// The third-party platforms whose secrets change, by name.
    pub components: BTreeMap<String, Credentials>,
    /// The keys of these changes.
    pub keys: Vec<String>,
    /// The keys of secrets that are replaced, and not kept as previous ones: what the platform still
    /// signs or encrypts with them is refused.
    pub dropped: Vec<String>,
    /// The keys that are written otherwise than what is in force, and wait for a restart.
    pub waiting: BTreeSet<String>,
}

/// The credentials in force, by section and name.
#[derive(Debug, Clone)]
pub(super) struct InForce(BTreeMap<(&'static str, String), Credentials>);

impl InForce {
    pub(super) fn of(config: &Config) -> Self {
        let accounts = config.accounts.iter().map(|(name, account)| {
            let key = ("accounts", name.clone());
            (key, account.credentials.clone())
        });
        let components = config.components.iter().map(|(name, component)| {
            let key = ("components", name.clone());
            (key, component.credentials.clone())
        });
        Self(accounts.chain(components).collect())
    }

    /// What `read` changes of it, as far as that can change without a restart; from now on that is in
    /// force. `started` is what all else is as.
    pub(super) fn rotate(&mut self, started: &Reading, read: &Reading) -> Rotation {
        let mut rotation = Rotation {
            waiting: waiting(&started.settings, &read.settings),
            ..Rotation::default()
        };
        for ((section, name), next) in Self::of(&read.config).0 {
            // One that was added is among what waits.
            let Some(now) = self.0.get_mut(&(section, name.clone())) else {
                continue;
            };
            let fields = differences(now, &next);
            let keys = fields
                .iter()
                .map(|field| format!("{section}.{name}.{field}"));
            // Whose mode or AppID changes becomes another account. A half-written file must not open the
            // door to plaintext.
            if now.mode() != next.mode() || now.app_id() != next.app_id() {
                rotation.waiting.extend(keys);
                rotation.waiting.insert(format!("{section}.{name}.mode"));
                continue;
            }
            if fields.is_empty() {
                continue;
            }
            rotation.keys.extend(keys);
            let dropped = dropped(now, &next).into_iter();
            rotation
                .dropped
                .extend(dropped.map(|field| format!("{section}.{name}.{field}")));
            *now = next.clone();
            match section {
                "accounts" => rotation.accounts.insert(name, next),
                _ => rotation.components.insert(name, next),
            };
        }
        rotation
    }
}

/// The keys that are written in one of the two alone, or otherwise, and do not rotate.
fn waiting(started: &[Setting], read: &[Setting]) -> BTreeSet<String> {
    let written = |settings: &[Setting]| -> BTreeMap<String, String> {
        let kept = |setting: &&Setting| setting.origin != Origin::Default && !rotates(&setting.key);
        let kept = settings.iter().filter(kept);
        kept.map(|setting| (setting.key.clone(), setting.written.to_string()))
            .collect()
    };
    let (started, read) = (written(started), written(read));
    let keys = started.keys().chain(read.keys());
    keys.filter(|key| started.get(*key) != read.get(*key))
        .cloned()
        .collect()
}

fn rotates(key: &str) -> bool {
    let parts: Vec<&str> = key.split('.').collect();
    matches!(parts[..], ["accounts" | "components", _, field] if ROTATING.contains(&field))
}

/// The fields in which the secrets differ.
fn differences(now: &Credentials, next: &Credentials) -> Vec<&'static str> {
    let [token, previous_token, key, previous_key] = ROTATING;
    let (tokens, keys) = ((now.token(), next.token()), (now.ciphers(), next.ciphers()));
    let current = keys.0.map(|ciphers| &ciphers.current) != keys.1.map(|ciphers| &ciphers.current);
    let previous = keys.0.and_then(|ciphers| ciphers.previous.as_ref())
        != keys.1.and_then(|ciphers| ciphers.previous.as_ref());
    let differ = [
        (token, tokens.0.current != tokens.1.current),
        (previous_token, tokens.0.previous != tokens.1.previous),
        (key, current),
        (previous_key, previous),
    ];
    let differ = differ.into_iter().filter(|(_, differs)| *differs);
    differ.map(|(field, _)| field).collect()
}

/// The current secrets that are neither current nor previous any more.
fn dropped(now: &Credentials, next: &Credentials) -> Vec<&'static str> {
    let [token, _, key, _] = ROTATING;
    let mut dropped = Vec::new();
    let (was, tokens) = (&now.token().current, next.token());
    if tokens.current != *was && tokens.previous.as_ref() != Some(was) {
        dropped.push(token);
    }
    if let (Some(now), Some(next)) = (now.ciphers(), next.ciphers())
        && next.current != now.current
        && next.previous.as_ref() != Some(&now.current)
    {
        dropped.push(key);
    }
    dropped
}
