//! A directory, read whole: the only place of this room that touches a disk.

use std::collections::BTreeMap;
use std::fs::{self, Metadata};
use std::io::{self, Read as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use super::{Fault, MAX_DEPTH, MAX_FILE_BYTES, MAX_FILES};

/// The texts of a directory, by their names below it (`/` between directories).
///
/// Names that begin with a dot are left out, as are the directories behind them: editors and Kubernetes
/// (`..data`) keep theirs there.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Files {
    pub(super) texts: BTreeMap<String, String>,
    pub(super) faults: Vec<Fault>,
}

impl Files {
    /// Files that are no files: for tests, and for programs that bring their templates along.
    pub fn of<N: Into<String>, T: Into<String>>(texts: impl IntoIterator<Item = (N, T)>) -> Self {
        let texts = texts.into_iter();
        Self {
            texts: texts
                .map(|(name, text)| (name.into(), text.into()))
                .collect(),
            faults: Vec::new(),
        }
    }

    /// Reads a directory. A file that cannot be read, is too long or is no UTF-8 is a fault of the bundle.
    ///
    /// # Errors
    /// The system's, when the directory or one in it cannot be listed.
    pub fn read(directory: &Path) -> io::Result<Self> {
        let mut files = Self::default();
        let found = list(directory)?;
        if found.len() > MAX_FILES {
            files.faults.push(Fault::new(
                ".",
                0,
                format!("the directory has more than {MAX_FILES} files"),
                "name a directory that has the templates alone",
            ));
        }
        for (name, path) in found.into_iter().take(MAX_FILES) {
            match read_text(&path, MAX_FILE_BYTES) {
                Ok(text) => drop(files.texts.insert(name, text)),
                Err(problem) => files.faults.push(Fault::new(
                    name,
                    0,
                    problem,
                    "mend it, or take it out of the directory",
                )),
            }
        }
        Ok(files)
    }

    /// Their names.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.texts.keys().map(String::as_str)
    }
}

/// A text file of at most so many bytes.
///
/// # Errors
/// What is wrong with it, for people.
pub fn read_text(path: &Path, max_bytes: usize) -> Result<String, String> {
    let cannot = |error: io::Error| format!("cannot be read: {error}");
    let file = fs::File::open(path).map_err(cannot)?;
    let limit = u64::try_from(max_bytes).unwrap_or(u64::MAX - 1);
    let mut bytes = Vec::new();
    file.take(limit + 1)
        .read_to_end(&mut bytes)
        .map_err(cannot)?;
    if bytes.len() > max_bytes {
        return Err(format!("has more than {max_bytes} bytes"));
    }
    let text = String::from_utf8(bytes).map_err(|_| "is not UTF-8".to_owned())?;
    Ok(text.trim_start_matches('\u{FEFF}').to_owned())
}

/// Every file below a directory, by name, one more than [`MAX_FILES`] at most.
fn list(directory: &Path) -> io::Result<Vec<(String, PathBuf)>> {
    let mut found = Vec::new();
    descend(directory, "", MAX_DEPTH, &mut found)?;
    found.sort();
    Ok(found)
}

fn descend(
    directory: &Path,
    prefix: &str,
    depth: usize,
    found: &mut Vec<(String, PathBuf)>,
) -> io::Result<()> {
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        let Ok(name) = entry.file_name().into_string() else {
            continue;
        };
        if name.starts_with('.') || found.len() > MAX_FILES {
            continue;
        }
        let (name, path) = (format!("{prefix}{name}"), entry.path());
        // Links are followed; what vanished in the meantime was not there.
        match fs::metadata(&path) {
            Ok(metadata) if metadata.is_dir() && depth > 1 => {
                descend(&path, &format!("{name}/"), depth - 1, found)?;
            }
            Ok(metadata) if metadata.is_file() => found.push((name, path)),
            _ => {}
        }
    }
    Ok(())
}

/// What can be seen of files without reading them: two looks are equal as long as nothing was changed,
/// replaced, or put behind a link in their stead.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Look(Vec<(PathBuf, [u64; 2], [i64; 4])>);

impl Look {
    /// Looks at a directory and at a further file. What is not there is not seen.
    pub fn at(directory: &Path, file: &Path) -> Self {
        let mut paths: Vec<PathBuf> = list(directory)
            .unwrap_or_default()
            .into_iter()
            .map(|(_, path)| path)
            .collect();
        paths.push(file.to_owned());
        let seen = paths.into_iter().filter_map(|path| {
            // Where a link leads to is what tells one state of a mounted directory from the next.
            let resolved = fs::canonicalize(&path).ok()?;
            let metadata = fs::metadata(&resolved).ok()?;
            Some((resolved, identity(&metadata), times(&metadata)))
        });
        Self(seen.collect())
    }
}

fn identity(metadata: &Metadata) -> [u64; 2] {
    [metadata.dev(), metadata.ino()]
}

fn times(metadata: &Metadata) -> [i64; 4] {
    let length = i64::try_from(metadata.size()).unwrap_or(i64::MAX);
    // The time of change as well: a copy may keep the time of modification.
    let changed = metadata
        .ctime()
        .wrapping_mul(1_000_000_000)
        .wrapping_add(metadata.ctime_nsec());
    [metadata.mtime(), metadata.mtime_nsec(), changed, length]
}
