//! Prepared statements: planned once, and right after everything that changes what they rest on.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs
)]

use llkv::{Connection, Database, Scalar, Statement};

fn connection() -> Connection {
    Database::in_memory().unwrap().connect().unwrap()
}

fn fill(connection: &mut Connection, rows: i64) {
    let sql = format!("INSERT INTO t SELECT i, i % 10, 'row ' || i FROM range({rows}) r(i)");
    connection.execute(&sql).unwrap();
}

fn table(rows: i64) -> Connection {
    let mut connection = connection();
    connection
        .execute("CREATE TABLE t (id BIGINT PRIMARY KEY, grp INTEGER, txt VARCHAR)")
        .unwrap();
    fill(&mut connection, rows);
    connection
}

/// The text of the row, `None` where there is none.
fn text_of(by_id: &Statement, id: impl Into<Scalar>) -> Option<String> {
    let rows = by_id.rows((id,)).unwrap();
    assert!(rows.len() <= 1);
    rows.first().map(|row| row.get("txt").unwrap())
}

#[test]
fn a_row_by_its_key_is_the_one_that_a_scan_finds() {
    for rows in [0, 3, 700, 130_000] {
        let mut c = table(rows);
        let by_id = c.prepare("SELECT txt FROM t WHERE id = ?").unwrap();
        for checkpoint in [false, true] {
            if checkpoint {
                c.execute("CHECKPOINT").unwrap();
            }
            for id in [-1, 0, 1, rows / 2, rows - 1, rows, i64::MAX] {
                let expected = (0..rows).contains(&id).then(|| format!("row {id}"));
                assert_eq!(text_of(&by_id, id), expected, "{id} of {rows}");
            }
            assert_eq!(text_of(&by_id, None::<i64>), None);
            // A value of another type is cast to the key's.
            assert_eq!(text_of(&by_id, "0"), (rows > 0).then(|| "row 0".into()));
        }
    }
}

#[test]
fn what_a_transaction_writes_it_sees_and_others_do_not() {
    let database = Database::in_memory().unwrap();
    let (mut a, mut b) = (database.connect().unwrap(), database.connect().unwrap());
    a.execute("CREATE TABLE t (id BIGINT PRIMARY KEY, grp INTEGER, txt VARCHAR)")
        .unwrap();
    fill(&mut a, 1_000);
    let (of_a, of_b) = (
        a.prepare("SELECT txt FROM t WHERE id = ?").unwrap(),
        b.prepare("SELECT txt FROM t WHERE id = ?").unwrap(),
    );
    let insert = a.prepare("INSERT INTO t VALUES (?, ?, ?)").unwrap();
    let update = a.prepare("UPDATE t SET txt = $1 WHERE id = $2").unwrap();
    let delete = a.prepare("DELETE FROM t WHERE id = ?").unwrap();
    b.execute("BEGIN").unwrap();
    assert_eq!(text_of(&of_b, 5), Some("row 5".into()));
    a.execute("BEGIN").unwrap();
    for id in 1_000..1_020 {
        assert_eq!(insert.execute((id, 1, format!("new {id}"))).unwrap(), 1);
    }
    assert_eq!(text_of(&of_a, 1_019), Some("new 1019".into()));
    assert_eq!(update.execute(("changed", 5)).unwrap(), 1);
    assert_eq!(update.execute(("changed", 1_003)).unwrap(), 1);
    assert_eq!(delete.execute((6,)).unwrap(), 1);
    assert_eq!(delete.execute((6,)).unwrap(), 0);
    assert_eq!(insert.execute((6, 0, "six again")).unwrap(), 1);
    for (id, text) in [(5, "changed"), (6, "six again"), (1_003, "changed")] {
        assert_eq!(text_of(&of_a, id), Some(text.into()));
    }
    assert_eq!(text_of(&of_b, 5), Some("row 5".into()));
    a.execute("COMMIT").unwrap();
    // The other one's snapshot stays, and what it sees afterwards is new.
    assert_eq!(text_of(&of_b, 6), Some("row 6".into()));
    assert_eq!(text_of(&of_b, 1_000), None);
    b.execute("COMMIT").unwrap();
    assert_eq!(text_of(&of_b, 6), Some("six again".into()));
    assert_eq!(text_of(&of_b, 1_000), Some("new 1000".into()));
}

#[test]
fn rows_inserted_one_by_one_obey_every_constraint() {
    let mut c = connection();
    c.execute(
        "CREATE TABLE t (a INTEGER, b VARCHAR NOT NULL, c INTEGER UNIQUE, PRIMARY KEY (a, b))",
    )
    .unwrap();
    c.execute("INSERT INTO t VALUES (1, 'x', 10)").unwrap();
    let insert = c.prepare("INSERT INTO t VALUES (?, ?, ?)").unwrap();
    let refused = [
        (Some(1), Some("x"), Some(11)), // the primary key, stored
        (Some(3), Some("z"), Some(10)), // the unique one, stored
        (Some(2), Some("y"), Some(99)), // the primary key, written before
        (Some(4), Some("y"), Some(20)), // the unique one, written before
        (Some(5), None, Some(30)),      // NOT NULL
    ];
    for row in refused {
        c.execute("BEGIN").unwrap();
        assert_eq!(insert.execute((2, "y", 20)).unwrap(), 1);
        assert!(insert.execute(row).is_err(), "{row:?}");
        c.execute("ROLLBACK").unwrap();
        assert_eq!(c.rows("SELECT * FROM t").unwrap().len(), 1);
    }
    c.execute("BEGIN").unwrap();
    // NULL is not equal to NULL.
    assert_eq!(insert.execute((7, "n", None::<i32>)).unwrap(), 1);
    assert_eq!(insert.execute((8, "n", None::<i32>)).unwrap(), 1);
    // A key that ascends no more, and one that was deleted before.
    assert_eq!(insert.execute((0, "n", 5)).unwrap(), 1);
    assert_eq!(c.execute("DELETE FROM t WHERE a = 1").unwrap(), 1);
    assert_eq!(insert.execute((1, "x", 10)).unwrap(), 1);
    c.execute("COMMIT").unwrap();
    let rows = c.rows("SELECT a, c FROM t ORDER BY a").unwrap();
    let keys: Vec<i32> = rows.iter().map(|row| row.get("a").unwrap()).collect();
    assert_eq!(keys, [0, 1, 7, 8]);
}

#[test]
fn savepoints_keep_and_undo_rows_that_came_one_by_one() {
    for dialect in ["llkv", "sqlite"] {
        let mut c = table(10);
        c.execute(&format!("SET dialect = '{dialect}'")).unwrap();
        let insert = c.prepare("INSERT INTO t VALUES (?, 1, 'x')").unwrap();
        c.execute("BEGIN").unwrap();
        insert.execute((100,)).unwrap();
        c.execute("SAVEPOINT s").unwrap();
        insert.execute((101,)).unwrap();
        c.execute("ROLLBACK TO s").unwrap();
        insert.execute((101,)).unwrap();
        insert.execute((102,)).unwrap();
        c.execute("RELEASE s").unwrap();
        if dialect == "sqlite" {
            // A refused row leaves those before it.
            assert!(insert.execute((102,)).is_err());
            insert.execute((103,)).unwrap();
        }
        c.execute("COMMIT").unwrap();
        let rows = c.rows("SELECT id FROM t WHERE id >= 100").unwrap();
        assert_eq!(rows.len(), if dialect == "sqlite" { 4 } else { 3 });
    }
}

#[test]
fn a_statement_follows_the_catalog() {
    let mut c = table(2_000);
    let by_group = c
        .prepare("SELECT count(*) AS n FROM t WHERE grp = ?")
        .unwrap();
    let by_id = c.prepare("SELECT * FROM t WHERE id = ?").unwrap();
    let insert = c.prepare("INSERT INTO t (id, txt) VALUES (?, ?)").unwrap();
    let count = |group: i32| -> i64 { by_group.rows((group,)).unwrap()[0].get("n").unwrap() };
    assert_eq!(count(3), 200);
    c.execute("CREATE INDEX by_grp ON t (grp)").unwrap();
    assert_eq!(count(3), 200);
    c.execute("DROP INDEX by_grp").unwrap();
    assert_eq!(count(3), 200);
    c.execute("ALTER TABLE t ADD COLUMN more INTEGER DEFAULT 7")
        .unwrap();
    assert_eq!(by_id.rows((1,)).unwrap()[0].get::<i32>("more").unwrap(), 7);
    c.execute("BEGIN").unwrap();
    insert.execute((5_000, "with a default")).unwrap();
    c.execute("COMMIT").unwrap();
    assert_eq!(
        by_id.rows((5_000,)).unwrap()[0].get::<i32>("more").unwrap(),
        7
    );
    c.execute("DROP TABLE t").unwrap();
    assert!(by_id.rows((1,)).is_err());
    // Another table of that name, whose key is text.
    c.execute("CREATE TABLE t (id VARCHAR PRIMARY KEY, grp INTEGER, txt VARCHAR)")
        .unwrap();
    insert.execute(("k1", "a text")).unwrap();
    let rows = by_id.rows(("k1",)).unwrap();
    assert_eq!(rows[0].get::<String>("txt").unwrap(), "a text");
    c.execute("BEGIN").unwrap();
    c.execute("CREATE TABLE own (a INTEGER PRIMARY KEY)")
        .unwrap();
    let own = c.prepare("INSERT INTO own VALUES (?)").unwrap();
    for a in 0..100 {
        own.execute((a,)).unwrap();
    }
    assert!(own.execute((50,)).is_err());
    c.execute("ROLLBACK").unwrap();
    assert!(own.execute((1,)).is_err());
}

#[test]
fn a_statement_follows_settings_and_growth() {
    let mut c = table(0);
    let slice = c
        .prepare("SELECT count(*) AS n FROM t WHERE id >= ? AND id < ? + 100")
        .unwrap();
    let n = |low: i64| -> i64 { slice.rows((low, low)).unwrap()[0].get("n").unwrap() };
    assert_eq!(n(0), 0);
    fill(&mut c, 150_000);
    for low in [-50, 0, 77_777, 149_950] {
        let expected = (low + 100).min(150_000) - low.max(0);
        assert_eq!(n(low), expected);
    }
    c.execute("SET disabled_rules = 'choose_indexes'").unwrap();
    assert_eq!(n(77_777), 100);
    c.execute("SET disabled_rules = default").unwrap();
    // More rows than an index is good for.
    let wide = c
        .prepare("SELECT count(*) AS n FROM t WHERE id BETWEEN ? AND ?")
        .unwrap();
    let rows = wide.rows((10, 140_009)).unwrap();
    assert_eq!(rows[0].get::<i64>("n").unwrap(), 140_000);
}

#[test]
fn expressions_conditions_and_order_around_a_key() {
    let mut c = table(1_000);
    let one = |sql: &str, c: &mut Connection| -> Option<i64> {
        let statement = c.prepare(sql).unwrap();
        let rows = statement.rows((7, 3)).unwrap();
        rows.first().map(|row| row.get(0).unwrap())
    };
    let cases = [
        ("SELECT id + $2 FROM t WHERE id = $1", Some(10)),
        ("SELECT $2 FROM t WHERE id = $1", Some(3)),
        ("SELECT id FROM t WHERE id = $1 AND grp > $2", Some(7)),
        ("SELECT id FROM t WHERE id = $1 AND grp < $2", None),
        ("SELECT id FROM t WHERE id = $1 + $2", Some(10)),
        (
            "SELECT id FROM t WHERE id = $1 ORDER BY grp + $2 LIMIT 5",
            Some(7),
        ),
        (
            "SELECT DISTINCT id FROM t WHERE $1 = id AND $2 = $2",
            Some(7),
        ),
        (
            "SELECT id FROM t WHERE id = $1 OR id = $2 ORDER BY id",
            Some(3),
        ),
        ("SELECT count(*) FROM t WHERE id = $1 AND id = $2", Some(0)),
        (
            "SELECT a.id FROM t a JOIN t b ON a.id = b.id + $2 WHERE b.id = $1",
            Some(10),
        ),
    ];
    for (sql, expected) in cases {
        assert_eq!(one(sql, &mut c), expected, "{sql}");
    }
}

#[test]
fn triggers_and_foreign_keys_see_rows_that_come_one_by_one() {
    let mut c = connection();
    c.execute(
        "CREATE TABLE parent (id INTEGER PRIMARY KEY); \
         CREATE TABLE child (id INTEGER PRIMARY KEY, parent INTEGER REFERENCES parent (id)); \
         INSERT INTO parent VALUES (1)",
    )
    .unwrap();
    let insert = c.prepare("INSERT INTO child VALUES (?, ?)").unwrap();
    c.execute("BEGIN").unwrap();
    insert.execute((1, 1)).unwrap();
    assert!(insert.execute((2, 9)).is_err());
    c.execute("ROLLBACK").unwrap();
    let parent = c.prepare("INSERT INTO parent VALUES (?)").unwrap();
    c.execute("BEGIN").unwrap();
    parent.execute((9,)).unwrap();
    insert.execute((2, 9)).unwrap();
    c.execute("COMMIT").unwrap();
    assert_eq!(c.rows("SELECT * FROM child").unwrap().len(), 1);
    // A parent that comes after its child, both before the commit.
    c.execute(
        "CREATE TABLE later (id INTEGER, parent INTEGER REFERENCES parent (id) DEFERRABLE INITIALLY DEFERRED)",
    )
    .unwrap();
    c.execute("BEGIN; INSERT INTO later VALUES (1, 77)")
        .unwrap();
    parent.execute((77,)).unwrap();
    c.execute("COMMIT").unwrap();
    assert_eq!(c.rows("SELECT * FROM later").unwrap().len(), 1);
}

#[test]
fn a_prepared_statement_takes_the_numbers_of_a_sequence() {
    let mut c = Database::in_memory().unwrap().connect().unwrap();
    c.execute(
        "CREATE TABLE t (id SERIAL PRIMARY KEY, v TEXT);
         CREATE SCHEMA other; CREATE SEQUENCE other.s START 40; CREATE SEQUENCE s",
    )
    .unwrap();
    let add = c.prepare("INSERT INTO t (v) VALUES (?)").unwrap();
    for v in ["a", "b", "c"] {
        assert_eq!(add.execute((v,)).unwrap(), 1);
    }
    let rows = c.rows("SELECT id FROM t ORDER BY id").unwrap();
    let ids: Vec<i64> = rows.iter().map(|row| row.get(0).unwrap()).collect();
    assert_eq!(ids, [1, 2, 3]);
    let next = c.prepare("SELECT nextval('s') + ?").unwrap();
    let number = || next.rows((0,)).unwrap()[0].get::<i64>(0).unwrap();
    assert_eq!((number(), number()), (1, 2));
    // Another sequence of the name, and another one that the path finds.
    c.execute("DROP SEQUENCE s; CREATE SEQUENCE s START 10")
        .unwrap();
    assert_eq!((number(), number()), (10, 11));
    c.execute("SET search_path = 'other'").unwrap();
    assert_eq!(number(), 40);
    c.execute("SET search_path = 'main'; DROP SEQUENCE s")
        .unwrap();
    assert!(next.rows((0,)).is_err());
}

#[test]
fn values_of_a_prepared_insert_go_to_their_columns_whatever_their_order_and_type() {
    let mut c = connection();
    c.execute("CREATE TABLE t (a BIGINT PRIMARY KEY, b INTEGER, c DOUBLE, d VARCHAR)")
        .unwrap();
    let texts = [
        "INSERT INTO t VALUES (?, ?, ?, ?)",
        "INSERT INTO t (d, c, b, a) VALUES (?4, ?3, ?2, ?1)",
        "INSERT INTO t (d, c, b, a) SELECT ?4, ?3, ?2, ?1",
        "INSERT INTO t (b, a, d, c) VALUES ($2, $1, $4, $3)",
    ];
    let mut expected = Vec::new();
    for in_transaction in [true, false] {
        if in_transaction {
            c.execute("BEGIN").unwrap();
        }
        for text in texts {
            let insert = c.prepare(text).unwrap();
            let id = expected.len() as i64;
            // As their columns are, and so that each has to be made what its column is.
            let as_they_are = [
                Scalar::Int64(id),
                Scalar::Int32(7),
                Scalar::Float64(1.0),
                Scalar::Text("x".into()),
            ];
            let others = [
                Scalar::Int32(id as i32 + 1),
                Scalar::Int64(7),
                Scalar::Int32(1),
                Scalar::Int64(8),
            ];
            insert.execute(&as_they_are).unwrap();
            insert.execute(&others).unwrap();
            expected.push(format!("{id} 7 1.0 x"));
            expected.push(format!("{} 7 1.0 8", id + 1));
        }
        if in_transaction {
            c.execute("COMMIT").unwrap();
        }
    }
    // One parameter in two places, of which each asks for a type of its own.
    let twice = c
        .prepare("INSERT INTO t VALUES (?1, ?1, ?1, 'twice')")
        .unwrap();
    twice.execute((100,)).unwrap();
    expected.push("100 100 100.0 twice".to_owned());
    let rows = c
        .rows("SELECT a || ' ' || b || ' ' || c || ' ' || d FROM t ORDER BY a")
        .unwrap();
    let rows: Vec<String> = rows.iter().map(|row| row.get(0).unwrap()).collect();
    assert_eq!(rows, expected);
}

#[test]
fn a_sequence_goes_on_with_the_next_number_after_the_database_was_closed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("numbers.llkv");
    let next = |database: &Database| -> (i64, i64) {
        let mut c = database.connect().unwrap();
        c.execute("INSERT INTO t (v) VALUES ('x')").unwrap();
        let rows = c.rows("SELECT max(id), nextval('down') FROM t").unwrap();
        (rows[0].get(0).unwrap(), rows[0].get(1).unwrap())
    };
    let database = Database::open(&path).unwrap();
    let mut c = database.connect().unwrap();
    c.execute(
        "CREATE TABLE t (id SERIAL PRIMARY KEY, v TEXT); CREATE SEQUENCE down INCREMENT -3 MAXVALUE 9;
         CREATE SEQUENCE unused START 5",
    )
    .unwrap();
    drop(c);
    drop(database);
    for opening in 0..6 {
        let database = Database::open(&path).unwrap();
        assert_eq!(next(&database), (2 * opening + 1, 9 - 6 * opening));
        assert_eq!(next(&database), (2 * opening + 2, 6 - 6 * opening));
    }
    let mut c = Database::open(&path).unwrap().connect().unwrap();
    let rows = c.rows("SELECT nextval('unused')").unwrap();
    assert_eq!(rows[0].get::<i64>(0).unwrap(), 5);
}

#[test]
fn rows_of_temporary_tables_stay_whether_they_come_alone_or_not() {
    let mut c = connection();
    c.execute("CREATE TEMP TABLE t (id BIGINT PRIMARY KEY, txt VARCHAR)")
        .unwrap();
    let insert = c.prepare("INSERT INTO t VALUES (?, ?)").unwrap();
    insert.execute((1, "prepared")).unwrap();
    c.execute("INSERT INTO t VALUES (2, 'text')").unwrap();
    c.execute("BEGIN").unwrap();
    insert.execute((3, "rolled back")).unwrap();
    c.execute("ROLLBACK").unwrap();
    c.execute("BEGIN").unwrap();
    insert.execute((4, "committed")).unwrap();
    c.execute("COMMIT").unwrap();
    let ids = c.rows("SELECT id FROM t ORDER BY id").unwrap();
    let ids: Vec<i64> = ids.iter().map(|row| row.get("id").unwrap()).collect();
    assert_eq!(ids, [1, 2, 4]);
}

#[test]
fn a_row_comes_to_a_table_that_its_transaction_has_changed() {
    let mut c = table(0);
    c.execute("BEGIN").unwrap();
    let insert = c.prepare("INSERT INTO t VALUES (?, 1, 'x')").unwrap();
    insert.execute((1,)).unwrap();
    c.execute("ALTER TABLE t ADD COLUMN more INTEGER DEFAULT 7")
        .unwrap();
    let insert = c.prepare("INSERT INTO t VALUES (?, 2, 'y', 8)").unwrap();
    insert.execute((2,)).unwrap();
    c.execute("INSERT INTO t (id, more) VALUES (3, 9)").unwrap();
    c.execute("COMMIT").unwrap();
    let rows = c.rows("SELECT more FROM t ORDER BY id").unwrap();
    let more: Vec<i32> = rows.iter().map(|row| row.get("more").unwrap()).collect();
    assert_eq!(more, [7, 8, 9]);
}
