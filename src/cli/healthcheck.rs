//! `wxhook healthcheck`: a probe for images without a shell.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;

use super::output::{Failure, line};

/// Ask the running server whether it can take pushes.
#[derive(Debug, Args)]
pub(super) struct HealthcheckArgs {
    /// Ask only whether the process lives (/healthz instead of /readyz)
    #[arg(long)]
    alive: bool,
}

/// A probe must not hang longer than who waits for it.
const TIMEOUT: Duration = Duration::from_secs(3);

pub(super) fn run(args: &HealthcheckArgs, config: Option<&Path>) -> Result<ExitCode, Failure> {
    let address = super::load_for_reading(config)?.http.admin_listen;
    let path = if args.alive { "/healthz" } else { "/readyz" };
    let (status, body) = ask(address, path).map_err(|error| {
        Failure::failed(format!("nobody answers at http://{address}{path}: {error}"))
    })?;
    if status != 200 {
        return Err(Failure::failed(format!(
            "http://{address}{path} answers {status}: {body}"
        )));
    }
    line(body.trim_end())?;
    Ok(ExitCode::SUCCESS)
}

fn ask(address: SocketAddr, path: &str) -> std::io::Result<(u16, String)> {
    let reachable = if address.ip().is_unspecified() {
        SocketAddr::from(([127, 0, 0, 1], address.port()))
    } else {
        address
    };
    let mut stream = TcpStream::connect_timeout(&reachable, TIMEOUT)?;
    stream.set_read_timeout(Some(TIMEOUT))?;
    write!(
        stream,
        "GET {path} HTTP/1.1\r\nHost: {reachable}\r\nConnection: close\r\n\r\n"
    )?;
    let mut answer = String::new();
    stream.take(64 * 1024).read_to_string(&mut answer)?;
    let status = answer
        .split(' ')
        .nth(1)
        .and_then(|status| status.parse().ok());
    let body = answer
        .split_once("\r\n\r\n")
        .map(|(_, body)| body.to_owned())
        .unwrap_or_default();
    Ok((status.unwrap_or(0), body))
}
