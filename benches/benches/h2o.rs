//! db-benchmark's questions of grouping and joining, beside DuckDB in one run.
//!
//! ```text
//! DUCKDB_LIBRARY=libduckdb.so cargo bench --bench h2o                         # 10 million rows
//! LLKV_H2O_ROWS=1_000_000 LLKV_BENCH_DATA=DIR cargo bench --bench h2o         # fewer, the files kept
//! ```
//!
//! An answer is written to a temporary table, as that benchmark does it; the lines that end in `sum` put the joined
//! rows into sums instead. Engines take turns, and their answers are compared by sums over them.
#![allow(clippy::print_stdout, missing_docs)]

use llkv_benches::data::{DataFolder, rows_asked_for};
use llkv_benches::engine::{Contestant, Engine, compare_rows, least_ms};
use llkv_benches::h2o::{GROUPBY, JOIN, Question, TABLES, write_tables};
use llkv_benches::report::Report;
use std::error::Error;
use std::time::Duration;

type Outcome<T> = Result<T, Box<dyn Error>>;

const ROWS: usize = 10_000_000;
const RUNS: usize = 4;

/// Runs a question into a temporary table, which is dropped again.
fn ask(engine: &mut Engine, question: &Question) -> Outcome<Duration> {
    let taken = engine.run(&format!("CREATE TEMP TABLE answer AS {}", question.sql))?;
    engine.run("DROP TABLE answer")?;
    Ok(taken)
}

/// What is compared of the answer to a question.
fn checked(engine: &mut Engine, question: &Question) -> Outcome<Vec<Vec<String>>> {
    engine.run(&format!("CREATE TEMP TABLE answer AS {}", question.sql))?;
    let check = format!("SELECT count(*), {} FROM answer", question.check);
    let rows = engine.rows(&check)?;
    engine.run("DROP TABLE answer")?;
    Ok(rows)
}

/// Times a work of all engines, which take turns.
fn times(
    engines: &mut [Engine],
    mut work: impl FnMut(&mut Engine) -> Outcome<Duration>,
) -> Outcome<Vec<f64>> {
    let mut runs = vec![Vec::new(); engines.len()];
    for _ in 0..RUNS {
        for (engine, runs) in engines.iter_mut().zip(&mut runs) {
            runs.push(work(engine)?);
        }
    }
    Ok(runs.iter().map(|runs| least_ms(runs)).collect())
}

fn compare(name: &str, answers: &[Vec<Vec<String>>]) -> Outcome<()> {
    if let [ours, theirs] = answers {
        compare_rows(ours, theirs).map_err(|difference| format!("{name}: {difference}"))?;
    }
    Ok(())
}

fn main() -> Outcome<()> {
    let rows = rows_asked_for("LLKV_H2O_ROWS", ROWS)?;
    let scratch = tempfile::tempdir()?;
    let folder = DataFolder::new(scratch.path(), "h2o", rows)?;
    write_tables(&folder, rows)?;
    let contestants = Contestant::all(scratch.path());
    let names = contestants.iter().map(|contestant| contestant.name);
    let mut report = Report::new("h2o", names.collect());

    let mut engines = Vec::new();
    let mut loads = Vec::new();
    for contestant in &contestants {
        let mut engine = contestant.open_anew()?;
        let mut taken = Duration::ZERO;
        for (table, columns) in TABLES {
            engine.run(&format!("CREATE TABLE {table} ({columns})"))?;
            let file = folder.file(table);
            taken += engine.run(&format!(
                "COPY {table} FROM '{}' (FORMAT parquet)",
                file.display()
            ))?;
        }
        loads.push(least_ms(&[taken]));
        engines.push(engine);
    }
    report.add("load", "ms", loads);

    for question in GROUPBY {
        let answers = engines.iter_mut().map(|engine| checked(engine, &question));
        compare(question.name, &answers.collect::<Outcome<Vec<_>>>()?)?;
        let figures = times(&mut engines, |engine| ask(engine, &question))?;
        report.add(question.name, "ms", figures);
    }
    report.add_mean("g", "mean of g");
    for (question, from) in JOIN {
        let answers = engines.iter_mut().map(|engine| checked(engine, &question));
        compare(question.name, &answers.collect::<Outcome<Vec<_>>>()?)?;
        let figures = times(&mut engines, |engine| ask(engine, &question))?;
        report.add(question.name, "ms", figures);
        let sums = format!("SELECT count(*), sum(v1), sum(v2) {from}");
        let figures = times(&mut engines, |engine| engine.run(&sums))?;
        report.add(format!("sum of {}", question.name), "ms", figures);
    }
    report.add_mean("j", "mean of j");
    report.add_mean("sum of j", "mean of sums");
    report.save()
}
