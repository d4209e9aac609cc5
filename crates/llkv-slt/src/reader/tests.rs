//! What the reader makes of texts in each dialect.

use super::*;
use crate::script::{Comparison, Condition, ConditionTest, LoopDirective, LoopSource};
use std::time::Duration;

fn read(text: &str, dialect: Dialect) -> Vec<Node> {
    let script = read_script(Path::new("a.test"), text, dialect);
    script
        .unwrap_or_else(|error| panic!("{error}\n{text}"))
        .nodes
}

fn fails(text: &str, dialect: Dialect) -> ReadError {
    read_script(Path::new("a.test"), text, dialect).unwrap_err()
}

fn only(text: &str, dialect: Dialect) -> NodeKind {
    let mut nodes = read(text, dialect);
    assert_eq!(nodes.len(), 1, "{nodes:?}");
    nodes.remove(0).kind
}

fn query(text: &str, dialect: Dialect) -> QueryRecord {
    match only(text, dialect) {
        NodeKind::Query(query) => query,
        other => panic!("{other:?}"),
    }
}

fn statement(text: &str, dialect: Dialect) -> StatementRecord {
    match only(text, dialect) {
        NodeKind::Statement(statement) => statement,
        other => panic!("{other:?}"),
    }
}

fn loop_of(text: &str) -> LoopDirective {
    match only(text, Dialect::Duckdb) {
        NodeKind::Loop(directive) => directive,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_query_with_everything() {
    let text = "# comment\n\nquery IRT valuesort label-7 # trailing\nSELECT a,\n  b\nFROM t\n----\n1\n2.000\nx\n\n";
    let record = query(text, Dialect::Sqlite);
    assert_eq!(record.types, "IRT");
    assert_eq!(record.sort, SortMode::Values);
    assert_eq!(record.label.as_deref(), Some("label-7"));
    assert_eq!(record.sql, "SELECT a,\n  b\nFROM t");
    assert_eq!(record.expected.unwrap(), ["1", "2.000", "x"]);
    assert_eq!(record.expected_lines, 7..10);
}

#[test]
fn carriage_returns_are_no_part_of_anything() {
    let text = "query I nosort\r\nSELECT 1\r\n----\r\n1\r\n\r\nstatement ok\r\nSELECT 2\r\n";
    let nodes = read(text, Dialect::Sqlite);
    assert_eq!(nodes.len(), 2);
    let NodeKind::Query(record) = &nodes[0].kind else {
        panic!()
    };
    assert_eq!(record.sql, "SELECT 1");
    assert_eq!(record.expected.as_deref().unwrap(), ["1"]);
}

#[test]
fn conditions_stack_and_belong_to_the_next_record() {
    let text = "skipif mysql # not compatible\nskipif oracle\nonlyif sqlite # here\nhalt\n\nstatement ok\nX\n";
    let nodes = read(text, Dialect::Sqlite);
    let name = |skip, name: &str| Condition {
        skip,
        test: ConditionTest::Name(name.to_owned()),
    };
    assert_eq!(
        nodes[0].conditions,
        [
            name(true, "mysql"),
            name(true, "oracle"),
            name(false, "sqlite")
        ]
    );
    assert_eq!(nodes[0].kind, NodeKind::Halt);
    assert_eq!(nodes[1].conditions, []);
    assert_eq!(nodes[1].line, 6);
}

#[test]
fn conditions_on_variables() {
    let of = |text: &str| {
        read(text, Dialect::Duckdb)
            .remove(0)
            .conditions
            .remove(0)
            .test
    };
    let variable = |operator, value: &str| ConditionTest::Variable {
        name: "i".to_owned(),
        operator,
        value: value.to_owned(),
    };
    assert_eq!(of("skipif i=3\nhalt\n"), variable(Comparison::Equal, "3"));
    assert_eq!(
        of("onlyif i>=3\nhalt\n"),
        variable(Comparison::GreaterOrEqual, "3")
    );
    assert_eq!(of("onlyif i < 3\nhalt\n"), variable(Comparison::Less, "3"));
    assert_eq!(
        of("onlyif i<>a\nhalt\n"),
        variable(Comparison::NotEqual, "a")
    );
}

#[test]
fn an_empty_expectation_and_none_at_all() {
    let empty = query(
        "query I nosort\nSELECT 1 WHERE 0\n----\n\n",
        Dialect::Sqlite,
    );
    assert_eq!(empty.expected.unwrap(), [""; 0]);
    let none = query("query I\nSELECT 1\n", Dialect::Duckdb);
    assert_eq!(none.expected, None);
    let none = query("query I nosort\nSELECT 1\n", Dialect::Sqlite);
    assert_eq!(
        none.expected,
        Some(vec![]),
        "SQLite's files always expect something"
    );
}

#[test]
fn connection_names_stand_in_the_place_of_the_sort_mode() {
    let record = query("query I con1\nSELECT 1\n----\n1\n", Dialect::Duckdb);
    assert_eq!(record.connection.as_deref(), Some("con1"));
    assert_eq!(record.sort, SortMode::None);
    let record = query(
        "query II rowsort label\nSELECT 1, 2\n----\n1\t2\n",
        Dialect::Duckdb,
    );
    assert_eq!(record.connection, None);
    assert_eq!(record.sort, SortMode::Rows);
    assert_eq!(record.expected.unwrap(), ["1\t2"]);
    let error = fails("query I con1\nSELECT 1\n----\n1\n", Dialect::Sqlite);
    assert_eq!(error.line, 1);
}

#[test]
fn statements_with_errors_and_connections() {
    let text = "statement error con2\nDROP TABLE t\n----\nCatalog Error: t\nsecond line\n";
    let record = statement(text, Dialect::Duckdb);
    assert_eq!(record.expectation, Expectation::Error);
    assert_eq!(record.connection.as_deref(), Some("con2"));
    assert_eq!(
        record.error.as_deref(),
        Some("Catalog Error: t\nsecond line")
    );
    let error = fails(
        "statement error no such table\nDROP TABLE t\n",
        Dialect::Llkv,
    );
    assert_eq!(error.line, 1);
    let record = statement("statement maybe\nX\n----\n\n", Dialect::Duckdb);
    assert_eq!(record.expectation, Expectation::Maybe);
    assert_eq!(record.error, None);
    let record = statement("statement ok # because\nA;\nB;\n", Dialect::Sqlite);
    assert_eq!(record.sql, "A;\nB;");
}

#[test]
fn comments_end_sql_outside_sqlite() {
    let text = "statement ok\nSELECT 1\n# comment\n\nstatement ok\nSELECT 2\n";
    assert_eq!(read(text, Dialect::Duckdb).len(), 2);
    let nodes = read(text, Dialect::Sqlite);
    let NodeKind::Statement(record) = &nodes[0].kind else {
        panic!()
    };
    assert_eq!(record.sql, "SELECT 1\n# comment");
}

#[test]
fn loops_nest() {
    let text = "loop i 0 3\n\nforeach type,size a,1 b,2\n\nstatement ok\nX {i} {type}\n\nendloop\n\nendloop\n";
    let outer = loop_of(text);
    assert!(!outer.concurrent);
    let range = LoopSource::Range {
        variable: "i".to_owned(),
        start: "0".to_owned(),
        end: "3".to_owned(),
    };
    assert_eq!(outer.source, range);
    let NodeKind::Loop(inner) = &outer.body[0].kind else {
        panic!()
    };
    let each = LoopSource::Each {
        variables: vec!["type".to_owned(), "size".to_owned()],
        values: vec!["a,1".to_owned(), "b,2".to_owned()],
    };
    assert_eq!(inner.source, each);
    assert_eq!(inner.body.len(), 1);
    assert!(loop_of("concurrentloop t 0 2\nendloop\n").concurrent);
}

#[test]
fn broken_loops() {
    assert_eq!(fails("loop i 0 3\n", Dialect::Duckdb).line, 1);
    assert_eq!(fails("\nendloop\n", Dialect::Duckdb).line, 2);
    assert_eq!(fails("loop i 0\nendloop\n", Dialect::Duckdb).line, 1);
    assert_eq!(fails("foreach i\nendloop\n", Dialect::Duckdb).line, 1);
}

#[test]
fn directives() {
    let of = |text: &str| only(text, Dialect::Duckdb);
    assert_eq!(of("hash-threshold 100\n"), NodeKind::HashThreshold(100));
    assert_eq!(of("mode skip\n"), NodeKind::Skip(true));
    assert_eq!(of("mode unskip\n"), NodeKind::Skip(false));
    assert_eq!(of("mode output_hash\n"), NodeKind::Ignored);
    assert_eq!(of("restart\n"), NodeKind::Restart);
    assert_eq!(of("reconnect\n"), NodeKind::Reconnect);
    assert_eq!(
        of("sleep 2 seconds\n"),
        NodeKind::Sleep(Duration::from_secs(2))
    );
    assert_eq!(
        of("sleep 1 millisecond\n"),
        NodeKind::Sleep(Duration::from_millis(1))
    );
    assert_eq!(of("tags release\n"), NodeKind::Ignored);
    assert_eq!(
        of("unzip a.gz b\n"),
        NodeKind::Unsupported("unzip a.gz b".to_owned())
    );
    assert_eq!(of("reset label x\n"), NodeKind::ResetLabel("x".to_owned()));
    let words = vec!["vector_size".to_owned(), "2048".to_owned()];
    assert_eq!(of("require vector_size 2048\n"), NodeKind::Require(words));
    let load = |path: Option<&str>, read_only| NodeKind::Load {
        path: path.map(str::to_owned),
        read_only,
    };
    assert_eq!(
        of("load {TEST_DIR}/a.db readonly\n"),
        load(Some("{TEST_DIR}/a.db"), true)
    );
    assert_eq!(
        of("load {TEST_DIR}/a.db;\n"),
        load(Some("{TEST_DIR}/a.db"), false)
    );
    assert_eq!(of("load :memory:\n"), load(None, false));
    assert_eq!(of("load\n"), load(None, false));
    let environment = NodeKind::TestEnv {
        name: "A".to_owned(),
        value: "b".to_owned(),
    };
    assert_eq!(of("test-env A 'b'\n"), environment);
}

#[test]
fn what_is_unknown_is_an_error_with_its_line() {
    for (text, line) in [
        ("\n\nnonsense\n", 3),
        ("query\nSELECT 1\n", 1),
        ("query I?\nSELECT 1\n", 1),
        ("statement perhaps\nX\n", 1),
        ("statement ok\n\n", 1),
        ("hash-threshold many\n", 1),
        ("mode sideways\n", 1),
        ("sleep 1 moon\n", 1),
        ("skipif\nhalt\n", 1),
    ] {
        assert_eq!(fails(text, Dialect::Duckdb).line, line, "{text}");
    }
    assert_eq!(fails("query X nosort\nSELECT 1\n", Dialect::Sqlite).line, 1);
}

#[test]
fn a_byte_order_mark_and_a_missing_last_line_feed() {
    let record = query("\u{feff}query I\nSELECT 1\n----\n1", Dialect::Duckdb);
    assert_eq!(record.expected.unwrap(), ["1"]);
}
