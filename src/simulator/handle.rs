//! How a running `wxhook dev` is found by another process: a small file that names both sides.

use std::fs;
use std::io;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use serde::Deserialize;
use serde::Serialize;

/// What a running `wxhook dev` writes down about itself. Its account is made up on the spot and dies
/// with it, so the values may be written; the file is for its owner alone all the same.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DevHandle {
    /// Where pushes go.
    pub url: String,
    /// Where the local api.weixin.qq.com listens.
    pub simulator_url: String,
    /// The account's AppID.
    pub app_id: String,
    /// The Token that signs pushes.
    pub token: String,
    /// The 43 characters of the EncodingAESKey, when the mode needs one.
    pub encoding_aes_key: Option<String>,
    /// `plain`, `compatible` or `secure`.
    pub mode: String,
    /// The account's original id (`gh_…`).
    pub original_id: String,
    /// The process that wrote the file.
    pub pid: u32,
}

impl std::fmt::Debug for DevHandle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DevHandle")
            .field("url", &self.url)
            .field("simulator_url", &self.simulator_url)
            .field("app_id", &self.app_id)
            .field("mode", &self.mode)
            .field("pid", &self.pid)
            .finish_non_exhaustive()
    }
}

/// A handle is a few hundred bytes; a file that is larger is something else.
const MAX_FILE_BYTES: u64 = 64 * 1024;

impl DevHandle {
    /// Writes the file whole, readable by its owner alone; a reader never sees half of it.
    ///
    /// # Errors
    /// What the file system says.
    pub fn write(&self, path: &Path) -> io::Result<()> {
        let mut fresh = path.as_os_str().to_owned();
        fresh.push(format!(".{}", self.pid));
        let fresh = Path::new(&fresh);
        let _ = fs::remove_file(fresh);
        let mut options = fs::OpenOptions::new();
        options.write(true).create_new(true);
        options.mode(0o600);
        let mut file = options.open(fresh)?;
        file.write_all(&serde_json::to_vec_pretty(self)?)?;
        file.write_all(b"\n")?;
        fs::rename(fresh, path)
    }

    /// Reads the file.
    ///
    /// # Errors
    /// [`io::ErrorKind::NotFound`] when nothing runs; [`io::ErrorKind::InvalidData`] when the file is
    /// not a handle; otherwise what the file system says.
    pub fn read(path: &Path) -> io::Result<Self> {
        if fs::metadata(path)?.len() > MAX_FILE_BYTES {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                "the file is too large to be a handle",
            ));
        }
        let text = fs::read(path)?;
        serde_json::from_slice(&text)
            .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_handle_is_read_as_written_and_only_its_owner_may_read_it() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("dev.json");
        let handle = DevHandle {
            url: "http://127.0.0.1:8080/wechat".into(),
            simulator_url: "http://127.0.0.1:9000".into(),
            app_id: "wx0123456789abcdef".into(),
            token: "t0ken".into(),
            encoding_aes_key: None,
            mode: "plain".into(),
            original_id: "gh_5f2c9a7d10be".into(),
            pid: 4711,
        };
        handle.write(&path).expect("written");
        handle.write(&path).expect("written again");
        assert_eq!(DevHandle::read(&path).expect("read"), handle);
        assert!(!format!("{handle:?}").contains("t0ken"));
        let mode = fs::metadata(&path).expect("there").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn a_file_that_is_no_handle_is_invalid_data() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("dev.json");
        fs::write(&path, "{}").expect("written");
        let error = DevHandle::read(&path).expect_err("refused");
        assert_eq!(error.kind(), io::ErrorKind::InvalidData);
    }
}
