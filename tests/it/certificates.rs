//! Certificate authorities for tests: nobody else trusts them, and they end with the test.

use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

/// An authority, and the certificates that it issued.
pub(crate) struct Authority {
    directory: TempDir,
}

/// A certificate and its key, as files in PEM.
pub(crate) struct Issued {
    pub(crate) certificate: PathBuf,
    pub(crate) key: PathBuf,
}

const NEW_KEY: [&str; 5] = [
    "-newkey",
    "ec",
    "-pkeyopt",
    "ec_paramgen_curve:prime256v1",
    "-nodes",
];

impl Authority {
    pub(crate) fn new() -> Self {
        let directory = TempDir::new().unwrap();
        // Two of the same name would look like one with a wrong signature.
        let name = directory.path().file_name().unwrap().to_str().unwrap();
        let subject = format!("/CN=authority {name}");
        let mut request = openssl(directory.path(), &["req", "-x509", "-days", "2"]);
        request
            .args(NEW_KEY)
            .args(["-keyout", "ca.key", "-out", "ca.pem", "-subj", &subject]);
        run(request);
        Self { directory }
    }

    /// The file that those who trust it need.
    pub(crate) fn file(&self) -> String {
        let path = self.directory.path().join("ca.pem");
        path.to_str().unwrap().to_owned()
    }

    /// A certificate for these names, like `IP:127.0.0.1` or `DNS:api.example`.
    pub(crate) fn issue(&self, names: &str) -> Issued {
        let directory = self.directory.path();
        let mut request = openssl(directory, &["req"]);
        request.args(NEW_KEY).args([
            "-keyout",
            "key.pem",
            "-out",
            "request.pem",
            "-subj",
            "/CN=a server of tests",
        ]);
        run(request);
        std::fs::write(directory.join("names"), format!("subjectAltName={names}")).unwrap();
        let mut sign = openssl(directory, &["x509", "-req", "-days", "2"]);
        sign.args(["-in", "request.pem", "-out", "certificate.pem"])
            .args(["-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial"])
            .args(["-extfile", "names"]);
        run(sign);
        Issued {
            certificate: directory.join("certificate.pem"),
            key: directory.join("key.pem"),
        }
    }
}

fn openssl(directory: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new("openssl");
    command.args(arguments).current_dir(directory);
    command
}

fn run(mut command: Command) {
    let output = command
        .output()
        .expect("tests of TLS need the program openssl");
    assert!(output.status.success(), "{output:?}");
}
