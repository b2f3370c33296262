//! Beyond its capacity the server still does what it can: a real server on a disk that takes 50 ms for each
//! sync, twenty times as many pushes as it can store, idle and slow connections beside them.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tempfile::TempDir;
use wxhook::Router;
use wxhook::app::Server;
use wxhook::config::{self, Needs, Sources};

use crate::durability::shim;
use crate::support::{eventually, now};

mod crowd;
mod load;
mod report;

use crowd::Crowd;
use load::Load;
use report::Report;

/// Where the child writes its address; without it there is no child.
const DIRECTORY: &str = "WXHOOK_TEST_OVERLOAD";
/// `full`: the long run, with batches of 16 and 11,000 connections, for a machine without other work. The short one
/// has a capacity so small that twenty times as much is not much for a debug build on a busy machine.
const EXTENT: &str = "WXHOOK_OVERLOAD";

/// How much.
struct Extent {
    /// Pushes in one sync of 50 ms.
    batch: usize,
    seconds: u64,
    idle: usize,
    slow: usize,
}

impl Extent {
    fn of_this_run() -> Self {
        if std::env::var_os(EXTENT).is_some_and(|extent| extent == "full") {
            return Self {
                batch: 16,
                seconds: 60,
                idle: 10_000,
                slow: 1_000,
            };
        }
        Self {
            batch: 2,
            seconds: 10,
            idle: 300,
            slow: 30,
        }
    }
}

const CONFIGURATION: &str = r#"
[server]
listen = "127.0.0.1:0"
[admin]
listen = "127.0.0.1:0"
[accounts.busy]
app_id = "wx0123456789abcdef"
token = "token1234567890"
mode = "plain"
[accounts.quiet]
app_id = "wxfedcba9876543210"
token = "token1234567890"
mode = "plain"
"#;

async fn nothing() {}

/// Not a test of its own: without a directory there is nothing to do.
#[test]
fn a_child_serves_until_it_is_killed() {
    let Some(directory) = std::env::var_os(DIRECTORY).map(PathBuf::from) else {
        return;
    };
    let batch = Extent::of_this_run().batch.to_string();
    let data = directory.join("data").to_str().unwrap().to_owned();
    let variables = [("WXHOOK_DATA_DIR", data), ("WXHOOK__STORE__BATCH", batch)];
    let sources = Sources {
        file: Some((PathBuf::from("test.toml"), CONFIGURATION.to_owned())),
        environment: variables
            .map(|(name, value)| (name.to_owned(), value))
            .into(),
    };
    let config = config::load(&sources, Needs::Accounts).unwrap();
    let routes = Router::new().fallback(nothing).with_state(()).unwrap();
    let server = Server::start(config, routes).unwrap();
    let address = server.webhook_address().to_string();
    std::fs::write(directory.join("new"), address).unwrap();
    std::fs::rename(directory.join("new"), directory.join("address")).unwrap();
    loop {
        std::thread::park();
    }
}

/// The child; killed when dropped.
struct Slow(Child);

impl Slow {
    fn start(directory: &Path) -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap());
        child
            .args([
                "--exact",
                "overload::a_child_serves_until_it_is_killed",
                "--nocapture",
            ])
            .env(DIRECTORY, directory)
            .env("LD_PRELOAD", shim::build_shim())
            .env(shim::DELAY_MS, "50")
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        Self(child.spawn().unwrap())
    }

    /// Resident memory, in MiB.
    fn resident(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.0.id())).unwrap();
        let line = status
            .lines()
            .find_map(|line| line.strip_prefix("VmRSS:"))
            .unwrap();
        let kibibytes = line.trim().trim_end_matches(" kB");
        kibibytes.parse::<u64>().unwrap() / 1024
    }
}

impl Drop for Slow {
    fn drop(&mut self) {
        // It may have ended already.
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

/// Not a test of its own, either.
#[tokio::test]
async fn a_crowd_stays_until_it_is_killed() {
    crowd::stand_around().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn at_twenty_times_its_capacity_the_server_stores_what_it_can_refuses_the_rest_and_recovers()
{
    let extent = Extent::of_this_run();
    let directory = TempDir::new().unwrap();
    let child = Slow::start(directory.path());
    let path = directory.path().join("address");
    let address = eventually("the child listens", || std::fs::read_to_string(&path).ok());
    let address: SocketAddr = address.parse().unwrap();
    let load = Load::new(address);

    // As many as it can: a few waiting for each batch all the time.
    let measured = Duration::from_secs(3);
    let alone = load
        .closed(extent.batch * 4, Duration::from_secs(1))
        .await
        .goodput(Duration::from_secs(1));
    let capacity = load
        .closed(extent.batch * 4, measured)
        .await
        .goodput(measured);
    assert!(capacity > 10.0, "{alone} then {capacity} pushes a second");

    let before = load.probe(10).await;
    let crowd = Crowd::gather(address, extent.idle, extent.slow).await;
    let calm = child.resident();
    let duration = Duration::from_secs(extent.seconds);
    let busy = load.open("busy", capacity * 20.0, duration);
    let quiet = load.open("quiet", (capacity * 0.05).max(2.0), duration);
    let settled = async {
        // By then the signatures that are remembered are as many as ever.
        tokio::time::sleep(duration * 3 / 4).await;
        child.resident()
    };
    let (busy, quiet, later) = tokio::join!(busy, quiet, settled);
    let (loaded, ended) = (child.resident(), now());

    // Whatever still waits was sent before.
    tokio::time::sleep(Duration::from_secs(1)).await;
    let after = load.probe(10).await;
    println!(
        "capacity {capacity:.0}/s; offered {:.0}/s for {} s beside {} idle and {} slow connections\n\
         busy:  {busy}\nquiet: {quiet}\nafter: {after} ({:?} after the end)\n\
         resident: {calm} MiB calm, {later} MiB after three quarters, {loaded} MiB at the end; the crowd opened {} connections",
        capacity * 20.0,
        extent.seconds,
        extent.idle,
        extent.slow,
        ended.elapsed(),
        crowd.opened(),
    );
    drop(crowd);

    let goodput = busy.goodput(duration) + quiet.goodput(duration);
    assert!(
        goodput >= capacity * 0.8,
        "goodput {goodput:.1} of {capacity:.1}"
    );
    for (name, report) in [("busy", &busy), ("quiet", &quiet), ("after", &after)] {
        assert!(report.strange().is_empty(), "{name}: {report}");
        assert!(
            report.longest_success() <= Duration::from_secs(4) + busy.lag().max(quiet.lag()) * 2,
            "{name}: {report}"
        );
    }
    assert!(
        busy.refused() > busy.stored(),
        "there was no overload: {busy}"
    );
    // The busy account's share would be the quiet one's, too, if they waited in one line.
    assert!(
        quiet.share() >= 0.8 && busy.share() <= 0.2,
        "an account was starved: {quiet}, beside {busy}"
    );
    assert_eq!(after.refused(), 0, "{after}");
    // Or, where the machine is busy with other things, not much longer than before.
    let usual = (before.longest_success() * 4).max(Duration::from_secs(1));
    assert!(after.longest_success() <= usual, "{before}, then {after}");
    assert!(
        loaded <= later + 16,
        "memory grew from {later} to {loaded} MiB"
    );
}

impl Report {
    /// Successes in a second.
    fn goodput(&self, duration: Duration) -> f64 {
        self.stored() as f64 / duration.as_secs_f64()
    }
}
