//! How many pushes a server acknowledges and settles, and what that costs, as ratios to bare actix-web
//! in the same round.

use std::collections::BTreeMap;
use std::path::Path;

use crate::loader;
use crate::loader::Pace;
use crate::push::Requests;
use crate::served::{Kind, Process};
use crate::spread::Spread;
use crate::usage::Threads;
use crate::{now, store_in, timestamp, usage};

const CONNECTIONS: [usize; 3] = [16, 64, 256];
const KINDS: [Kind; 3] = [Kind::Bare, Kind::Memory, Kind::Embedded];

/// Least requests/s ÷ bare, at each number of connections.
const MUST: [(Kind, [f64; 3]); 2] = [
    (Kind::Memory, [f64::NAN, 0.65, f64::NAN]),
    (Kind::Embedded, [0.12, 0.25, 0.28]),
];

/// Most CPU time ÷ bare of the durable server.
const MUST_CPU: f64 = 4.5;

/// Pushes of one load: a second or two.
const fn pushes(kind: Kind) -> usize {
    match kind {
        Kind::Bare => 200_000,
        Kind::Memory => 120_000,
        Kind::Embedded | Kind::Held => 60_000,
    }
}

/// What one load of one server came to.
struct Cell {
    acknowledged_per_second: f64,
    settled_per_second: f64,
    /// Microseconds for each push, until all are settled.
    server_cpu: f64,
    loader_cpu: f64,
    p50: f64,
    p99: f64,
    idle_memory: f64,
    loaded_memory: f64,
    threads: Threads,
}

type Cells = BTreeMap<(usize, usize), Vec<Cell>>;

/// Runs every server at every number of connections, in turns, and prints the table.
pub(crate) fn measure(directory: &Path, rounds: usize, part: usize) -> Result<(), String> {
    let most = pushes(Kind::Bare) / part;
    let mut cells = Cells::new();
    for round in 1..=rounds {
        // Anew each time: a signature is fresh for some minutes only.
        let requests = Requests::build(0, most, timestamp());
        if round == 1 {
            println!(
                "a push's body has {} bytes; {rounds} rounds",
                requests.body_bytes()
            );
        }
        for (row, &connections) in CONNECTIONS.iter().enumerate() {
            for (column, &kind) in KINDS.iter().enumerate() {
                let count = pushes(kind) / part;
                let cell = run(kind, connections, count, &requests, directory)
                    .map_err(|error| format!("{} at {connections}: {error}", kind.name()))?;
                cells.entry((row, column)).or_default().push(cell);
            }
        }
    }
    print(&cells);
    print_threads(&cells);
    Ok(())
}

fn run(
    kind: Kind,
    connections: usize,
    count: usize,
    requests: &Requests,
    directory: &Path,
) -> Result<Cell, String> {
    let store = store_in(directory)?;
    let mut server = Process::start(kind, store.path())?;
    let (idle_memory, _) = usage::memory(server.pid());
    let before = usage::threads(server.pid());
    let answered = loader::load(
        server.address,
        connections,
        requests,
        0..count,
        Pace::Closed,
    )?;
    let begun = now();
    if kind != Kind::Bare {
        server.wait_settled(count)?;
    }
    let settled = answered.elapsed + begun.elapsed();
    let mut threads = usage::threads(server.pid());
    for (name, time) in &mut threads {
        *time -= before.get(name).copied().unwrap_or(0);
    }
    let each = |nanoseconds: u64| nanoseconds as f64 / 1_000.0 / count as f64;
    let micros = |quantile| answered.latencies.value_at_quantile(quantile) as f64 / 1_000.0;
    Ok(Cell {
        acknowledged_per_second: count as f64 / answered.elapsed.as_secs_f64(),
        settled_per_second: count as f64 / settled.as_secs_f64(),
        server_cpu: each(threads.values().sum()),
        loader_cpu: each(answered.loader_cpu.as_nanos() as u64),
        p50: micros(0.5),
        p99: micros(0.99),
        idle_memory,
        loaded_memory: usage::memory(server.pid()).1,
        threads: threads
            .into_iter()
            .map(|(name, time)| (name, time / count as u64))
            .collect(),
    })
}

fn print(cells: &Cells) {
    for (row, connections) in CONNECTIONS.iter().enumerate() {
        println!("\n{connections} connections");
        println!(
            "{:<9} {:>26} {:>26} {:>20} {:>18} {:>18} {:>9} {:>14} {:>10}",
            "",
            "acknowledged/s",
            "settled/s",
            "acknowledged ÷ bare",
            "CPU µs per push",
            "CPU ÷ bare",
            "loader µs",
            "p50, p99 µs",
            "idle, MiB"
        );
        for (column, kind) in KINDS.iter().enumerate() {
            print_row(&cells[&(row, column)], &cells[&(row, 0)], *kind, row);
        }
    }
}

fn print_row(cells: &[Cell], bare: &[Cell], kind: Kind, row: usize) {
    let spread = |value: fn(&Cell) -> f64| Spread::of(cells.iter().map(value));
    let ratio = |value: fn(&Cell) -> f64| {
        Spread::of(
            cells
                .iter()
                .zip(bare)
                .map(|(cell, bare)| value(cell) / value(bare)),
        )
    };
    let rate = ratio(|cell| cell.acknowledged_per_second);
    let cpu = ratio(|cell| cell.server_cpu);
    let verdict = verdict(kind, row, rate.median, cpu.median);
    println!(
        "{:<9} {:>26} {:>26} {:>20} {:>18} {:>18} {:>9.1} {:>14} {:>10}  {verdict}",
        kind.name(),
        format!("{:.0}", spread(|cell| cell.acknowledged_per_second)),
        format!("{:.0}", spread(|cell| cell.settled_per_second)),
        format!("{rate:.2}"),
        format!("{:.1}", spread(|cell| cell.server_cpu)),
        format!("{cpu:.2}"),
        spread(|cell| cell.loader_cpu).median,
        format!(
            "{:.0}, {:.0}",
            spread(|cell| cell.p50).median,
            spread(|cell| cell.p99).median
        ),
        format!(
            "{:.0}, {:.0}",
            spread(|cell| cell.idle_memory).median,
            spread(|cell| cell.loaded_memory).median
        ),
    );
}

fn verdict(kind: Kind, row: usize, rate: f64, cpu: f64) -> String {
    let Some((_, must)) = MUST.iter().find(|(judged, _)| *judged == kind) else {
        return String::new();
    };
    let mut verdict = String::new();
    let must = must[row];
    if !must.is_nan() {
        let missed = if rate < must { " MISSED" } else { "" };
        verdict += &format!("must ≥ {must:.2}{missed}");
    }
    if kind == Kind::Embedded && CONNECTIONS[row] == 64 {
        let missed = if cpu > MUST_CPU { " MISSED" } else { "" };
        verdict += &format!(", CPU ≤ {MUST_CPU:.1}{missed}");
    }
    verdict
}

/// Where the servers' time goes, at 64 connections.
fn print_threads(cells: &Cells) {
    println!(
        "\nCPU µs per push by thread, {} connections",
        CONNECTIONS[1]
    );
    for (column, kind) in KINDS.iter().enumerate() {
        let cells = &cells[&(1, column)];
        let names = cells
            .last()
            .into_iter()
            .flat_map(|cell| cell.threads.keys());
        let line: Vec<String> = names
            .filter_map(|name| {
                let of = |cell: &Cell| cell.threads.get(name).copied().unwrap_or(0) as f64 / 1e3;
                let median = Spread::of(cells.iter().map(of)).median;
                (median >= 0.05).then(|| format!("{name} {median:.1}"))
            })
            .collect();
        println!("{:<9} {}", kind.name(), line.join(" · "));
    }
}
