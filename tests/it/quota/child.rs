//! Parts of these tests that run in processes of their own: they are killed, or live in another zone.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// Names the directory that a child works in.
const DIRECTORY: &str = "QUOTA_TEST_DIRECTORY";

/// A child that runs this test, which is ignored otherwise, in a process of its own.
pub(crate) fn child(test: &str, directory: &Path, environment: &[(&str, &str)]) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", test, "--ignored", "--nocapture"])
        .env(DIRECTORY, directory)
        .envs(environment.iter().copied())
        .stdout(Stdio::null())
        .spawn()
        .unwrap()
}

/// Where this child works.
pub(crate) fn directory() -> PathBuf {
    PathBuf::from(variable(DIRECTORY))
}

#[expect(
    clippy::disallowed_methods,
    reason = "a test tells its own child what to do"
)]
pub(crate) fn variable(name: &str) -> String {
    std::env::var(name).unwrap()
}
