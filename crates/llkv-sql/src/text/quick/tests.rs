//! The tree of the quick parser is that of the library.

use super::*;
use crate::text::grammar::Grammar;
use crate::text::hints::without_hints;
use crate::text::parse::number_parameters;
use crate::text::suite::for_each_line;
use crate::text::tokens::tokens;
use proptest::prelude::*;
use sqlparser::ast::Statement;
use sqlparser::parser::Parser;
use sqlparser::tokenizer::Token;

/// What is read here and what the library reads, places included. The first is `None` for what is the library's.
fn both(text: &str, dialect: SqlDialect) -> Option<(String, String)> {
    let lexemes = Lexemes::read(text, dialect);
    if !lexemes.is_all() {
        return None;
    }
    let read = statement(&lexemes, dialect)?;
    let grammar = Grammar::new(dialect);
    let mut tokens = tokens(&lexemes, &grammar).ok()?;
    number_parameters(&mut tokens);
    let tokens = without_hints(tokens, dialect);
    let grammar = grammar.of(&tokens);
    let mut parser = Parser::new(&grammar).with_tokens_with_locations(tokens);
    let by_library = parser.parse_statement().and_then(|statement| {
        while parser.consume_token(&Token::SemiColon) {}
        match parser.peek_token_ref().token {
            Token::EOF => Ok(statement),
            _ => parser.expected("the end", parser.peek_token()),
        }
    });
    let by_library = match by_library {
        Ok(Statement::Query(query)) => format!("{:?}", Parsed::Query(query)),
        Ok(statement) => format!("{:?}", Parsed::Sql(Box::new(statement))),
        Err(error) => error.to_string(),
    };
    Some((format!("{read:?}"), by_library))
}

/// True where the text was read here, in some dialect.
fn check(text: &str) -> bool {
    let mut is_read = false;
    for dialect in SqlDialect::ALL {
        if let Some((read, by_library)) = both(text, dialect) {
            assert_eq!(read, by_library, "{dialect}: {text}");
            is_read = true;
        }
    }
    is_read
}

#[test]
fn everyday_queries_are_read_here() {
    for text in [
        "SELECT 1",
        "SELECT a, t.b AS x, s.t.c y, * , t.* FROM t;",
        "SELECT DISTINCT -a + 2 * b - c / d % e FROM t AS x, s.u y WHERE a IS NOT NULL OR NOT b = 1",
        "SELECT ALL ( - a ), (a, b), (SELECT 1), + + 2, -1.5 FROM t CROSS JOIN u",
        "SELECT count(*), count(DISTINCT a), f(), g(a, 'x'), min(ALL b) FROM t GROUP BY a, b + 1 HAVING sum(c) > 1",
        "SELECT a FROM t WHERE a IN (1, 2) AND b NOT IN (SELECT c FROM u) OR c IN () AND d = ?1",
        "SELECT a FROM t WHERE a BETWEEN 1 AND 2 + b AND NOT c NOT BETWEEN d AND e OR f LIKE 'x%' || g",
        "SELECT CASE a WHEN 1 THEN 'x' ELSE NULL END, CASE WHEN a < b THEN c END FROM t",
        "SELECT CAST(a + 1 AS INTEGER), CAST(b AS TEXT) z FROM (SELECT 1 AS a) AS u",
        "SELECT 1 FROM t WHERE EXISTS (SELECT 1 FROM u WHERE u.a = t.a) AND NOT EXISTS (SELECT 2)",
        "SELECT a FROM t JOIN u ON t.a = u.a LEFT JOIN v ON v.b = 1 LEFT OUTER JOIN w ON 1 INNER JOIN x ON 2",
        "SELECT a FROM t UNION ALL SELECT b FROM u INTERSECT SELECT c FROM v EXCEPT SELECT DISTINCT 1 ORDER BY 1",
        "SELECT a FROM t ORDER BY a DESC NULLS LAST, 2 ASC, b + c NULLS FIRST LIMIT 5 OFFSET 1 + 1",
        "SELECT a | b & c << 1 >> d || 'x' = e <> f FROM t WHERE a == b AND c != d",
        "SELECT \"a b\" FROM \"t\" AS \"select\"",
        "SELECT a FROM t GROUP BY a",
        "SELECT a FROM t GROUP BY a, 1",
        "SELECT a IS NULL IS NOT NULL, a < b < c, NOT a IS NULL, - a IN (1) FROM t",
        "SELECT id, t.name, -value, status + data AS x, type FROM t WHERE id = 5 AND t.type IN (name, value) ORDER BY id DESC",
        "SELECT value FROM data JOIN status ON data.id = status.id GROUP BY type, name HAVING id > 1",
    ] {
        assert!(check(text), "{text}");
    }
}

#[test]
fn everyday_changes_are_read_here() {
    for text in [
        "INSERT INTO t VALUES (1, -2.5, 'it''s', NULL)",
        "insert into s.t (a, b) values (?, ?), ($1, 1 + 2);",
        "INSERT OR REPLACE INTO t(a) SELECT b FROM u WHERE c = 1",
        "INSERT OR IGNORE INTO \"t\" VALUES (1)",
        "UPDATE t SET a = 1",
        "INSERT INTO data (id, name, value, status, type, data) VALUES (1, 'x', 2, 3, 4, 5)",
        "UPDATE data SET value = value + 1, status = 'x' WHERE id = 5 AND type = name",
        "DELETE FROM status WHERE id = 1",
        "UPDATE s.t AS x SET a = b + 1, c = (SELECT 1) WHERE d IN (1, 2) AND e = 'x'",
        "DELETE FROM t",
        "DELETE FROM t x WHERE a = 1 OR EXISTS (SELECT 1)",
    ] {
        assert!(check(text), "{text}");
    }
    for text in [
        "INSERT INTO t DEFAULT VALUES",
        "INSERT INTO t VALUES (1) RETURNING a",
        "INSERT INTO t VALUES (1) ON CONFLICT DO NOTHING",
        "INSERT INTO t VALUES (DEFAULT)",
        "INSERT INTO t (SELECT 1)",
        "INSERT INTO t AS x VALUES (1)",
        "INSERT OR ABORT INTO t VALUES (1)",
        "REPLACE INTO t VALUES (1)",
        "UPDATE t SET (a, b) = (1, 2)",
        "UPDATE t SET a = DEFAULT",
        "UPDATE t SET a = 1 FROM u",
        "UPDATE OR IGNORE t SET a = 1",
        "DELETE FROM t USING u",
        "DELETE FROM t WHERE a RETURNING b",
    ] {
        assert!(!check(text), "{text}");
    }
}

#[test]
fn everyday_definitions_are_read_here() {
    for text in [
        "CREATE TABLE t (a INTEGER PRIMARY KEY, b INT NOT NULL UNIQUE, c TEXT, d FLOAT NOT NULL, e REAL)",
        "CREATE TABLE data (id INTEGER PRIMARY KEY, name TEXT NOT NULL, value REAL, status INT, type TEXT)",
        "CREATE INDEX i ON data (name, id DESC)",
        "create table s.\"t\"(x varchar(30), y VARCHAR);",
        "CREATE INDEX i ON t (a)",
        "CREATE UNIQUE INDEX s.i ON s.t (a, \"b\" DESC, c ASC)",
        "CREATE VIEW v AS SELECT a, b + 1 FROM t WHERE NOT (c > 2);",
        "DROP TABLE t",
        "DROP TABLE IF EXISTS s.t, u;",
        "DROP INDEX i",
        "DROP VIEW IF EXISTS v",
    ] {
        assert!(check(text), "{text}");
    }
    for text in [
        "CREATE TABLE t (a)",
        "CREATE TABLE IF NOT EXISTS t (a INTEGER)",
        "CREATE TABLE t (a INTEGER PRIMARY KEY AUTOINCREMENT)",
        "CREATE TABLE t (a INTEGER UNIQUE NOT DEFERRABLE)",
        "CREATE TABLE t (a INTEGER DEFAULT 1)",
        "CREATE TABLE t (a INTEGER, PRIMARY KEY (a))",
        "CREATE TABLE t (a INTEGER, UNIQUE (a))",
        "CREATE TABLE t (a INTEGER REFERENCES u (a))",
        "CREATE TABLE t (a INT UNSIGNED)",
        "CREATE TABLE t (a INTEGER) STRICT",
        "CREATE TABLE t AS SELECT 1",
        "CREATE TEMP TABLE t (a INTEGER)",
        "CREATE INDEX ON t (a)",
        "CREATE INDEX IF NOT EXISTS i ON t (a)",
        "CREATE INDEX i ON t (a COLLATE nocase)",
        "CREATE INDEX i ON t (a + 1)",
        "CREATE INDEX i ON t (a) WHERE a > 1",
        "CREATE VIEW v (a) AS SELECT 1",
        "CREATE VIEW v AS VALUES (1)",
        "CREATE OR REPLACE VIEW v AS SELECT 1",
        "DROP TABLE t CASCADE",
        "DROP TRIGGER x",
    ] {
        assert!(!check(text), "{text}");
    }
}

#[test]
fn what_is_not_everyday_is_the_librarys() {
    for text in [
        "VALUES (1)",
        "WITH t AS (SELECT 1) SELECT * FROM t",
        "SELECT count(*) FILTER (WHERE a) FROM t",
        "SELECT sum(a) OVER () FROM t",
        "SELECT a COLLATE nocase FROM t",
        "SELECT a FROM t LIMIT 1, 2",
        "SELECT a FROM t FOR UPDATE",
        "SELECT * EXCLUDE (a) FROM t",
        "SELECT DATE '2020-01-01'",
        "SELECT a FROM t WHERE a LIKE 'x' ESCAPE 'y'",
        "SELECT a FROM t WHERE a IS DISTINCT FROM b",
        "SELECT a FROM t NATURAL JOIN u",
        "SELECT a FROM (t JOIN u ON 1)",
        "SELECT x'00'",
        "SELECT a, FROM t",
        "SELECT a FROM t GROUP BY ROLLUP (a)",
        "SELECT f(a := 1)",
        "SELECT a = ANY (SELECT 1)",
        "SELECT a WHERE",
    ] {
        assert!(!check(text), "{text}");
    }
    let deep = format!("SELECT {}1{}", "(".repeat(500), ")".repeat(500));
    assert!(!check(&deep));
}

#[test]
fn every_line_of_our_suite_reads_as_the_library_reads_it() {
    let mut read = 0;
    for_each_line(|line| read += usize::from(check(line)));
    assert!(read > 1_000, "{read} lines");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    /// Words and signs in any order: what is read here, the library reads as well, and in the same way.
    #[test]
    fn any_words_read_as_the_library_reads_them(
        words in prop::collection::vec(prop::sample::select(WORDS), 1..14)
    ) {
        check(&format!("SELECT {}", words.join(" ")));
    }

    #[test]
    fn any_words_of_changes_read_as_the_library_reads_them(
        verb in prop::sample::select(&["INSERT INTO t", "INSERT", "UPDATE t SET", "UPDATE", "DELETE FROM t", "DELETE"][..]),
        words in prop::collection::vec(prop::sample::select(CHANGES), 1..10)
    ) {
        check(&format!("{verb} {}", words.join(" ")));
    }

    #[test]
    fn any_words_of_definitions_read_as_the_library_reads_them(
        verb in prop::sample::select(&["CREATE TABLE t (", "CREATE INDEX i ON t (", "CREATE", "DROP"][..]),
        words in prop::collection::vec(prop::sample::select(DEFINITIONS), 1..12)
    ) {
        check(&format!("{verb} {}", words.join(" ")));
    }
}

const WORDS: &[&str] = &[
    "id",
    "name",
    "value",
    "type",
    "data",
    "status",
    "a",
    "b.c",
    "1",
    "2.5",
    "'x'",
    "*",
    "+",
    "-",
    "/",
    "||",
    "=",
    "<",
    "<>",
    "(",
    ")",
    ",",
    "NOT",
    "AND",
    "OR",
    "IN",
    "(1, 2)",
    "(SELECT 1)",
    "BETWEEN 1 AND",
    "LIKE",
    "IS",
    "NULL",
    "IS NULL",
    "CASE",
    "WHEN 1 THEN",
    "ELSE",
    "END",
    "FROM t",
    "FROM",
    "t",
    "u AS v",
    "JOIN u ON",
    "LEFT JOIN",
    "WHERE",
    "GROUP BY",
    "HAVING",
    "ORDER BY",
    "LIMIT",
    "DISTINCT",
    "UNION",
    "SELECT",
    "AS x",
    "count(*)",
    "f(",
    "EXISTS",
    "&",
    "<<",
    "ASC",
    "values",
    "y",
    "end",
    "CAST(a AS",
    "INTEGER)",
    ".",
    "d.*",
    "ON",
    "FILTER",
    "interval",
    "~",
    "?",
];

const CHANGES: &[&str] = &[
    "id",
    "value",
    "type",
    "data",
    "INTO t",
    "t",
    "s.t",
    "VALUES",
    "(1, 'x')",
    "(a, b)",
    "(",
    ")",
    ",",
    "SET",
    "a =",
    "b = 1",
    "c == 2",
    "WHERE",
    "x",
    "AS y",
    "FROM",
    "FROM u",
    "SELECT 1",
    "OR REPLACE",
    "OR IGNORE",
    "DEFAULT",
    "RETURNING a",
    "ON CONFLICT DO NOTHING",
    "1",
    "+",
    "LIMIT 1",
    "ORDER BY a",
    "(SELECT 2)",
    "values",
    "\"q\"",
    "?",
];

const DEFINITIONS: &[&str] = &[
    "id",
    "value",
    "type",
    "data",
    "TABLE",
    "UNIQUE INDEX",
    "INDEX",
    "VIEW",
    "t",
    "s.t",
    "\"q\"",
    "a INTEGER",
    "b INT",
    "c VARCHAR(30)",
    "d FLOAT",
    "e REAL",
    "f TEXT",
    "PRIMARY KEY",
    "NOT NULL",
    "NULL",
    "UNIQUE",
    "NOT",
    "DEFERRABLE",
    "DEFAULT 1",
    "CONSTRAINT x",
    "COLLATE nocase",
    "CHECK (a > 1)",
    "(",
    ")",
    ",",
    "ON t (",
    "ASC",
    "DESC",
    "AS SELECT 1",
    "AS",
    "IF EXISTS",
    "CASCADE",
    "WITH",
    "x",
];
