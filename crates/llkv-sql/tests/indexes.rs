//! One history for two tables, one with indexes: their answers are the same at every moment.

#![allow(clippy::unwrap_used, missing_docs)]

use arrow::array::{ArrayRef, RecordBatch};
use arrow::compute::concat_batches;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use llkv_result::{Error, Result};
use llkv_sql::{Session, SqlEngine};
use proptest::prelude::*;
use std::fmt::Write;
use std::path::Path;

/// Key, group, text: unique, with repetitions, with NULLs.
type Row = (i64, i64, Option<u8>);

#[derive(Debug, Clone)]
enum Step {
    /// Rows one after the other, keys ascending or scattered.
    Insert {
        start: i64,
        rows: u16,
        step: i64,
    },
    Update {
        key: i64,
        by: i64,
    },
    UpdateGroup {
        group: i64,
        to: i64,
    },
    Delete {
        low: i64,
        high: i64,
    },
    DeleteGroup {
        group: i64,
    },
    Duplicate {
        key: i64,
    },
    Begin,
    Commit,
    Rollback,
    Checkpoint,
    Reopen,
    Index(u8),
    Drop(u8),
    Reindex,
}

const INDEXES: [&str; 4] = [
    "UNIQUE INDEX i0 ON a (k)",
    "INDEX i1 ON a (g, s DESC)",
    "INDEX i2 ON a (s, k)",
    "INDEX i3 ON a (n)",
];

fn keys() -> impl Strategy<Value = i64> {
    -20i64..3_000
}

fn steps() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => (keys(), 1u16..900, prop::sample::select(vec![1i64, 1, 3, -1, 7]))
            .prop_map(|(start, rows, step)| Step::Insert { start, rows, step }),
        6 => (keys(), -3i64..4).prop_map(|(key, by)| Step::Update { key, by }),
        2 => (0i64..40, 0i64..40).prop_map(|(group, to)| Step::UpdateGroup { group, to }),
        3 => (keys(), 0i64..60).prop_map(|(low, n)| Step::Delete { low, high: low + n }),
        1 => (0i64..40).prop_map(|group| Step::DeleteGroup { group }),
        2 => keys().prop_map(|key| Step::Duplicate { key }),
        2 => Just(Step::Begin),
        2 => Just(Step::Commit),
        1 => Just(Step::Rollback),
        3 => Just(Step::Checkpoint),
        2 => Just(Step::Reopen),
        3 => (0u8..4).prop_map(Step::Index),
        1 => (0u8..4).prop_map(Step::Drop),
        1 => Just(Step::Reindex),
    ]
}

/// The columns of a row with this key.
fn row_of(key: i64) -> Row {
    let mixed = key.wrapping_mul(0x9E37_79B9).rem_euclid(1_000);
    (
        key,
        mixed % 40,
        (mixed % 7 != 0).then_some((mixed % 26) as u8),
    )
}

fn values(rows: impl Iterator<Item = i64>) -> String {
    let mut text = String::new();
    for key in rows {
        let (k, g, s) = row_of(key);
        let s = s.map_or("NULL".into(), |s| {
            format!("'{}{}'", char::from(b'a' + s), s % 3)
        });
        let n = if k % 5 == 0 {
            "NULL".into()
        } else {
            (k / 10).to_string()
        };
        let comma = if text.is_empty() { "" } else { ", " };
        write!(text, "{comma}({k}, {g}, {s}, {n})").unwrap();
    }
    text
}

fn rows(session: &Session, sql: &str) -> Result<Vec<String>> {
    let stream = session.sql(sql)?;
    let schema = stream.schema();
    let batches: Result<Vec<RecordBatch>> = stream.map(|b| b.map_err(Error::from_arrow)).collect();
    let all = concat_batches(&schema, &batches?)?;
    let options = FormatOptions::new().with_null("NULL");
    let columns: Vec<&ArrayRef> = all.columns().iter().collect();
    let mut out: Vec<String> = (0..all.num_rows())
        .map(|row| {
            let cell = |c: &&ArrayRef| {
                ArrayFormatter::try_new(c.as_ref(), &options)
                    .unwrap()
                    .value(row)
                    .to_string()
            };
            columns.iter().map(cell).collect::<Vec<_>>().join("|")
        })
        .collect();
    out.sort();
    Ok(out)
}

struct Pair {
    path: std::path::PathBuf,
    engine: Option<(SqlEngine, Session)>,
    indexes: [bool; 4],
    /// The indexes when the transaction began.
    began_with: Option<[bool; 4]>,
}

impl Pair {
    fn open(path: &Path) -> Self {
        let mut pair = Self {
            path: path.to_owned(),
            engine: None,
            indexes: [false; 4],
            began_with: None,
        };
        pair.reopen();
        for table in ["a", "b"] {
            let sql = format!("CREATE TABLE {table} (k BIGINT, g BIGINT, s VARCHAR, n INTEGER)");
            pair.session().execute(&sql).unwrap();
        }
        pair
    }

    fn session(&self) -> &Session {
        &self.engine.as_ref().unwrap().1
    }

    fn reopen(&mut self) {
        self.engine = None;
        let engine = SqlEngine::open(&self.path).unwrap();
        let session = engine.session();
        session.execute("SET on_statement_error = 'undo'").unwrap();
        self.engine = Some((engine, session));
    }

    /// Runs a statement on both tables; the unique index may refuse it, then the other must not have it
    /// either.
    fn both(&self, sql: &str) {
        let on = |table: &str| self.session().execute(&sql.replace("TABLE", table));
        match on("a") {
            Ok(results) => {
                let rows = results.last().and_then(|r| r.rows_affected());
                let other = on("b").unwrap();
                assert_eq!(rows, other.last().and_then(|r| r.rows_affected()), "{sql}");
            }
            Err(error) => {
                assert_eq!(error.sqlstate(), "23505", "{sql}: {error}");
                assert!(self.indexes[0], "{sql}: {error}");
            }
        }
    }

    fn step(&mut self, step: &Step) {
        match step {
            Step::Insert { start, rows, step } => {
                // Keys that are there are left out, so that most statements go through.
                let keys = (0..i64::from(*rows)).map(|n| start + n * step);
                let list = values(keys);
                self.both(&format!(
                    "INSERT INTO TABLE SELECT * FROM (VALUES {list}) AS v(k, g, s, n) \
                     WHERE NOT EXISTS (SELECT 1 FROM TABLE AS x WHERE x.k = v.k)"
                ));
            }
            Step::Update { key, by } => {
                self.both(&format!(
                    "UPDATE TABLE SET k = k + {by}, g = g + 1 WHERE k = {key}"
                ));
            }
            Step::UpdateGroup { group, to } => {
                self.both(&format!("UPDATE TABLE SET g = {to} WHERE g = {group}"));
            }
            Step::Delete { low, high } => {
                self.both(&format!(
                    "DELETE FROM TABLE WHERE k BETWEEN {low} AND {high}"
                ));
            }
            Step::DeleteGroup { group } => {
                self.both(&format!(
                    "DELETE FROM TABLE WHERE g = {group} AND s IS NULL"
                ));
            }
            Step::Duplicate { key } => {
                let list = values([*key].into_iter());
                self.both(&format!("INSERT INTO TABLE VALUES {list}"));
            }
            Step::Begin if self.began_with.is_none() => {
                self.session().execute("BEGIN").unwrap();
                self.began_with = Some(self.indexes);
            }
            Step::Commit if self.began_with.take().is_some() => {
                self.session().execute("COMMIT").unwrap();
            }
            Step::Rollback => {
                if let Some(indexes) = self.began_with.take() {
                    self.session().execute("ROLLBACK").unwrap();
                    self.indexes = indexes;
                }
            }
            Step::Begin | Step::Commit => {}
            Step::Checkpoint => {
                self.session().execute("CHECKPOINT").unwrap();
                self.verify();
            }
            Step::Reopen => {
                if let Some(indexes) = self.began_with.take() {
                    self.indexes = indexes;
                }
                self.reopen();
                self.verify();
            }
            Step::Index(n) => {
                let at = usize::from(*n);
                if !self.indexes[at] {
                    let made = self.session().execute(&format!("CREATE {}", INDEXES[at]));
                    match made {
                        Ok(_) => self.indexes[at] = true,
                        Err(error) => {
                            assert_eq!((error.sqlstate(), at), ("23505", 0), "{error}");
                            let twice = "SELECT k FROM b GROUP BY k HAVING count(*) > 1";
                            assert!(!rows(self.session(), twice).unwrap().is_empty());
                        }
                    }
                }
            }
            Step::Drop(n) => {
                let at = usize::from(*n);
                if self.indexes[at] {
                    self.session().execute(&format!("DROP INDEX i{n}")).unwrap();
                    self.indexes[at] = false;
                }
            }
            Step::Reindex => {
                self.session().execute("REINDEX a").unwrap();
            }
        }
    }

    fn verify(&self) {
        let engine = &self.engine.as_ref().unwrap().0;
        assert_eq!(engine.runtime().verify().unwrap(), Vec::<String>::new());
    }

    fn compare(&self, seed: i64) {
        let key = seed.rem_euclid(3_000);
        let (_, group, text) = row_of(key);
        let text = char::from(b'a' + text.unwrap_or(3));
        for test in [
            format!("k = {key}"),
            format!("k IN ({key}, {}, -1, {}, {key})", key + 1, key - 40),
            format!("k >= {key} AND k < {}", key + 20),
            format!("k > {}", 2_990),
            "k IS NULL".to_owned(),
            format!("g = {group} AND s = '{text}1'"),
            format!("g = {group} AND s IS NULL"),
            format!("g IN ({group}, 3) AND s > '{text}' AND s < '{text}2'"),
            format!("s LIKE '{text}1%' AND k < {key}"),
            format!("n = {}", key / 10),
            "n IS NULL AND g = 5".to_owned(),
            format!("n = {} AND k <> {key}", key / 10),
        ] {
            let query = |table: &str| {
                let sql = format!("SELECT * FROM {table} WHERE {test}");
                rows(self.session(), &sql).unwrap()
            };
            assert_eq!(query("a"), query("b"), "{test}");
        }
        let all = |table: &str| rows(self.session(), &format!("SELECT * FROM {table}")).unwrap();
        assert_eq!(all("a"), all("b"));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn answers_are_the_same_with_indexes_and_without(
        steps in prop::collection::vec(steps(), 5..50),
        seed in 0i64..100_000,
    ) {
        let folder = tempfile::tempdir().unwrap();
        let mut pair = Pair::open(&folder.path().join("t.llkv"));
        for n in 0..3 {
            pair.step(&Step::Insert { start: n * 700, rows: 650, step: if n == 1 { -1 } else { 1 } });
        }
        pair.step(&Step::Index((seed % 4) as u8));
        for (n, step) in steps.iter().enumerate() {
            pair.step(step);
            if n % 4 == 0 {
                pair.compare(seed + n as i64 * 37);
            }
        }
        pair.compare(seed);
        pair.step(&Step::Reopen);
        pair.step(&Step::Checkpoint);
        pair.step(&Step::Reopen);
        pair.compare(seed + 1);
    }
}
