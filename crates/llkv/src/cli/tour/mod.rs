//! `llkv tour`: TPC-H data generated, loaded and queried, so that a newcomer sees real work at once.

mod generate;
mod queries;

use crate::cli::args::TourArgs;
use crate::cli::output::{Format, write_out};
use crate::cli::shell::Shell;
use crate::cli::{Stop, tell};
use arrow::array::AsArray;
use arrow::datatypes::Int64Type;
use generate::{TABLES, TpchSource};
use indicatif::{HumanBytes, HumanCount, ProgressBar, ProgressStyle};
use llkv::{Database, Error};
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

/// Runs the tour.
pub(crate) fn run(args: &TourArgs) -> Result<(), Stop> {
    let database = Database::open(&args.database)?;
    let mut shell = Shell::new(&database, Format::Table)?;
    if is_loaded(&mut shell)? {
        say(&format!(
            "{} is there from before and opened as it was left.",
            shown(&args.database)
        ))?;
    } else {
        load(&mut shell, args)?;
    }
    for query in queries::QUERIES {
        say(&format!("\n{}: {}", query.name, query.question))?;
        timed(&mut shell, query.sql)?;
    }
    rolled_back(&mut shell)?;
    say(&format!(
        "\nNow try it yourself:\n  llkv {file}\n  llkv {file} -c \"SELECT n_name FROM nation LIMIT 5\"\n  \
         llkv {file} -c \"EXPLAIN ANALYZE SELECT count(*) FROM lineitem WHERE l_quantity < 5\"\n  \
         llkv {file} -c \"COPY orders TO 'orders.parquet'\"\n  \
         llkv -c \"SELECT count(*) FROM 'orders.parquet'\"",
        file = shown(&args.database)
    ))
}

fn say(text: &str) -> Result<(), Stop> {
    Ok(write_out(&format!("{text}\n"))?)
}

fn shown(path: &Path) -> String {
    path.display().to_string()
}

/// The last table is created with the first, in one transaction: there or not there.
fn is_loaded(shell: &mut Shell) -> Result<bool, Stop> {
    let sql = "SELECT count(*) FROM information_schema.tables WHERE table_name = 'lineitem'";
    Ok(count(shell, sql)? > 0)
}

/// The one number that a query gives.
fn count(shell: &mut Shell, sql: &str) -> Result<i64, Stop> {
    let mut total = 0;
    for batch in shell.connection.query(sql)? {
        let batch = batch.map_err(Error::from_arrow)?;
        total += batch
            .column(0)
            .as_primitive::<Int64Type>()
            .values()
            .iter()
            .sum::<i64>();
    }
    Ok(total)
}

/// Creates and fills all tables in one transaction.
fn load(shell: &mut Shell, args: &TourArgs) -> Result<(), Stop> {
    say(&format!(
        "Generating TPC-H data at scale {} into {}.",
        args.scale,
        shown(&args.database)
    ))?;
    let start = Instant::now();
    let expected: u64 = TABLES.iter().map(|t| (t.estimated_rows)(args.scale)).sum();
    let bar = ProgressBar::new(expected);
    let style = "{msg:9} {wide_bar} {human_pos}/{human_len} rows, {eta}";
    bar.set_style(ProgressStyle::with_template(style)?);
    shell.connection.execute("BEGIN")?;
    let mut rows = 0;
    for table in TABLES {
        bar.set_message(table.name);
        shell.connection.execute(table.create)?;
        let source = TpchSource::new(table, args.scale, bar.clone());
        rows += shell.connection.insert_from(table.name, Arc::new(source))?;
    }
    bar.set_message("commit");
    shell.connection.execute("COMMIT")?;
    bar.finish_and_clear();
    let bytes = std::fs::metadata(&args.database)
        .map(|m| m.len())
        .unwrap_or(0);
    say(&format!(
        "{} rows loaded in {:.1} s; the file has {}.",
        HumanCount(rows),
        start.elapsed().as_secs_f64(),
        HumanBytes(bytes)
    ))
}

/// Runs a statement and says how long it took.
fn timed(shell: &mut Shell, sql: &str) -> Result<(), Stop> {
    let start = Instant::now();
    shell.run(sql)?;
    say(&format!("({:.1} ms)", start.elapsed().as_secs_f64() * 1e3))
}

/// Deletes rows, sees them gone, rolls back, sees them again.
fn rolled_back(shell: &mut Shell) -> Result<(), Stop> {
    say("\nA transaction that is rolled back:")?;
    let orders = "SELECT count(*) FROM orders";
    let before = count(shell, orders)?;
    say(&format!("  {orders}  -- {before}"))?;
    for sql in [
        "BEGIN",
        "DELETE FROM orders WHERE o_orderdate < DATE '1995-01-01'",
    ] {
        say(&format!("  {sql}"))?;
        shell.connection.execute(sql)?;
    }
    say(&format!("  {orders}  -- {}", count(shell, orders)?))?;
    say("  ROLLBACK")?;
    shell.connection.execute("ROLLBACK")?;
    let after = count(shell, orders)?;
    say(&format!("  {orders}  -- {after}"))?;
    if before != after {
        tell("Error: the rollback lost rows");
        return Err(Stop::Reported);
    }
    Ok(())
}
