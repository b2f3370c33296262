//! What tests share: waiting with a deadline, raw HTTP, and the real program as a process.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use serde_json::Value;
use wxhook::clock::Clock;
use wxhook::store::embedded::{Embedded, OpenError, Settings};

/// Nothing that works takes so long; what does is broken.
pub(crate) const LIMIT: Duration = Duration::from_secs(60);

/// Waits until `look` gives something; a test that waits in vain fails with `what`.
pub(crate) fn eventually<T>(what: &str, look: impl FnMut() -> Option<T>) -> T {
    eventually_within(LIMIT, what, look)
}

/// The same for what may take longer.
pub(crate) fn eventually_within<T>(
    limit: Duration,
    what: &str,
    mut look: impl FnMut() -> Option<T>,
) -> T {
    let (deadline, pause) = (now() + limit, Duration::from_millis(10));
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(now() < deadline, "{what}: not within {limit:?}");
        pause_for(pause);
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the one place where tests ask for the time"
)]
pub(crate) fn now() -> Instant {
    Instant::now()
}

#[expect(clippy::disallowed_methods, reason = "the one place where tests pause")]
fn pause_for(pause: Duration) {
    std::thread::sleep(pause);
}

/// Opens a store, again if it was open a moment ago: while another test starts a process, that process
/// holds a copy of our lock for the moment between its fork and its exec.
pub(crate) fn open_store(settings: &Settings, clock: &Arc<dyn Clock>) -> Arc<Embedded> {
    let open = || match Embedded::open(settings.clone(), Arc::clone(clock)) {
        Err(OpenError::Locked { .. }) => None,
        opened => Some(opened.unwrap()),
    };
    eventually("the lock is free", open)
}

/// An answer as it came over the wire.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

/// Sends bytes on a connection of their own and reads the answer to its end.
pub(crate) fn raw(address: SocketAddr, request: impl AsRef<[u8]>) -> Answer {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(LIMIT)).unwrap();
    // A server may answer and close before it has read everything.
    drop(stream.write_all(request.as_ref()));
    let mut bytes = Vec::new();
    drop(stream.read_to_end(&mut bytes));
    let text = String::from_utf8_lossy(&bytes);
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
    let status = head
        .split(' ')
        .nth(1)
        .and_then(|status| status.parse().ok())
        .unwrap_or(0);
    Answer {
        status,
        head: head.to_owned(),
        body: body.to_owned(),
    }
}

/// A POST with a body, on a connection that is closed afterwards.
pub(crate) fn post(address: SocketAddr, target: &str, body: &str) -> Answer {
    let length = body.len();
    raw(
        address,
        format!(
            "POST {target} HTTP/1.1\r\nHost: t\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n{body}"
        ),
    )
}

/// A GET on a connection that is closed afterwards.
pub(crate) fn get(address: SocketAddr, target: &str) -> Answer {
    raw(
        address,
        format!("GET {target} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n"),
    )
}

/// The admin key of servers that are asked by [`counter`].
pub(crate) const ADMIN: &str = "the-admin-key-of-the-tests";

/// One counter of a running server.
pub(crate) fn counter(admin: SocketAddr, name: &str) -> u64 {
    let question = format!(
        "GET /v1/counters HTTP/1.1\r\nHost: {admin}\r\nAuthorization: Bearer {ADMIN}\r\nConnection: close\r\n\r\n"
    );
    let counters: Value = serde_json::from_str(&raw(admin, question).body).unwrap();
    counters[name].as_u64().unwrap()
}

/// A process of the real program, with an environment of its own. Killed when dropped.
pub(crate) struct Program {
    child: Child,
    lines: Receiver<String>,
    seen: Vec<String>,
}

impl Program {
    /// Starts `wxhook ARGUMENTS` with nothing but these variables.
    pub(crate) fn start(arguments: &[&str], environment: &[(&str, &str)]) -> Self {
        Self::spawn(&mut command(arguments, environment))
    }

    /// Starts a prepared command.
    pub(crate) fn spawn(command: &mut Command) -> Self {
        Self::follow(command.stderr(Stdio::piped()))
    }

    /// The same for one whose standard error is something else.
    pub(crate) fn follow(command: &mut Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let (sender, lines) = channel();
        let errors = sender.clone();
        let follow = |sender: std::sync::mpsc::Sender<String>,
                      stream: Box<dyn std::io::Read + Send>| {
            std::thread::spawn(move || {
                for line in BufReader::new(stream).lines().map_while(Result::ok) {
                    if sender.send(line).is_err() {
                        return;
                    }
                }
            });
        };
        follow(sender, Box::new(child.stdout.take().unwrap()));
        if let Some(error) = child.stderr.take() {
            follow(errors, Box::new(error));
        }
        Self {
            child,
            lines,
            seen: Vec::new(),
        }
    }

    /// Waits for a line that contains `text`, and gives it.
    pub(crate) fn line_with(&mut self, text: &str) -> String {
        let deadline = now() + LIMIT;
        loop {
            let left = deadline.saturating_duration_since(now());
            match self.lines.recv_timeout(left) {
                Ok(line) => {
                    self.seen.push(line.clone());
                    if line.contains(text) {
                        return line;
                    }
                }
                Err(error) => {
                    panic!(
                        "no line with {text:?} ({error}); printed was:\n{}",
                        self.seen.join("\n")
                    )
                }
            }
        }
    }

    /// Waits until a server with `WXHOOK_LOG_FORMAT=json` is ready: its public and its admin address.
    pub(crate) fn ready(&mut self) -> (SocketAddr, SocketAddr) {
        let line: Value = serde_json::from_str(&self.line_with("is ready for pushes")).unwrap();
        let address = |key: &str| line[key].as_str().unwrap().parse().unwrap();
        (address("listen"), address("admin_listen"))
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Sends a signal by its number as `kill` takes it.
    pub(crate) fn signal(&self, name: &str) {
        let status = Command::new("kill")
            .args([&format!("-{name}"), &self.pid().to_string()])
            .status();
        assert!(status.unwrap().success(), "kill -{name}");
    }

    /// Waits for the end.
    pub(crate) fn wait(&mut self) -> ExitStatus {
        let child = &mut self.child;
        eventually("the process ends", || child.try_wait().unwrap())
    }

    /// SIGKILL, and gone.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Everything printed until now, for messages of failed assertions.
    pub(crate) fn printed(&mut self) -> String {
        self.seen.extend(self.lines.try_iter());
        self.seen.join("\n")
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // It may have ended already.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// The most memory that a process has used, in KiB.
pub(crate) fn peak(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status
        .lines()
        .find(|line| line.starts_with("VmHWM:"))
        .unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

/// `wxhook ARGUMENTS` with nothing but these variables.
pub(crate) fn command(arguments: &[&str], environment: &[(&str, &str)]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_wxhook"));
    command
        .args(arguments)
        .env_clear()
        .envs(environment.iter().copied())
        .stdin(Stdio::null());
    command
}

/// Runs a command to its end: exit code, standard output, standard error.
pub(crate) fn run(
    arguments: &[&str],
    environment: &[(&str, &str)],
    input: &str,
) -> (i32, String, String) {
    let mut command = command(arguments, environment);
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    // A command that fails early does not read its input.
    drop(child.stdin.take().unwrap().write_all(input.as_bytes()));
    let output = child.wait_with_output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (
        output.status.code().unwrap_or(-1),
        text(&output.stdout),
        text(&output.stderr),
    )
}
