//! Golden plans as the binder makes them, before any rule.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    unreachable_pub,
    missing_docs
)]

mod common;

use common::TestCatalog;
use llkv_plan::{LogicalPlan, PlanStatement, explain, validate};
use llkv_sql::{BoundStatement, SqlDialect, bind, render_error};

fn show(sql: &str, dialect: SqlDialect) -> String {
    let bound = match bind(sql, dialect, &TestCatalog::new()) {
        Ok(bound) => bound,
        Err(error) => return render_error(&error, sql),
    };
    let BoundStatement::Plan(plan) = bound else {
        return "SET dialect".into();
    };
    let shown = |plan: &LogicalPlan| {
        validate(plan).unwrap();
        explain(plan)
    };
    match *plan {
        PlanStatement::Query(plan) => shown(&plan),
        PlanStatement::Insert(insert) => {
            let checks: Vec<String> = insert.checks.iter().map(|c| c.expr.to_string()).collect();
            format!(
                "INSERT {} {:?} checks [{}]\n{}",
                insert.table_name,
                insert.on_conflict,
                checks.join(", "),
                shown(&insert.source)
            )
        }
        PlanStatement::Update(update) => {
            format!(
                "UPDATE {} {:?}\n{}",
                update.table_name,
                update.changed,
                shown(&update.source)
            )
        }
        PlanStatement::Delete(delete) => {
            format!("DELETE {}\n{}", delete.table_name, shown(&delete.source))
        }
        PlanStatement::CreateTable {
            definition, source, ..
        } => {
            let source = source.map(|plan| shown(&plan)).unwrap_or_default();
            format!("{definition:#?}\n{source}")
        }
        PlanStatement::CopyTo {
            source,
            path,
            options,
        } => format!("COPY TO {path:?} {options:?}\n{}", shown(&source)),
        other => format!("{other:#?}"),
    }
}

/// Compares what the statements become with the snapshot of that name.
fn assert_golden(name: &str, dialect: SqlDialect, statements: &[&str]) {
    let shown = statements
        .iter()
        .map(|sql| format!("-- {sql}\n{}\n", show(sql, dialect)));
    let shown = shown.collect::<Vec<_>>().join("\n");
    let mut settings = insta::Settings::clone_current();
    settings.set_omit_expression(true);
    settings.bind(|| insta::assert_snapshot!(name, shown));
}

#[test]
fn selects() {
    assert_golden(
        "selects",
        SqlDialect::Llkv,
        &[
            "SELECT 1 AS one, 'x', NULL, 1.50, -9223372036854775808",
            "SELECT id, price * 2 AS twice FROM orders o WHERE o.price > 10 ORDER BY twice DESC, note LIMIT 5 OFFSET 2",
            "SELECT * FROM orders JOIN customers c ON customer = c.id AND city LIKE 'B%'",
            "SELECT * FROM orders JOIN customers USING (id)",
            "SELECT id FROM orders FULL JOIN customers USING (id)",
            "SELECT DISTINCT city FROM customers ORDER BY city",
            "SELECT id FROM orders WHERE day >= '1994-01-01' AND day < DATE '1994-01-01' + INTERVAL '1' YEAR",
            "SELECT id FROM orders WHERE note IN ('a', 'b', 'c', 'd') AND id IN (1, 2) AND customer BETWEEN 1 AND 3",
            "SELECT CASE customer WHEN 1 THEN 'one' ELSE note END FROM orders",
            "SELECT amount FROM big",
            "WITH w(x) AS (SELECT id FROM orders) SELECT a.x FROM w a, w b WHERE a.x = b.x",
            "SELECT * FROM 'rows.csv'",
            "SELECT * FROM range(3) r",
            "VALUES (1, 'a'), (2.5, NULL)",
            "FROM customers",
            "SELECT * EXCLUDE (name) FROM customers",
            "SELECT DISTINCT ON (customer) customer, day FROM orders ORDER BY customer, price DESC LIMIT 3",
        ],
    );
}

#[test]
fn groups() {
    assert_golden(
        "groups",
        SqlDialect::Llkv,
        &[
            "SELECT count(*), sum(price), avg(price) FROM orders",
            "SELECT customer, count(*) AS n FROM orders GROUP BY customer HAVING count(*) > 1 ORDER BY n DESC",
            "SELECT customer + 1, count(DISTINCT id) FILTER (WHERE price > 1) FROM orders GROUP BY 1",
            "SELECT customer AS k, max(price) FROM orders GROUP BY k ORDER BY max(price)",
            "SELECT customer, sum(price) FROM orders GROUP BY ALL",
            "SELECT note FROM orders GROUP BY customer",
            "SELECT sum(price) FROM orders HAVING sum(price) > (SELECT avg(price) FROM orders)",
        ],
    );
}

#[test]
fn subqueries() {
    assert_golden(
        "subqueries",
        SqlDialect::Llkv,
        &[
            "SELECT name, (SELECT count(*) FROM orders WHERE customer = c.id) FROM customers c",
            "SELECT name FROM customers c WHERE EXISTS (SELECT 1 FROM orders WHERE customer = c.id)",
            "SELECT name FROM customers WHERE id NOT IN (SELECT customer FROM orders)",
            "SELECT id FROM orders WHERE price > (SELECT avg(price) FROM orders) OR id = 1",
            "SELECT * FROM customers c, LATERAL (SELECT id AS oid FROM orders WHERE customer = c.id) x",
            "SELECT id FROM orders ORDER BY (SELECT name FROM customers c WHERE c.id = customer)",
            "SELECT name FROM customers c WHERE 100 < ALL (SELECT price FROM orders WHERE customer = c.id)",
            "SELECT id <> ANY (SELECT id FROM customers) FROM orders",
        ],
    );
}

#[test]
fn set_operations() {
    assert_golden(
        "set_operations",
        SqlDialect::Llkv,
        &[
            "SELECT id FROM orders UNION ALL SELECT 2.5 UNION ALL SELECT NULL ORDER BY 1",
            "SELECT id FROM orders UNION SELECT id FROM customers EXCEPT SELECT 1",
            "SELECT 1 INTERSECT SELECT 'a'",
        ],
    );
}

#[test]
fn changes() {
    assert_golden(
        "changes",
        SqlDialect::Llkv,
        &[
            "INSERT INTO orders VALUES (1, 2, '2020-01-31', 3.5, 'x'), (2, NULL, NULL, 7, NULL)",
            "INSERT INTO orders (note, id) VALUES ('x', 1) ON CONFLICT DO NOTHING",
            "INSERT INTO customers SELECT id, note, NULL FROM orders",
            "INSERT OR REPLACE INTO customers DEFAULT VALUES",
            "INSERT INTO customers VALUES ((SELECT max(id) FROM orders), 'n', DEFAULT)",
            "UPDATE orders SET price = price * 1.1, note = NULL WHERE customer = 3",
            "UPDATE customers SET city = (SELECT note FROM orders o WHERE o.customer = customers.id)",
            "DELETE FROM orders WHERE customer IN (SELECT id FROM customers)",
            "CREATE TABLE n (id INT PRIMARY KEY, v NUMERIC(5,1) DEFAULT 1.5 CHECK (v > 0), t TEXT UNIQUE NOT NULL)",
            "CREATE TABLE c AS SELECT id, id, price FROM orders",
            "COPY orders TO 'o.csv' (FORMAT csv, HEADER, DELIMITER '|')",
        ],
    );
}

#[test]
fn sqlite() {
    assert_golden(
        "sqlite",
        SqlDialect::Sqlite,
        &[
            "SELECT a > b, a / b, -'5', a AND b FROM t1 WHERE a",
            "SELECT a, max(b) FROM t1",
            "SELECT a + 1 AS x FROM t1 WHERE x > 2",
            "SELECT CASE WHEN c>(SELECT avg(c) FROM t1) THEN a*2 ELSE b*10 END FROM t1 ORDER BY 1",
            "SELECT a FROM t1 WHERE a IN t1",
            "SELECT a FROM t1 WHERE a IN () OR a NOT NULL",
        ],
    );
}

#[test]
fn errors() {
    assert_golden(
        "errors",
        SqlDialect::Llkv,
        &[
            "SELECT prise FROM orders",
            "SELECT o.nam FROM customers o",
            "SELECT * FROM custmers",
            "SELECT x.id FROM orders",
            "SELECT id FROM orders, customers",
            "SELECT id\nFROM orders\nWHERE note > 5",
            "SELECT id FROM orders WHERE sum(price) > 1",
            "SELECT id + note FROM orders",
            "SELECT nosuch(1)",
            "SELECT 1 +",
            "SELECT 1 FROM orders GROUP BY 5",
            "INSERT INTO customers (id, name) VALUES (1)",
            "INSERT INTO customers (id, nme) VALUES (1, 'x')",
            "CREATE TABLE x (a WRONG)",
            "CREATE TABLE x (a INT REFERENCES y (b))",
            "SELECT id FROM orders WHERE sum(id) OVER () > 1",
            "SELECT (SELECT 1, 2)",
            "SELECT id FROM orders LIMIT -1",
            "MERGE INTO orders USING customers ON true WHEN MATCHED THEN DELETE RETURNING *",
        ],
    );
}
