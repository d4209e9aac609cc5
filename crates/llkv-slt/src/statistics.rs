//! The text of `LLKV_SLT_STATS=1`: counts, rates, percentiles and slow statements.

use crate::engine::EngineStatistics;
use crate::report::{FileReport, SlowStatement};
use std::io::{self, Write};
use std::time::Duration;

/// Sums up the reports of a run.
#[derive(Debug, Default)]
pub(crate) struct StatisticsText {
    passed: u64,
    failed: u64,
    skipped: u64,
    latencies_ns: Vec<u64>,
    /// Slow statements with their file.
    slowest: Vec<(String, SlowStatement)>,
    engine: Option<EngineStatistics>,
}

impl StatisticsText {
    /// Prints a file's statistics and adds them to the sum.
    pub(crate) fn add(
        &mut self,
        out: &mut dyn Write,
        name: &str,
        report: &FileReport,
    ) -> io::Result<()> {
        print_records(out, report.passed, report.failed, report.skipped)?;
        print_latencies(out, &mut report.latencies_ns.clone())?;
        if let Some(statistics) = &report.statistics {
            print_engine(out, statistics)?;
        }
        for slow in &report.slowest {
            print_slow(out, name, slow)?;
        }
        self.passed += report.passed;
        self.failed += report.failed;
        self.skipped += report.skipped;
        self.latencies_ns.extend(&report.latencies_ns);
        let slowest = report.slowest.iter().cloned();
        self.slowest
            .extend(slowest.map(|slow| (name.to_owned(), slow)));
        self.slowest
            .sort_by_key(|(_, slow)| std::cmp::Reverse(slow.time_ns));
        self.slowest.truncate(FileReport::MAX_SLOW);
        if let Some(statistics) = &report.statistics {
            self.engine.get_or_insert_default().add(statistics);
        }
        Ok(())
    }

    /// Prints the sum over all files.
    pub(crate) fn print_sum(&mut self, out: &mut dyn Write, wall: Duration) -> io::Result<()> {
        writeln!(
            out,
            "\nstatistics of all files, {:.3} s",
            wall.as_secs_f64()
        )?;
        print_records(out, self.passed, self.failed, self.skipped)?;
        print_latencies(out, &mut self.latencies_ns)?;
        if let Some(statistics) = &self.engine {
            print_engine(out, statistics)?;
        }
        for (name, slow) in &self.slowest {
            print_slow(out, name, slow)?;
        }
        Ok(())
    }
}

fn print_records(out: &mut dyn Write, passed: u64, failed: u64, skipped: u64) -> io::Result<()> {
    writeln!(
        out,
        "    records: {passed} passed, {failed} failed, {skipped} skipped"
    )
}

/// Rate and percentiles of the time in the database.
fn print_latencies(out: &mut dyn Write, latencies_ns: &mut [u64]) -> io::Result<()> {
    let total_ns: u64 = latencies_ns.iter().sum();
    if total_ns == 0 {
        return Ok(());
    }
    latencies_ns.sort_unstable();
    let rate = latencies_ns.len() as f64 / (total_ns as f64 / 1e9);
    let (p50, p99) = (percentile(latencies_ns, 50), percentile(latencies_ns, 99));
    writeln!(
        out,
        "    queries: {} in {}, {rate:.0} a second, p50 {}, p99 {}",
        latencies_ns.len(),
        time(total_ns),
        time(p50),
        time(p99),
    )
}

/// The nearest-rank percentile of sorted values.
fn percentile(sorted: &[u64], percent: usize) -> u64 {
    let rank = (sorted.len() * percent).div_ceil(100).max(1);
    sorted.get(rank - 1).copied().unwrap_or(0)
}

fn print_engine(out: &mut dyn Write, statistics: &EngineStatistics) -> io::Result<()> {
    let EngineStatistics {
        rows_scanned,
        batches_scanned,
        row_groups_read,
        row_groups_pruned,
        blocks_read,
        blocks_pruned,
        operators,
    } = statistics;
    writeln!(
        out,
        "    scanned: {rows_scanned} rows in {batches_scanned} batches, \
         row groups {row_groups_read} read, {row_groups_pruned} pruned, \
         blocks {blocks_read} read, {blocks_pruned} pruned"
    )?;
    for operator in operators {
        let (name, rows) = (&operator.name, operator.rows);
        writeln!(
            out,
            "    operator {name}: {}, {rows} rows",
            time(operator.time_ns)
        )?;
    }
    Ok(())
}

fn print_slow(out: &mut dyn Write, name: &str, slow: &SlowStatement) -> io::Result<()> {
    const SHOWN: usize = 100;
    let words: Vec<&str> = slow.sql.split_whitespace().collect();
    let sql: String = words.join(" ").chars().take(SHOWN).collect();
    writeln!(
        out,
        "    slow: {} {name}:{} {sql}",
        time(slow.time_ns),
        slow.line
    )
}

/// A time with three digits or so and its unit.
fn time(ns: u64) -> String {
    let ns = ns as f64;
    match ns {
        0.0..1e3 => format!("{ns:.0} ns"),
        1e3..1e6 => format!("{:.1} us", ns / 1e3),
        1e6..1e9 => format!("{:.1} ms", ns / 1e6),
        _ => format!("{:.2} s", ns / 1e9),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_by_nearest_rank() {
        let values: Vec<u64> = (1..=200).collect();
        assert_eq!(percentile(&values, 50), 100);
        assert_eq!(percentile(&values, 99), 198);
        assert_eq!(percentile(&[7], 99), 7);
        assert_eq!(percentile(&[], 50), 0);
    }

    #[test]
    fn a_file_and_the_sum() {
        let mut report = FileReport {
            passed: 2,
            ..FileReport::default()
        };
        report.time(1_500, 3, "SELECT\n  1");
        report.time(2_000_000, 9, "SELECT 2");
        let mut statistics = StatisticsText::default();
        let mut out = Vec::new();
        statistics.add(&mut out, "a.slt (memory)", &report).unwrap();
        statistics
            .print_sum(&mut out, Duration::from_millis(5))
            .unwrap();
        let text = String::from_utf8(out).unwrap();
        let queries = "    queries: 2 in 2.0 ms, 999 a second, p50 1.5 us, p99 2.0 ms\n";
        assert_eq!(text.matches(queries).count(), 2, "{text}");
        assert!(
            text.contains("slow: 2.0 ms a.slt (memory):9 SELECT 2\n"),
            "{text}"
        );
        assert!(
            text.contains("statistics of all files, 0.005 s\n"),
            "{text}"
        );
    }
}
