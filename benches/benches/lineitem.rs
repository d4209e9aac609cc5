//! Loading TPC-H's `lineitem` from Parquet, the size of the file, and Q1 and Q6 over it, beside DuckDB in one run.
//!
//! ```text
//! tpchgen-cli -s 1 --format parquet --output-dir DIR       # cargo install tpchgen-cli
//! LLKV_TPCH=DIR DUCKDB_LIBRARY=libduckdb.so cargo bench --bench lineitem
//! ```
//!
//! Engines take turns; each figure is the least of several runs. Without `DUCKDB_LIBRARY` only LLKV is timed, and
//! without `LLKV_TPCH` nothing is.
#![allow(clippy::print_stdout, missing_docs)]

use llkv::{Connection, Database};
use llkv_benches::duckdb::DuckDb;
use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

type Outcome<T> = Result<T, Box<dyn Error>>;

const CREATE: &str = "CREATE TABLE lineitem (
    l_orderkey BIGINT NOT NULL, l_partkey BIGINT NOT NULL, l_suppkey BIGINT NOT NULL, l_linenumber INTEGER NOT NULL,
    l_quantity DECIMAL(15,2) NOT NULL, l_extendedprice DECIMAL(15,2) NOT NULL, l_discount DECIMAL(15,2) NOT NULL,
    l_tax DECIMAL(15,2) NOT NULL, l_returnflag VARCHAR NOT NULL, l_linestatus VARCHAR NOT NULL, l_shipdate DATE NOT NULL,
    l_commitdate DATE NOT NULL, l_receiptdate DATE NOT NULL, l_shipinstruct VARCHAR NOT NULL, l_shipmode VARCHAR NOT NULL,
    l_comment VARCHAR NOT NULL)";

const QUERIES: [(&str, &str); 2] = [
    (
        "Q1",
        "SELECT l_returnflag, l_linestatus, sum(l_quantity), sum(l_extendedprice),
                sum(l_extendedprice * (1 - l_discount)), sum(l_extendedprice * (1 - l_discount) * (1 + l_tax)),
                avg(l_quantity), avg(l_extendedprice), avg(l_discount), count(*)
         FROM lineitem WHERE l_shipdate <= DATE '1998-12-01' - INTERVAL '90' DAY
         GROUP BY l_returnflag, l_linestatus ORDER BY l_returnflag, l_linestatus",
    ),
    (
        "Q6",
        "SELECT sum(l_extendedprice * l_discount) FROM lineitem
         WHERE l_shipdate >= DATE '1994-01-01' AND l_shipdate < DATE '1995-01-01'
           AND l_discount BETWEEN 0.05 AND 0.07 AND l_quantity < 24",
    ),
];

const LOADS: usize = 3;
const RUNS: usize = 15;

/// One engine on a file of its own.
enum Engine {
    Llkv(Box<Connection>),
    DuckDb(DuckDb),
}

impl Engine {
    /// Runs a statement and fetches its result.
    fn run(&mut self, sql: &str) -> Outcome<Duration> {
        let start = Instant::now();
        match self {
            Self::Llkv(connection) if sql.starts_with("SELECT") => {
                for batch in connection.query(sql)? {
                    batch?;
                }
            }
            Self::Llkv(connection) => drop(connection.execute(sql)?),
            Self::DuckDb(duckdb) => duckdb.run(sql)?,
        }
        Ok(start.elapsed())
    }
}

/// How an engine is opened, on which file.
struct Contestant {
    name: &'static str,
    library: Option<PathBuf>,
    file: PathBuf,
}

impl Contestant {
    fn open(&self) -> Outcome<Engine> {
        Ok(match &self.library {
            None => {
                let connection = Database::open(&self.file)?.connect()?;
                Engine::Llkv(Box::new(connection))
            }
            Some(library) => Engine::DuckDb(DuckDb::open(library, &self.file)?),
        })
    }

    /// Loads into a new file, which is closed at the end; the time of the statement that loads.
    fn load(&self, parquet: &Path) -> Outcome<Duration> {
        if self.file.exists() {
            fs::remove_file(&self.file)?;
        }
        let mut engine = self.open()?;
        engine.run(CREATE)?;
        engine.run(&format!(
            "COPY lineitem FROM '{}' (FORMAT parquet)",
            parquet.display()
        ))
    }
}

/// A line of the report: figures, and each relative to the last engine, which is the peer where there is one.
fn report(what: &str, unit: &str, figures: &[f64]) {
    print!("{what:<12}");
    for figure in figures {
        print!(" {figure:>12.1} {unit:<2}");
    }
    match figures {
        [ours, theirs] => println!(" {:>8.2}", ours / theirs),
        _ => println!(),
    }
}

/// The least of some durations, in milliseconds.
fn least_ms(durations: &[Duration]) -> f64 {
    let least = durations.iter().min().copied().unwrap_or_default();
    least.as_secs_f64() * 1e3
}

fn main() -> Outcome<()> {
    let Some(folder) = std::env::var_os("LLKV_TPCH").map(PathBuf::from) else {
        println!("lineitem: LLKV_TPCH names no folder of Parquet files, so nothing is timed");
        return Ok(());
    };
    let parquet = folder.join("lineitem.parquet");
    let scratch = tempfile::tempdir()?;
    let contestant = |name, library| Contestant {
        name,
        library,
        file: scratch.path().join(format!("lineitem.{name}")),
    };
    let mut contestants = vec![contestant("llkv", None)];
    if let Some(library) = std::env::var_os("DUCKDB_LIBRARY") {
        contestants.push(contestant("duckdb", Some(library.into())));
    }
    print!("{:<12}", "");
    contestants
        .iter()
        .for_each(|contestant| print!(" {:>15}", contestant.name));
    println!("    ratio");

    let mut loads = vec![Vec::new(); contestants.len()];
    for _ in 0..LOADS {
        for (contestant, loads) in contestants.iter().zip(&mut loads) {
            loads.push(contestant.load(&parquet)?);
        }
    }
    report(
        "load",
        "ms",
        &loads.iter().map(|l| least_ms(l)).collect::<Vec<_>>(),
    );
    let sizes = contestants
        .iter()
        .map(|c| Ok(fs::metadata(&c.file)?.len() as f64 / 1e6));
    report("file", "MB", &sizes.collect::<Outcome<Vec<_>>>()?);

    let mut engines = Vec::new();
    for contestant in &contestants {
        engines.push(contestant.open()?);
    }
    for (name, sql) in QUERIES {
        let mut runs = vec![Vec::new(); engines.len()];
        for (engine, runs) in engines.iter_mut().zip(&mut runs) {
            engine.run(sql)?;
            for _ in 0..RUNS {
                runs.push(engine.run(sql)?);
            }
        }
        report(
            name,
            "ms",
            &runs.iter().map(|r| least_ms(r)).collect::<Vec<_>>(),
        );
    }
    Ok(())
}
