//! The configuration of a running server: its files are looked at, and read again when they changed.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

use super::environment;
use super::fault::Faults;
use super::rotation::{InForce, Rotation};
use super::{Needs, Reading, Sources};

/// What the configuration's files held when they were looked at, as digests. A path is followed through
/// all its links, as Kubernetes changes mounted files by moving one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Files(BTreeMap<PathBuf, Option<[u8; 32]>>);

impl Sources {
    /// Looks at the files now: the operator's, and those that variables name.
    pub fn files(&self) -> Files {
        let named = environment::files(&self.environment);
        let file = self.file.iter().map(|(path, _)| path.clone());
        let look = |path: PathBuf| {
            let digest = fs::read(&path)
                .ok()
                .map(|bytes| Sha256::digest(bytes).into());
            (path, digest)
        };
        Files(file.chain(named).map(look).collect())
    }
}

/// A configuration that is in force, and where it came from.
#[derive(Debug)]
pub struct Watch {
    path: Option<PathBuf>,
    needs: Needs,
    sources: Sources,
    files: Files,
    started: Reading,
    in_force: InForce,
}

impl Watch {
    /// Reads the configuration for the first time, from the process's environment and the file that
    /// `path` or `WXHOOK_CONFIG` names.
    ///
    /// # Errors
    /// [`Faults`]: everything that is wrong.
    pub fn begin(path: Option<&Path>, needs: Needs) -> Result<Self, Faults> {
        let sources = Sources::gather(path)?;
        // Before it is read: what is written meanwhile is read again.
        let files = sources.files();
        let reading = super::read(&sources, needs)?;
        Ok(Self {
            path: path.map(Path::to_path_buf),
            needs,
            sources,
            files,
            in_force: InForce::of(&reading.config),
            started: reading,
        })
    }

    /// What the process was started with.
    pub fn started(&self) -> &Reading {
        &self.started
    }

    /// The files as they are now, if they are others than those that were read last.
    pub fn changed(&self) -> Option<Files> {
        Some(self.sources.files()).filter(|files| *files != self.files)
    }

    /// Reads everything again. With an error nothing changes: what was in force stays.
    ///
    /// # Errors
    /// [`Faults`]: everything that is wrong.
    pub fn read_again(&mut self) -> Result<Rotation, Faults> {
        self.files = self.sources.files();
        let sources = Sources::gather(self.path.as_deref())?;
        let reading = super::read(&sources, self.needs)?;
        Ok(self.in_force.rotate(&self.started, &reading))
    }
}
