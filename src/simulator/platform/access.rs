//! Who may ask for tokens from where: frozen secrets, IP whitelists, an administrator's confirmation.

use core::net::IpAddr;
use std::collections::HashMap;
use std::str::FromStr;

use serde::Deserialize;
use serde::Serialize;

use super::answer::Refusal;
use crate::clock::Timestamp;

/// Seconds until freezing or unfreezing an AppSecret takes effect.
pub const FREEZE_DELAY_SECONDS: i64 = 600;

/// Seconds for which an address is blocked after an administrator's first refusal, and after more.
const BLOCKED_SECONDS: [i64; 2] = [3600, 24 * 3600];

/// Addresses remembered for each account.
const MAX_ADDRESSES: usize = 1000;

/// An entry of an IP whitelist: one address, or a segment like `203.0.113.0/24`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Network {
    address: IpAddr,
    prefix: u32,
}

/// The text is neither an address nor a segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("is neither an IP address nor a segment such as 203.0.113.0/24")]
pub struct NetworkError;

impl FromStr for Network {
    type Err = NetworkError;

    fn from_str(text: &str) -> Result<Self, NetworkError> {
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| NetworkError)?;
        let longest = if address.is_ipv4() { 32 } else { 128 };
        let prefix = match prefix {
            Some(prefix) => prefix.parse().map_err(|_| NetworkError)?,
            None => longest,
        };
        if prefix > longest {
            return Err(NetworkError);
        }
        Ok(Self { address, prefix })
    }
}

impl TryFrom<String> for Network {
    type Error = NetworkError;

    fn try_from(text: String) -> Result<Self, NetworkError> {
        text.parse()
    }
}

impl From<Network> for String {
    fn from(network: Network) -> Self {
        format!("{}/{}", network.address, network.prefix)
    }
}

impl Network {
    fn contains(self, ip: IpAddr) -> bool {
        let differing = match (self.address, ip) {
            (IpAddr::V4(one), IpAddr::V4(other)) => {
                (one.to_bits() ^ other.to_bits()).leading_zeros()
            }
            (IpAddr::V6(one), IpAddr::V6(other)) => {
                (one.to_bits() ^ other.to_bits()).leading_zeros()
            }
            _ => return false,
        };
        differing >= self.prefix
    }
}

/// What an administrator of an account does in the console, or in WeChat.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum AdminAct {
    /// Freezes the AppSecret; takes effect after [`FREEZE_DELAY_SECONDS`].
    Freeze,
    /// Unfreezes it; takes effect after [`FREEZE_DELAY_SECONDS`].
    Unfreeze,
    /// Replaces the IP whitelist; an empty one is off.
    Whitelist(Vec<Network>),
    /// Whether unknown addresses must be confirmed (89503).
    RiskControl(bool),
    /// Confirms an address.
    Confirm(IpAddr),
    /// Refuses an address: blocked for an hour (89507), from the second time on for a day (89506).
    Refuse(IpAddr),
}

#[derive(Debug, Clone, Copy)]
enum Standing {
    Prompted,
    Confirmed,
    Blocked { until_seconds: i64 },
}

#[derive(Debug, Default)]
pub(super) struct Access {
    frozen: bool,
    /// What `frozen` becomes, and when, in seconds since 1970.
    change: Option<(bool, i64)>,
    whitelist: Vec<Network>,
    risk_control: bool,
    addresses: HashMap<IpAddr, (Standing, usize)>,
}

impl Access {
    pub(super) fn new(frozen: bool) -> Self {
        Self {
            frozen,
            ..Self::default()
        }
    }

    pub(super) fn act(&mut self, now: Timestamp, act: AdminAct) {
        self.settle(now);
        let at = now.seconds() + FREEZE_DELAY_SECONDS;
        match act {
            AdminAct::Freeze => self.change = Some((true, at)),
            AdminAct::Unfreeze => self.change = Some((false, at)),
            AdminAct::Whitelist(networks) => self.whitelist = networks,
            AdminAct::RiskControl(on) => self.risk_control = on,
            AdminAct::Confirm(ip) => self.stand(ip, Standing::Confirmed, 0),
            AdminAct::Refuse(ip) => {
                let refusals = self.addresses.get(&ip).map_or(0, |(_, refusals)| *refusals);
                let seconds = BLOCKED_SECONDS[refusals.min(1)];
                let until_seconds = now.seconds() + seconds;
                self.stand(ip, Standing::Blocked { until_seconds }, refusals + 1);
            }
        }
    }

    fn settle(&mut self, now: Timestamp) {
        if let Some((frozen, at)) = self.change
            && at <= now.seconds()
        {
            self.frozen = frozen;
            self.change = None;
        }
    }

    fn stand(&mut self, ip: IpAddr, standing: Standing, refusals: usize) {
        if self.addresses.len() < MAX_ADDRESSES || self.addresses.contains_key(&ip) {
            self.addresses.insert(ip, (standing, refusals));
        }
    }

    /// The addresses that wait for an administrator.
    pub(super) fn prompts(&self) -> impl Iterator<Item = IpAddr> {
        let waiting = |(ip, (standing, _)): (&IpAddr, &(Standing, usize))| {
            matches!(standing, Standing::Prompted).then_some(*ip)
        };
        self.addresses.iter().filter_map(waiting)
    }

    /// Whether a token may be asked for from this address now, the secret being right.
    pub(super) fn check(&mut self, now: Timestamp, ip: IpAddr) -> Result<(), Refusal> {
        self.settle(now);
        if self.frozen {
            return Err(Refusal::code(40243));
        }
        if !self.whitelist.is_empty() {
            return match self.whitelist.iter().any(|network| network.contains(ip)) {
                true => Ok(()),
                false => Err(not_in_whitelist(ip)),
            };
        }
        if self.risk_control {
            return self.check_standing(now, ip);
        }
        Ok(())
    }

    fn check_standing(&mut self, now: Timestamp, ip: IpAddr) -> Result<(), Refusal> {
        let (standing, refusals) = match self.addresses.get(&ip) {
            Some((standing, refusals)) => (Some(*standing), *refusals),
            None => (None, 0),
        };
        match standing {
            Some(Standing::Confirmed) => Ok(()),
            Some(Standing::Prompted) => Err(Refusal::code(89501)),
            Some(Standing::Blocked { until_seconds }) if now.seconds() < until_seconds => {
                let code = if refusals > 1 { 89506 } else { 89507 };
                Err(Refusal::code(code))
            }
            _ => {
                self.stand(ip, Standing::Prompted, refusals);
                Err(Refusal::code(89503))
            }
        }
    }
}

fn not_in_whitelist(ip: IpAddr) -> Refusal {
    let ipv6 = match ip {
        IpAddr::V4(ip) => ip.to_ipv6_mapped(),
        IpAddr::V6(ip) => ip,
    };
    let message = format!("invalid ip {ip} ipv6 {ipv6}, not in whitelist");
    Refusal::with_message(40164, Some(message))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_segment_contains_what_shares_its_prefix() {
        for (network, ip, expected) in [
            ("203.0.113.0/24", "203.0.113.255", true),
            ("203.0.113.0/24", "203.0.114.0", false),
            ("203.0.113.9", "203.0.113.9", true),
            ("203.0.113.9", "203.0.113.8", false),
            ("0.0.0.0/0", "203.0.113.9", true),
            ("2001:db8::/32", "2001:db8:1::7", true),
            ("0.0.0.0/0", "2001:db8::7", false),
        ] {
            let network: Network = network.parse().unwrap();
            assert_eq!(
                network.contains(ip.parse().unwrap()),
                expected,
                "{network:?} {ip}"
            );
        }
        for text in ["", "203.0.113.0/33", "203.0.113.0/", "a/24", "::/129"] {
            assert_eq!(text.parse::<Network>(), Err(NetworkError), "{text}");
        }
    }
}
