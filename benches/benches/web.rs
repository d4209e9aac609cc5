//! Questions to a wide table of page views with long texts, beside DuckDB in one run.
//!
//! ```text
//! DUCKDB_LIBRARY=libduckdb.so cargo bench --bench web                         # 5 million rows
//! LLKV_WEB_ROWS=1_000_000 LLKV_BENCH_DATA=DIR cargo bench --bench web         # fewer, the file kept
//! ```
//!
//! Results are fetched as a whole. Engines take turns, and their rows are compared.
#![allow(clippy::print_stdout, missing_docs)]

use llkv_benches::data::{DataFolder, rows_asked_for};
use llkv_benches::engine::{Contestant, Engine, compare_rows, least_ms};
use llkv_benches::report::Report;
use llkv_benches::web::{columns, queries, write_table};
use std::error::Error;

type Outcome<T> = Result<T, Box<dyn Error>>;

const ROWS: usize = 5_000_000;
const RUNS: usize = 6;

/// Compares the rows of a query, then times it.
fn times(engines: &mut [Engine], name: &str, sql: &str) -> Outcome<Vec<f64>> {
    let rows = engines.iter_mut().map(|engine| engine.rows(sql));
    let rows = rows.collect::<Outcome<Vec<_>>>();
    let rows = rows.map_err(|error| format!("{name}: {error}"))?;
    if let [ours, theirs] = rows.as_slice() {
        compare_rows(ours, theirs).map_err(|difference| format!("{name}: {difference}"))?;
    }
    let mut runs = vec![Vec::new(); engines.len()];
    for _ in 0..RUNS {
        for (engine, runs) in engines.iter_mut().zip(&mut runs) {
            runs.push(engine.run(sql)?);
        }
    }
    Ok(runs.iter().map(|runs| least_ms(runs)).collect())
}

fn main() -> Outcome<()> {
    let rows = rows_asked_for("LLKV_WEB_ROWS", ROWS)?;
    let scratch = tempfile::tempdir()?;
    let folder = DataFolder::new(scratch.path(), "web", rows)?;
    write_table(&folder, rows)?;
    let contestants = Contestant::all(scratch.path());
    let names = contestants.iter().map(|contestant| contestant.name);
    let mut report = Report::new("web", names.collect());

    let mut engines = Vec::new();
    let mut loads = Vec::new();
    for contestant in &contestants {
        let mut engine = contestant.open_anew()?;
        engine.run(&format!("CREATE TABLE views ({})", columns()))?;
        let file = folder.file("views");
        let load = engine.run(&format!(
            "COPY views FROM '{}' (FORMAT parquet)",
            file.display()
        ))?;
        loads.push(least_ms(&[load]));
        engines.push(engine);
    }
    report.add("load", "ms", loads);
    // Both have written their files once they are closed.
    engines.clear();
    let bytes = contestants.iter().map(|c| Ok(c.file_bytes()? as f64 / 1e6));
    report.add("file", "MB", bytes.collect::<Outcome<Vec<_>>>()?);

    let engines = contestants.iter().map(Contestant::open);
    let mut engines = engines.collect::<Outcome<Vec<_>>>()?;
    for (name, sql) in queries() {
        let figures = times(&mut engines, name, &sql)?;
        report.add(format!("q {name}"), "ms", figures);
    }
    report.add_mean("q ", "geometric mean");
    report.save()
}
