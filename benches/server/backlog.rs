//! A store full of pushes that nobody has handled: what it costs to accept one more, to hold them, and
//! to start with them.

use std::path::Path;

use crate::loader;
use crate::loader::Pace;
use crate::push::Requests;
use crate::served::{Kind, Process};
use crate::{now, store_in, timestamp, usage};

const CONNECTIONS: usize = 64;
/// Pushes built and sent at a time.
const STEP: usize = 50_000;

/// Accepting with them ÷ without; MiB with them; seconds until ready.
const MUST: (f64, f64, f64) = (1.2, 200.0, 3.0);

/// Fills a store whose handlers never end, then starts on it anew.
pub(crate) fn measure(directory: &Path, pushes: usize) -> Result<(), String> {
    let store = store_in(directory)?;
    let server = Process::start(Kind::Held, store.path())?;
    println!("\n{CONNECTIONS} connections, handlers that never end, {pushes} pushes");
    println!(
        "{:>10} {:>14} {:>16} {:>14}",
        "pending", "accepted/s", "CPU µs per push", "resident MiB"
    );
    let mut rates = Vec::new();
    for first in (0..pushes).step_by(STEP) {
        let requests = Requests::build(first, STEP, timestamp());
        let before: u64 = usage::threads(server.pid()).values().sum();
        let answered = loader::load(
            server.address,
            CONNECTIONS,
            &requests,
            0..STEP,
            Pace::Closed,
        )?;
        let cpu = usage::threads(server.pid()).values().sum::<u64>() - before;
        let rate = STEP as f64 / answered.elapsed.as_secs_f64();
        rates.push(rate);
        println!(
            "{:>10} {rate:>14.0} {:>16.1} {:>14.0}",
            first + STEP,
            cpu as f64 / 1e3 / STEP as f64,
            usage::memory(server.pid()).0
        );
    }
    drop(server);
    let median = |rates: &[f64]| crate::spread::Spread::of(rates.iter().copied()).median;
    // Several steps on either side, because one may meet the disk at a bad moment.
    let side = rates.len().min(4);
    let ratio = median(&rates[..side]) / median(&rates[rates.len() - side..]);
    let begun = now();
    let server = Process::start(Kind::Held, store.path())?;
    let ready = begun.elapsed().as_secs_f64();
    let (_, memory) = usage::memory(server.pid());
    let missed = |is: f64, must: f64| if is > must { " MISSED" } else { "" };
    println!(
        "time to accept, full ÷ empty: {ratio:.2}; must ≤ {}{}",
        MUST.0,
        missed(ratio, MUST.0)
    );
    println!(
        "resident after a start with them: {memory:.0} MiB; must ≤ {}{}",
        MUST.1,
        missed(memory, MUST.1)
    );
    println!(
        "ready with them after {ready:.2} s; must ≤ {}{}",
        MUST.2,
        missed(ready, MUST.2)
    );
    Ok(())
}
