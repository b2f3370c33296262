//! An operator at a shell: the real program beside a running server or without one, and the local
//! platform behind both.

use serde_json::Value;
use wxhook::clock::{Clock as _, SystemClock};
use wxhook::simulator::platform::{Arrangement, Fault, FaultRule, Shelf, When};

use crate::main_job::{APP_ID, SECRET, Served, StandIn, TOKEN, serve};
use crate::support::run;

/// Where nobody listens.
pub(crate) const NOBODY: &str = "127.0.0.1:1";

/// An operator at a shell: the local platform, and the data directory of a server that runs or not.
pub(crate) struct Shell {
    pub(crate) platform: StandIn,
    pub(crate) served: Option<Served>,
    pub(crate) directory: tempfile::TempDir,
    pub(crate) admin: String,
    data_dir: String,
}

impl Shell {
    /// Beside a running server.
    pub(crate) fn beside_a_server() -> Self {
        let platform = StandIn::start();
        let served = serve(&platform.url);
        Self {
            admin: served.admin.to_string(),
            data_dir: served.data_dir.path().to_str().unwrap().to_owned(),
            platform,
            served: Some(served),
            directory: tempfile::tempdir().unwrap(),
        }
    }

    /// Where no server runs.
    pub(crate) fn alone() -> Self {
        Self::alone_with(StandIn::start())
    }

    /// The same with a platform of its own settings.
    pub(crate) fn alone_with(platform: StandIn) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let data_dir = directory.path().join("data");
        Self {
            platform,
            served: None,
            admin: NOBODY.to_owned(),
            data_dir: data_dir.to_str().unwrap().to_owned(),
            directory,
        }
    }

    pub(crate) fn variables(&self) -> Vec<(&str, &str)> {
        vec![
            ("WECHAT_APP_ID", APP_ID),
            ("WECHAT_APP_SECRET", SECRET),
            ("WECHAT_TOKEN", TOKEN),
            ("WXHOOK_ADMIN_LISTEN", &self.admin),
            ("WXHOOK_DATA_DIR", &self.data_dir),
            ("WXHOOK_API_HOSTS", &self.platform.url),
        ]
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> (i32, String, String) {
        run(arguments, &self.variables(), "")
    }

    /// Runs what must be done, with `--json`.
    pub(crate) fn json(&self, arguments: &[&str]) -> Value {
        let (code, out, err) = self.run(&[arguments, &["--json"]].concat());
        assert_eq!(code, 0, "{arguments:?}: {out}{err}");
        serde_json::from_str(&out).unwrap()
    }

    /// What the platform was asked at these paths, in order: method, path, body.
    pub(crate) fn asked(&self, is_meant: impl Fn(&str) -> bool) -> Vec<(String, String, Value)> {
        let platform = self.platform.platform.lock().unwrap();
        let calls = platform.calls_after(0);
        let meant = calls.filter(|call| is_meant(&call.path));
        let told = meant.map(|call| {
            let body = serde_json::from_slice(&call.body).unwrap_or(Value::Null);
            (call.method.clone(), call.path.clone(), body)
        });
        told.collect()
    }

    /// Makes trouble at a path.
    pub(crate) fn trouble(&self, path: &str, when: When, fault: Fault) {
        self.rule(FaultRule {
            path: Some(path.to_owned()),
            host: None,
            open_id: None,
            when,
            fault,
        });
    }

    pub(crate) fn rule(&self, rule: FaultRule) {
        let mut platform = self.platform.platform.lock().unwrap();
        platform.add_fault(rule).unwrap();
    }

    /// What the platform keeps.
    pub(crate) fn shelf(&self, shelf: Shelf) -> Value {
        let now = SystemClock::start().now();
        let mut platform = self.platform.platform.lock().unwrap();
        platform.look(now, None, shelf).unwrap()
    }

    /// Somebody does something in the platform's console.
    pub(crate) fn arrange(&self, arrangement: Arrangement) {
        let now = SystemClock::start().now();
        let mut platform = self.platform.platform.lock().unwrap();
        platform.arrange(now, None, arrangement).unwrap();
    }

    /// A path in the operator's directory.
    pub(crate) fn path(&self, name: &str) -> String {
        let path = self.directory.path().join(name);
        path.to_str().unwrap().to_owned()
    }

    /// Calls that the platform got, those for tokens among them.
    pub(crate) fn calls(&self) -> u64 {
        self.platform.platform.lock().unwrap().call_count()
    }
}

/// The platform answers this code, and does nothing.
pub(crate) fn refusal(code: i64) -> Fault {
    Fault::Code {
        code,
        message: None,
    }
}
