//! `llkv profile`: the page that it writes.
#![allow(clippy::unwrap_used, missing_docs)]

use std::path::Path;
use std::process::{Command, Output};

fn llkv(arguments: &[&str]) -> Output {
    let program = env!("CARGO_BIN_EXE_llkv");
    Command::new(program).args(arguments).output().unwrap()
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// How often a part is on a page.
fn count(page: &str, part: &str) -> usize {
    page.matches(part).count()
}

#[test]
fn a_page_shows_pipelines_and_operators_and_needs_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let (file, html) = (folder.path().join("a.llkv"), folder.path().join("a.html"));
    let script = "CREATE TABLE t AS SELECT n, n % 7 AS k FROM generate_series(1, 100000) AS s(n); \
                  CREATE TABLE u AS SELECT n AS k, 'a<b' AS name FROM generate_series(1, 5) AS s(n)";
    assert!(llkv(&[text(&file), "-c", script]).status.success());
    let sql = "SET threads = 2; SELECT name, count(*) AS many FROM t JOIN u ON t.k = u.k WHERE name <> '<script>' \
               GROUP BY name ORDER BY many DESC";
    let output = llkv(&["profile", text(&file), "-c", sql, "--html", text(&html)]);
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );

    let page = std::fs::read_to_string(&html).unwrap();
    assert_eq!((count(&page, "<svg "), count(&page, "</svg>")), (2, 2));
    assert_eq!(count(&page, "<g>"), count(&page, "</g>"));
    let (timeline, tree) = page.split_once("Operators by time").unwrap();
    // The build side ends in the join, the probe side goes through it.
    for pipeline in ["scan u → hash join", "scan t → hash join → "] {
        assert!(timeline.contains(pipeline), "{pipeline}: {timeline}");
    }
    for part in ["Aggregate", "Sort", "1 rows", "&lt;script&gt;"] {
        assert!(tree.contains(part), "{part}: {tree}");
    }
    assert!(!page.contains("<script") && !page.contains("src=") && !page.contains("href="));
    assert!(!page.contains("NaN") && !page.contains("inf"));
}

#[test]
fn what_cannot_be_profiled_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let (file, html) = (folder.path().join("a.llkv"), folder.path().join("a.html"));
    let profile = |database: &str, sql: &str| {
        let output = llkv(&["profile", database, "-c", sql, "--html", text(&html)]);
        assert!(!output.status.success() && !html.exists());
        String::from_utf8(output.stderr).unwrap()
    };
    assert!(profile(text(&file), "SELECT 1").contains("there is no file"));
    assert!(!file.exists());
    assert!(profile(":memory:", " ; ").contains("no statement"));
    assert!(profile(":memory:", "SELECT nothing").contains("nothing"));
}

#[test]
fn a_limit_counts_the_rows_that_it_lets_through() {
    let create = "CREATE TABLE t AS SELECT n FROM generate_series(1, 100000) AS s(n)";
    for (sql, rows) in [
        ("SELECT n FROM t ORDER BY n LIMIT 7 OFFSET 2", 7),
        ("SELECT n FROM t LIMIT 20000 OFFSET 90001", 9_999),
        (
            "SELECT count(*) FROM (SELECT n + 1 AS m FROM t LIMIT 123) AS q",
            123,
        ),
    ] {
        let explain = format!("EXPLAIN (ANALYZE, FORMAT json) {sql}");
        let output = llkv(&["--format", "csv", "-c", create, "-c", &explain]);
        let plan = String::from_utf8(output.stdout)
            .unwrap()
            .replace("\"\"", "\"");
        let (_, of_limit) = plan.split_once("\"operator\": \"limit\"").unwrap();
        let (_, counted) = of_limit.split_once("\"rows\": ").unwrap();
        let (counted, _) = counted.split_once(',').unwrap();
        assert_eq!(counted, rows.to_string(), "{sql}: {plan}");
    }
}
