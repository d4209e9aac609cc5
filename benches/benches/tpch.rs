//! TPC-H: loading from Parquet, the size of the file, the 22 queries, beside DuckDB in one run.
//!
//! ```text
//! tpchgen-cli -s 1 --format parquet --output-dir DIR       # cargo install tpchgen-cli
//! LLKV_TPCH=DIR DUCKDB_LIBRARY=libduckdb.so cargo bench --bench tpch
//! ```
//!
//! Engines take turns; each figure is the least of several runs. Without `DUCKDB_LIBRARY` only LLKV is timed, and
//! without `LLKV_TPCH` nothing is.
#![allow(clippy::print_stdout, missing_docs)]

use llkv_benches::engine::{Contestant, least_ms};
use llkv_benches::report::Report;
use llkv_benches::tpch::{QUERIES, TABLES};
use std::error::Error;
use std::path::{Path, PathBuf};
use std::time::Duration;

type Outcome<T> = Result<T, Box<dyn Error>>;

/// Loads of lineitem, the largest table.
const LOADS: usize = 3;
const RUNS: usize = 10;

/// Loads tables into a new file; the time of the statements that load.
fn load(contestant: &Contestant, tables: &[(&str, &str)], folder: &Path) -> Outcome<Duration> {
    let mut engine = contestant.open_anew()?;
    let mut taken = Duration::ZERO;
    for (table, columns) in tables {
        engine.run(&format!("CREATE TABLE {table} ({columns})"))?;
        let file = folder.join(format!("{table}.parquet"));
        taken += engine.run(&format!(
            "COPY {table} FROM '{}' (FORMAT parquet)",
            file.display()
        ))?;
    }
    Ok(taken)
}

fn main() -> Outcome<()> {
    let Some(folder) = std::env::var_os("LLKV_TPCH").map(PathBuf::from) else {
        println!("tpch: LLKV_TPCH names no folder of Parquet files, so nothing is timed");
        return Ok(());
    };
    let scratch = tempfile::tempdir()?;
    let contestants = Contestant::all(scratch.path());
    let names = contestants.iter().map(|contestant| contestant.name);
    let mut report = Report::new("tpch", names.collect());
    let megabytes = || -> Outcome<Vec<f64>> {
        let bytes = contestants.iter().map(Contestant::file_bytes);
        bytes.map(|bytes| Ok(bytes? as f64 / 1e6)).collect()
    };

    let (lineitem, _) = TABLES.split_at(1);
    let mut loads = vec![Vec::new(); contestants.len()];
    for _ in 0..LOADS {
        for (contestant, loads) in contestants.iter().zip(&mut loads) {
            loads.push(load(contestant, lineitem, &folder)?);
        }
    }
    let loads: Vec<f64> = loads.iter().map(|loads| least_ms(loads)).collect();
    report.add("load lineitem", "ms", loads);
    report.add("file of lineitem", "MB", megabytes()?);
    let mut loads = Vec::new();
    for contestant in &contestants {
        loads.push(least_ms(&[load(contestant, &TABLES, &folder)?]));
    }
    report.add("load all", "ms", loads);
    report.add("file of all", "MB", megabytes()?);

    let engines = contestants.iter().map(Contestant::open);
    let mut engines = engines.collect::<Outcome<Vec<_>>>()?;
    for (number, sql) in (1..).zip(QUERIES) {
        let mut runs = vec![Vec::new(); engines.len()];
        for (engine, runs) in engines.iter_mut().zip(&mut runs) {
            engine.run(sql)?;
            for _ in 0..RUNS {
                runs.push(engine.run(sql)?);
            }
        }
        let runs = runs.iter().map(|runs| least_ms(runs)).collect();
        report.add(format!("Q{number}"), "ms", runs);
    }
    report.add_mean("Q", "geometric mean");
    report.save()
}
