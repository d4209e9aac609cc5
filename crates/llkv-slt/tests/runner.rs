//! Files through the whole runner, against a scripted database.

// Helpers of tests may stop at the first surprise, as tests may.
#![allow(clippy::unwrap_used, clippy::panic)]

mod scripted;

use llkv_slt::{Dialect, ExpectedFailures, Isolation, SltOptions, SltRunner, Storage, Summary};
use scripted::Scripted;
use std::path::Path;
use std::time::Duration;

/// Runs texts as files of a dialect and gives the summary and what was printed.
fn run_with(
    files: &[(&str, &str)],
    change: impl FnOnce(&mut SltOptions),
) -> (Summary, String, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    let mut options = SltOptions {
        paths: vec![folder.path().to_owned()],
        storages: vec![Storage::Memory],
        timeout: Duration::from_secs(10),
        ..SltOptions::default()
    };
    change(&mut options);
    let mut out = Vec::new();
    let runner = SltRunner::new(options, Isolation::Threads(&Scripted));
    let summary = runner.run(&mut out).unwrap();
    (summary, String::from_utf8(out).unwrap(), folder)
}

/// Runs one file and gives records passed, failed and skipped, and the output.
fn run(dialect: Dialect, text: &str) -> ((u64, u64, u64), String) {
    let (summary, out, _) = run_with(&[("a.slt", text)], |options| {
        options.dialect = Some(dialect)
    });
    let records = &summary.records;
    ((records.passed, records.failed, records.skipped), out)
}

fn passes(dialect: Dialect, text: &str) {
    let ((passed, failed, _), out) = run(dialect, text);
    assert!(failed == 0 && passed > 0, "{out}");
}

fn fails(dialect: Dialect, text: &str, message: &str) {
    let ((_, failed, _), out) = run(dialect, text);
    assert!(failed > 0, "{out}");
    assert!(out.contains(message), "{out}");
}

#[test]
fn closing_lines_end_the_output() {
    let files = [
        (
            "good.slt",
            "query I\nints 1\n----\n1\n\nskipif llkv\nstatement ok\nputs\n",
        ),
        ("bad.slt", "query I\nints 1\n----\n2\n"),
        (
            "none.slt",
            "require parquet\n\nrequire windows98\n\nstatement ok\ncount 1\n",
        ),
    ];
    let (summary, out, _) = run_with(&files, |_| {});
    let closing = "\nrecords: 1 passed, 1 failed, 2 skipped\n1 passed, 1 failed, 1 skipped\n";
    assert!(out.ends_with(closing), "{out}");
    assert!(!summary.is_success());
    assert!(
        out.contains("bad.slt:1: row 1, column 1: expected \"2\", got \"1\""),
        "{out}"
    );
    assert!(
        out.contains("none.slt (memory) ... ignored, require windows98"),
        "{out}"
    );
}

#[test]
fn a_panic_stops_its_own_file_only() {
    let files = [
        ("a.slt", "statement ok\npanic\n"),
        ("b.slt", "query I\nints 1\n----\n1\n"),
    ];
    let (summary, out, _) = run_with(&files, |_| {});
    assert_eq!((summary.files().passed, summary.files().failed), (1, 1));
    assert!(out.contains("the database panicked: as told"), "{out}");
}

#[test]
fn results_are_neither_reshaped_nor_guessed() {
    for dialect in Dialect::ALL {
        passes(dialect, "query I\nints 1 2\n----\n1\n2\n");
        fails(
            dialect,
            "query I\nints 1 2\n----\n2\n1\n",
            "row 1, column 1",
        );
        fails(
            dialect,
            "query II\nints 1 2\n----\n1\n2\n",
            "expected 2 columns, got 1",
        );
        fails(
            dialect,
            "query I\nints 1\n----\n1\n1\n",
            "expected 2 values, got 1",
        );
        fails(
            dialect,
            "query I\nfail no\n----\n\n",
            "the query failed: no",
        );
        fails(
            dialect,
            "statement ok\nfail no\n",
            "the statement failed: no",
        );
        fails(dialect, "statement error\ncount 1\n", "expected an error");
        passes(dialect, "statement error\nfail no\n");
        fails(dialect, "statement error\ninternal oh\n", "never expected");
    }
}

#[test]
fn floats_have_no_tolerance_of_ours() {
    passes(
        Dialect::Llkv,
        "query R\ndouble 0.30000000000000004\n----\n0.30000000000000004\n",
    );
    fails(
        Dialect::Llkv,
        "query R\ndouble 0.30000000000000004\n----\n0.3\n",
        "row 1",
    );
    passes(
        Dialect::Duckdb,
        "query R\ndouble 0.30000000000000004\n----\n0.3\n",
    );
    passes(
        Dialect::Sqlite,
        "query R\ndouble 0.30000000000000004\n----\n0.300\n",
    );
    fails(
        Dialect::Sqlite,
        "query R\ndouble 0.3004\n----\n0.301\n",
        "row 1",
    );
}

#[test]
fn sqlite_labels_and_skipped_records() {
    let text = "query I rowsort a-label-of-more-than-20\nints 2 1\n----\n1\n2\n\n\
                query I rowsort a-label-of-more-than-XX\nints 1 2\n----\n1\n2\n";
    passes(Dialect::Sqlite, text);
    let text = "query I rowsort x\nints 2 1\n----\n1\n2\n\nquery I rowsort x\nints 3\n----\n3\n";
    fails(
        Dialect::Sqlite,
        text,
        "differs from the one at line 1 under the same label",
    );
    let text =
        "onlyif mysql\nquery I rowsort x\nints 5\n----\n5\n\nquery I rowsort x\nints 3\n----\n3\n";
    fails(Dialect::Sqlite, text, "differs from the one at line 2");
    let text = "onlyif mysql\nstatement ok\nmysql only\n\nskipif sqlite\nhalt\n\nquery I\nints 1\n----\n1\n\n\
                onlyif sqlite # here\nhalt\n\nstatement ok\nnever run\n";
    assert_eq!(run(Dialect::Sqlite, text).0, (1, 0, 2));
}

#[test]
fn errors_by_text_pattern_and_never_by_chance() {
    let of = |expected: &str| {
        format!("statement error\nfail Binder Error: no column x\n----\n{expected}\n")
    };
    passes(Dialect::Duckdb, &of("no column"));
    passes(Dialect::Duckdb, &of("<REGEX>:Binder.*column.*"));
    fails(
        Dialect::Duckdb,
        &of("no table"),
        "expected the error \"no table\"",
    );
    fails(
        Dialect::Duckdb,
        &of("<!REGEX>:Binder.*"),
        "expected the error",
    );
    passes(
        Dialect::Duckdb,
        "statement maybe\nfail x\n----\nx\n\nstatement maybe\ncount 1\n",
    );
}

#[test]
fn loops_conditions_and_folders() {
    let text = "loop i 0 3\n\nskipif i=1\nstatement ok\nput k{i} ${i}\n\nendloop\n\n\
                foreach key,value k0,0 k2,2\n\nquery T\nget {key}\n----\n{value}\n\nendloop\n\n\
                query T\nget k1\n----\nNULL\n";
    assert_eq!(run(Dialect::Duckdb, text).0, (5, 0, 1));
    let text = "statement ok\nput dir __TEST_DIR__\n\nquery T\nget dir\n----\n{TEST_DIR}\n";
    passes(Dialect::Duckdb, text);
}

#[test]
fn connections_are_kept_apart_and_iterations_run_beside_each_other() {
    let text = "statement ok\nsession k main\n\nstatement ok con1\nsession k one\n\n\
                query T con1\nrecall k\n----\none\n\nquery T\nrecall k\n----\nmain\n\n\
                reconnect\n\nquery T\nrecall k\n----\nNULL\n";
    passes(Dialect::Duckdb, text);
    let text = "concurrentloop t 0 8\n\nstatement ok\nsession k {t}\n\nquery T\nrecall k\n----\n{t}\n\n\
                statement ok\nput k{t} {t}\n\nendloop\n\nquery T\nget k7\n----\n7\n";
    assert_eq!(run(Dialect::Duckdb, text).0, (25, 0, 0));
}

#[test]
fn load_and_restart_keep_what_is_in_the_file() {
    let text = "load {TEST_DIR}/x.db\n\nstatement ok\nput a 1\n\nrestart\n\nquery T\nget a\n----\n1\n\n\
                load\n\nquery T\nget a\n----\nNULL\n\nload {TEST_DIR}/x.db readonly\n\n\
                query T\nget a\n----\n1\n";
    passes(Dialect::Duckdb, text);
}

#[test]
fn a_file_is_reopened_in_the_middle_only_where_nothing_shows() {
    let put = "statement ok\nput a 1\n\nstatement ok\nsession a 1\n\n";
    let check = "query T\nget a\n----\n1\n\n";
    let lost = "query T\nrecall a\n----\nNULL\n\n";
    let kept = "query T\nrecall a\n----\n1\n\n";
    let file = |text: String| {
        let (summary, out, _) = run_with(&[("a.slt", text.as_str())], |options| {
            options.storages = vec![Storage::File];
        });
        assert!(summary.is_success(), "{out}");
    };
    file(format!("{put}{check}{lost}"));
    file(format!(
        "{put}statement ok\nbegin\n\n{check}{check}{kept}statement ok\ncommit\n\n{lost}"
    ));
    file(format!("statement ok\nSET x\n\n{put}{check}{check}{kept}"));
    file(format!("require skip_reload\n\n{put}{check}{check}{kept}"));
}

#[test]
fn restart_alone_needs_a_file() {
    let text = "statement ok\nput a 1\n\nrestart\n\nquery T\nget a\n----\n1\n";
    let (summary, out, _) = run_with(&[("a.slt", text)], |options| {
        options.storages = vec![Storage::Memory, Storage::File];
    });
    assert!(summary.is_success() && summary.files().passed == 1, "{out}");
    assert!(
        out.contains("(memory) ... ignored, restart needs a file"),
        "{out}"
    );
}

#[test]
fn complete_writes_what_the_database_gives() {
    let text =
        "query II rowsort\ntable b,2 a,1\n----\n\n# stays\nstatement error\nfail new\n----\nold\n";
    let (_, _, folder) = run_with(&[("a.slt", text)], |options| options.complete = true);
    let written = std::fs::read_to_string(folder.path().join("a.slt")).unwrap();
    let expected = "query II rowsort\ntable b,2 a,1\n----\na\t1\nb\t2\n\n# stays\nstatement error\nfail new\n----\nnew\n";
    assert_eq!(written, expected);
    let again = run(Dialect::Llkv, &written);
    assert_eq!(again.0, (2, 0, 0), "{}", again.1);
}

#[test]
fn the_list_of_expected_failures_may_only_shrink() {
    let files = [
        ("a.slt", "query I\nints 1\n----\n2\n"),
        ("b.slt", "query I\nints 1\n----\n1\n"),
    ];
    let list = |text: &str| ExpectedFailures::read(text).unwrap();
    let (summary, out, _) = run_with(&files, |options| {
        options.expected_failures = list("a.slt # not yet");
    });
    assert!(summary.is_success(), "{out}");
    assert!(
        out.ends_with("records: 1 passed, 0 failed, 1 skipped\n1 passed, 0 failed, 1 skipped\n"),
        "{out}"
    );
    let (summary, out, _) = run_with(&files, |options| {
        options.expected_failures = list("a.slt # not yet\nb.slt # not yet");
    });
    assert!(!summary.is_success());
    assert!(
        out.contains("b.slt ----\nthis file passes: take it off the list"),
        "{out}"
    );
}

#[test]
fn a_filter_and_a_dialect_by_folder() {
    let files = [
        ("sqlite/a.test", "query I nosort\ndouble 1.9\n----\n1\n"),
        ("duckdb/b.test", "query I\ncount 3\n----\n3\n"),
        ("other.txt", "not a test"),
    ];
    let (summary, out, _) = run_with(&files, |_| {});
    assert_eq!(
        (summary.files().passed, summary.files().failed),
        (2, 0),
        "{out}"
    );
    let (summary, _, _) = run_with(&files, |options| options.filter = Some("a.test".to_owned()));
    assert_eq!(summary.files().passed, 1);
}

#[test]
fn a_file_that_is_no_script_fails_with_its_line() {
    let (summary, out, _) = run_with(&[("a.slt", "\nnonsense here\n")], |_| {});
    assert!(!summary.is_success());
    assert!(out.contains("a.slt:2: no directive `nonsense`"), "{out}");
    assert!(Path::new("a.slt").extension().is_some());
}

#[test]
fn statistics_per_file_and_in_sum() {
    let files = [
        ("a.slt", "query I\nints 1\n----\n1\n"),
        ("b.slt", "query I\nints 2\n----\n2\n"),
    ];
    let (_, out, _) = run_with(&files, |options| options.statistics = true);
    assert_eq!(
        out.matches("    records: 1 passed, 0 failed, 0 skipped")
            .count(),
        2,
        "{out}"
    );
    assert!(out.contains("statistics of all files"), "{out}");
    assert!(
        out.contains("    records: 2 passed, 0 failed, 0 skipped"),
        "{out}"
    );
    assert!(out.contains(" a second, p50 "), "{out}");
}
