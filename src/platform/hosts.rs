//! Which addresses the platform's API has, and which of them to try first.

use std::fmt;
use std::net::Ipv4Addr;
use std::sync::Mutex;
use std::time::Duration;

use crate::platform::health::Circuit;

/// The hosts used when none are configured: the nearest access point, then the remote one that the
/// platform keeps for disasters.
///
/// Source: the official page "接口域名说明", read 2026-11.
pub const DEFAULT_HOSTS: [&str; 2] = ["https://api.weixin.qq.com", "https://api2.weixin.qq.com"];

/// Hosts that may be configured at most. The platform publishes five.
pub const MAX_HOSTS: usize = 8;

/// One base URL of the API: scheme, name and port, nothing else.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct ApiHost {
    base: Box<str>,
    https: bool,
}

/// Why a text is not an API host, or a list is not a list of them.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HostError {
    /// The text is no URL.
    #[error("{value:?} is not a base URL: {reason}; write it like \"https://api.weixin.qq.com\"")]
    Unreadable {
        /// The text.
        value: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The scheme is neither https nor http.
    #[error("{value:?} has the scheme {scheme:?}; only https, and http for stand-ins, are spoken")]
    Scheme {
        /// The text.
        value: String,
        /// Its scheme.
        scheme: String,
    },
    /// There is more in it than scheme, name and port.
    #[error("{value:?} has a {what}; give the scheme, the name and the port alone")]
    Surplus {
        /// The text, without a password.
        value: String,
        /// What is too much.
        what: &'static str,
    },
    /// An address in place of a name, with https.
    #[error(
        "{value:?} is an IP address; write the host's name: the platform's addresses change, and its \
         certificates name none"
    )]
    Address {
        /// The text.
        value: String,
    },
    /// No host is left.
    #[error("no API host is configured; the default is \"https://api.weixin.qq.com\"")]
    None,
    /// A host is named twice.
    #[error("{host} is named twice; each host may be named once")]
    Doubled {
        /// The host.
        host: ApiHost,
    },
    /// More hosts than the platform can have.
    #[error("{count} API hosts are configured; at most {MAX_HOSTS} are allowed")]
    TooMany {
        /// How many.
        count: usize,
    },
}

/// The host of QR codes' images, which wants no token.
///
/// Source: the official page "生成带参数的二维码", read 2026-11.
pub const QR_HOST: &str = "https://mp.weixin.qq.com";

impl ApiHost {
    /// Reads a base URL. Without a scheme, https is meant.
    ///
    /// # Errors
    /// [`HostError`] names the value and what is wrong with it.
    pub fn parse(text: &str) -> Result<Self, HostError> {
        let text = text.trim();
        let whole = if text.contains("://") {
            text.to_owned()
        } else {
            format!("https://{text}")
        };
        let url = reqwest::Url::parse(&whole).map_err(|error| HostError::Unreadable {
            value: shown(text),
            reason: error.to_string(),
        })?;
        if !matches!(url.scheme(), "https" | "http") {
            return Err(HostError::Scheme {
                value: shown(text),
                scheme: url.scheme().to_owned(),
            });
        }
        if let Some(what) = surplus(&url) {
            return Err(HostError::Surplus {
                value: shown(text),
                what,
            });
        }
        // A name consists of more than numbers: reqwest's URLs write addresses in their usual form.
        let host = url.host_str().unwrap_or_default();
        let is_address = host.starts_with('[') || host.parse::<Ipv4Addr>().is_ok();
        if url.scheme() == "https" && is_address {
            return Err(HostError::Address { value: shown(text) });
        }
        Ok(Self {
            base: url.as_str().trim_end_matches('/').into(),
            https: url.scheme() == "https",
        })
    }

    /// The host of QR codes' images: [`QR_HOST`].
    pub fn of_qr_images() -> Self {
        Self {
            base: QR_HOST.into(),
            https: true,
        }
    }

    /// The base URL, without a slash at its end.
    pub fn as_str(&self) -> &str {
        &self.base
    }

    /// Whether TLS is spoken.
    pub fn is_https(&self) -> bool {
        self.https
    }
}

impl fmt::Display for ApiHost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.base)
    }
}

impl fmt::Debug for ApiHost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ApiHost({})", self.base)
    }
}

fn surplus(url: &reqwest::Url) -> Option<&'static str> {
    if !url.username().is_empty() || url.password().is_some() {
        Some("user name")
    } else if url.query().is_some() {
        Some("query")
    } else if url.fragment().is_some() {
        Some("fragment")
    } else if url.path() != "/" {
        Some("path")
    } else {
        None
    }
}

/// The value as a message may show it: what stands before an `@` may be a password.
fn shown(text: &str) -> String {
    match text.rsplit_once('@') {
        Some((_hidden, rest)) => format!("…@{rest}"),
        None => text.to_owned(),
    }
}

/// The configured hosts in order of preference, and how each of them fares.
#[derive(Debug)]
pub struct Hosts {
    hosts: Vec<ApiHost>,
    circuits: Mutex<Vec<Circuit>>,
}

impl Hosts {
    /// Takes the hosts in order of preference.
    ///
    /// # Errors
    /// [`HostError`] when there is none, too many, or one is named twice.
    pub fn new(hosts: Vec<ApiHost>) -> Result<Self, HostError> {
        if hosts.is_empty() {
            return Err(HostError::None);
        }
        if hosts.len() > MAX_HOSTS {
            return Err(HostError::TooMany { count: hosts.len() });
        }
        for (index, host) in hosts.iter().enumerate() {
            if hosts.iter().take(index).any(|earlier| earlier == host) {
                return Err(HostError::Doubled { host: host.clone() });
            }
        }
        let circuits = Mutex::new(vec![Circuit::default(); hosts.len()]);
        Ok(Self { hosts, circuits })
    }

    /// Reads base URLs in order of preference.
    ///
    /// # Errors
    /// As [`ApiHost::parse`] and [`Hosts::new`].
    pub fn parse<'a>(texts: impl IntoIterator<Item = &'a str>) -> Result<Self, HostError> {
        let hosts: Result<Vec<_>, _> = texts.into_iter().map(ApiHost::parse).collect();
        Self::new(hosts?)
    }

    /// All hosts, in order of preference.
    pub fn all(&self) -> &[ApiHost] {
        &self.hosts
    }

    /// Whether any host is spoken to by https.
    pub fn any_https(&self) -> bool {
        self.hosts.iter().any(ApiHost::is_https)
    }

    /// Whether any host is spoken to without TLS.
    pub fn any_plain_http(&self) -> bool {
        !self.hosts.iter().all(ApiHost::is_https)
    }

    /// Which hosts to try, in this order: the healthy ones as they are preferred, then the failing
    /// ones, because a failing host is still better than none.
    pub fn order(&self) -> Vec<usize> {
        let circuits = self.circuits.lock().unwrap_or_else(|e| e.into_inner());
        let mut order: Vec<usize> = (0..self.hosts.len()).collect();
        order.sort_by_key(|&index| circuits.get(index).is_some_and(Circuit::is_open));
        order
    }

    /// Records how a call to a host went, `now` on the monotonic clock.
    pub fn record(&self, index: usize, well: bool, now: Duration) {
        let mut circuits = self.circuits.lock().unwrap_or_else(|e| e.into_inner());
        let Some(circuit) = circuits.get_mut(index) else {
            return;
        };
        let was_open = circuit.is_open();
        circuit.record(well, now);
        let is_open = circuit.is_open();
        drop(circuits);
        if let (Some(host), true) = (self.hosts.get(index), was_open != is_open) {
            if is_open {
                tracing::warn!(host = %host, "An API host fails; the others are used.");
            } else {
                tracing::info!(host = %host, "An API host works again.");
            }
        }
    }

    /// The hosts that are out of use and whose turn to be probed has come. Each is returned once
    /// per probe interval.
    pub fn due_probes(&self, now: Duration) -> Vec<usize> {
        if self.hosts.len() == 1 {
            return Vec::new();
        }
        let mut circuits = self.circuits.lock().unwrap_or_else(|e| e.into_inner());
        let due =
            |(index, circuit): (usize, &mut Circuit)| circuit.take_probe(now).then_some(index);
        circuits.iter_mut().enumerate().filter_map(due).collect()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_host_is_a_scheme_a_name_and_a_port() {
        for (text, expected) in [
            ("api.weixin.qq.com", "https://api.weixin.qq.com"),
            (
                " https://api2.weixin.qq.com/ ",
                "https://api2.weixin.qq.com",
            ),
            ("http://127.0.0.1:9000", "http://127.0.0.1:9000"),
            ("http://[::1]:80", "http://[::1]"),
            ("localhost:8090", "https://localhost:8090"),
        ] {
            assert_eq!(ApiHost::parse(text).unwrap().as_str(), expected, "{text}");
        }
    }

    #[test]
    fn what_is_not_a_host_is_named_with_its_fault_and_without_its_password() {
        let faults: Vec<String> = [
            "",
            "ftp://a.example",
            "https://a.example/cgi-bin",
            "https://a.example?x=1",
            "https://a.example/#x",
            "https://me:hunter2@a.example",
            "https://a.example:99999",
            "https://203.0.113.9",
            "203.0.113.9:443",
            "https://[::1]:443",
            "https://0x7f.1",
        ]
        .into_iter()
        .map(|text| ApiHost::parse(text).unwrap_err().to_string())
        .collect();
        insta::assert_snapshot!(faults.join("\n"), @r#"
        "" is not a base URL: empty host; write it like "https://api.weixin.qq.com"
        "ftp://a.example" has the scheme "ftp"; only https, and http for stand-ins, are spoken
        "https://a.example/cgi-bin" has a path; give the scheme, the name and the port alone
        "https://a.example?x=1" has a query; give the scheme, the name and the port alone
        "https://a.example/#x" has a fragment; give the scheme, the name and the port alone
        "…@a.example" has a user name; give the scheme, the name and the port alone
        "https://a.example:99999" is not a base URL: invalid port number; write it like "https://api.weixin.qq.com"
        "https://203.0.113.9" is an IP address; write the host's name: the platform's addresses change, and its certificates name none
        "203.0.113.9:443" is an IP address; write the host's name: the platform's addresses change, and its certificates name none
        "https://[::1]:443" is an IP address; write the host's name: the platform's addresses change, and its certificates name none
        "https://0x7f.1" is an IP address; write the host's name: the platform's addresses change, and its certificates name none
        "#);
    }

    #[test]
    fn a_list_of_hosts_is_neither_empty_nor_doubled_nor_endless() {
        let doubled = Hosts::parse(["a.example", "https://a.example/"]).unwrap_err();
        let host = ApiHost::parse("a.example").unwrap();
        assert_eq!(doubled, HostError::Doubled { host });
        assert_eq!(Hosts::parse([]).unwrap_err(), HostError::None);
        let many: Vec<String> = (0..9).map(|n| format!("h{n}.example")).collect();
        let error = Hosts::parse(many.iter().map(String::as_str)).unwrap_err();
        assert_eq!(error, HostError::TooMany { count: 9 });
    }

    #[test]
    fn a_failing_host_goes_to_the_end_and_comes_back_after_good_probes() {
        let hosts = Hosts::parse(["a.example", "b.example"]).unwrap();
        let second = Duration::from_secs;
        (0..3).for_each(|_| hosts.record(0, false, second(0)));
        assert_eq!(hosts.order(), [1, 0]);
        assert_eq!(hosts.due_probes(second(9)), [] as [usize; 0]);
        for at in [10, 20, 60] {
            assert_eq!(hosts.due_probes(second(at)), [0], "{at}");
            assert_eq!(hosts.due_probes(second(at)), [] as [usize; 0], "{at} again");
            hosts.record(0, true, second(at));
        }
        assert_eq!(hosts.order(), [0, 1]);
    }

    #[test]
    fn when_every_host_fails_they_are_tried_as_configured() {
        let hosts = Hosts::parse(["a.example", "b.example"]).unwrap();
        for index in [0, 0, 0, 1, 1, 1] {
            hosts.record(index, false, Duration::ZERO);
        }
        assert_eq!(hosts.order(), [0, 1]);
    }

    proptest! {
        #[test]
        fn whatever_is_read_as_a_host_reads_as_the_same_host_again(noise in "(http://|https://)?\\PC{0,20}") {
            if let Ok(host) = ApiHost::parse(&noise) {
                prop_assert_eq!(ApiHost::parse(host.as_str()), Ok(host));
            }
        }
    }
}
