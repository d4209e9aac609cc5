//! ALTER TABLE and foreign keys where the power is cut after every disk operation: a statement took effect as
//! a whole, or not at all.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, missing_docs)]

use llkv_result::{Error, StatementResult};
use llkv_runtime::{RuntimeEngine, RuntimeOptions};
use llkv_sql::{Session, SqlDialect, SqlEngine};
use llkv_storage::{FilePager, FilePagerOptions, InstrumentedPager, MemPager, SimDisk};
use llkv_types::Scalar;
use std::sync::Arc;

const PATH: &str = "alter.llkv";

fn open(disk: &SimDisk) -> llkv_result::Result<SqlEngine> {
    let options = FilePagerOptions {
        log_bytes: 256 << 10,
        background_checkpoint: false,
        ..FilePagerOptions::default()
    };
    let pager = FilePager::open_on(Arc::new(disk.clone()), PATH, options)?;
    let runtime = RuntimeEngine::with_pager(Arc::new(pager), RuntimeOptions::default())?;
    Ok(SqlEngine::new(runtime, SqlDialect::Llkv))
}

fn text(session: &Session, sql: &str) -> Result<String, Error> {
    let mut lines = Vec::new();
    for result in session.execute(sql)? {
        let StatementResult::Select(stream) = result else {
            continue;
        };
        for batch in stream {
            let batch = batch.map_err(Error::from_arrow)?;
            for row in 0..batch.num_rows() {
                let values = batch.columns().iter();
                let values = values.map(|c| Scalar::from_array(c, row).map(|s| s.to_string()));
                lines.push(values.collect::<Result<Vec<_>, _>>()?.join("|"));
            }
        }
    }
    Ok(lines.join("\n"))
}

/// The definitions and rows of all tables.
fn state(session: &Session) -> String {
    let columns = "SELECT table_name, column_name, data_type, is_nullable, column_default
        FROM information_schema.columns ORDER BY table_name, ordinal_position";
    let constraints = "SELECT table_name, constraint_name, constraint_type
        FROM information_schema.table_constraints ORDER BY 1, 2";
    let mut state = text(session, columns).unwrap();
    state.push_str(&text(session, constraints).unwrap());
    let tables = "SELECT table_name FROM information_schema.tables ORDER BY 1";
    for table in text(session, tables).unwrap().lines() {
        let rows = format!("SELECT * FROM {table} ORDER BY 1");
        state.push_str(&text(session, &rows).unwrap());
    }
    state
}

const SCRIPT: &[&str] = &[
    "CREATE TABLE p (id INTEGER PRIMARY KEY)",
    "INSERT INTO p SELECT * FROM generate_series(1, 50)",
    "CREATE TABLE t (a INTEGER PRIMARY KEY, b TEXT, p INTEGER REFERENCES p ON DELETE CASCADE)",
    "INSERT INTO t SELECT g, 'row ' || g, 1 + g % 50 FROM generate_series(1, 300) AS s(g)",
    "ALTER TABLE t ADD COLUMN c INTEGER DEFAULT 7",
    "CHECKPOINT",
    "INSERT INTO t VALUES (1001, 'x', 1, 8)",
    "BEGIN; INSERT INTO t VALUES (1002, 'y', 2, 9); ALTER TABLE t ADD COLUMN d TEXT DEFAULT 'a text of more bytes';
     INSERT INTO t VALUES (1003, 'z', 3, 10, 'd'); ALTER TABLE t DROP COLUMN b; UPDATE t SET c = 0 WHERE a < 10; COMMIT",
    "CHECKPOINT",
    "ALTER TABLE t RENAME COLUMN c TO cc",
    "ALTER TABLE t ADD CONSTRAINT cc_d UNIQUE (a, cc)",
    "ALTER TABLE t ALTER COLUMN cc TYPE BIGINT",
    "DELETE FROM p WHERE id <= 10",
    "CHECKPOINT",
    "ALTER TABLE t DROP CONSTRAINT cc_d",
    "ALTER TABLE t RENAME TO u",
    "BEGIN; ALTER TABLE u DROP COLUMN d; ALTER TABLE u DROP COLUMN cc; ROLLBACK",
    "BEGIN; ALTER TABLE u DROP COLUMN d; CREATE TABLE t (z INTEGER); DROP TABLE p CASCADE; COMMIT",
    "INSERT INTO u (a) VALUES (2001), (2002)",
    "CHECKPOINT",
];

#[test]
fn a_cut_at_every_operation_keeps_whole_changes() {
    for seed in 0..2 {
        let disk = SimDisk::new(seed);
        disk.record();
        let mut states = Vec::new();
        {
            let engine = open(&disk).unwrap();
            let session = engine.session();
            states.push((disk.operations(), state(&session)));
            for step in SCRIPT {
                session.execute(step).unwrap();
                states.push((disk.operations(), state(&session)));
            }
        }
        for copy in disk.take_recording().into_iter() {
            let operations = copy.operations();
            let Some(acknowledged) = states.iter().rposition(|(at, _)| *at <= operations) else {
                continue;
            };
            let disk = copy.fork(operations ^ seed);
            disk.power_cut();
            let engine = open(&disk).unwrap();
            let session = engine.session();
            let found = state(&session);
            let allowed = &states[acknowledged..states.len().min(acknowledged + 2)];
            assert!(
                allowed.iter().any(|(_, state)| *state == found),
                "seed {seed}, cut after operation {operations}: {found}"
            );
            let violations = engine.runtime().verify().unwrap();
            assert!(
                violations.is_empty(),
                "seed {seed}, {operations}: {violations:?}"
            );
            // Life goes on.
            if !found.is_empty() {
                session.execute("CREATE TABLE more (a INTEGER)").unwrap();
            }
        }
    }
}

/// The bytes that a new column writes do not depend on the rows that there are.
#[test]
fn a_new_column_writes_no_rows() {
    let written = |rows: usize, sql: &str| {
        let pager = Arc::new(InstrumentedPager::new(Arc::new(MemPager::new())));
        let runtime = RuntimeEngine::with_pager(pager.clone(), RuntimeOptions::default());
        let engine = SqlEngine::new(runtime.unwrap(), SqlDialect::Llkv);
        let session = engine.session();
        let fill = format!(
            "CREATE TABLE t (a INTEGER PRIMARY KEY, b TEXT);
             INSERT INTO t SELECT g, 'row ' || g FROM generate_series(1, {rows}) AS s(g); CHECKPOINT"
        );
        session.execute(&fill).unwrap();
        pager.reset();
        session.execute(sql).unwrap();
        session.execute("CHECKPOINT").unwrap();
        let counts = pager.counts();
        counts.bytes_put + counts.early_bytes
    };
    for sql in [
        "ALTER TABLE t ADD COLUMN c INTEGER DEFAULT 7",
        "ALTER TABLE t DROP COLUMN b",
        "ALTER TABLE t RENAME COLUMN b TO c",
    ] {
        let (few, many) = (written(1_000, sql), written(100_000, sql));
        assert!(
            many < few + 16_384,
            "{sql}: {few} bytes, with more rows {many}"
        );
    }
}
