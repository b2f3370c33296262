//! Listeners that a supervisor hands over, as systemd's socket units do: `LISTEN_FDS`, `LISTEN_PID`,
//! `LISTEN_FDNAMES`.
//!
//! Whoever holds the socket keeps it open while the server is started anew: connections wait in its
//! queue, and none is refused.
//!
//! Source: sd_listen_fds(3) of systemd, read 2026-11.

use std::net::TcpListener;

use listenfd::ListenFd;

use super::fault::{Fault, Faults, Origin};

/// The name of the listener that awaits pushes.
const PUBLIC: &str = "public";
/// The name of the listener that awaits operators.
const ADMIN: &str = "admin";

/// The listeners that came with the process; those that did not are bound by their settings.
#[derive(Debug, Default)]
pub struct Handed {
    /// Where pushes are awaited.
    pub public: Option<TcpListener>,
    /// Where operators and probes are awaited.
    pub admin: Option<TcpListener>,
}

impl Handed {
    /// Takes what was handed over. Once in a process, and before it starts a second thread: the
    /// variables are removed, so that no child takes them for its own.
    ///
    /// # Errors
    /// A fault that names the variable: another number of listeners than two, names other than
    /// `public` and `admin`, or no TCP socket.
    pub fn take() -> Result<Self, Faults> {
        let variable = |name: &str| {
            let value = std::env::var_os(name).unwrap_or_default();
            value.to_string_lossy().into_owned()
        };
        let (count, names) = (variable("LISTEN_FDS"), variable("LISTEN_FDNAMES"));
        if count.is_empty() {
            return Ok(Self::default());
        }
        let places = places(&count, &names)?;
        let mut listeners = ListenFd::from_env();
        let mut handed = Self::default();
        for (index, place) in places.into_iter().enumerate() {
            let taken = listeners.take_tcp_listener(index);
            let taken = taken.map_err(|error| no_listener(&count, &error))?;
            // None: they were meant for another process, which LISTEN_PID names.
            match place {
                Place::Public => handed.public = taken,
                Place::Admin => handed.admin = taken,
            }
        }
        Ok(handed)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Public,
    Admin,
}

/// Which listener is which: by its name, or without names the public one before the other.
fn places(count: &str, names: &str) -> Result<Vec<Place>, Faults> {
    let count = match count.parse() {
        Ok(count @ 0..=2_usize) => count,
        _ => return Err(fault("LISTEN_FDS", count, "is not 0, 1 or 2")),
    };
    let names: Vec<&str> = names.split(':').filter(|name| !name.is_empty()).collect();
    let mut places = Vec::new();
    for index in 0..count {
        let place = match (names.get(index).copied(), index) {
            (Some(ADMIN), _) => Place::Admin,
            (Some(PUBLIC), _) | (None, 0) => Place::Public,
            (None, _) => Place::Admin,
            // One alone is named after its unit unless that says otherwise.
            (Some(_), 0) if count == 1 => Place::Public,
            (Some(name), _) => return Err(fault("LISTEN_FDNAMES", name, "is no listener's name")),
        };
        if places.contains(&place) {
            let names = names.join(":");
            return Err(fault("LISTEN_FDNAMES", &names, "names a listener twice"));
        }
        places.push(place);
    }
    Ok(places)
}

fn fault(variable: &str, value: &str, problem: &str) -> Faults {
    Faults::one(Fault {
        key: variable.to_owned(),
        origin: Origin::Environment(variable.to_owned()),
        value: Some(value.to_owned()),
        problem: problem.to_owned(),
        remedy: format!(
            "hand over one socket with FileDescriptorName={PUBLIC}, and one with \
             FileDescriptorName={ADMIN} if that is wanted"
        ),
    })
}

fn no_listener(count: &str, error: &std::io::Error) -> Faults {
    let problem = format!("hands over something that is no TCP listener: {error}");
    fault("LISTEN_FDS", count, &problem)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn listeners_are_told_apart_by_their_names_and_wrong_names_are_said() {
        use Place::{Admin, Public};
        for (count, names, expected) in [
            ("0", "", vec![]),
            ("1", "", vec![Public]),
            ("1", "wxhook.socket", vec![Public]),
            ("1", "admin", vec![Admin]),
            ("2", "", vec![Public, Admin]),
            ("2", "admin:public", vec![Admin, Public]),
            ("2", "public:admin", vec![Public, Admin]),
        ] {
            assert_eq!(places(count, names).unwrap(), expected, "{count} {names}");
        }
        for (count, names, variable, problem) in [
            ("3", "", "LISTEN_FDS", "is not 0, 1 or 2"),
            ("-1", "", "LISTEN_FDS", "is not 0, 1 or 2"),
            (
                "2",
                "public:public",
                "LISTEN_FDNAMES",
                "names a listener twice",
            ),
            ("2", "admin:web", "LISTEN_FDNAMES", "is no listener's name"),
        ] {
            let faults = places(count, names).unwrap_err();
            let fault = &faults.0[0];
            assert_eq!(
                (fault.key.as_str(), fault.problem.as_str()),
                (variable, problem)
            );
        }
    }
}
