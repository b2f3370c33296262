//! One third-party platform's (第三方平台) settings.

use super::account::{aes_key, app_id, check_name, push_token};
use super::raw::Reader;
use crate::protocol::{Credentials, Mode, Rotating};

/// A third-party platform as it is configured, checked. It only receives: calls in its name are not
/// made by wxhook.
#[derive(Debug, Clone)]
pub struct ComponentSettings {
    /// What its notices and relayed messages are verified and opened with. Always secure mode.
    pub credentials: Credentials,
    /// Whether WeChat's check before the platform is published (全网发布检测) is answered.
    pub release_check: bool,
}

const KEYS: [&str; 5] = [
    "app_id",
    "token",
    "encoding_aes_key",
    "previous_token",
    "previous_encoding_aes_key",
];

/// Reads every component; there need not be any.
pub(super) fn read_all(reader: &mut Reader) -> Option<Vec<(String, ComponentSettings)>> {
    let names = reader.names("components");
    let set = |reader: &Reader, name: &str| {
        KEYS.iter()
            .any(|key| reader.is_set(&format!("components.{name}.{key}")))
    };
    let mut components = Vec::new();
    for name in names {
        if name == "default" && !set(reader, &name) {
            // Its keys are known even when none of them is set.
            for key in KEYS {
                reader.skip(&format!("components.{name}.{key}"));
            }
            reader.skip(&format!("components.{name}.release_check"));
            continue;
        }
        components.push(read(reader, &name).map(|component| (name, component)));
    }
    components.into_iter().collect()
}

fn read(reader: &mut Reader, name: &str) -> Option<ComponentSettings> {
    let key = |field: &str| format!("components.{name}.{field}");
    check_name(reader, "components", name);
    let app_id = reader.text(&key("app_id"), app_id);
    let token = reader.secret(&key("token"), push_token);
    let previous_token = reader.secret(&key("previous_token"), push_token);
    let current = reader.secret(&key("encoding_aes_key"), aes_key);
    let previous = reader.secret(&key("previous_encoding_aes_key"), aes_key);
    let release_check = reader.flag(&key("release_check"));
    for (field, missing) in [
        ("token", matches!(token, Some(None))),
        ("encoding_aes_key", matches!(current, Some(None))),
    ] {
        if missing {
            let remedy =
                "copy it from the third-party platform's page (消息校验Token, 消息加解密Key)";
            reader.fault(&key(field), "is not set", remedy);
        }
    }
    let token = Rotating {
        current: token??,
        previous: previous_token?,
    };
    let keys = Rotating {
        current: current??,
        previous: previous?,
    };
    let credentials = Credentials::new(app_id?, Mode::Secure, token, Some(keys)).ok()?;
    Some(ComponentSettings {
        credentials,
        release_check: release_check?,
    })
}
