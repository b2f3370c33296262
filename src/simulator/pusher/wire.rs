//! A small HTTP/1.1 client: keep-alive over plain TCP, so light that it can be the load generator.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;

use memchr::memmem;
use tokio::io::AsyncReadExt;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use super::ANSWER_LIMIT;
use super::CONNECT_LIMIT;
use super::Push;
use crate::clock::Timestamp;
use crate::id::OpenId;
use crate::simulator::platform::Platform;

/// A server and a path on it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    authority: String,
    host: String,
    port: u16,
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

    /// Fetches a path of this server, whatever the target's own path is.
    ///
    /// # Errors
    /// [`WireError`] when no whole answer came within five seconds.
    pub async fn fetch(&self, path_and_query: &str) -> Result<(u16, Vec<u8>), WireError> {
        let head = format!(
            "GET {path_and_query} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n",
            self.authority
        );
        let mut connection = None;
        let exchange = exchange(&mut connection, self, head.as_bytes());
        tokio::time::timeout(ANSWER_LIMIT, exchange)
            .await
            .unwrap_or(Err(WireError::TimedOut))
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

/// Why no whole answer came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum WireError {
    /// No connection came about.
    #[error("no connection")]
    NotConnected,
    /// The time was up.
    #[error("no whole answer in time")]
    TimedOut,
    /// The connection broke, or what came is no HTTP.
    #[error("the connection broke before the answer was whole")]
    Broken,
}

/// A kept-alive connection and what was read beyond the last answer.
#[derive(Debug)]
pub(super) struct Connection {
    stream: TcpStream,
    read: Vec<u8>,
}

/// Bytes of the longest answer that is read, head and body apart.
const MAX_HEAD_BYTES: usize = 64 * 1024;
const MAX_BODY_BYTES: usize = 16 * 1024 * 1024;

/// Sends a request over `kept`, or a new connection, and reads the answer: status and body.
pub(super) async fn exchange(
    kept: &mut Option<Connection>,
    target: &Target,
    request: &[u8],
) -> Result<(u16, Vec<u8>), WireError> {
    let mut connection = match kept.take().filter(Connection::is_usable) {
        Some(connection) => connection,
        None => Connection::open(target).await?,
    };
    let written = connection.stream.write_all(request).await;
    written.map_err(|_| WireError::Broken)?;
    let (head, body) = connection.read_answer().await?;
    if head.keeps_alive {
        *kept = Some(connection);
    }
    Ok((head.status, body))
}

impl Connection {
    async fn open(target: &Target) -> Result<Self, WireError> {
        let connecting = TcpStream::connect((target.host.as_str(), target.port));
        let stream = tokio::time::timeout(CONNECT_LIMIT, connecting)
            .await
            .ok()
            .and_then(Result::ok)
            .ok_or(WireError::NotConnected)?;
        stream
            .set_nodelay(true)
            .map_err(|_| WireError::NotConnected)?;
        Ok(Self {
            stream,
            read: Vec::new(),
        })
    }

    /// Whether the server has not closed it meanwhile, and has nothing to say unasked.
    fn is_usable(&self) -> bool {
        let mut byte = [0];
        let silent = matches!(
            self.stream.try_read(&mut byte),
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock
        );
        silent && self.read.is_empty()
    }

    async fn read_answer(&mut self) -> Result<(Head, Vec<u8>), WireError> {
        loop {
            let head = self.read_head().await?;
            // 1xx says that the answer is still to come.
            if head.status >= 200 {
                let body = self.read_body(&head).await?;
                return Ok((head, body));
            }
        }
    }

    async fn read_head(&mut self) -> Result<Head, WireError> {
        loop {
            if let Some(end) = memmem::find(&self.read, b"\r\n\r\n") {
                let head = Head::parse(&self.read[..end]).ok_or(WireError::Broken)?;
                self.read.drain(..end + 4);
                return Ok(head);
            }
            if self.read.len() > MAX_HEAD_BYTES || self.read_more().await? == 0 {
                return Err(WireError::Broken);
            }
        }
    }

    async fn read_body(&mut self, head: &Head) -> Result<Vec<u8>, WireError> {
        match head.length {
            Length::Known(length) => self.take(length).await,
            Length::Chunked => self.read_chunks().await,
            Length::UntilClosed => {
                while self.read_more().await? > 0 {
                    if self.read.len() > MAX_BODY_BYTES {
                        return Err(WireError::Broken);
                    }
                }
                Ok(std::mem::take(&mut self.read))
            }
        }
    }

    async fn read_chunks(&mut self) -> Result<Vec<u8>, WireError> {
        let mut body = Vec::new();
        loop {
            let line = self.take_line().await?;
            let digits = line.split(';').next().unwrap_or_default().trim();
            let length = usize::from_str_radix(digits, 16).map_err(|_| WireError::Broken)?;
            if length == 0 {
                // Trailers, up to the empty line.
                while !self.take_line().await?.is_empty() {}
                return Ok(body);
            }
            body.extend_from_slice(&self.take(length).await?);
            let ends_well = self.take_line().await?.is_empty();
            if !ends_well || body.len() > MAX_BODY_BYTES {
                return Err(WireError::Broken);
            }
        }
    }

    async fn take(&mut self, length: usize) -> Result<Vec<u8>, WireError> {
        if length > MAX_BODY_BYTES {
            return Err(WireError::Broken);
        }
        while self.read.len() < length {
            if self.read_more().await? == 0 {
                return Err(WireError::Broken);
            }
        }
        let rest = self.read.split_off(length);
        Ok(std::mem::replace(&mut self.read, rest))
    }

    async fn take_line(&mut self) -> Result<String, WireError> {
        loop {
            if let Some(end) = memmem::find(&self.read, b"\r\n") {
                let line = self.take(end).await?;
                self.read.drain(..2);
                return String::from_utf8(line).map_err(|_| WireError::Broken);
            }
            if self.read.len() > MAX_HEAD_BYTES || self.read_more().await? == 0 {
                return Err(WireError::Broken);
            }
        }
    }

    async fn read_more(&mut self) -> Result<usize, WireError> {
        let read = self.stream.read_buf(&mut self.read).await;
        read.map_err(|_| WireError::Broken)
    }
}

#[derive(Debug, PartialEq, Eq)]
struct Head {
    status: u16,
    length: Length,
    keeps_alive: bool,
}

#[derive(Debug, PartialEq, Eq)]
enum Length {
    Known(usize),
    Chunked,
    UntilClosed,
}

impl Head {
    /// Reads status line and headers; `None` when that is no HTTP/1.
    fn parse(bytes: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(bytes).ok()?;
        let mut lines = text.split("\r\n");
        let mut status_line = lines.next()?.splitn(3, ' ');
        let version = status_line.next()?.strip_prefix("HTTP/1.")?;
        let status = status_line.next()?.parse().ok()?;
        let mut head = Self {
            status,
            length: Length::UntilClosed,
            keeps_alive: version != "0",
        };
        for line in lines {
            let (name, value) = line.split_once(':')?;
            head.note(name, value.trim())?;
        }
        if matches!(status, 100..=199 | 204 | 304) {
            head.length = Length::Known(0);
        }
        head.keeps_alive &= head.length != Length::UntilClosed;
        Some(head)
    }

    fn note(&mut self, name: &str, value: &str) -> Option<()> {
        if name.eq_ignore_ascii_case("content-length") {
            if self.length != Length::Chunked {
                self.length = Length::Known(value.parse().ok()?);
            }
        } else if name.eq_ignore_ascii_case("transfer-encoding") {
            self.length = Length::Chunked;
        } else if name.eq_ignore_ascii_case("connection") && value.eq_ignore_ascii_case("close") {
            self.keeps_alive = false;
        }
        Some(())
    }
}

/// Who is told of what a user did, before the push goes out.
#[derive(Clone, Default)]
pub enum Feed {
    /// Nobody: there is no simulated platform, or it does not look at sending windows.
    #[default]
    Nobody,
    /// A platform in this process.
    Platform(Arc<Mutex<Platform>>),
    /// A platform behind its skin.
    Remote(RemoteFeed),
}

/// The way to a platform in another process.
#[derive(Debug)]
pub struct RemoteFeed {
    target: Arc<Target>,
    connection: Option<Connection>,
}

impl Clone for RemoteFeed {
    /// The clone has a connection of its own.
    fn clone(&self) -> Self {
        Self {
            target: Arc::clone(&self.target),
            connection: None,
        }
    }
}

impl fmt::Debug for Feed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Nobody => "Nobody",
            Self::Platform(_) => "Platform",
            Self::Remote(_) => "Remote",
        })
    }
}

/// How long the platform in another process may take to note what a user did.
const FEED_LIMIT: Duration = Duration::from_secs(2);

impl Feed {
    /// A platform behind its skin at this URL.
    ///
    /// # Errors
    /// [`TargetError`] when the URL is none.
    pub fn remote(simulator_url: &str) -> Result<Self, TargetError> {
        let target = Target::parse(&format!(
            "{}/simulator/acted",
            simulator_url.trim_end_matches('/')
        ))?;
        Ok(Self::Remote(RemoteFeed {
            target: Arc::new(target),
            connection: None,
        }))
    }

    pub(super) async fn tell(&mut self, now: Timestamp, push: &Push) {
        let Some(scene) = push.scene else { return };
        match self {
            Self::Nobody => {}
            Self::Platform(platform) => {
                let mut platform = platform.lock().unwrap_or_else(PoisonError::into_inner);
                platform.user_acted(now, &OpenId::new(push.open_id.as_str()), scene);
            }
            Self::Remote(remote) => {
                let acted = serde_json::json!({ "openid": push.open_id, "scene": scene });
                remote.post(acted.to_string().as_bytes()).await;
            }
        }
    }
}

impl RemoteFeed {
    async fn post(&mut self, body: &[u8]) {
        let request = self.target.post("", "application/json", body);
        let exchange = exchange(&mut self.connection, &self.target, &request);
        match tokio::time::timeout(FEED_LIMIT, exchange).await {
            Ok(Ok((204, _))) => {}
            // The platform will then refuse the reply with 45015, which everybody can see.
            _ => tracing::warn!("The local WeChat did not note what the user did."),
        }
    }
}
