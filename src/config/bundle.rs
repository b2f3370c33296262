//! Where templates and rules are.

use std::path::PathBuf;

use super::account::AccountSettings;
use super::raw::Reader;
use super::value::Problem;
use crate::dispatch::{AccountFacts, BundleSettings};

/// Reads `[render]` and `[rules]`.
pub(super) fn settings(
    reader: &mut Reader,
    accounts: &[(String, AccountSettings)],
) -> Option<BundleSettings> {
    let directory = reader.text("render.dir", path);
    let look_every = reader.duration("render.look_every", "100ms", "1h");
    let rules = reader.text("rules.file", path);
    let accounts = accounts.iter().map(|(name, account)| AccountFacts {
        name: name.clone(),
        app_id: account.credentials.app_id().clone(),
        locale: account.locale.clone(),
    });
    let (directory, rules) = (directory?, rules?);
    // A copy of the example file names nothing.
    let default = BundleSettings::default();
    Some(BundleSettings {
        directory_is_named: directory != default.directory,
        directory,
        rules_is_named: rules != default.rules,
        rules,
        look_every: look_every?,
        accounts: accounts.collect(),
    })
}

fn path(text: &str) -> Result<PathBuf, Problem> {
    match text.trim() {
        "" => Err(Problem::new(
            "is empty",
            "write a path; what is not there counts as empty unless you name it",
        )),
        path => Ok(PathBuf::from(path)),
    }
}
