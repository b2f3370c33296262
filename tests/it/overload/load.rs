//! Who pushes: so many at once, or so many a second whatever comes back.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::Instant;
use wxhook::clock::{Clock, SystemClock};
use wxhook::simulator::seal;

use super::crowd::connect;
use super::report::{Outcome, Report};

const TOKEN: &str = "token1234567890";
/// How often what is due is sent.
const TICK: Duration = Duration::from_millis(5);
/// Different followers.
const USERS: usize = 1_000;
/// Longer than any answer may take.
const PATIENCE: Duration = Duration::from_secs(8);

/// Sends pushes to one server, on connections that are kept.
#[derive(Clone)]
pub(super) struct Load(Arc<Shared>);

struct Shared {
    address: SocketAddr,
    clock: SystemClock,
    idle: Mutex<Vec<TcpStream>>,
    sent: AtomicUsize,
}

impl Load {
    pub(super) fn new(address: SocketAddr) -> Self {
        Self(Arc::new(Shared {
            address,
            clock: SystemClock::start(),
            idle: Mutex::default(),
            sent: AtomicUsize::new(0),
        }))
    }

    /// So many at once, each followed by the next.
    pub(super) async fn closed(&self, at_once: usize, duration: Duration) -> Report {
        let until = Instant::now() + duration;
        let mut pushing = JoinSet::new();
        for _ in 0..at_once {
            let load = self.clone();
            pushing.spawn(async move {
                let mut report = Vec::new();
                while Instant::now() < until {
                    report.push(load.push("busy").await);
                }
                report
            });
        }
        let mut report = Report::default();
        for outcome in pushing.join_all().await.into_iter().flatten() {
            report.note(outcome);
        }
        report
    }

    /// So many a second, however many are answered.
    pub(super) async fn open(
        &self,
        account: &'static str,
        rate: f64,
        duration: Duration,
    ) -> Report {
        let began = Instant::now();
        let mut pushing = JoinSet::new();
        let mut report = Report::default();
        let mut tick = tokio::time::interval(TICK);
        let mut sent = 0.0;
        while began.elapsed() < duration {
            let due = tick.tick().await;
            report.woken_late(due.elapsed());
            let due = began.elapsed().as_secs_f64() * rate;
            while sent < due {
                sent += 1.0;
                let load = self.clone();
                pushing.spawn(async move { load.push(account).await });
            }
            while let Some(outcome) = pushing.try_join_next() {
                report.note(outcome.unwrap());
            }
        }
        for outcome in pushing.join_all().await {
            report.note(outcome);
        }
        report
    }

    /// One after the other.
    pub(super) async fn probe(&self, pushes: usize) -> Report {
        let mut report = Report::default();
        for _ in 0..pushes {
            report.note(self.push("busy").await);
        }
        report
    }

    async fn push(&self, account: &str) -> Outcome {
        let request = self.request(account);
        let answered = tokio::time::timeout(PATIENCE, self.answer_to(request.as_bytes()));
        match answered.await {
            Ok(Ok((200, took))) => Outcome::Stored(took),
            Ok(Ok((503, took))) => Outcome::Refused(took),
            Ok(Ok((status, _))) => Outcome::Strange(status.to_string()),
            Ok(Err(error)) => Outcome::Strange(error.to_string()),
            Err(_) => Outcome::Strange("no answer".to_owned()),
        }
    }

    fn request(&self, account: &str) -> String {
        let number = self.0.sent.fetch_add(1, Ordering::Relaxed);
        let seconds = self.0.clock.now().seconds();
        let (nonce, timestamp) = (format!("9{number}"), seconds.to_string());
        let user = number % USERS;
        let signature = seal::sign(&[TOKEN, &timestamp, &nonce]);
        let body = format!(
            "<xml><ToUserName>gh_1</ToUserName><FromUserName>o{user}</FromUserName><CreateTime>{seconds}</CreateTime>\
             <MsgType>text</MsgType><Content><![CDATA[你好]]></Content><MsgId>{number}</MsgId></xml>"
        );
        let length = body.len();
        format!(
            "POST /wechat/{account}?signature={signature}&timestamp={timestamp}&nonce={nonce} HTTP/1.1\r\n\
             Host: t\r\nContent-Length: {length}\r\n\r\n{body}"
        )
    }

    /// Status, and the time from the first byte out to the last one in.
    async fn answer_to(&self, request: &[u8]) -> std::io::Result<(u16, Duration)> {
        let kept = self.0.idle.lock().unwrap().pop();
        if let Some(stream) = kept {
            // The server may have closed it meanwhile; then nothing of the answer has come.
            if let Ok(answer) = self.exchange(stream, request).await {
                return Ok(answer);
            }
        }
        let stream = connect(self.0.address).await?;
        stream.set_nodelay(true)?;
        self.exchange(stream, request).await
    }

    async fn exchange(
        &self,
        mut stream: TcpStream,
        request: &[u8],
    ) -> std::io::Result<(u16, Duration)> {
        let began = Instant::now();
        stream.write_all(request).await?;
        let mut answer = Vec::with_capacity(256);
        let whole = |answer: &[u8]| {
            let text = std::str::from_utf8(answer).ok()?;
            let (head, body) = text.split_once("\r\n\r\n")?;
            let head = head.to_ascii_lowercase();
            let length: usize = head
                .lines()
                .find_map(|line| line.strip_prefix("content-length: ")?.parse().ok())?;
            let status = head.get(9..12)?.parse::<u16>().ok()?;
            (body.len() == length).then_some((status, !head.contains("connection: close")))
        };
        loop {
            if let Some((status, is_kept)) = whole(&answer) {
                let took = began.elapsed();
                if is_kept {
                    self.0.idle.lock().unwrap().push(stream);
                }
                return Ok((status, took));
            }
            if stream.read_buf(&mut answer).await? == 0 {
                return Err(std::io::ErrorKind::UnexpectedEof.into());
            }
        }
    }
}
