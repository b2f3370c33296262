//! Environment variables as settings: WeChat's usual names, ours, their aliases, and `…_FILE`.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::fault::{Fault, Origin};

/// A variable that sets a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Variable {
    pub(super) name: String,
    pub(super) key: String,
    pub(super) value: String,
}

/// Names, and the keys that they set. The first name of a key is the canonical one; it wins over its aliases.
const NAMES: [(&str, &str); 25] = [
    ("WECHAT_APP_ID", "accounts.default.app_id"),
    ("WECHAT_APPID", "accounts.default.app_id"),
    ("WECHAT_OFFICIAL_ACCOUNT_APPID", "accounts.default.app_id"),
    ("WECHAT_APP_SECRET", "accounts.default.app_secret"),
    ("WECHAT_SECRET", "accounts.default.app_secret"),
    (
        "WECHAT_OFFICIAL_ACCOUNT_SECRET",
        "accounts.default.app_secret",
    ),
    ("WECHAT_TOKEN", "accounts.default.token"),
    ("WECHAT_OFFICIAL_ACCOUNT_TOKEN", "accounts.default.token"),
    (
        "WECHAT_ENCODING_AES_KEY",
        "accounts.default.encoding_aes_key",
    ),
    ("WECHAT_AES_KEY", "accounts.default.encoding_aes_key"),
    (
        "WECHAT_OFFICIAL_ACCOUNT_AES_KEY",
        "accounts.default.encoding_aes_key",
    ),
    ("WECHAT_MODE", "accounts.default.mode"),
    ("WECHAT_PREVIOUS_TOKEN", "accounts.default.previous_token"),
    (
        "WECHAT_PREVIOUS_ENCODING_AES_KEY",
        "accounts.default.previous_encoding_aes_key",
    ),
    ("WXHOOK_LISTEN", "server.listen"),
    ("WXHOOK_ADMIN_LISTEN", "admin.listen"),
    ("WXHOOK_ADMIN_KEY", "admin.key"),
    ("WXHOOK_DATA_DIR", "store.data_dir"),
    ("WXHOOK_STORE", "store.kind"),
    ("WXHOOK_API_HOSTS", "api.hosts"),
    ("WXHOOK_TOKEN_STORE", "token.store"),
    ("WXHOOK_TOKEN_PUBLISH_URL", "token.publish.url"),
    ("WXHOOK_LOG", "log.filter"),
    ("WXHOOK_LOG_FORMAT", "log.format"),
    ("WXHOOK_CONFIG", ""),
];

/// What any key's variable begins with.
const ANY: &str = "WXHOOK__";
/// What the name of a variable ends with that holds the path of a file.
const BY_FILE: &str = "_FILE";

/// The settings in the environment, the weaker first, and what is wrong with them.
///
/// An empty variable counts as not set: that is how compose files pass on what nobody defined.
pub(super) fn settings(environment: &BTreeMap<String, String>) -> (Vec<Variable>, Vec<Fault>) {
    let (mut variables, mut faults) = (Vec::new(), Vec::new());
    let mut add = |name: &str, key: &str| match value(environment, name, key) {
        Ok(found) => variables.extend(found),
        Err(fault) => faults.push(*fault),
    };
    let is_set = |(_, value): &(&String, &String)| !value.is_empty();
    let mut unknown = Vec::new();
    for (name, _) in environment.iter().filter(is_set) {
        if name.starts_with(ANY) {
            // A value that is beside its file is found with the value.
            match direct_of(name) {
                Some(direct)
                    if environment
                        .get(direct)
                        .is_some_and(|value| !value.is_empty()) => {}
                Some(direct) => add(direct, &key_of(direct)),
                None => add(name, &key_of(name)),
            }
        } else if NAMES.iter().all(|(known, _)| !names(known, name)) {
            unknown.extend(self::unknown(name));
        }
    }
    for (name, key) in NAMES.iter().rev().filter(|(_, key)| !key.is_empty()) {
        add(name, key);
    }
    faults.splice(0..0, unknown);
    (variables, faults)
}

/// The value of one variable, or of the file that its twin names.
fn value(
    environment: &BTreeMap<String, String>,
    name: &str,
    key: &str,
) -> Result<Option<Variable>, Box<Fault>> {
    let by_file = format!("{name}{BY_FILE}");
    let set = |name: &str| environment.get(name).filter(|value| !value.is_empty());
    match (set(name), set(&by_file)) {
        (Some(_), Some(path)) => Err(Box::new(both(name, &by_file, path))),
        (Some(value), None) => Ok(Some(variable(name, key, value))),
        (None, Some(path)) => match std::fs::read_to_string(path) {
            Ok(text) => Ok(Some(variable(&by_file, key, text.trim()))),
            Err(error) => Err(Box::new(Fault {
                key: key.to_owned(),
                origin: Origin::Environment(by_file),
                value: Some(path.clone()),
                problem: format!("cannot be read: {error}"),
                remedy: "name a file that this process may read".to_owned(),
            })),
        },
        (None, None) => Ok(None),
    }
}

/// The variable whose value is in the file that this one names. `WXHOOK__RULES__FILE` is a key of its own.
fn direct_of(name: &str) -> Option<&str> {
    name.strip_suffix(BY_FILE)
        .filter(|direct| !direct.is_empty() && !direct.ends_with('_'))
}

fn key_of(name: &str) -> String {
    let path = name.strip_prefix(ANY).unwrap_or(name);
    path.to_ascii_lowercase().replace("__", ".")
}

/// The variable that sets any key.
pub(super) fn variable_of(key: &str) -> String {
    format!("{ANY}{}", key.to_ascii_uppercase().replace('.', "__"))
}

/// The variables that set this key beside [`variable_of`] it: the first is the canonical one.
pub(super) fn names_of(key: &str) -> Vec<&'static str> {
    let of_key = |(_, set): &&(&str, &str)| *set == key;
    NAMES.iter().filter(of_key).map(|(name, _)| *name).collect()
}

/// The files that variables name.
pub(super) fn files(environment: &BTreeMap<String, String>) -> Vec<PathBuf> {
    let is_ours = |name: &str| {
        let by_name = |(known, _): &(&str, &str)| *name == format!("{known}{BY_FILE}");
        name.starts_with(ANY) && direct_of(name).is_some() || NAMES.iter().any(by_name)
    };
    let ours = environment.iter().filter(|(name, _)| is_ours(name));
    ours.filter(|(_, path)| !path.is_empty())
        .map(|(_, path)| PathBuf::from(path))
        .collect()
}

fn variable(name: &str, key: &str, value: &str) -> Variable {
    Variable {
        name: name.to_owned(),
        key: key.to_owned(),
        value: value.to_owned(),
    }
}

fn names(known: &str, name: &str) -> bool {
    name == known || name.strip_suffix(BY_FILE) == Some(known)
}

fn both(known: &str, by_file: &str, path: &str) -> Fault {
    Fault {
        key: known.to_owned(),
        origin: Origin::Environment(by_file.to_owned()),
        value: Some(path.to_owned()),
        problem: format!("is set beside {known}"),
        remedy: "set only one of the two".to_owned(),
    }
}

/// Every `WXHOOK_` variable is ours. `WECHAT_` ones may be another program's: only a slip of the pen
/// is reported.
fn unknown(name: &str) -> Option<Fault> {
    let ours = name.starts_with("WXHOOK_");
    if !ours && !name.starts_with("WECHAT_") {
        return None;
    }
    let (likeness, nearest) = NAMES
        .iter()
        .map(|(known, _)| (strsim::jaro_winkler(known, name), *known))
        .max_by(|one, other| one.0.total_cmp(&other.0))?;
    let close = likeness > 0.94;
    (ours || close).then(|| Fault {
        key: name.to_owned(),
        origin: Origin::Environment(name.to_owned()),
        value: None,
        problem: "is not a variable of wxhook".to_owned(),
        remedy: if close || likeness > 0.9 {
            format!("did you mean {nearest}?")
        } else {
            "remove it; wxhook.example.toml names every variable".to_owned()
        },
    })
}
