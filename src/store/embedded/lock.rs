//! One process holds a data directory.

use std::fs::{File, TryLockError};
use std::io::{self, Read as _, Seek as _, Write as _};
use std::path::Path;

use super::OpenError;
use super::paths::{self, Paths};

/// The lock of a data directory, held until it is dropped. The operating system releases it with the
/// process, however that ends; the file itself stays.
#[derive(Debug)]
pub struct DirectoryLock {
    _file: File,
}

impl DirectoryLock {
    /// Holds a data directory without opening what is in it; makes the directory if it is missing.
    ///
    /// # Errors
    /// [`OpenError::Locked`] names the holder.
    pub fn hold(directory: &Path) -> Result<Self, OpenError> {
        let paths = Paths::new(directory);
        paths.create_directory().map_err(|source| OpenError::File {
            path: directory.to_owned(),
            source,
        })?;
        Self::take(&paths)
    }

    /// Takes the lock and writes this process's id into it.
    ///
    /// # Errors
    /// [`OpenError::Locked`] names the holder.
    pub(super) fn take(paths: &Paths) -> Result<Self, OpenError> {
        let path = paths.lock();
        let failed = |source| OpenError::File {
            path: path.clone(),
            source,
        };
        let mut file = paths::private()
            .read(true)
            .truncate(false)
            .open(&path)
            .map_err(failed)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(OpenError::Locked {
                    directory: paths.directory().to_owned(),
                    holder: read_holder(&mut file),
                });
            }
            Err(TryLockError::Error(source)) => return Err(failed(source)),
        }
        write_holder(&mut file).map_err(failed)?;
        Ok(Self { _file: file })
    }
}

fn write_holder(file: &mut File) -> io::Result<()> {
    file.set_len(0)?;
    file.rewind()?;
    writeln!(file, "{}", std::process::id())
}

fn read_holder(file: &mut File) -> String {
    let mut text = String::new();
    let read = file.take(32).read_to_string(&mut text);
    match read.map(|_| text.trim()) {
        Ok(pid) if !pid.is_empty() => format!("process {pid}"),
        _ => "another process".to_owned(),
    }
}
