//! A store full of pushes that nobody has handled: what it costs to accept one more, to hold them, and
//! to start with them.

use std::path::Path;

use crate::loader;
use crate::loader::Pace;
use crate::push::Requests;
use crate::served::{Kind, Process};
use crate::spread::Spread;
use crate::{ROUNDS, now, store_in, timestamp, usage};

const CONNECTIONS: usize = 64;
/// Pushes built and sent at a time.
const STEP: usize = 50_000;

/// Accepting with them ÷ without; MiB with them; seconds until ready.
const MUST: (f64, f64, f64) = (1.2, 200.0, 3.0);

/// Fills a store whose handlers never end, accepts more beside an empty one, and starts on it anew.
pub(crate) fn measure(directory: &Path, pushes: usize) -> Result<(), String> {
    let store = store_in(directory)?;
    let mut full = Subject::start(store.path())?;
    println!("\n{CONNECTIONS} connections, handlers that never end, {pushes} pushes");
    while full.pending < pushes {
        full.accept()?;
    }
    println!("resident when full: {:.0} MiB", full.resident());
    println!("\nrounds in turn, {STEP} pushes each: a store with them, and an empty one");
    println!(
        "{:>10} {:>14} {:>14} {:>16} {:>16}",
        "pending", "full/s", "empty/s", "full CPU µs", "empty CPU µs"
    );
    let (mut times, mut cpu) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let beside = store_in(directory)?;
        let mut empty = Subject::start(beside.path())?;
        // A new process's first pages and connections are not what is compared.
        empty.accept()?;
        let without = empty.accept()?;
        let with = full.accept()?;
        println!(
            "{:>10} {:>14.0} {:>14.0} {:>16.1} {:>16.1}",
            full.pending, with.rate, without.rate, with.cpu, without.cpu
        );
        times.push(without.rate / with.rate);
        cpu.push(with.cpu / without.cpu);
    }
    drop(full);
    let begun = now();
    let server = Process::start(Kind::Held, store.path())?;
    let ready = begun.elapsed().as_secs_f64();
    let (_, memory) = usage::memory(server.pid());
    let missed = |is: f64, must: f64| if is > must { " MISSED" } else { "" };
    let times = Spread::of(times);
    println!(
        "time to accept, full ÷ empty: {times:.2}; must ≤ {}{}",
        MUST.0,
        missed(times.median, MUST.0)
    );
    println!("CPU, full ÷ empty: {:.2}", Spread::of(cpu));
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

/// A server whose handlers never end.
struct Subject {
    server: Process,
    pending: usize,
}

/// What accepting [`STEP`] pushes took.
struct Taken {
    /// Pushes acknowledged in a second.
    rate: f64,
    /// Microseconds of CPU per push.
    cpu: f64,
}

impl Subject {
    fn start(store: &Path) -> Result<Self, String> {
        let server = Process::start(Kind::Held, store)?;
        Ok(Self { server, pending: 0 })
    }

    fn accept(&mut self) -> Result<Taken, String> {
        let requests = Requests::build(self.pending, STEP, timestamp());
        let cpu = || -> u64 { usage::threads(self.server.pid()).values().sum() };
        let before = cpu();
        let answered = loader::load(
            self.server.address,
            CONNECTIONS,
            &requests,
            0..STEP,
            Pace::Closed,
        )?;
        self.pending += STEP;
        Ok(Taken {
            rate: STEP as f64 / answered.elapsed.as_secs_f64(),
            cpu: (cpu() - before) as f64 / 1e3 / STEP as f64,
        })
    }

    fn resident(&self) -> f64 {
        usage::memory(self.server.pid()).0
    }
}
