//! How long an answer takes at a rate that no server is pressed by, beside the disk's own time.

use std::fs::File;
use std::io::Write as _;
use std::path::Path;
use std::time::Duration;

use hdrhistogram::Histogram;

use crate::loader;
use crate::loader::Pace;
use crate::push::Requests;
use crate::served::{Kind, Process};
use crate::spread::Spread;
use crate::{now, store_in, timestamp};

const CONNECTIONS: usize = 16;
/// Pushes in a second.
const RATE: f64 = 1_000.0;
/// Pushes of one load: ten seconds.
const PUSHES: usize = 10_000;
/// Appends that are synced one by one, to know the disk.
const SYNCS: usize = 1_000;
/// Bytes of each.
const APPEND_BYTES: usize = 700;

/// p50 of the durable answer − p50 of the bare one, in the disk's p50; and p99.9.
const MUST: (f64, f64) = (2.0, 10_000.0);

/// Measures disk, bare and durable in turns.
pub(crate) fn measure(directory: &Path, rounds: usize) -> Result<(), String> {
    let (mut disk, mut bare, mut durable) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..rounds {
        let requests = Requests::build(0, PUSHES, timestamp());
        disk.push(syncs(directory).map_err(|error| error.to_string())?);
        bare.push(run(Kind::Bare, &requests, directory)?);
        durable.push(run(Kind::Embedded, &requests, directory)?);
    }
    println!(
        "\nopen loop, {RATE:.0}/s, {CONNECTIONS} connections, {rounds} rounds of {PUSHES} pushes"
    );
    println!(
        "{:<9} {:>22} {:>24} {:>24} {:>24}",
        "", "p50 µs", "p99 µs", "p99.9 µs", "longest µs"
    );
    for (name, rounds) in [
        ("fdatasync", &disk),
        ("bare", &bare),
        ("embedded", &durable),
    ] {
        let column = |quantile| {
            let values = rounds.iter().map(|latencies| micros(latencies, quantile));
            format!("{:.0}", Spread::of(values))
        };
        println!(
            "{name:<9} {:>22} {:>24} {:>24} {:>24}",
            column(0.5),
            column(0.99),
            column(0.999),
            column(1.0)
        );
    }
    let added = disk
        .iter()
        .zip(&bare)
        .zip(&durable)
        .map(|((disk, bare), durable)| {
            (micros(durable, 0.5) - micros(bare, 0.5)) / micros(disk, 0.5)
        });
    let added = Spread::of(added);
    let longest = Spread::of(durable.iter().map(|latencies| micros(latencies, 0.999)));
    let missed = |is: f64, must: f64| if is > must { " MISSED" } else { "" };
    println!(
        "durable p50 − bare p50: {added:.2} fdatasyncs; must ≤ {}{}",
        MUST.0,
        missed(added.median, MUST.0)
    );
    println!(
        "durable p99.9: {longest:.0} µs; must ≤ {}{}",
        MUST.1,
        missed(longest.median, MUST.1)
    );
    Ok(())
}

fn micros(latencies: &Histogram<u64>, quantile: f64) -> f64 {
    latencies.value_at_quantile(quantile) as f64 / 1_000.0
}

fn run(kind: Kind, requests: &Requests, directory: &Path) -> Result<Histogram<u64>, String> {
    let store = store_in(directory)?;
    let server = Process::start(kind, store.path())?;
    let pace = Pace::Open(RATE);
    let answered = loader::load(
        server.address,
        CONNECTIONS,
        requests,
        0..requests.len(),
        pace,
    );
    Ok(answered
        .map_err(|error| format!("{}: {error}", kind.name()))?
        .latencies)
}

fn syncs(directory: &Path) -> std::io::Result<Histogram<u64>> {
    let path = directory.join("syncs");
    let mut file = File::create(&path)?;
    let mut times = Histogram::new_with_bounds(1_000, 60_000_000_000, 3).expect("bounds");
    for _ in 0..SYNCS {
        let begun = now();
        file.write_all(&[0x77; APPEND_BYTES])?;
        file.sync_data()?;
        times.saturating_record(begun.elapsed().as_nanos() as u64);
        std::thread::park_timeout(Duration::from_micros(500));
    }
    std::fs::remove_file(path)?;
    Ok(times)
}
