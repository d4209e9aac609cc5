//! `llkv check`, `dump` and `backup`: what the program does for those who run it.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    unreachable_pub,
    missing_docs
)]

use std::path::Path;
use std::process::{Command, Output};

const SCRIPT: &str = r#"
CREATE TABLE kinds (
    id INTEGER PRIMARY KEY, b BOOLEAN, i BIGINT, u UBIGINT, r REAL, d DOUBLE, n DECIMAL(20, 3), t TEXT DEFAULT 'it''s',
    x BLOB, da DATE, ti TIME, ts TIMESTAMP, tz TIMESTAMPTZ, iv INTERVAL, CHECK (id > 0), UNIQUE (i)
);
INSERT INTO kinds VALUES
    (1, true, -9223372036854775808, 18446744073709551615, 1.5, 'NaN', -12345678901234567.890, E'a\nb''c;', x'00ff', '0001-01-01',
     '23:59:59.999999', '9999-12-31 23:59:59', '2024-02-29 12:00:00+02', INTERVAL '1 month -2 days 03:04:05.6'),
    (2, false, 0, 0, '-Infinity', 1e300, 0.001, '', x'', NULL, NULL, NULL, NULL, NULL);
INSERT INTO kinds (id) VALUES (3);
CREATE TABLE "Odd ""Name" ("select" INTEGER, "B c" TEXT);
INSERT INTO "Odd ""Name" SELECT n, 'row ' || CAST(n AS TEXT) FROM generate_series(1, 1000) AS series(n);
CREATE INDEX by_b ON "Odd ""Name" ("B c" DESC);
CREATE VIEW few AS SELECT "select" AS n FROM "Odd ""Name" WHERE "select" <= 10;
CREATE VIEW fewer (m) AS SELECT n FROM few WHERE n < 4;
SET dialect = 'sqlite';
CREATE TABLE mixed (a, b INTEGER);
INSERT INTO mixed VALUES (1, 2), (1.0, 3), ('text', 4), (x'00', 5), (NULL, 6), (-9223372036854775807 - 1, 7), (9e999, 8);
PRAGMA user_version = 42;
"#;

fn llkv(arguments: &[&str]) -> Output {
    let program = env!("CARGO_BIN_EXE_llkv");
    Command::new(program).args(arguments).output().unwrap()
}

#[track_caller]
fn run(arguments: &[&str]) -> String {
    let output = llkv(arguments);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments:?}: {errors}");
    String::from_utf8(output.stdout).unwrap()
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[test]
fn a_dump_makes_the_database_again() {
    let folder = tempfile::tempdir().unwrap();
    let (one, two) = (folder.path().join("1.llkv"), folder.path().join("2.llkv"));
    run(&[text(&one), "-c", SCRIPT]);
    let dump = run(&["dump", text(&one)]);
    let script = folder.path().join("dump.sql");
    std::fs::write(&script, &dump).unwrap();
    run(&[text(&two), "-f", text(&script)]);
    assert_eq!(run(&["dump", text(&two)]), dump);
    for question in [
        "SELECT * FROM kinds ORDER BY id",
        "SELECT count(*), sum(\"select\"), max(\"B c\") FROM \"Odd \"\"Name\"",
        "SELECT * FROM fewer ORDER BY m",
        "SET dialect = 'sqlite'; SELECT typeof(a), a, b FROM mixed ORDER BY b",
        "PRAGMA user_version",
        "SELECT table_name, index_name, columns FROM llkv_indexes ORDER BY 1, 2",
    ] {
        let answer = |path: &Path| run(&[text(path), "--format", "csv", "-c", question]);
        assert_eq!(answer(&one), answer(&two), "{question}");
    }
    assert_eq!(run(&["check", text(&two)]), "ok\n");
}

/// Names that are words of SQL, texts that two minus signs would make a comment of, a negative zero, a sequence that starts over.
#[test]
fn a_dump_of_awkward_definitions_makes_the_database_again() {
    let words = "analyze case check constraint current_date current_time current_timestamp current_user end except exists false \
        fetch foreign from group having intersect interval into lateral like limit localtime not null offset order primary \
        returning select true union unique user values where with";
    let mut script = String::from(
        "CREATE TABLE z (a DOUBLE, b REAL, c INTEGER CHECK (c > - -1), d INTEGER DEFAULT - - 5);
         INSERT INTO z (a, b, c) VALUES ('-0', '-0', 2);
         CREATE VIEW minus AS SELECT - - c AS x, 1 - - - c AS y, '-' || - c AS t FROM z;
         CREATE VIEW escaped AS SELECT E'it\\'s; so' AS t;
         CREATE SEQUENCE round MAXVALUE 2 CYCLE;
         SELECT nextval('round'); SELECT nextval('round');
         CREATE TABLE named (a INTEGER CONSTRAINT first PRIMARY KEY, b INTEGER, c INTEGER, CONSTRAINT \"Both\" UNIQUE (b, c),
             CONSTRAINT more CHECK (b > 0), CHECK (c > 0), CHECK (c < 9), UNIQUE (c));
         INSERT INTO named VALUES (1, 1, 1);
         CREATE TABLE empty AS SELECT 1 AS a WITH NO DATA;",
    );
    for word in words.split_whitespace() {
        script += &format!(
            "CREATE TABLE \"{word}\" (\"{word}\" INTEGER PRIMARY KEY CHECK (\"{word}\" > 0), b INTEGER REFERENCES \"{word}\");
             INSERT INTO \"{word}\" VALUES (7, 7);
             CREATE INDEX \"{word}_i\" ON \"{word}\" (b, \"{word}\");
             CREATE VIEW \"{word}_v\" AS SELECT \"{word}\" AS \"{word}\" FROM \"{word}\";"
        );
    }
    let folder = tempfile::tempdir().unwrap();
    let (one, two) = (folder.path().join("1.llkv"), folder.path().join("2.llkv"));
    run(&[text(&one), "-c", &script]);
    let dump = run(&["dump", text(&one)]);
    let again = folder.path().join("dump.sql");
    std::fs::write(&again, &dump).unwrap();
    run(&[text(&two), "-f", text(&again)]);
    assert_eq!(run(&["dump", text(&two)]), dump);
    let names = "ALTER TABLE named DROP CONSTRAINT more; ALTER TABLE named DROP CONSTRAINT \"Both\"; \
        ALTER TABLE named DROP CONSTRAINT named_c_check1; ALTER TABLE named DROP CONSTRAINT first";
    run(&[text(&two), "-c", names]);
    for (question, expected) in [
        ("SELECT x, y, t FROM minus", "2,-1,--2"),
        ("SELECT t FROM escaped", "it's; so"),
        ("SELECT a, b, d FROM z", "-0.0,-0.0,5"),
        ("SELECT nextval('round')", "1"),
        ("SELECT \"select\" FROM select_v", "7"),
        ("SELECT count(*) FROM empty", "0"),
    ] {
        let answer = run(&[text(&two), "--format", "csv", "-c", question]);
        assert_eq!(answer.lines().nth(1), Some(expected), "{question}");
    }
}

/// Schemas, numbers that columns get, views that read younger views, rows without parents.
#[test]
fn a_dump_keeps_what_names_mean_and_where_numbers_stand() {
    let script = "CREATE SCHEMA s;
        SET search_path = s, main;
        CREATE TABLE t (id INT GENERATED ALWAYS AS IDENTITY (START WITH 10 INCREMENT BY 5), a INT);
        INSERT INTO t (a) VALUES (1), (2);
        CREATE SEQUENCE q MAXVALUE 3;
        CREATE TABLE d (x INT DEFAULT nextval('q'), y BIGSERIAL);
        INSERT INTO d (x) VALUES (DEFAULT), (DEFAULT), (DEFAULT);
        CREATE TABLE main.u (id SERIAL PRIMARY KEY, b TEXT);
        INSERT INTO u (b) VALUES ('x'), ('y');
        CREATE VIEW v AS WITH d AS (SELECT 1 AS one) SELECT a, b, one FROM t, u, d;
        SET search_path = main;
        CREATE SEQUENCE c MAXVALUE 3 CYCLE;
        SELECT nextval('c') FROM generate_series(1, 3);
        CREATE VIEW above AS SELECT 1 AS a;
        CREATE VIEW below AS SELECT b FROM u;
        CREATE OR REPLACE VIEW above AS SELECT b FROM below;
        CREATE TABLE p (id INT PRIMARY KEY);
        CREATE TABLE k (pid INT REFERENCES p);
        SET foreign_keys = off;
        INSERT INTO k VALUES (7);
        SET dialect = 'sqlite';
        CREATE TABLE l (id INTEGER PRIMARY KEY AUTOINCREMENT, z);
        INSERT INTO l VALUES (5, 1);
        DELETE FROM l;
        CREATE TEMP TABLE own (a);
        CREATE VIEW of_own AS SELECT a FROM own;
        SET dialect = 'llkv';
        CREATE TABLE computed (a INT GENERATED ALWAYS AS (1) STORED);
        INSERT INTO computed DEFAULT VALUES;
        CREATE VIEW divided AS SELECT 7 / 2 AS x;";
    let folder = tempfile::tempdir().unwrap();
    let (one, two) = (folder.path().join("1.llkv"), folder.path().join("2.llkv"));
    run(&[text(&one), "-c", script]);
    let dump = run(&["dump", text(&one)]);
    let again = folder.path().join("dump.sql");
    std::fs::write(&again, &dump).unwrap();
    // Whatever dialect it is read in.
    run(&[text(&two), "--dialect", "duckdb", "-f", text(&again)]);
    assert_eq!(run(&["dump", text(&two)]), dump);
    for (statement, refusal) in [
        ("INSERT INTO s.t VALUES (1, 1)", "from its definition alone"),
        ("SELECT nextval('s.q')", "reached its end"),
        ("INSERT INTO k VALUES (8)", "violates the foreign key"),
        ("SELECT * FROM of_own", "does not exist"),
    ] {
        let output = llkv(&[text(&two), "-c", statement]);
        let message = String::from_utf8_lossy(&output.stderr);
        assert!(message.contains(refusal), "{statement}: {message}");
    }
    for (question, expected) in [
        ("INSERT INTO s.t (a) VALUES (3) RETURNING id", "20"),
        ("INSERT INTO s.d VALUES (1, DEFAULT) RETURNING y", "4"),
        ("INSERT INTO u (b) VALUES ('z') RETURNING id", "3"),
        ("SELECT nextval('c')", "1"),
        ("SELECT sum(a), min(b), sum(one) FROM s.v", "18,x,9"),
        ("SELECT count(*) FROM above", "3"),
        ("SELECT count(*) FROM k", "1"),
        ("SELECT count(*) + max(x) FROM computed, divided", "4"),
        ("INSERT INTO l (z) VALUES (1) RETURNING id", "6"),
    ] {
        let answer = run(&[text(&two), "--format", "csv", "-c", question]);
        assert_eq!(answer.lines().nth(1), Some(expected), "{question}");
    }
    run(&[
        text(&two),
        "-c",
        "DROP TABLE s.d; CREATE SEQUENCE s.d_y_seq",
    ]);
}

/// In SQLite's dialect a table goes and its views stay.
#[test]
fn a_dump_has_views_that_cannot_be_read_as_comments() {
    let script = "SET dialect = 'sqlite';
        CREATE TABLE went (a);
        CREATE VIEW behind AS SELECT a FROM went;
        CREATE VIEW beyond AS
            SELECT 1 FROM behind;
        CREATE VIEW kept AS SELECT 5 AS five;
        DROP TABLE went;";
    let folder = tempfile::tempdir().unwrap();
    let (one, two) = (folder.path().join("1.llkv"), folder.path().join("2.llkv"));
    run(&[text(&one), "-c", script]);
    let dump = run(&["dump", text(&one)]);
    assert!(dump.contains("-- CREATE VIEW behind"), "{dump}");
    let again = folder.path().join("dump.sql");
    std::fs::write(&again, &dump).unwrap();
    run(&[text(&two), "-f", text(&again)]);
    let views = "SELECT name FROM llkv_schema";
    assert_eq!(
        run(&[text(&two), "--format", "csv", "-c", views]),
        "name\nkept\n"
    );
}

#[test]
fn a_backup_is_a_database_and_never_replaces_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let (one, two) = (folder.path().join("1.llkv"), folder.path().join("2.llkv"));
    run(&[text(&one), "-c", SCRIPT]);
    run(&["backup", text(&one), text(&two)]);
    assert_eq!(run(&["dump", text(&two)]), run(&["dump", text(&one)]));
    assert_eq!(run(&["check", text(&two)]), "ok\n");
    let again = llkv(&["backup", text(&one), text(&two)]);
    assert!(!again.status.success());
    let message = String::from_utf8_lossy(&again.stderr);
    assert!(message.contains("exists"), "{message}");
}

#[test]
fn what_was_in_memory_is_in_its_backup() {
    let folder = tempfile::tempdir().unwrap();
    let (one, copy) = (folder.path().join("1.llkv"), folder.path().join("2.llkv"));
    run(&[text(&one), "-c", SCRIPT]);
    let backup = format!("{SCRIPT}; BACKUP TO '{}'; DROP TABLE mixed", text(&copy));
    run(&["-c", &backup]);
    assert_eq!(run(&["dump", text(&copy)]), run(&["dump", text(&one)]));
    assert_eq!(run(&["check", text(&copy)]), "ok\n");
}

#[test]
fn damage_is_found_and_told() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("1.llkv");
    run(&[text(&path), "-c", SCRIPT]);
    let whole = std::fs::read(&path).unwrap();
    let mut found = 0;
    // One bit in each 4 KiB behind the roots.
    for at in (68 << 10..whole.len()).step_by(4096) {
        let mut damaged = whole.clone();
        damaged[at + 8] ^= 0x10;
        std::fs::write(&path, damaged).unwrap();
        let output = llkv(&["check", text(&path)]);
        let message = String::from_utf8_lossy(&output.stderr).into_owned();
        if !output.status.success() {
            let told = String::from_utf8_lossy(&output.stdout).into_owned() + &message;
            assert!(told.contains("damaged"), "{at}: {told}");
            found += 1;
        }
    }
    // Some of the space is free, and what lies there means nothing.
    assert!(found > 5, "{found} found");
}
