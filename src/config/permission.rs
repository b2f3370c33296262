//! Files with secrets that everybody may read.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use super::Sources;
use super::fault::Origin;
use super::form::Form;
use super::setting::Setting;

/// The bit of a file's mode that lets everybody read it.
const EVERYBODY_READS: u32 = 0o004;

/// Where container runtimes put secrets, readable by all who are in the container, and nobody else is.
const OF_THE_CONTAINER: &str = "/run/secrets/";

/// How the names of the handlers' secrets end; the sample's proxy has a password in it.
const OWN_SECRETS: [&str; 5] = ["key", "secret", "token", "password", "proxy"];

/// One line for each file that holds a secret and that everybody may read.
pub(super) fn warnings(sources: &Sources, settings: &[Setting]) -> Vec<String> {
    let mut warnings: Vec<String> = Vec::new();
    let secrets = settings
        .iter()
        .filter(|setting| setting.is_secret() && setting.is_set() && is_named_so(setting));
    for setting in secrets {
        let path = match &setting.origin {
            Origin::File { path, .. } => Some(path),
            Origin::Environment(name) if name.ends_with("_FILE") => sources.environment.get(name),
            _ => None,
        };
        let Some(path) = path.filter(|path| is_open(path)) else {
            continue;
        };
        let warning = format!(
            "{path} holds secrets ({}) and can be read by every user of this machine; chmod 600 {path}",
            setting.key
        );
        let said = |said: &String| said.starts_with(&format!("{path} "));
        if !warnings.iter().any(said) {
            warnings.push(warning);
        }
    }
    warnings
}

/// Of the handlers' own settings only their names tell which are secrets.
fn is_named_so(setting: &Setting) -> bool {
    let ends = |word: &&str| setting.key.ends_with(*word);
    setting.form != Form::Own || OWN_SECRETS.iter().any(ends)
}

fn is_open(path: &str) -> bool {
    !path.starts_with(OF_THE_CONTAINER)
        && fs::metadata(Path::new(path))
            .is_ok_and(|found| found.permissions().mode() & EVERYBODY_READS != 0)
}
