//! Keys with a collation, on the ways into a table that are not INSERT: appenders, COPY, prepared statements.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, missing_docs)]

use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use llkv::{Connection, Database};
use std::sync::Arc;

/// A table whose key knows no case, with two rows.
fn people() -> Connection {
    let mut c = Database::in_memory().unwrap().connect().unwrap();
    c.execute(
        "SET dialect = 'sqlite';
         CREATE TABLE people (name TEXT COLLATE NOCASE PRIMARY KEY, n INTEGER);
         INSERT INTO people VALUES ('Alice', 1), ('bob', 2)",
    )
    .unwrap();
    c
}

fn names(c: &mut Connection) -> Vec<(String, i64)> {
    let rows = c.rows("SELECT name, n FROM people ORDER BY name").unwrap();
    let row = |row: &llkv::Row| (row.get("name").unwrap(), row.get("n").unwrap());
    rows.iter().map(row).collect()
}

fn batch(names: &[&str]) -> RecordBatch {
    let numbers = Int64Array::from_iter_values(10..10 + names.len() as i64);
    let columns: [(&str, ArrayRef); 2] = [
        ("name", Arc::new(StringArray::from(names.to_vec()))),
        ("n", Arc::new(numbers)),
    ];
    RecordBatch::try_from_iter(columns).unwrap()
}

#[test]
fn an_appender_finds_keys_that_differ_in_case() {
    let mut c = people();
    for repeated in [["carol", "ALICE"], ["carol", "Carol"]] {
        let mut appender = c.appender("people").unwrap();
        let error = appender.append(batch(&repeated)).unwrap_err();
        assert_eq!(error.sqlstate(), "23505");
        drop(appender);
        assert_eq!(names(&mut c).len(), 2);
    }
    let mut appender = c.appender("people").unwrap();
    appender.append(batch(&["Carol", "dave"])).unwrap();
    // A key of a batch before it, in the same transaction.
    assert!(appender.append(batch(&["DAVE"])).is_err());
    drop(appender);
    let mut appender = c.appender("people").unwrap();
    appender.append(batch(&["Carol", "dave"])).unwrap();
    assert_eq!(appender.finish().unwrap(), 2);
    let expected = [("Alice", 1), ("bob", 2), ("Carol", 10), ("dave", 11)];
    let expected = expected.map(|(name, n)| (name.to_owned(), n));
    assert_eq!(names(&mut c), expected);
}

#[test]
fn copy_finds_keys_that_differ_in_case() {
    let folder = tempfile::tempdir().unwrap();
    let copy = |rows: &str| {
        let path = folder.path().join("people.csv");
        std::fs::write(&path, rows).unwrap();
        format!("COPY people FROM '{}' (HEADER false)", path.display())
    };
    let mut c = people();
    for repeated in ["carol,3\naLICE,4\n", "carol,3\nCAROL,4\n"] {
        let error = c.execute(&copy(repeated)).unwrap_err();
        assert_eq!(error.sqlstate(), "23505");
        assert_eq!(names(&mut c).len(), 2);
    }
    assert_eq!(c.execute(&copy("Carol,3\ndave,4\n")).unwrap(), 2);
    let found = c.rows("SELECT n FROM people WHERE name = 'CAROL'").unwrap();
    assert_eq!(found[0].get::<i64>(0).unwrap(), 3);
}

#[test]
fn prepared_statements_find_keys_that_differ_in_case() {
    let mut c = people();
    let find = c.prepare("SELECT n FROM people WHERE name = ?").unwrap();
    let set = c.prepare("UPDATE people SET n = ? WHERE name = ?").unwrap();
    let add = c.prepare("INSERT INTO people VALUES (?, ?)").unwrap();
    let put = c
        .prepare("INSERT INTO people VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET n = excluded.n")
        .unwrap();
    let remove = c.prepare("DELETE FROM people WHERE name = ?").unwrap();
    let n = |name: &str| {
        let rows = find.rows((name,)).unwrap();
        rows.first().map(|row| row.get::<i64>(0).unwrap())
    };
    assert_eq!((n("ALICE"), n("Bob"), n("carol")), (Some(1), Some(2), None));
    assert_eq!(set.execute((5, "aLiCe")).unwrap(), 1);
    assert_eq!(add.execute(("BOB", 1)).unwrap_err().sqlstate(), "23505");
    assert_eq!(put.execute(("BOB", 6)).unwrap(), 1);
    assert_eq!(add.execute(("Carol", 7)).unwrap(), 1);
    assert!(add.execute(("cArol", 7)).is_err());
    assert_eq!(
        (n("alice"), n("bob"), n("CAROL")),
        (Some(5), Some(6), Some(7))
    );
    assert_eq!(remove.execute(("ALICE",)).unwrap(), 1);
    let expected = [("bob", 6), ("Carol", 7)];
    assert_eq!(
        names(&mut c),
        expected.map(|(name, n)| (name.to_owned(), n))
    );
}

/// An index that knows case serves no comparison that does not, and the other way round.
#[test]
fn rows_that_refer_to_a_key_without_case_follow_it() {
    let mut c = people();
    c.execute(
        "PRAGMA foreign_keys = on;
         CREATE TABLE calls (name TEXT REFERENCES people ON UPDATE CASCADE ON DELETE CASCADE, n INTEGER);
         CREATE INDEX by_name ON calls (name);
         CREATE TABLE mails (name TEXT COLLATE NOCASE REFERENCES people ON DELETE SET NULL, n INTEGER);
         CREATE INDEX by_name_without_case ON mails (name);
         INSERT INTO calls VALUES ('ALICE', 1), ('alice', 2), ('BOB', 3);
         INSERT INTO mails VALUES ('ALICE', 1), ('alice', 2), ('BOB', 3)",
    )
    .unwrap();
    c.execute("UPDATE people SET name = 'Ann' WHERE name = 'alice'")
        .unwrap_err();
    c.execute("DELETE FROM mails WHERE name = 'Alice'").unwrap();
    c.execute("UPDATE people SET name = 'Ann' WHERE name = 'alice'")
        .unwrap();
    let count = |c: &mut Connection, question: &str| {
        let rows = c.rows(&format!("SELECT count(*) FROM {question}")).unwrap();
        rows[0].get::<i64>(0).unwrap()
    };
    assert_eq!(count(&mut c, "calls WHERE name = 'Ann'"), 2);
    c.execute("DELETE FROM people WHERE name = 'bob'").unwrap();
    assert_eq!(count(&mut c, "calls WHERE lower(name) = 'bob'"), 0);
    assert_eq!(count(&mut c, "mails WHERE name IS NULL"), 1);
}
