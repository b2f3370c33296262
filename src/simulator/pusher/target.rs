//! Where requests go, and how their heads are written.

use std::net::IpAddr;

/// A server and a path on it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    pub(super) authority: String,
    pub(super) host: String,
    pub(super) port: u16,
    path: String,
    query: String,
}

/// Why a text is no URL that this client speaks to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TargetError {
    /// Another scheme than `http`.
    #[error("must begin with http://; name the plain listener behind your TLS proxy")]
    Scheme,
    /// No host, or a port that is no number.
    #[error("has no valid host and port")]
    Authority,
    /// A character that a URL cannot hold.
    #[error("contains a blank or a control character")]
    Character,
}

impl Target {
    /// Reads `http://host[:port][/path][?query]`.
    ///
    /// # Errors
    /// [`TargetError`] says what is wrong with the text.
    pub fn parse(url: &str) -> Result<Self, TargetError> {
        if url.bytes().any(|byte| byte <= b' ' || byte == 0x7f) {
            return Err(TargetError::Character);
        }
        let rest = url.strip_prefix("http://").ok_or(TargetError::Scheme)?;
        let rest = rest.split('#').next().unwrap_or_default();
        let end = rest.find(['/', '?']).unwrap_or(rest.len());
        let (authority, rest) = rest.split_at(end);
        let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (host, port) = host_and_port(authority).ok_or(TargetError::Authority)?;
        Ok(Self {
            authority: authority.to_owned(),
            host,
            port,
            path: if path.is_empty() { "/" } else { path }.to_owned(),
            query: query.to_owned(),
        })
    }

    /// Whether the host is this machine, by its name or address.
    pub fn is_loopback(&self) -> bool {
        let address = self.host.parse::<IpAddr>();
        self.host == "localhost" || address.is_ok_and(|address| address.is_loopback())
    }

    pub(super) fn get(&self, query: &str) -> Vec<u8> {
        let (line, authority) = (self.path_with(query), &self.authority);
        format!("GET {line} HTTP/1.1\r\nHost: {authority}\r\nUser-Agent: Mozilla/4.0\r\nAccept: */*\r\n\r\n")
            .into_bytes()
    }

    pub(super) fn post(&self, query: &str, content_type: &str, body: &[u8]) -> Vec<u8> {
        let (line, authority, length) = (self.path_with(query), &self.authority, body.len());
        let mut request = format!(
            "POST {line} HTTP/1.1\r\nHost: {authority}\r\nUser-Agent: Mozilla/4.0\r\nAccept: */*\r\n\
             Content-Type: {content_type}\r\nContent-Length: {length}\r\n\r\n"
        )
        .into_bytes();
        request.extend_from_slice(body);
        request
    }

    /// WeChat keeps the query of the registered URL and adds its own.
    fn path_with(&self, query: &str) -> String {
        let own = &self.query;
        let joint = if own.is_empty() { "" } else { "&" };
        format!("{}?{own}{joint}{query}", self.path)
    }
}

fn host_and_port(authority: &str) -> Option<(String, u16)> {
    if let Some(rest) = authority.strip_prefix('[') {
        let (host, rest) = rest.split_once(']')?;
        let port = match rest.strip_prefix(':') {
            Some(port) => port.parse().ok()?,
            None if rest.is_empty() => 80,
            None => return None,
        };
        return Some((host.to_owned(), port));
    }
    let (host, port) = match authority.split_once(':') {
        Some((host, port)) => (host, port.parse().ok()?),
        None => (authority, 80),
    };
    let belongs = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
    (!host.is_empty() && host.bytes().all(belongs)).then(|| (host.to_owned(), port))
}

/// Writes a query value so that it arrives as it is.
pub(super) fn percent_encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'~') {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}
