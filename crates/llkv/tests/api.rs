//! Transactions that begin again, appenders, typed rows.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, missing_docs)]

use arrow::array::{
    ArrayRef, Date64Array, DictionaryArray, Int64Array, ListArray, NullArray, RecordBatch,
    StringArray, TimestampMillisecondArray, UInt16Array,
};
use arrow::datatypes::{Int8Type, Int64Type};
use llkv::{Database, Error, IsolationLevel};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Barrier};

#[test]
fn transactions_that_meet_begin_again_until_all_are_done() {
    const THREADS: i64 = 4;
    const ROUNDS: i64 = 25;
    let database = Database::in_memory().unwrap();
    let mut connection = database.connect().unwrap();
    connection
        .execute("CREATE TABLE counter (id INTEGER PRIMARY KEY, n BIGINT); INSERT INTO counter VALUES (1, 0)")
        .unwrap();
    let attempts = AtomicU32::new(0);
    std::thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                let mut connection = database.connect().unwrap();
                let mut add = || {
                    connection.transaction(|transaction| {
                        attempts.fetch_add(1, Ordering::Relaxed);
                        let rows = transaction.rows("SELECT n FROM counter")?;
                        let n: i64 = rows[0].get(0)?;
                        std::thread::yield_now();
                        let set = transaction.prepare("UPDATE counter SET n = ? WHERE id = 1")?;
                        set.execute((n + 1,))
                    })
                };
                for _ in 0..ROUNDS {
                    // Sixteen attempts may all come second on a machine with much to do.
                    while add().is_err_and(|error| error.is_retryable()) {}
                }
            });
        }
    });
    let rows = connection.rows("SELECT n FROM counter").unwrap();
    assert_eq!(rows[0].get::<i64>("n").unwrap(), THREADS * ROUNDS);
    assert!(attempts.load(Ordering::Relaxed) >= (THREADS * ROUNDS) as u32);
}

/// Whoever finds two on call may leave: with snapshots alone both may, and nobody would be there.
#[test]
fn serializable_work_is_done_as_if_alone() {
    const ROUNDS: usize = 20;
    let database = Database::in_memory().unwrap();
    let mut connection = database.connect().unwrap();
    connection
        .execute("CREATE TABLE doctors (id INTEGER PRIMARY KEY, on_call BOOLEAN); INSERT INTO doctors VALUES (1, true), (2, true)")
        .unwrap();
    for _ in 0..ROUNDS {
        connection
            .execute("UPDATE doctors SET on_call = true")
            .unwrap();
        let both_have_looked = Barrier::new(2);
        let leave = |id: i32| {
            let mut connection = database.connect().unwrap();
            let mut is_first = true;
            connection.transaction_at(IsolationLevel::Serializable, |transaction| {
                let rows = transaction.rows("SELECT count(*) FROM doctors WHERE on_call")?;
                if std::mem::take(&mut is_first) {
                    both_have_looked.wait();
                }
                if rows[0].get::<i64>(0)? > 1 {
                    let leaves =
                        transaction.prepare("UPDATE doctors SET on_call = false WHERE id = ?")?;
                    leaves.execute((id,))?;
                }
                Ok(())
            })
        };
        std::thread::scope(|scope| {
            let other = scope.spawn(|| leave(2));
            leave(1).unwrap();
            other.join().unwrap().unwrap();
        });
        let rows = connection.rows("SELECT count(*) FROM doctors WHERE on_call");
        assert_eq!(rows.unwrap()[0].get::<i64>(0).unwrap(), 1);
    }
}

#[test]
fn a_transaction_that_fails_leaves_nothing() {
    let mut connection = Database::in_memory().unwrap().connect().unwrap();
    connection.execute("CREATE TABLE t (a INTEGER)").unwrap();
    let failed: Result<(), Error> = connection.transaction(|transaction| {
        transaction.execute("INSERT INTO t VALUES (1)")?;
        transaction
            .execute("INSERT INTO nowhere VALUES (1)")
            .map(|_| ())
    });
    assert!(failed.is_err() && !connection.in_transaction());
    // A failure that the work hides is told by the commit.
    let hidden = connection.transaction(|transaction| {
        transaction.execute("INSERT INTO t VALUES (1)")?;
        let _ = transaction.execute("INSERT INTO nowhere VALUES (1)");
        Ok(())
    });
    assert!(hidden.is_err());
    assert!(connection.rows("SELECT * FROM t").unwrap().is_empty());
    let kept =
        connection.transaction(|transaction| transaction.execute("INSERT INTO t VALUES (1)"));
    assert_eq!(kept.unwrap(), 1);
}

fn batch(ids: &[i64]) -> RecordBatch {
    let texts = ids.iter().map(|id| format!("text {id}"));
    let columns: [(&str, ArrayRef); 2] = [
        ("id", Arc::new(Int64Array::from(ids.to_vec()))),
        ("txt", Arc::new(StringArray::from_iter_values(texts))),
    ];
    RecordBatch::try_from_iter(columns).unwrap()
}

#[test]
fn an_appender_is_all_or_nothing() {
    let database = Database::in_memory().unwrap();
    let (mut c, mut other) = (database.connect().unwrap(), database.connect().unwrap());
    c.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, txt VARCHAR)")
        .unwrap();
    let mut appender = c.appender("t").unwrap();
    appender.append(batch(&[1, 2])).unwrap();
    appender.append(batch(&[])).unwrap();
    appender.append(batch(&[3])).unwrap();
    assert!(other.rows("SELECT * FROM t").unwrap().is_empty());
    assert_eq!(appender.finish().unwrap(), 3);
    assert_eq!(other.rows("SELECT * FROM t").unwrap().len(), 3);
    let mut appender = c.appender("t").unwrap();
    appender.append(batch(&[4])).unwrap();
    drop(appender);
    let mut appender = c.appender("t").unwrap();
    appender.append(batch(&[5])).unwrap();
    assert!(appender.append(batch(&[3])).is_err());
    assert!(appender.finish().is_err());
    assert_eq!(c.rows("SELECT * FROM t").unwrap().len(), 3);
    // Within a transaction it is a part of that.
    c.execute("BEGIN").unwrap();
    let mut appender = c.appender("t").unwrap();
    appender.append(batch(&[6])).unwrap();
    assert_eq!(appender.finish().unwrap(), 1);
    c.execute("ROLLBACK").unwrap();
    assert_eq!(c.rows("SELECT * FROM t").unwrap().len(), 3);
}

#[test]
fn values_of_rows_are_typed() {
    let mut c = Database::in_memory().unwrap().connect().unwrap();
    let rows = c
        .rows("SELECT 1 AS a, NULL AS b, 'x' AS c, 2.5::DOUBLE AS d, true AS e")
        .unwrap();
    let row = &rows[0];
    assert_eq!(row.get::<i64>("a").unwrap(), 1);
    assert_eq!(row.get::<Option<i64>>("B").unwrap(), None);
    assert_eq!(row.get::<String>(2).unwrap(), "x");
    assert_eq!(row.get::<f64>("d").unwrap().to_bits(), 2.5_f64.to_bits());
    assert!(row.get::<bool>("e").unwrap());
    assert!(row.get::<String>("a").is_err());
    assert!(row.get::<i64>("b").is_err());
    assert!(row.get::<i64>("z").is_err());
    assert!(row.get::<i64>(9).is_err());
}

#[test]
fn an_appender_takes_foreign_forms_of_the_types() {
    let mut c = Database::in_memory().unwrap().connect().unwrap();
    c.execute("CREATE TABLE t (a BIGINT, b VARCHAR, c TIMESTAMP, d VARCHAR, e DATE)")
        .unwrap();
    let names: DictionaryArray<Int8Type> = ["x", "y", "x"].into_iter().collect();
    let columns: [(&str, ArrayRef); 5] = [
        ("a", Arc::new(UInt16Array::from(vec![1, 2, 3]))),
        ("b", Arc::new(names)),
        (
            "c",
            Arc::new(TimestampMillisecondArray::from(vec![0, 1, -1])),
        ),
        ("d", Arc::new(NullArray::new(3))),
        ("e", Arc::new(Date64Array::from(vec![0, 86_400_000, 0]))),
    ];
    let mut appender = c.appender("t").unwrap();
    appender
        .append(RecordBatch::try_from_iter(columns).unwrap())
        .unwrap();
    appender.finish().unwrap();
    let rows = c
        .rows("SELECT a || b || ' ' || c || ' ' || e || coalesce(d, '-') AS t FROM t ORDER BY a")
        .unwrap();
    let texts: Vec<String> = rows.iter().map(|row| row.get("t").unwrap()).collect();
    assert_eq!(
        texts,
        [
            "1x 1970-01-01 00:00:00 1970-01-01-",
            "2y 1970-01-01 00:00:00.001 1970-01-02-",
            "3x 1969-12-31 23:59:59.999 1970-01-01-",
        ]
    );
    // A form without a SQL type is named with its column.
    let list: ArrayRef = Arc::new(ListArray::from_iter_primitive::<Int64Type, _, _>([Some([
        Some(1),
    ])]));
    let batch = RecordBatch::try_from_iter([("points", list)]).unwrap();
    let error = c.appender("t").unwrap().append(batch).unwrap_err();
    assert!(error.to_string().contains("points"), "{error}");
}
