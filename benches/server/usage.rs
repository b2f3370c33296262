//! What a process uses, from /proc.

use std::collections::BTreeMap;
use std::fs;
use std::time::Duration;

/// CPU time by thread name, in nanoseconds.
pub(crate) type Threads = BTreeMap<String, u64>;

/// CPU time of a process's living threads, summed by name without a trailing number.
pub(crate) fn threads(pid: u32) -> Threads {
    let mut sums = Threads::new();
    let tasks = fs::read_dir(format!("/proc/{pid}/task"))
        .into_iter()
        .flatten()
        .flatten();
    for path in tasks.map(|task| task.path()) {
        let read = |name| fs::read_to_string(path.join(name)).unwrap_or_default();
        let name = read("comm");
        let name = name
            .trim()
            .trim_end_matches(|c: char| c.is_ascii_digit() || " :-".contains(c));
        *sums.entry(name.to_owned()).or_default() += run_time(&read("schedstat"));
    }
    sums
}

/// CPU time of the calling thread.
pub(crate) fn thread_cpu() -> Duration {
    let stat = fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    Duration::from_nanos(run_time(&stat))
}

/// The first field of `schedstat`: nanoseconds on a CPU.
fn run_time(schedstat: &str) -> u64 {
    let first = schedstat.split_ascii_whitespace().next();
    first.and_then(|field| field.parse().ok()).unwrap_or(0)
}

/// Resident memory of a process, in MiB: now, and at its highest.
pub(crate) fn memory(pid: u32) -> (f64, f64) {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let field = |name| {
        let line = status.lines().find_map(|line| line.strip_prefix(name));
        let kibibytes = line.and_then(|line| line.split_ascii_whitespace().next()?.parse().ok());
        kibibytes.unwrap_or(0.0) / 1_024.0
    };
    (field("VmRSS:"), field("VmHWM:"))
}

/// Kernel, processors, and the file system of a directory.
pub(crate) fn machine(directory: &std::path::Path) -> String {
    let read = |path| fs::read_to_string(path).unwrap_or_default();
    let cpus = read("/proc/cpuinfo");
    let model = cpus
        .lines()
        .find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    let mounts = read("/proc/self/mounts");
    let holds = |line: &&str| {
        let point = line.split(' ').nth(1);
        point.is_some_and(|point| directory.starts_with(point))
    };
    let mount = mounts
        .lines()
        .filter(holds)
        .max_by_key(|line| line.split(' ').nth(1).map(str::len));
    format!(
        "{} cores ({}), Linux {}, {} on {}",
        std::thread::available_parallelism().map_or(0, usize::from),
        model.map_or("unknown", |(_, name)| name),
        read("/proc/sys/kernel/osrelease").trim(),
        directory.display(),
        mount
            .and_then(|line| line.split(' ').nth(2))
            .unwrap_or("an unknown file system"),
    )
}
