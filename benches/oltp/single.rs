//! One connection, one operation after another.

use crate::Outcome;
use crate::options::{Keys, Options};
use crate::report::{Clock, cpu_seconds, print_line};
use llkv::{Connection, Database, Scalar, SelectStream, Statement, StatementResult};
use std::time::Instant;

const TABLE: &str = "(id BIGINT PRIMARY KEY, grp INTEGER, val DOUBLE, txt VARCHAR)";

pub(crate) fn ping(options: &Options, connection: &mut Connection) -> Outcome {
    let statement = connection.prepare("SELECT CAST(? AS BIGINT)")?;
    let mut clock = Clock::start(options.n);
    for i in 0..options.n {
        let answer = clock.time(|| first_value(&statement, &[Scalar::Int64(i)]))?;
        if answer != Some(i) {
            return Err("wrong answer".into());
        }
    }
    clock.stop().print("ping", options.n, "");
    Ok(())
}

pub(crate) fn create(options: &Options, connection: &mut Connection) -> Outcome {
    let clock = Clock::start(1);
    connection.execute(&format!("CREATE TABLE {}{TABLE}", options.table))?;
    clock.stop().print("create", 1, "");
    Ok(())
}

pub(crate) fn bulk(options: &Options, connection: &mut Connection) -> Outcome {
    let (table, n) = (&options.table, options.n);
    let clock = Clock::start(0);
    connection.execute(&format!(
        "INSERT INTO {table} SELECT i, (i * 7919) % 1000, i * 0.5, 'row number ' || i || ' of the bulk table' \
         FROM range({n}) t(i)"
    ))?;
    clock.stop().print("bulk", n, "");
    Ok(())
}

/// The values of the row with a key.
pub(crate) fn row(id: i64, text: &str) -> [Scalar; 4] {
    [
        Scalar::Int64(id),
        Scalar::Int64((id * 7919) % 1000),
        Scalar::Float64(id as f64 * 0.5),
        Scalar::Text(text.into()),
    ]
}

pub(crate) fn insert(
    options: &Options,
    connection: &mut Connection,
    one_transaction: bool,
) -> Outcome {
    let table = &options.table;
    let base = first_of(
        connection,
        &format!("SELECT COALESCE(MAX(id), -1) + 1 FROM {table}"),
    )?;
    let statement = connection.prepare(&format!("INSERT INTO {table} VALUES (?, ?, ?, ?)"))?;
    let mut clock = Clock::start(options.n);
    if one_transaction {
        connection.execute("BEGIN")?;
    }
    for id in base..base + options.n {
        let row = row(id, &format!("row number {id} of the table"));
        clock.time(|| statement.execute(&row))?;
    }
    if one_transaction {
        connection.execute("COMMIT")?;
    }
    clock.stop().print(&options.operation, options.n, "");
    Ok(())
}

pub(crate) fn by_key(options: &Options, connection: &mut Connection) -> Outcome {
    let (table, n) = (&options.table, options.n);
    let operation = options.operation.as_str();
    let statement = connection.prepare(&match operation {
        "lookup" => format!("SELECT grp, val, txt FROM {table} WHERE id = ?"),
        "range" => format!("SELECT SUM(grp) FROM {table} WHERE id >= ? AND id < ? + 100"),
        "update" => format!("UPDATE {table} SET val = val + 1 WHERE id = ?"),
        _ => format!("DELETE FROM {table} WHERE id = ?"),
    })?;
    let mut keys = Keys::of_seed(options.seed);
    let step = (options.rows / n.max(1)).max(1);
    let mut found = 0;
    let mut clock = Clock::start(n);
    for i in 0..n {
        let id = match operation {
            "delete" => (i * step) % options.rows,
            _ => keys.key(options.rows),
        };
        let values = [Scalar::Int64(id), Scalar::Int64(id)];
        let values = values.get(..if operation == "range" { 2 } else { 1 });
        let values = values.unwrap_or_default();
        let rows = clock.time(|| match operation {
            "lookup" | "range" => first_value(&statement, values).map(|v| u64::from(v.is_some())),
            _ => changed(&statement, values),
        })?;
        found += rows;
    }
    clock
        .stop()
        .print(operation, n, &format!(",\"found\":{found}"));
    Ok(())
}

/// Half look-ups, 3 in 10 updates, 1 in 10 inserts, 1 in 10 deletes, while another connection keeps its
/// snapshot, whose answers must stay the same.
pub(crate) fn mixed(
    options: &Options,
    database: &Database,
    connection: &mut Connection,
) -> Outcome {
    let table = &options.table;
    let size = file_size(options);
    let mut reader = database.connect()?;
    reader.execute("BEGIN")?;
    let before = totals(&mut reader, table)?;
    let lookup = connection.prepare(&format!("SELECT grp FROM {table} WHERE id = ?"))?;
    let update = connection.prepare(&format!("UPDATE {table} SET val = val + 1 WHERE id = ?"))?;
    let insert = connection.prepare(&format!("INSERT INTO {table} VALUES (?, ?, ?, ?)"))?;
    let delete = connection.prepare(&format!("DELETE FROM {table} WHERE id = ?"))?;
    let mut keys = Keys::of_seed(options.seed);
    let mut next = options.rows + 500_000_000;
    let mut fails = 0_u64;
    let mut clock = Clock::start(options.n);
    for _ in 0..options.n {
        let kind = keys.next() % 10;
        let key = [Scalar::Int64(keys.key(options.rows))];
        let outcome = clock.time(|| match kind {
            0..5 => first_value(&lookup, &key).map(|_| ()),
            5..8 => changed(&update, &key).map(|_| ()),
            8 => {
                let row = [
                    Scalar::Int64(next),
                    Scalar::Int64(1),
                    Scalar::Float64(2.0),
                    Scalar::Text("mixed".into()),
                ];
                next += 1;
                changed(&insert, &row).map(|_| ())
            }
            _ => changed(&delete, &key).map(|_| ()),
        });
        fails += u64::from(outcome.is_err());
    }
    let stopped = clock.stop();
    let read_started = Instant::now();
    let stable = totals(&mut reader, table)? == before;
    let read_s = read_started.elapsed().as_secs_f64();
    reader.execute("COMMIT")?;
    let growth = file_size(options) - size;
    let log = std::fs::metadata(format!("{}-wal", options.path.display())).map_or(0, |m| m.len());
    let extra = format!(
        ",\"fails\":{fails},\"snapshot_stable\":{stable},\"snapshot_read_s\":{read_s:.4},\"file_growth\":{growth},\"wal_bytes\":{log}"
    );
    stopped.print("mixed", options.n, &extra);
    Ok(())
}

fn totals(connection: &mut Connection, table: &str) -> Outcome<(i64, i64)> {
    Ok((
        first_of(connection, &format!("SELECT COUNT(*) FROM {table}"))?,
        first_of(
            connection,
            &format!("SELECT CAST(SUM(val) AS BIGINT) FROM {table}"),
        )?,
    ))
}

fn file_size(options: &Options) -> i64 {
    let size = std::fs::metadata(&options.path).map_or(0, |metadata| metadata.len());
    i64::try_from(size).unwrap_or(i64::MAX)
}

/// One statement of a fresh process. The file is left as a process that is killed leaves it.
pub(crate) fn once(
    options: &Options,
    connection: &mut Connection,
    started: Instant,
    opened: Instant,
) -> Outcome {
    let (table, n) = (&options.table, options.n);
    let sql = match (&options.sql, options.operation.as_str()) {
        (Some(sql), _) => sql.clone(),
        (None, "count") => format!("SELECT COUNT(*) FROM {table}"),
        (None, "point") => format!("SELECT grp FROM {table} WHERE id = {n}"),
        (None, _) => format!("SELECT SUM(grp) FROM {table}"),
    };
    let asked = Instant::now();
    let answer = first_of(connection, &sql)?;
    let query_s = asked.elapsed().as_secs_f64();
    let open_s = (opened - started).as_secs_f64();
    let extra =
        format!(",\"lib_s\":0,\"open_s\":{open_s:.6},\"query_s\":{query_s:.6},\"answer\":{answer}");
    let operation = &options.operation;
    print_line(
        operation,
        1,
        started.elapsed(),
        cpu_seconds(),
        Vec::new(),
        &extra,
    );
    std::process::exit(0)
}

/// The statements of a file, one a line, as texts: N times all of them, in SQLite's dialect. Those of the file
/// with `.setup` after its name come first and are not timed.
pub(crate) fn script(options: &Options, connection: &mut Connection) -> Outcome {
    let path = options.sql.as_ref().ok_or("script wants sql=FILE")?;
    connection.execute("SET dialect = 'sqlite'")?;
    if let Ok(setup) = std::fs::read_to_string(format!("{path}.setup")) {
        connection.execute(&setup)?;
    }
    let script = std::fs::read_to_string(path)?;
    let mut fails = 0_u64;
    let mut clock = Clock::start(0);
    for _ in 0..options.n {
        for statement in script.lines() {
            fails += u64::from(clock.time(|| run_to_end(connection, statement)).is_err());
        }
    }
    let statements = script.lines().count() as i64 * options.n;
    let extra = format!(",\"fails\":{fails}");
    clock.stop().print("script", statements, &extra);
    Ok(())
}

fn run_to_end(connection: &mut Connection, sql: &str) -> Outcome {
    for result in connection.run(sql)? {
        if let StatementResult::Select(stream) = result {
            for batch in stream {
                batch?;
            }
        }
    }
    Ok(())
}

/// The first value of a statement's rows as an integer; 0 without rows.
fn first_of(connection: &mut Connection, sql: &str) -> Outcome<i64> {
    match connection.prepare(sql)?.run(())? {
        StatementResult::Select(stream) => Ok(first_of_rows(stream)?.unwrap_or(0)),
        _ => Ok(0),
    }
}

/// Runs a query; the first value of its first row as an integer, `None` without rows.
pub(crate) fn first_value(statement: &Statement, values: &[Scalar]) -> Outcome<Option<i64>> {
    first_of_rows(statement.query(values)?)
}

fn first_of_rows(stream: SelectStream) -> Outcome<Option<i64>> {
    let mut first = None;
    for batch in stream {
        let batch = batch?;
        if first.is_none() && batch.num_rows() > 0 {
            first = Some(integer(&Scalar::from_array(batch.column(0).as_ref(), 0)?));
        }
    }
    Ok(first)
}

/// Runs a statement that changes rows, and tells how many it changed.
pub(crate) fn changed(statement: &Statement, values: &[Scalar]) -> Outcome<u64> {
    Ok(statement.execute(values)?)
}

fn integer(value: &Scalar) -> i64 {
    match value {
        Scalar::Int32(value) => i64::from(*value),
        Scalar::Int64(value) => *value,
        Scalar::Float64(value) => *value as i64,
        Scalar::Decimal { value, .. } => i64::try_from(*value).unwrap_or(i64::MAX),
        _ => 1,
    }
}
