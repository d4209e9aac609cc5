//! What a process takes while sorts, groups and joins need sixteen times their budget, by the kernel's count.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use arrow::array::{Array, AsArray};
use arrow::datatypes::Int64Type;
use llkv_result::{Error, StatementResult};
use llkv_sql::{Session, SqlEngine};
use std::fs;

const BUDGET_BYTES: u64 = 8 << 20;
/// What a process may take beside its budget: code, batches on their way, files' buffers.
const SLACK_BYTES: u64 = 64 << 20;

const QUERIES: [&str; 3] = [
    "SELECT i * 7919 % 1000003 AS k, i, 'the text of the row with the number ' || i AS t
     FROM generate_series(1, 700000) AS s(i) ORDER BY k",
    "SELECT i % 400000 AS k, count(*) AS n, min('the text of the row with the number ' || i) AS t
     FROM generate_series(1, 600000) AS s(i) GROUP BY i % 400000",
    "SELECT a.i AS k, b.j AS n, b.t
     FROM generate_series(1, 600000) AS a(i)
     JOIN (SELECT j * 3 AS j, 'the text of the row with the number ' || j AS t
           FROM generate_series(1, 600000) AS s(j)) AS b ON a.i = b.j",
];

/// A number of `/proc/self/status`, in bytes.
fn status_bytes(name: &str) -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with(name)).unwrap();
    let kib: u64 = line.split_whitespace().nth(1).unwrap().parse().unwrap();
    kib << 10
}

fn set(session: &Session, setting: &str) {
    session.execute(setting).unwrap();
}

/// Rows, the sum of what stands in them, and rows whose key is less than the one before.
fn digest(session: &Session, query: &str) -> (u64, u64, u64) {
    let result = session.execute(query).unwrap().pop().unwrap();
    let StatementResult::Select(stream) = result else {
        panic!("no rows");
    };
    let (mut rows, mut sum, mut descents, mut before) = (0, 0_u64, 0, i64::MIN);
    for batch in stream {
        let batch = batch.map_err(Error::from_arrow).unwrap();
        let keys = batch.column(0).as_primitive::<Int64Type>();
        let numbers = batch.column(1).as_primitive::<Int64Type>();
        let texts = batch.column(2).as_string_view();
        for row in 0..batch.num_rows() {
            let key = keys.value(row);
            let text = texts.value(row).bytes().map(u64::from).sum::<u64>();
            let product = (key as u64).wrapping_mul(numbers.value(row) as u64 + 31);
            sum = sum.wrapping_add(product.wrapping_mul(text + 7));
            descents += u64::from(key < before);
            before = key;
        }
        assert_eq!(keys.null_count(), 0);
        rows += batch.num_rows() as u64;
    }
    (rows, sum, descents)
}

#[test]
fn a_sixteenth_of_the_memory_is_enough() {
    let engine = SqlEngine::in_memory().unwrap();
    let session = engine.session();
    let memory = |session: &Session, column: &str| {
        let query = format!("SELECT {column}::BIGINT AS k, 0::BIGINT, '' FROM llkv_memory");
        let result = session.execute(&query).unwrap().pop().unwrap();
        let StatementResult::Select(mut stream) = result else {
            panic!("no rows");
        };
        let batch = stream.next().unwrap().unwrap();
        batch.column(0).as_primitive::<Int64Type>().value(0) as u64
    };
    let before = status_bytes("VmRSS");
    set(&session, &format!("SET memory_limit = '{BUDGET_BYTES}'"));
    let limited = QUERIES.map(|query| digest(&session, query));
    let peak = status_bytes("VmHWM") - before;
    assert_eq!(memory(&session, "temp_files"), 0);
    assert_eq!(memory(&session, "temp_bytes"), 0);
    assert_eq!(memory(&session, "used_bytes"), 0);
    let kept = memory(&session, "peak_bytes");
    assert!(
        peak <= BUDGET_BYTES + SLACK_BYTES,
        "the process took {peak} bytes, of which operators reserved {kept}"
    );
    set(&session, "SET memory_limit = default");
    let free = QUERIES.map(|query| digest(&session, query));
    // Only the sort says in which order its rows come.
    let rows_and_sums = |digests: [(u64, u64, u64); 3]| digests.map(|d| (d.0, d.1));
    assert_eq!(rows_and_sums(limited), rows_and_sums(free));
    assert_eq!(limited.map(|digest| digest.0), [700_000, 400_000, 200_000]);
    assert_eq!(limited[0].2, 0, "the sort's rows are in order");
    // Without a limit they do need that much.
    let needed = memory(&session, "peak_bytes");
    assert!(needed >= 16 * BUDGET_BYTES, "they need {needed} bytes only");
}
