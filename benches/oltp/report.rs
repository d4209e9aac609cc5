//! One line of JSON per operation, and what it is made of.

use std::time::{Duration, Instant};

/// Latencies of the operations of a run, and the run's time.
pub(crate) struct Clock {
    started: Instant,
    cpu_at_start: f64,
    latencies: Vec<f64>,
}

impl Clock {
    pub(crate) fn start(operations: i64) -> Self {
        Self {
            latencies: Vec::with_capacity(usize::try_from(operations).unwrap_or(0)),
            cpu_at_start: cpu_seconds(),
            started: Instant::now(),
        }
    }

    /// Does one operation and notes how long it took.
    pub(crate) fn time<T>(&mut self, operation: impl FnOnce() -> T) -> T {
        let before = Instant::now();
        let result = operation();
        self.latencies.push(before.elapsed().as_secs_f64());
        result
    }

    /// Stops the clock; the line is printed when it is asked for.
    pub(crate) fn stop(self) -> Stopped {
        Stopped {
            seconds: self.started.elapsed(),
            cpu_s: cpu_seconds() - self.cpu_at_start,
            latencies: self.latencies,
        }
    }
}

/// The figures of a run that is over.
pub(crate) struct Stopped {
    seconds: Duration,
    cpu_s: f64,
    latencies: Vec<f64>,
}

impl Stopped {
    pub(crate) fn print(self, operation: &str, n: i64, extra: &str) {
        print_line(
            operation,
            n,
            self.seconds,
            self.cpu_s,
            self.latencies,
            extra,
        );
    }
}

/// Prints the line; `extra` is more fields, each with a comma before it.
pub(crate) fn print_line(
    operation: &str,
    n: i64,
    seconds: Duration,
    cpu_s: f64,
    mut latencies: Vec<f64>,
    extra: &str,
) {
    let seconds = seconds.as_secs_f64();
    let per_second = n as f64 / seconds;
    let mut line = format!(
        "{{\"engine\":\"llkv\",\"op\":\"{operation}\",\"n\":{n},\"seconds\":{seconds:.6},\"cpu_s\":{cpu_s:.3},\"ops_per_s\":{per_second:.1}"
    );
    if !latencies.is_empty() {
        let [p50, p99, max] = percentiles(&mut latencies);
        line += &format!(",\"p50_us\":{p50:.2},\"p99_us\":{p99:.2},\"max_us\":{max:.1}");
    }
    println!("{line},\"rss_mb\":{:.1}{extra}}}", peak_rss_mb());
}

/// The median, the 99th percentile and the maximum, in microseconds; zeros without any.
pub(crate) fn percentiles(latencies: &mut [f64]) -> [f64; 3] {
    latencies.sort_unstable_by(f64::total_cmp);
    let at = |position: usize| latencies.get(position).copied().unwrap_or(0.0) * 1e6;
    let len = latencies.len();
    [at(len / 2), at(len * 99 / 100), at(len.saturating_sub(1))]
}

/// CPU seconds of this process; 0 where the system does not tell.
pub(crate) fn cpu_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    // The fields after the program's name in parentheses; user and system time are the 12th and 13th.
    let fields = stat.rsplit(')').next().unwrap_or_default();
    let ticks: f64 = fields
        .split_whitespace()
        .skip(11)
        .take(2)
        .filter_map(|ticks| ticks.parse::<f64>().ok())
        .sum();
    ticks / 100.0
}

fn peak_rss_mb() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = peak.and_then(|peak| peak.split_whitespace().next()?.parse::<f64>().ok());
    kib.unwrap_or(0.0) / 1024.0
}
