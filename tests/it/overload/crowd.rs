//! Who never pushes: connections that say nothing, and such that say a byte a second. They live in a process of their
//! own, so that the loader's limit of open files is its own.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};

/// A connection from one of many addresses of this machine, as from many senders: one address has too few ports for
/// so many connections a second.
pub(super) async fn connect(to: SocketAddr) -> std::io::Result<TcpStream> {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    let last = NEXT.fetch_add(1, Ordering::Relaxed) % 200 + 2;
    let from = Ipv4Addr::new(127, 0, 0, u8::try_from(last).unwrap());
    let socket = TcpSocket::new_v4()?;
    socket.bind(SocketAddr::from((from, 0)))?;
    socket.connect(to).await
}

/// The process of a crowd; ends when dropped.
pub(super) struct Crowd {
    process: Child,
    directory: TempDir,
}

impl Crowd {
    /// Starts it, and waits until all are there, or the server takes no more.
    pub(super) async fn gather(address: SocketAddr, idle: usize, slow: usize) -> Self {
        let directory = TempDir::new().unwrap();
        let process = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "overload::a_crowd_stays_until_it_is_killed"])
            .env(CROWD, directory.path())
            .env(MEMBERS, format!("{address} {idle} {slow}"))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let crowd = Self { process, directory };
        for _ in 0..200 {
            if crowd.opened() >= idle + slow {
                break;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        crowd
    }

    /// Connections that were opened until now.
    pub(super) fn opened(&self) -> usize {
        let told = std::fs::read_to_string(self.directory.path().join("opened"));
        told.ok().and_then(|told| told.parse().ok()).unwrap_or(0)
    }
}

impl Drop for Crowd {
    fn drop(&mut self) {
        // It may have ended already.
        drop(self.process.kill());
        drop(self.process.wait());
    }
}

/// The directory of a crowd's process; without it there is no crowd.
const CROWD: &str = "WXHOOK_TEST_CROWD";
/// Whom it connects to, how many say nothing, and how many are slow.
const MEMBERS: &str = "WXHOOK_TEST_CROWD_MEMBERS";

/// The process's side of it. Connections that are closed come again.
pub(super) async fn stand_around() {
    let Some(directory) = std::env::var_os(CROWD).map(PathBuf::from) else {
        return;
    };
    let members = std::env::var_os(MEMBERS).unwrap().into_string().unwrap();
    let mut members = members.split(' ');
    let address: SocketAddr = members.next().unwrap().parse().unwrap();
    let mut count = || members.next().unwrap().parse::<usize>().unwrap();
    let (idle, slow) = (count(), count());
    let opened = Arc::new(AtomicUsize::new(0));
    for number in 0..idle + slow {
        let (opened, is_slow) = (Arc::clone(&opened), number >= idle);
        tokio::spawn(async move {
            loop {
                if let Ok(stream) = connect(address).await {
                    opened.fetch_add(1, Ordering::Relaxed);
                    stay(stream, is_slow).await;
                }
                tokio::time::sleep(Duration::from_millis(500)).await;
            }
        });
    }
    loop {
        let told = opened.load(Ordering::Relaxed).to_string();
        std::fs::write(directory.join("new"), told).unwrap();
        std::fs::rename(directory.join("new"), directory.join("opened")).unwrap();
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

async fn stay(mut stream: TcpStream, is_slow: bool) {
    let mut head =
        b"POST /wechat/busy?signature=0000000000000000000000000000000000000000 HTTP/1.1".iter();
    let mut byte = [0];
    loop {
        let pause = tokio::time::sleep(Duration::from_secs(1));
        tokio::select! {
            // An answer, or the end of the connection.
            _ = stream.read(&mut byte) => return,
            () = pause, if is_slow => match head.next() {
                Some(next) => if stream.write_all(&[*next]).await.is_err() { return },
                None => return,
            },
        }
    }
}
