//! How commands speak to the running server's admin listener.

use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use serde_json::Value;

use super::output::Failure;
use crate::app::find_admin_key;
use crate::config::Config;
use crate::secret::AdminKey;

/// A probe must not hang longer than who waits for it.
const TIMEOUT: Duration = Duration::from_secs(5);

/// Bytes of the longest answer that is read.
const MAX_ANSWER_BYTES: u64 = 1024 * 1024;

/// The server's answer.
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) body: String,
}

/// Asks the admin listener of the configured server.
pub(super) fn ask(
    config: &Config,
    method: &str,
    path: &str,
    key: Option<&AdminKey>,
) -> io::Result<Answer> {
    ask_with(config, (method, path), key, "")
}

/// Asks with a body.
pub(super) fn ask_with(
    config: &Config,
    (method, path): (&str, &str),
    key: Option<&AdminKey>,
    body: &str,
) -> io::Result<Answer> {
    let address = reachable(config.http.admin_listen);
    let mut stream = TcpStream::connect_timeout(&address, TIMEOUT)?;
    stream.set_read_timeout(Some(TIMEOUT))?;
    let bearer = key.map_or_else(String::new, |key| {
        format!("Authorization: Bearer {}\r\n", key.expose())
    });
    write!(
        stream,
        "{method} {path} HTTP/1.1\r\nHost: {address}\r\n{bearer}Content-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    )?;
    let mut answer = String::new();
    stream.take(MAX_ANSWER_BYTES).read_to_string(&mut answer)?;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    let status = head
        .split(' ')
        .nth(1)
        .and_then(|status| status.parse().ok());
    Ok(Answer {
        status: status.unwrap_or(0),
        body: body.trim_end().to_owned(),
    })
}

/// Asks the running server; an answer that is not good is a failure.
pub(super) fn good(config: &Config, question: (&str, &str), body: &str) -> Result<Value, Failure> {
    let key = find_admin_key(config).map_err(Failure::failed)?;
    let asked = ask_with(config, question, key.as_ref(), body);
    let Answer { status, body } = asked.map_err(|error| {
        Failure::failed(format!(
            "no server answers at http://{}: {error}; start it with `wxhook serve`",
            config.http.admin_listen
        ))
    })?;
    if status != 200 {
        return Err(Failure::failed(body));
    }
    serde_json::from_str(&body)
        .map_err(|_| Failure::failed("the server answers something that is not JSON"))
}

/// A listener on every address is asked on loopback.
pub(super) fn reachable(address: SocketAddr) -> SocketAddr {
    if address.ip().is_unspecified() {
        SocketAddr::from(([127, 0, 0, 1], address.port()))
    } else {
        address
    }
}
