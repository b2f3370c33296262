//! Environment variables as settings: WeChat's usual names, ours, their aliases, and `…_FILE`.

use std::collections::BTreeMap;

use super::raw::{Fault, Origin};

/// A variable that sets a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Variable {
    pub(super) name: String,
    pub(super) key: String,
    pub(super) value: String,
}

/// Names, and the keys that they set. The first name of a key is the canonical one; it wins over its aliases.
const NAMES: [(&str, &str); 23] = [
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

/// The settings in the environment, the weaker first, and what is wrong with them.
///
/// An empty variable counts as not set: that is how compose files pass on what nobody defined.
pub(super) fn settings(environment: &BTreeMap<String, String>) -> (Vec<Variable>, Vec<Fault>) {
    let (mut variables, mut faults) = (Vec::new(), Vec::new());
    for (name, value) in environment.iter().filter(|(_, value)| !value.is_empty()) {
        if let Some(path) = name.strip_prefix("WXHOOK__") {
            let key = path.to_ascii_lowercase().replace("__", ".");
            variables.push(Variable {
                name: name.clone(),
                key,
                value: value.clone(),
            });
        } else if NAMES.iter().all(|(known, _)| !names(known, name)) {
            faults.extend(unknown(name));
        }
    }
    for (known, key) in NAMES.iter().rev().filter(|(_, key)| !key.is_empty()) {
        let by_file = format!("{known}_FILE");
        let direct = environment.get(*known).filter(|value| !value.is_empty());
        let file = environment.get(&by_file).filter(|value| !value.is_empty());
        match (direct, file) {
            (Some(_), Some(path)) => faults.push(both(known, &by_file, path)),
            (Some(value), None) => variables.push(variable(known, key, value)),
            (None, Some(path)) => match std::fs::read_to_string(path) {
                Ok(text) => variables.push(variable(&by_file, key, text.trim())),
                Err(error) => faults.push(Fault {
                    key: (*key).to_owned(),
                    origin: Origin::Environment(by_file),
                    value: Some(path.clone()),
                    problem: format!("cannot be read: {error}"),
                    remedy: "name a file that this process may read".to_owned(),
                }),
            },
            (None, None) => {}
        }
    }
    (variables, faults)
}

fn variable(name: &str, key: &str, value: &str) -> Variable {
    Variable {
        name: name.to_owned(),
        key: key.to_owned(),
        value: value.to_owned(),
    }
}

fn names(known: &str, name: &str) -> bool {
    name == known || name.strip_suffix("_FILE") == Some(known)
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
