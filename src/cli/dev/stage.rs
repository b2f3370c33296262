//! The stage: a throw-away account, a local platform, and the server as a process of its own.

use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::oneshot;

use super::columns::Columns;
use crate::cli::output::Failure;
use crate::clock::{Clock, SystemClock};
use crate::id::{AppId, OpenId};
use crate::secret::{AppSecret, PushToken};
use crate::simulator::handle::DevHandle;
use crate::simulator::platform::{Delivery, Platform, Settings, Windows};
use crate::simulator::pusher::{Feed, Identity, Mode, Pusher};
use crate::simulator::seal;
use crate::simulator::skin::Skin;
use crate::store::embedded::View;

/// How long the server may take to start.
const START_LIMIT: Duration = Duration::from_secs(20);
/// How long the server may take to stop before it is killed.
const STOP_LIMIT: Duration = Duration::from_secs(10);

/// Everything that `dev` starts, and clears away.
pub(super) struct Stage {
    pub(super) clock: Arc<dyn Clock>,
    pub(super) pusher: Pusher,
    platform: Arc<Mutex<Platform>>,
    skin: Option<Skin>,
    account: Account,
    server: Child,
    address: SocketAddr,
    data_dir: PathBuf,
    handle_path: PathBuf,
}

/// Values that live as long as the stage.
struct Account {
    app_id: String,
    secret: String,
    token: String,
    key: String,
}

impl Account {
    fn throw_away() -> Result<Self, Failure> {
        Ok(Self {
            app_id: format!("wx{}", random_text(16, b"0123456789abcdef")?),
            secret: random_text(32, b"0123456789abcdef")?,
            token: random_text(24, LETTERS_AND_DIGITS)?,
            key: random_text(43, LETTERS_AND_DIGITS)?,
        })
    }
}

const LETTERS_AND_DIGITS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
/// The account's original id, the `ToUserName` of its pushes.
const ORIGINAL_ID: &str = "gh_wxhookdev001";

fn random_text(length: usize, alphabet: &[u8]) -> Result<String, Failure> {
    let mut bytes = vec![0; length];
    getrandom::fill(&mut bytes).map_err(Failure::failed)?;
    Ok(bytes
        .iter()
        .map(|byte| char::from(alphabet[usize::from(*byte) % alphabet.len()]))
        .collect())
}

impl Stage {
    /// Starts the platform and the server, and writes the file by which `simulate push` finds them.
    pub(super) async fn build(listen: SocketAddr) -> Result<Self, Failure> {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::start());
        let account = Account::throw_away()?;
        let app_id = AppId::parse(&account.app_id).map_err(Failure::failed)?;
        let settings = Settings {
            windows: Windows::On,
            ..Settings::for_account(app_id.clone(), AppSecret::new(account.secret.as_str()))
        };
        let platform = Arc::new(Mutex::new(Platform::new(settings, 1)));
        let listener = TcpListener::bind("127.0.0.1:0").map_err(Failure::failed)?;
        let skin = Skin::start(listener, Arc::clone(&platform), Arc::clone(&clock))
            .map_err(Failure::failed)?;
        let data_dir = make_data_dir()?;
        let (server, address) = start_server(&account, listen, skin.url(), &data_dir).await?;
        let handle = handle(&account, address, skin.url());
        let handle_path = crate::cli::dev_handle_path();
        handle
            .write(&handle_path)
            .map_err(|error| Failure::failed(format!("{}: {error}", handle_path.display())))?;
        let identity = Identity {
            url: handle.url,
            app_id,
            token: PushToken::new(account.token.as_str()),
            key: Some(seal::decode_key(&account.key).map_err(Failure::failed)?),
            mode: Mode::Secure,
            original_id: ORIGINAL_ID.to_owned(),
        };
        let feed = Feed::Platform(Arc::clone(&platform));
        let seed = clock.now().milliseconds().unsigned_abs();
        let pusher = Pusher::new(identity, Arc::clone(&clock), seed)
            .map_err(Failure::failed)?
            .with_feed(feed);
        let skin = Some(skin);
        Ok(Self {
            clock,
            pusher,
            platform,
            skin,
            account,
            server,
            address,
            data_dir,
            handle_path,
        })
    }

    pub(super) fn url(&self) -> String {
        url(self.address)
    }

    pub(super) fn data_dir(&self) -> &Path {
        &self.data_dir
    }

    pub(super) fn pid(&self) -> u32 {
        self.server.id().unwrap_or(0)
    }

    /// The server's store, read beside it.
    pub(super) fn view(&self) -> Result<View, Failure> {
        View::open(&self.data_dir).map_err(Failure::failed)
    }

    /// What the platform delivered after the first `seen`.
    pub(super) fn delivered(&self, seen: u64) -> Vec<Delivery> {
        let platform = self.platform.lock().unwrap_or_else(|e| e.into_inner());
        platform.deliveries_after(seen).cloned().collect()
    }

    /// So many were delivered until now.
    pub(super) fn delivery_count(&self) -> u64 {
        self.platform
            .lock()
            .unwrap_or_else(|e| e.into_inner())
            .delivery_count()
    }

    /// SIGKILL: no handler ends, nothing is flushed.
    pub(super) async fn kill_server(&mut self) -> Result<(), Failure> {
        self.server.kill().await.map_err(Failure::failed)
    }

    /// Starts the server again, at the same address and on the same data.
    pub(super) async fn restart_server(&mut self) -> Result<(), Failure> {
        let platform = self.skin.as_ref().map_or("", Skin::url);
        let (server, _) =
            start_server(&self.account, self.address, platform, &self.data_dir).await?;
        self.server = server;
        Ok(())
    }

    /// Whether the server ended although nobody asked it to.
    pub(super) fn server_ended(&mut self) -> Option<std::process::ExitStatus> {
        self.server.try_wait().ok().flatten()
    }

    /// Stops and removes everything that was started or made.
    pub(super) async fn clear(mut self) {
        // What is gone already needs no removing.
        drop(std::fs::remove_file(&self.handle_path));
        if let Some(pid) = self.server.id().and_then(|pid| i32::try_from(pid).ok())
            && let Some(pid) = rustix::process::Pid::from_raw(pid)
        {
            let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
        }
        if tokio::time::timeout(STOP_LIMIT, self.server.wait())
            .await
            .is_err()
        {
            drop(self.server.kill().await);
        }
        if let Some(skin) = self.skin.take() {
            drop(skin.stop());
        }
        drop(std::fs::remove_dir_all(&self.data_dir));
    }
}

fn url(address: SocketAddr) -> String {
    format!("http://{address}/wechat")
}

fn handle(account: &Account, address: SocketAddr, simulator_url: &str) -> DevHandle {
    DevHandle {
        url: url(address),
        simulator_url: simulator_url.to_owned(),
        app_id: account.app_id.clone(),
        token: account.token.clone(),
        encoding_aes_key: Some(account.key.clone()),
        mode: Mode::Secure.name().to_owned(),
        original_id: ORIGINAL_ID.to_owned(),
        pid: std::process::id(),
    }
}

fn make_data_dir() -> Result<PathBuf, Failure> {
    let path = std::env::temp_dir().join(format!("wxhook-dev-{}", std::process::id()));
    // A left-over of a process with the same id belongs to a throw-away account that is gone.
    drop(std::fs::remove_dir_all(&path));
    std::fs::create_dir(&path)
        .map_err(|error| Failure::failed(format!("{}: {error}", path.display())))?;
    Ok(path)
}

/// Starts `wxhook serve` and waits until it says that it is ready.
async fn start_server(
    account: &Account,
    listen: SocketAddr,
    platform: &str,
    data_dir: &Path,
) -> Result<(Child, SocketAddr), Failure> {
    let program = std::env::current_exe().map_err(Failure::failed)?;
    let mut server = Command::new(program)
        .arg("serve")
        .env_clear()
        .env("WECHAT_APP_ID", &account.app_id)
        .env("WECHAT_APP_SECRET", &account.secret)
        .env("WECHAT_TOKEN", &account.token)
        .env("WECHAT_ENCODING_AES_KEY", &account.key)
        .env("WXHOOK_LISTEN", listen.to_string())
        .env("WXHOOK_ADMIN_LISTEN", "127.0.0.1:0")
        .env("WXHOOK_DATA_DIR", data_dir)
        .env("WXHOOK_API_HOSTS", platform)
        .env("WXHOOK_LOG_FORMAT", "json")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        // Ctrl-C is for us: we then ask the server to stop, once.
        .process_group(0)
        .spawn()
        .map_err(Failure::failed)?;
    let (ready, address) = oneshot::channel();
    if let Some(output) = server.stdout.take() {
        tokio::spawn(follow_log(BufReader::new(output), ready));
    }
    match tokio::time::timeout(START_LIMIT, address).await {
        Ok(Ok(address)) => Ok((server, address)),
        _ => {
            drop(server.kill().await);
            Err(Failure::failed(
                "the server did not start; the lines above say why",
            ))
        }
    }
}

/// Reads the server's log: finds the address that it listens on, and shows warnings and errors.
async fn follow_log(
    mut log: BufReader<tokio::process::ChildStdout>,
    ready: oneshot::Sender<SocketAddr>,
) {
    let (mut ready, mut text, columns) = (Some(ready), String::new(), Columns);
    while matches!(log.read_line(&mut text).await, Ok(1..)) {
        let entry: Value = serde_json::from_str(&text).unwrap_or(Value::Null);
        let listen = entry["listen"]
            .as_str()
            .and_then(|listen| listen.parse().ok());
        if let Some(address) = listen
            && let Some(ready) = ready.take()
        {
            let _ = ready.send(address);
        }
        match (entry["level"].as_str(), entry["message"].as_str()) {
            (Some("INFO" | "DEBUG" | "TRACE"), _) => {}
            (Some(level), Some(message)) => drop(columns.server(&format!("[{level}] {message}"))),
            _ => drop(columns.server(text.trim_end())),
        }
        text.clear();
    }
}

/// The user of the conversation.
pub(super) fn user() -> OpenId {
    OpenId::new("oDevUser0000000000XiaoMing01")
}
