//! Templates and rules as the commands read them.

use serde_json::{Value, json};

use super::output::{Failure, line};
use crate::config::Config;
use crate::dispatch::{AccountFacts, Bundle};
use crate::id::AppId;
use crate::template::Faults;

/// Reads and checks both; with faults, prints them as JSON if that is wanted, and fails.
pub(super) fn read(config: &Config, json: bool) -> Result<Bundle, Failure> {
    config.bundle.read().map_err(|faults| {
        if json {
            let told = json!({ "ok": false, "faults": faults.0 });
            if let Err(failure) = line(told) {
                return failure;
            }
        }
        Failure::failed(faults)
    })
}

/// What is in it, in one object.
pub(super) fn contents(bundle: &Bundle) -> Value {
    let templates = bundle.templates();
    let template = |name: &str| {
        json!({
            "name": name,
            "needs": templates.needs(name).collect::<Vec<_>>(),
            "locales": templates.locales(name).map(|locale| locale.as_str()).collect::<Vec<_>>(),
        })
    };
    let rules = bundle.rules().iter();
    json!({
        "ok": true,
        "faults": Faults::default().0,
        "templates": templates.names().map(template).collect::<Vec<_>>(),
        "rules": rules.map(|rule| rule.name()).collect::<Vec<_>>(),
    })
}

/// The same for people.
pub(super) fn print(config: &Config, bundle: &Bundle, json: bool) -> Result<(), Failure> {
    if json {
        return line(contents(bundle));
    }
    let templates = bundle.templates();
    for name in templates.names() {
        let needs: Vec<&str> = templates.needs(name).collect();
        let locales: Vec<&str> = templates
            .locales(name)
            .map(|locale| locale.as_str())
            .collect();
        let mut told = name.to_owned();
        if !needs.is_empty() {
            told += &format!("  needs {}", needs.join(", "));
        }
        if !locales.is_empty() {
            told += &format!("  also in {}", locales.join(", "));
        }
        line(told)?;
    }
    for rule in bundle.rules().iter() {
        line(format_args!(
            "rule {:?} (line {})",
            rule.name(),
            rule.line()
        ))?;
    }
    line(format_args!(
        "{} and {} are right: {} templates, {} rules",
        config.bundle.directory.display(),
        config.bundle.rules.display(),
        templates.names().count(),
        bundle.rules().iter().len(),
    ))
}

/// What is known of an account by its AppID.
pub(super) fn account(config: &Config, app_id: &AppId) -> AccountFacts {
    let known = config.bundle.accounts.iter();
    let known = known.into_iter().find(|known| known.app_id == *app_id);
    known
        .cloned()
        .unwrap_or_else(|| AccountFacts::unnamed(app_id.clone()))
}

/// The account of this name or AppID, or the only one.
pub(super) fn named_account(config: &Config, name: Option<&str>) -> Result<AccountFacts, Failure> {
    let accounts = &config.bundle.accounts;
    let Some(name) = name else {
        return Ok(match accounts.as_slice() {
            [only] => only.clone(),
            _ => AccountFacts::unnamed(AppId::unknown()),
        });
    };
    let is_meant = |known: &&AccountFacts| known.name == name || known.app_id.as_str() == name;
    let found = accounts.iter().find(is_meant).cloned();
    found.ok_or_else(|| {
        let known: Vec<&str> = accounts.iter().map(|known| known.name.as_str()).collect();
        let known = match known.as_slice() {
            [] => "none is configured".to_owned(),
            known => format!("there is: {}", known.join(", ")),
        };
        Failure::wrong(format!(
            "--account {name}: there is no such account; {known}"
        ))
    })
}
