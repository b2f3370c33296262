//! What may change while the server runs: templates and rules, checked together, swapped at once.
//!
//! A bundle never changes. An attempt takes the one of the moment and uses it to its end, so that one
//! answer is never worded by two states of the files.

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::{ArcSwap, ArcSwapOption};

use crate::dispatch::answer::AccountFacts;
use crate::dispatch::rules::Rules;
use crate::id::AppId;
use crate::template::{Fault, Faults, Files, Look, Templates, read_text};

/// How often the files are looked at.
pub const LOOK_EVERY: Duration = Duration::from_secs(2);
/// Bytes of the file of rules.
pub const MAX_RULES_BYTES: usize = 1 << 20;
/// Times that files are read again because they changed meanwhile.
const READS: usize = 5;

/// Where templates and rules are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BundleSettings {
    /// The directory of templates.
    pub directory: PathBuf,
    /// Whether it must be there: it was named.
    pub directory_is_named: bool,
    /// The file of rules.
    pub rules: PathBuf,
    /// Whether it must be there.
    pub rules_is_named: bool,
    /// How often they are looked at. Default [`LOOK_EVERY`].
    pub look_every: Duration,
    /// The accounts that rules and templates speak for.
    pub accounts: Vec<AccountFacts>,
}

impl Default for BundleSettings {
    fn default() -> Self {
        Self {
            directory: PathBuf::from("./templates"),
            directory_is_named: false,
            rules: PathBuf::from("./rules.toml"),
            rules_is_named: false,
            look_every: LOOK_EVERY,
            accounts: Vec::new(),
        }
    }
}

impl BundleSettings {
    /// What is seen of the files now.
    pub fn look(&self) -> Look {
        Look::at(&self.directory, &self.rules)
    }

    /// Reads, compiles and checks everything, as it was at one moment.
    ///
    /// # Errors
    /// All faults of all files.
    pub fn read(&self) -> Result<Bundle, Faults> {
        let mut before = self.look();
        for _ in 0..READS {
            let (files, rules) = (self.read_files(), self.read_rules());
            let after = self.look();
            if before == after {
                return Bundle::compile(
                    &files?,
                    rules?.as_deref(),
                    &self.rules_name(),
                    &self.accounts,
                );
            }
            before = after;
        }
        Err(one(
            self.directory.display().to_string(),
            "changes all the time",
            "let it come to rest, or put it behind a link and move the link",
        ))
    }

    fn rules_name(&self) -> String {
        let name = self.rules.file_name().unwrap_or(self.rules.as_os_str());
        name.to_string_lossy().into_owned()
    }

    fn read_files(&self) -> Result<Files, Faults> {
        match Files::read(&self.directory) {
            Ok(files) => Ok(files),
            Err(error) if error.kind() == io::ErrorKind::NotFound && !self.directory_is_named => {
                Ok(Files::default())
            }
            Err(error) => Err(one(
                self.directory.display().to_string(),
                format!("cannot be read: {error}"),
                "name the directory of the templates in render.dir",
            )),
        }
    }

    fn read_rules(&self) -> Result<Option<String>, Faults> {
        if !self.rules_is_named && !self.rules.exists() {
            return Ok(None);
        }
        match read_text(&self.rules, MAX_RULES_BYTES) {
            Ok(text) => Ok(Some(text)),
            Err(problem) => Err(one(
                self.rules.display().to_string(),
                problem,
                "name the file of rules in rules.file",
            )),
        }
    }
}

fn one(file: String, problem: impl Into<String>, remedy: &str) -> Faults {
    Faults(vec![Fault::new(file, 0, problem, remedy)])
}

/// Templates and rules that belong together.
#[derive(Debug, Default)]
pub struct Bundle {
    templates: Templates,
    rules: Rules,
}

impl Bundle {
    /// Compiles and checks templates and rules together; `rules_name` is what the file of rules is called.
    ///
    /// # Errors
    /// All faults: those of the templates, then those of the rules.
    pub fn compile(
        files: &Files,
        rules: Option<&str>,
        rules_name: &str,
        accounts: &[AccountFacts],
    ) -> Result<Self, Faults> {
        let templates = Templates::compile(files);
        let rules = Rules::parse(rules.unwrap_or_default(), rules_name, accounts);
        let (templates, rules) = match (templates, rules) {
            (Ok(templates), Ok(rules)) => (templates, rules),
            (templates, rules) => {
                let mut faults = templates.err().unwrap_or_default().0;
                faults.extend(rules.err().unwrap_or_default().0);
                return Err(Faults(faults));
            }
        };
        let faults = rules.check(&templates);
        match faults.is_empty() {
            true => Ok(Self { templates, rules }),
            false => Err(Faults(faults)),
        }
    }

    /// The templates.
    pub fn templates(&self) -> &Templates {
        &self.templates
    }

    /// The rules.
    pub fn rules(&self) -> &Rules {
        &self.rules
    }
}

/// The bundle of the moment, and whom it speaks for. Cheap to clone; all clones see a swap at once.
#[derive(Debug, Clone, Default)]
pub struct Bundles(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    current: ArcSwap<Bundle>,
    /// Why the files of the moment are not used.
    broken: ArcSwapOption<Faults>,
    accounts: BTreeMap<AppId, AccountFacts>,
}

impl Bundles {
    /// Begins with this bundle.
    pub fn new(bundle: Bundle, accounts: &[AccountFacts]) -> Self {
        let accounts = accounts.iter().cloned();
        Self(Arc::new(Shared {
            current: ArcSwap::from_pointee(bundle),
            broken: ArcSwapOption::empty(),
            accounts: accounts
                .map(|account| (account.app_id.clone(), account))
                .collect(),
        }))
    }

    /// The bundle of the moment. Whoever answers a push takes it once.
    pub fn current(&self) -> Arc<Bundle> {
        self.0.current.load_full()
    }

    /// From now on this one; whoever has taken another uses that to the end.
    pub fn swap(&self, bundle: Bundle) {
        self.0.current.store(Arc::new(bundle));
        self.0.broken.store(None);
    }

    /// The files have changed and are not whole: the bundle of the moment stays.
    pub fn refuse(&self, faults: Faults) {
        self.0.broken.store(Some(Arc::new(faults)));
    }

    /// Why the files of the moment are not used; `None` when they are.
    pub fn broken(&self) -> Option<Arc<Faults>> {
        self.0.broken.load_full()
    }

    /// What is known of an account.
    pub fn account(&self, app_id: &AppId) -> AccountFacts {
        let known = self.0.accounts.get(app_id).cloned();
        known.unwrap_or_else(|| AccountFacts::unnamed(app_id.clone()))
    }
}
