//! How many files and sockets the process may have open.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// What is open beside the public listener's connections: the store, the admin listener, calls to the platform.
const BESIDE: u64 = 512;

/// Raises the limit as far as the system lets us, and says when that is too little for so many connections:
/// beyond the limit none is accepted, the platform's neither.
pub(super) fn make_room(max_connections: usize) {
    let limit = getrlimit(Resource::Nofile);
    if let (Some(current), maximum) = (limit.current, limit.maximum)
        && maximum.is_none_or(|maximum| maximum > current)
    {
        let raised = Rlimit {
            current: maximum,
            maximum,
        };
        // Where it cannot be raised, what follows says so.
        let _ = setrlimit(Resource::Nofile, raised);
    }
    let needed =
        u64::try_from(max_connections).map_or(u64::MAX, |most| most.saturating_add(BESIDE));
    if let Some(current) = getrlimit(Resource::Nofile).current
        && current < needed
    {
        tracing::warn!(
            limit = current,
            needed,
            "The system lets this process open fewer files than server.max_connections needs: raise it (ulimit -n, \
             LimitNOFILE), or lower the setting."
        );
    }
}
