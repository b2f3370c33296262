//! A small HTTP/1.1 client: keep-alive over plain TCP, so light that it can be the load generator.

use memchr::memmem;
use tokio::io::AsyncReadExt;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use super::ANSWER_LIMIT;
use super::CONNECT_LIMIT;
use super::Target;

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

impl Target {
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_head_says_how_its_body_ends_and_whether_the_connection_stays() {
        use Length::*;
        for (text, status, length, keeps_alive) in [
            ("HTTP/1.1 200 OK\r\nContent-Length: 7", 200, Known(7), true),
            ("HTTP/1.0 200 OK\r\nContent-Length: 7", 200, Known(7), false),
            (
                "HTTP/1.1 200\r\nCONNECTION: Close\r\ncontent-length:0",
                200,
                Known(0),
                false,
            ),
            ("HTTP/1.1 200 OK", 200, UntilClosed, false),
            ("HTTP/1.1 204 No Content", 204, Known(0), true),
            (
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 7",
                200,
                Chunked,
                true,
            ),
        ] {
            let expected = Head {
                status,
                length,
                keeps_alive,
            };
            assert_eq!(Head::parse(text.as_bytes()), Some(expected), "{text}");
        }
        for text in [
            "",
            "HTTP/2 200",
            "HTTP/1.1",
            "HTTP/1.1 200 OK\r\nContent-Length: x",
            "HTTP/1.1 200 OK\r\nno colon",
        ] {
            assert_eq!(Head::parse(text.as_bytes()), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_head_makes_the_reader_panic(noise in any::<Vec<u8>>(), text in "HTTP/1.1 [0-9]{0,6}(\r\n.*)*") {
            let _ = Head::parse(&noise);
            let _ = Head::parse(text.as_bytes());
        }
    }
}
