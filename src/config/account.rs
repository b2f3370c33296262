//! One account's settings.

use super::raw::Reader;
use super::value::{Problem, unless_empty};
use super::{Needs, quota, window};
use crate::dispatch::passive::PassiveTerms;
use crate::id::AppId;
use crate::protocol::{Credentials, Mode, Rotating, envelope};
use crate::secret::{AesKey, AppSecret, PushToken};
use crate::template::Locale;
use crate::token::Endpoint;

/// An account as it is configured, checked.
#[derive(Debug, Clone)]
pub struct AccountSettings {
    /// What its pushes are verified and opened with.
    pub credentials: Credentials,
    /// What access tokens are asked for with; an account that only receives has none.
    pub app_secret: Option<AppSecret>,
    /// Which of the platform's endpoints gives its tokens, when it is another one than the others'.
    pub token_endpoint: Option<Endpoint>,
    /// The paths at which it is served.
    pub paths: Vec<String>,
    /// The language that its followers read.
    pub locale: Option<Locale>,
    /// How its passive replies are used.
    pub passive: PassiveTerms,
}

/// Reads every account; notes a fault when there is none but one is needed. Who `receives` no pushes
/// needs nothing to verify and to open them with.
pub(super) fn read_all(
    reader: &mut Reader,
    needs: Needs,
    receives: bool,
    general: PassiveTerms,
) -> Option<Vec<(String, AccountSettings)>> {
    let names: Vec<String> = reader
        .names("accounts")
        .into_iter()
        .filter(|name| name != "default" || default_is_set(reader))
        .collect();
    if names.is_empty() {
        // The keys of [accounts.default] are known even when none of them is set.
        skip(reader, "default");
        if needs != Needs::Accounts {
            return Some(Vec::new());
        }
        reader.fault(
            "accounts",
            "no account is configured",
            "set WECHAT_APP_ID, WECHAT_TOKEN and WECHAT_ENCODING_AES_KEY, or [accounts.default] in a file; \
             `wxhook dev` needs none",
        );
        return None;
    }
    if !names.iter().any(|name| name == "default") {
        skip(reader, "default");
    }
    let single = names.len() == 1;
    let accounts: Vec<_> = names
        .iter()
        .map(|name| {
            let account = read(reader, name, single, receives, general)?;
            Some((name.clone(), account))
        })
        .collect();
    let accounts: Vec<_> = accounts.into_iter().collect::<Option<_>>()?;
    check_paths(reader, &accounts);
    Some(accounts)
}

const KEYS: [&str; 12] = [
    "app_id",
    "app_secret",
    "token",
    "encoding_aes_key",
    "mode",
    "previous_token",
    "previous_encoding_aes_key",
    "path",
    "token_endpoint",
    "locale",
    "passive_within",
    "use_retries",
];

fn default_is_set(reader: &Reader) -> bool {
    KEYS.iter()
        .any(|key| reader.is_set(&format!("accounts.default.{key}")))
}

fn skip(reader: &mut Reader, name: &str) {
    for key in KEYS {
        reader.skip(&format!("accounts.{name}.{key}"));
    }
    for field in window::OWN {
        reader.skip(&format!("accounts.{name}.windows.{field}"));
    }
    for field in quota::OWN {
        reader.skip(&format!("accounts.{name}.quota.{field}"));
    }
}

fn read(
    reader: &mut Reader,
    name: &str,
    single: bool,
    receives: bool,
    general: PassiveTerms,
) -> Option<AccountSettings> {
    let key = |field: &str| format!("accounts.{name}.{field}");
    check_name(reader, "accounts", name);
    let app_id = reader.text(&key("app_id"), app_id);
    let app_secret = reader.secret(&key("app_secret"), |text| Ok(AppSecret::new(text)));
    let token = reader.secret(&key("token"), push_token);
    let previous_token = reader.secret(&key("previous_token"), push_token);
    let aes_key = reader.secret(&key("encoding_aes_key"), aes_key);
    let previous_key = reader.secret(&key("previous_encoding_aes_key"), self::aes_key);
    let mode = reader.text(&key("mode"), mode);
    let path = reader.text(&key("path"), own_path);
    let token_endpoint = reader.text(&key("token_endpoint"), unless_empty(super::token::endpoint));
    let locale = reader.text(&key("locale"), unless_empty(locale));
    let within = reader.duration_or_empty(&key("passive_within"), "0s", LATEST);
    let use_retries = reader.flag_or_empty(&key("use_retries"));

    if receives && matches!(token, Some(None)) {
        reader.fault(&key("token"), "is not set", "copy the Token (令牌) of the console's server configuration; WECHAT_TOKEN for the default account");
    }
    let (token, aes_key) = (token?, aes_key?);
    let mode = mode?.unwrap_or(if aes_key.is_some() {
        Mode::Secure
    } else {
        Mode::Plain
    });
    let mode = if receives || aes_key.is_some() {
        mode
    } else {
        Mode::Plain
    };
    reader.comes_to(&key("mode"), mode.name());
    if mode != Mode::Plain && aes_key.is_none() {
        reader.fault(
            &key("encoding_aes_key"),
            format!("is not set, but mode is {}", mode.name()),
            "copy the EncodingAESKey of the console, or set mode = \"plain\" there and here",
        );
        return None;
    }
    let app_id = app_id?;
    let token = match token {
        None if !receives => unknown_token(),
        token => token,
    };
    let token = Rotating {
        current: token?,
        previous: previous_token?,
    };
    let key = aes_key.map(|current| Rotating {
        current,
        previous: previous_key.flatten(),
    });
    let paths = paths(name, &app_id, path?, single);
    let credentials = Credentials::new(app_id, mode, token, key).ok()?;
    Some(AccountSettings {
        credentials,
        app_secret: app_secret?,
        token_endpoint: token_endpoint?,
        paths,
        locale: locale?,
        passive: PassiveTerms {
            within: within?.unwrap_or(general.within),
            use_retries: use_retries?.unwrap_or(general.use_retries),
        },
    })
}

/// `[reply]`: what holds for accounts that do not say otherwise.
pub(super) fn reply(reader: &mut Reader) -> Option<PassiveTerms> {
    let within = reader.duration("reply.passive_within", "0s", LATEST);
    let use_retries = reader.flag("reply.use_retries");
    Some(PassiveTerms {
        within: within?,
        use_retries: use_retries?,
    })
}

/// [`LATEST_PASSIVE`](crate::dispatch::LATEST_PASSIVE) as it is written: WeChat waits 5 s.
const LATEST: &str = "4500ms";

fn locale(text: &str) -> Result<Locale, Problem> {
    Locale::parse(text).map_err(|error| Problem::new("is no language", error.to_string()))
}

/// In place of a Token that is not needed: one that nobody knows, so nothing can be signed with it.
fn unknown_token() -> Option<PushToken> {
    let mut random = [0; 16];
    getrandom::fill(&mut random).ok()?;
    Some(PushToken::new(format!(
        "{:032x}",
        u128::from_be_bytes(random)
    )))
}

/// Names are path segments and words of the log.
pub(super) fn check_name(reader: &mut Reader, section: &str, name: &str) {
    let fits = (1..=32).contains(&name.len())
        && name
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
    if !fits {
        reader.fault(
            &format!("{section}.{name}"),
            "is not a name",
            "use 1 to 32 of a-z, 0-9 and -",
        );
    }
}

pub(super) fn app_id(text: &str) -> Result<AppId, Problem> {
    let remedy = "copy the AppID of the console: wx and 16 digits or letters a-f";
    if text.trim().is_empty() {
        return Err(Problem::new(
            "is not set",
            format!("{remedy}; WECHAT_APP_ID for the default account"),
        ));
    }
    AppId::parse(text.trim()).map_err(|error| Problem::new(error.to_string(), remedy))
}

/// Source: the console accepts 3 to 32 letters and digits.
pub(super) fn push_token(text: &str) -> Result<PushToken, Problem> {
    let fits = (3..=32).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric());
    if fits {
        Ok(PushToken::new(text))
    } else {
        Err(Problem::new(
            "is not a Token",
            "copy the Token (令牌) of the console's server configuration: 3 to 32 letters and digits",
        ))
    }
}

pub(super) fn aes_key(text: &str) -> Result<AesKey, Problem> {
    envelope::decode_key(text).map_err(|error| {
        Problem::new(
            error.to_string(),
            "copy the EncodingAESKey (消息加解密密钥) of the console: 43 letters and digits",
        )
    })
}

fn mode(text: &str) -> Result<Option<Mode>, Problem> {
    let text = text.trim();
    if text.is_empty() {
        return Ok(None);
    }
    Mode::parse(text)
        .map(Some)
        .map_err(|error| Problem::new(error.to_string(), "choose the one that the console says"))
}

fn own_path(text: &str) -> Result<Option<String>, Problem> {
    let text = text.trim().trim_end_matches('/');
    if text.is_empty() {
        return Ok(None);
    }
    let fits = text.starts_with('/')
        && text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"/-_.~".contains(&b));
    if !fits {
        return Err(Problem::new("is not a path", "write it like /wechat/shop"));
    }
    Ok(Some(text.to_owned()))
}

fn paths(name: &str, app_id: &AppId, own: Option<String>, single: bool) -> Vec<String> {
    let mut paths = vec![format!("/wechat/{name}"), format!("/wechat/{app_id}")];
    paths.extend(single.then(|| "/wechat".to_owned()));
    paths.extend(own);
    paths.sort();
    paths.dedup();
    paths
}

/// Two accounts at one path, or with one AppID, could not be told apart.
fn check_paths(reader: &mut Reader, accounts: &[(String, AccountSettings)]) {
    for (index, (name, account)) in accounts.iter().enumerate() {
        for (other, earlier) in &accounts[..index] {
            if account.credentials.app_id() == earlier.credentials.app_id() {
                reader.fault(
                    &format!("accounts.{name}.app_id"),
                    format!("is also the AppID of accounts.{other}"),
                    "give each account its own",
                );
            } else if let Some(path) = account
                .paths
                .iter()
                .find(|path| earlier.paths.contains(path))
            {
                reader.fault(
                    &format!("accounts.{name}.path"),
                    format!("{path} is also a path of accounts.{other}"),
                    "give each account paths of its own",
                );
            }
        }
    }
}
