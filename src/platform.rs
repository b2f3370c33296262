//! One request to the platform becomes one decoded answer, by whichever of its hosts works.

use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::future::BoxFuture;
use tokio::task::JoinSet;

use crate::clock::Clock;
use crate::platform::download::{Received, download};
use crate::platform::exchange::{Answer, Call, ExchangeError, Repeat, exchange};
use crate::platform::hosts::{ApiHost, Hosts};
use crate::transport::{Transport, TransportError};

pub mod advice;
pub(crate) mod decode;
pub mod download;
pub mod error;
pub mod exchange;
pub(crate) mod health;
pub mod hosts;
pub(crate) mod scrub;
pub mod skew;

/// What a failing host is asked to see whether it works again. Without a token it answers a code,
/// which is all that needs to be known.
const PROBE_PATH: &str = "/cgi-bin/get_api_domain_ip";

/// How long a probe may take.
const PROBE_TIMEOUT: Duration = Duration::from_secs(5);

/// Makes one call to one host.
type Exchange<T> =
    for<'a> fn(&'a dyn Transport, &'a ApiHost, &'a Call) -> BoxFuture<'a, Result<T, ExchangeError>>;

/// The platform as the network shows it: its hosts, and the transport that reaches them.
pub struct Platform {
    transport: Arc<dyn Transport>,
    hosts: Arc<Hosts>,
    clock: Arc<dyn Clock>,
    probes: Mutex<JoinSet<()>>,
}

impl fmt::Debug for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Platform")
            .field("hosts", &self.hosts)
            .finish_non_exhaustive()
    }
}

impl Platform {
    /// Puts the parts together. Dropping it ends the probes that are under way.
    pub fn new(transport: Arc<dyn Transport>, hosts: Arc<Hosts>, clock: Arc<dyn Clock>) -> Self {
        Self {
            transport,
            hosts,
            clock,
            probes: Mutex::new(JoinSet::new()),
        }
    }

    /// Makes a call, on the next host when the first one fails and the call surely was not executed
    /// or may be repeated. Takes at most the call's timeout for each host.
    ///
    /// # Errors
    /// The last host's [`ExchangeError`].
    pub async fn call(&self, call: &Call) -> Result<Answer, ExchangeError> {
        self.on_hosts(call, |transport, host, call| {
            Box::pin(exchange(transport, host, call))
        })
        .await
    }

    /// Makes a call whose answer may be a file, which is then read as it comes; else as
    /// [`Platform::call`].
    ///
    /// # Errors
    /// The last host's [`ExchangeError`].
    pub async fn download(&self, call: &Call) -> Result<Received, ExchangeError> {
        self.on_hosts(call, |transport, host, call| {
            Box::pin(download(transport, host, call))
        })
        .await
    }

    /// Fetches a file from a host of its own. No token goes there, and no host's health changes.
    ///
    /// # Errors
    /// The [`ExchangeError`].
    pub async fn fetch(&self, host: &ApiHost, call: &Call) -> Result<Received, ExchangeError> {
        download(&*self.transport, host, call).await
    }

    /// The first host, if it is a stand-in on plain http: it has what the platform has on hosts of
    /// their own.
    pub fn stand_in(&self) -> Option<&ApiHost> {
        self.hosts.all().first().filter(|host| !host.is_https())
    }

    async fn on_hosts<T>(&self, call: &Call, exchange: Exchange<T>) -> Result<T, ExchangeError> {
        self.probe_failing_hosts();
        let mut last = None;
        for index in self.hosts.order() {
            let Some(host) = self.hosts.all().get(index) else {
                continue;
            };
            let outcome = exchange(&*self.transport, host, call).await;
            let failed = outcome
                .as_ref()
                .err()
                .is_some_and(ExchangeError::is_host_failure);
            self.hosts.record(index, !failed, self.clock.monotonic());
            match outcome {
                Err(error) if failed && may_go_elsewhere(&error, call.repeat) => {
                    tracing::debug!(host = %host, endpoint = &*call.path, error = %error,
                        "A call goes to the next API host.");
                    last = Some(error);
                }
                outcome => return outcome,
            }
        }
        // There is at least one host, so there is an error; without one nothing was sent.
        Err(last.unwrap_or_else(|| {
            let reason = "no API host is configured".to_owned();
            ExchangeError::Transport(TransportError::NotConnected { reason })
        }))
    }

    /// Whether hosts that are out of use are being asked at this moment whether they work again.
    pub fn is_probing(&self) -> bool {
        let mut probes = self.probes.lock().unwrap_or_else(|e| e.into_inner());
        while probes.try_join_next().is_some() {}
        !probes.is_empty()
    }

    /// Asks the hosts that are out of use whether they work again, beside the calls: a message must
    /// not be what finds out.
    fn probe_failing_hosts(&self) {
        let due = self.hosts.due_probes(self.clock.monotonic());
        if due.is_empty() {
            return;
        }
        let mut probes = self.probes.lock().unwrap_or_else(|e| e.into_inner());
        while probes.try_join_next().is_some() {}
        for index in due {
            let (transport, hosts) = (Arc::clone(&self.transport), Arc::clone(&self.hosts));
            let clock = Arc::clone(&self.clock);
            probes.spawn(async move {
                let Some(host) = hosts.all().get(index) else {
                    return;
                };
                // Any code of the platform is a sign of life, 41001 (no token) the usual one; a page
                // is none, whatever its status.
                let answered = match exchange(&*transport, host, &probe()).await {
                    Ok(_) => true,
                    Err(error) => error.code().is_some() && !error.is_host_failure(),
                };
                hosts.record(index, answered, clock.monotonic());
            });
        }
    }
}

fn probe() -> Call {
    Call {
        timeout: PROBE_TIMEOUT,
        ..Call::get(PROBE_PATH)
    }
}

fn may_go_elsewhere(error: &ExchangeError, repeat: Repeat) -> bool {
    error.surely_not_executed() || repeat == Repeat::Harmless
}
