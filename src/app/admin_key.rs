//! The key of the admin listener: configured, or made once and kept in the data directory.

use std::fs;
use std::io;

use crate::config::{Config, StoreKind};
use crate::secret::AdminKey;
use crate::store::embedded::write_private;

/// The file's name in the data directory.
const ADMIN_KEY_FILE: &str = "admin.key";

/// Random bytes of a made key; written as twice as many hex digits.
const KEY_BYTES: usize = 32;

/// The configured key, else the one that a server has kept in the data directory.
pub(crate) fn find(config: &Config) -> io::Result<Option<AdminKey>> {
    if config.admin_key.is_some() {
        return Ok(config.admin_key.clone());
    }
    match fs::read_to_string(config.store.data_dir.join(ADMIN_KEY_FILE)) {
        Ok(text) if text.trim().is_empty() => Ok(None),
        Ok(text) => Ok(Some(AdminKey::new(text.trim()))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// The key, or a new one, which is kept (readable by the owner only) where pushes are.
pub(super) fn find_or_make(config: &Config) -> io::Result<AdminKey> {
    if let Some(key) = find(config)? {
        return Ok(key);
    }
    let key = make()?;
    if config.store_kind == StoreKind::Memory {
        return Ok(key);
    }
    let path = config.store.data_dir.join(ADMIN_KEY_FILE);
    write_private(&path, format!("{}\n", key.expose()).as_bytes())?;
    tracing::info!(path = %path.display(), "An admin key was made.");
    Ok(key)
}

fn make() -> io::Result<AdminKey> {
    let mut bytes = [0; KEY_BYTES];
    getrandom::fill(&mut bytes).map_err(io::Error::other)?;
    let text: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    Ok(AdminKey::new(text))
}
