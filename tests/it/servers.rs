//! Real servers for tests: on free ports, in directories of their own, ended with the test.
//!
//! A test that needs one is left out where the server is not installed, and says so; with `CI=true`
//! it fails instead.

use std::fs;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

use crate::certificates::Issued;
use crate::support::eventually;

/// What kind of server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Software {
    Redis,
    MariaDb,
}

impl Software {
    fn program(self) -> &'static str {
        match self {
            Self::Redis => "redis-server",
            Self::MariaDb => "mariadbd",
        }
    }

    /// The program that people talk to it with; it comes in the same package.
    fn client(self) -> &'static str {
        match self {
            Self::Redis => "redis-cli",
            Self::MariaDb => "mariadb",
        }
    }

    fn is_here(self) -> bool {
        let asked = Command::new(self.program())
            .arg("--version")
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
        asked.is_ok_and(|status| status.success())
    }
}

/// One running server and its data.
pub(crate) struct Server {
    software: Software,
    directory: TempDir,
    port: u16,
    options: Vec<String>,
    child: Child,
}

impl Server {
    /// A server that answers, or nothing where it is not installed.
    pub(crate) fn start(software: Software) -> Option<Self> {
        Self::start_with(software, &[])
    }

    /// A server that speaks TLS and nothing else.
    pub(crate) fn start_secured(software: Software, issued: &Issued) -> Option<Self> {
        let certificate = issued.certificate.to_str().unwrap();
        let key = issued.key.to_str().unwrap();
        match software {
            Software::Redis => Self::start_with(
                software,
                &[
                    ("--tls-cert-file", certificate),
                    ("--tls-key-file", key),
                    // It verifies servers that it connects to, and would not start without.
                    ("--tls-ca-cert-file", certificate),
                    ("--tls-auth-clients", "no"),
                ],
            ),
            Software::MariaDb => Self::start_with(
                software,
                &[
                    ("--ssl-cert", certificate),
                    ("--ssl-key", key),
                    ("--require-secure-transport", "ON"),
                ],
            ),
        }
    }

    fn start_with(software: Software, options: &[(&str, &str)]) -> Option<Self> {
        if !software.is_here() {
            let name = software.program();
            assert!(
                !in_ci(),
                "{name} is missing, and with CI=true no test is left out"
            );
            tell(&format!("left out: {name} is not installed"));
            return None;
        }
        let directory = TempDir::new().unwrap();
        let port = free_port();
        if software == Software::MariaDb {
            install(directory.path());
        }
        let options: Vec<String> = match software {
            Software::Redis => {
                let pairs = options.iter().flat_map(|(name, value)| [*name, *value]);
                pairs.map(str::to_owned).collect()
            }
            Software::MariaDb => {
                let pairs = options.iter();
                pairs
                    .map(|(name, value)| format!("{name}={value}"))
                    .collect()
            }
        };
        let child = launch(software, directory.path(), port, &options);
        let server = Self {
            software,
            directory,
            port,
            options,
            child,
        };
        server.await_ready();
        Some(server)
    }

    /// The address as an operator writes it.
    pub(crate) fn url(&self) -> String {
        self.url_with("pass%2Fword", "127.0.0.1", "")
    }

    /// The address with this password and name, and something at its end.
    pub(crate) fn url_with(&self, password: &str, host: &str, end: &str) -> String {
        let (port, is_plain) = (self.port, self.options.is_empty());
        match self.software {
            Software::Redis if is_plain => format!("redis://:{password}@{host}:{port}/3{end}"),
            Software::Redis => format!("rediss://:{password}@{host}:{port}/3{end}"),
            Software::MariaDb => format!("mysql://wx:{password}@{host}:{port}/tokens{end}"),
        }
    }

    /// SIGKILL.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// The same data and the same port again.
    pub(crate) fn restart(&mut self) {
        let directory = self.directory.path();
        self.child = launch(self.software, directory, self.port, &self.options);
        self.await_ready();
    }

    /// It keeps its connections and answers nothing, until [`Server::go_on`].
    pub(crate) fn hang(&self) {
        self.signal("STOP");
        eventually("each of its threads has stopped", || {
            self.is_stopped().then_some(())
        });
    }

    /// Whether the signal has reached each thread; until then one may still answer.
    fn is_stopped(&self) -> bool {
        let threads = fs::read_dir(format!("/proc/{}/task", self.child.id())).unwrap();
        threads.flatten().all(|thread| {
            let told = fs::read_to_string(thread.path().join("stat"));
            // Behind the name, which stands in brackets.
            told.is_ok_and(|told| {
                told.rsplit(')')
                    .next()
                    .is_some_and(|rest| rest.starts_with(" T"))
            })
        })
    }

    pub(crate) fn go_on(&self) {
        self.signal("CONT");
    }

    /// Takes away everything that it keeps, as an operator's slip does.
    pub(crate) fn flush(&self) {
        match self.software {
            Software::Redis => assert_eq!(self.say(&["FLUSHALL"]), "OK\n"),
            Software::MariaDb => {
                for table in self.say(&["SHOW TABLES"]).lines() {
                    self.say(&[&format!("TRUNCATE {table}")]);
                }
            }
        }
    }

    /// What it answers to the words of an operator: those of a command, or one statement.
    pub(crate) fn say(&self, words: &[&str]) -> String {
        let mut client = Command::new(self.software.client());
        let port = self.port.to_string();
        match self.software {
            Software::Redis => client
                .args(["-p", &port, "-n", "3", "-a", "pass/word"])
                .arg("--no-auth-warning"),
            Software::MariaDb => client
                .args(["--no-defaults", "-h127.0.0.1", "-uwx", "-ppass/word"])
                .args(["-P", &port, "--skip-column-names", "tokens", "-e"]),
        };
        let output = client.args(words).output().unwrap();
        assert!(output.status.success(), "{words:?}: {output:?}");
        String::from_utf8(output.stdout).unwrap()
    }

    fn signal(&self, name: &str) {
        let sent = Command::new("kill")
            .args([&format!("-{name}"), &self.child.id().to_string()])
            .status();
        assert!(sent.unwrap().success());
    }

    fn await_ready(&self) {
        let address = SocketAddr::from(([127, 0, 0, 1], self.port));
        eventually("the server listens", || TcpStream::connect(address).ok());
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

fn launch(software: Software, directory: &Path, port: u16, options: &[String]) -> Child {
    let mut command = Command::new(software.program());
    match software {
        Software::Redis => {
            let port = port.to_string();
            let ports = match options {
                [] => ["--port", &port, "--tls-port", "0"],
                _ => ["--port", "0", "--tls-port", &port],
            };
            command
                .args(["--bind", "127.0.0.1"])
                .args(ports)
                .args(["--requirepass", "pass/word", "--appendonly", "yes"])
                .args(["--appendfsync", "always", "--save", ""])
                .arg("--dir")
                .arg(directory);
        }
        Software::MariaDb => {
            command
                .env("TMPDIR", directory)
                .args(["--no-defaults", "--user=root", "--bind-address=127.0.0.1"])
                .arg(format!("--port={port}"))
                .arg(format!("--datadir={}", directory.join("data").display()))
                .arg(format!("--socket={}", directory.join("socket").display()))
                .arg(format!("--pid-file={}", directory.join("pid").display()))
                .arg(format!(
                    "--init-file={}",
                    directory.join("init.sql").display()
                ))
                .args(["--innodb-buffer-pool-size=16M", "--innodb-log-file-size=8M"]);
        }
    }
    command.args(options);
    let log = std::fs::File::create(directory.join("log")).unwrap();
    command
        .stdin(Stdio::null())
        .stdout(log.try_clone().unwrap())
        .stderr(log)
        .spawn()
        .unwrap()
}

/// Makes the data directory of a MariaDB server, with a user who has a password.
fn install(directory: &Path) {
    let init = "CREATE DATABASE IF NOT EXISTS tokens;
        CREATE USER IF NOT EXISTS 'wx'@'127.0.0.1' IDENTIFIED BY 'pass/word';
        CREATE USER IF NOT EXISTS 'wx'@'localhost' IDENTIFIED BY 'pass/word';
        GRANT ALL ON tokens.* TO 'wx'@'127.0.0.1';
        GRANT ALL ON tokens.* TO 'wx'@'localhost';";
    let statements: Vec<String> = init
        .lines()
        .map(|line| format!("{}\n", line.trim()))
        .collect();
    std::fs::write(directory.join("init.sql"), statements.concat()).unwrap();
    let made = Command::new("mariadb-install-db")
        // At its start a server deletes the temporary tables of all that share the directory with it.
        .env("TMPDIR", directory)
        .args(["--no-defaults", "--user=root", "--skip-test-db"])
        .arg(format!("--datadir={}", directory.join("data").display()))
        .output()
        .unwrap();
    assert!(made.status.success(), "mariadb-install-db: {made:?}");
}

#[expect(
    clippy::disallowed_methods,
    reason = "whether a test may be left out is not the product's to know"
)]
fn in_ci() -> bool {
    std::env::var("CI").is_ok_and(|value| value == "true")
}

#[expect(
    clippy::print_stderr,
    reason = "what is left out is told to whoever reads the test's output"
)]
fn tell(line: &str) {
    eprintln!("{line}");
}
