//! `docs/functions.md` is what the registries of functions say, and every example in them is true.
//!
//! `LLKV_UPDATE=1 cargo test --workspace --test function_docs` writes the page anew.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    unreachable_pub,
    missing_docs
)]

use llkv_compute::functions;
use llkv_expr::{Dialects, WindowFunction};
use llkv_result::{Error, StatementResult};
use llkv_sql::{EngineOptions, SqlDialect, SqlEngine};
use llkv_types::Scalar;
use std::collections::HashSet;
use std::fmt::Write;
use std::path::Path;

/// A function as the page shows it.
struct Entry {
    name: &'static str,
    aliases: &'static [&'static str],
    usage: &'static str,
    description: &'static str,
    example: (&'static str, &'static str),
    dialects: Dialects,
}

/// A section of the page.
struct Section {
    title: &'static str,
    entries: Vec<Entry>,
}

fn sections() -> Vec<Section> {
    let mut sections: Vec<Section> = Vec::new();
    for family in functions::families() {
        if sections
            .last()
            .is_none_or(|last| last.title != family.title)
        {
            sections.push(Section {
                title: family.title,
                entries: Vec::new(),
            });
        }
        let entries = family.functions().map(|function| Entry {
            name: function.name,
            aliases: function.aliases,
            usage: function.usage,
            description: function.description,
            example: function.example,
            dialects: function.dialects,
        });
        sections.last_mut().unwrap().entries.extend(entries);
    }
    let aggregates = llkv_compute::aggregates().map(|entry| Entry {
        name: entry.name,
        aliases: entry.aliases,
        usage: entry.usage,
        description: entry.description,
        example: entry.example,
        dialects: entry.dialects,
    });
    sections.push(Section {
        title: "Aggregates",
        entries: aggregates.collect(),
    });
    let windows = WindowFunction::ALL.into_iter().map(|function| {
        let documentation = function.documentation();
        Entry {
            name: function.name(),
            aliases: &[],
            usage: documentation.usage,
            description: documentation.description,
            example: documentation.example,
            dialects: Dialects::ALL,
        }
    });
    sections.push(Section {
        title: "Window functions",
        entries: windows.collect(),
    });
    sections
}

fn page() -> String {
    let mut out = String::from(
        "# Functions\n\n\
         Generated from the registries in `llkv-compute`; every example is run as a test. Where no dialect is named, a \
         function is known in all of them.\n\n\
         All aggregates take `DISTINCT` or `ORDER BY` within their parentheses, and `FILTER (WHERE ...)` behind them. With \
         `OVER` each is a window function as well.\n",
    );
    for section in sections() {
        write!(out, "\n## {}\n\n", section.title).unwrap();
        out.push_str("| function | | example |\n| --- | --- | --- |\n");
        for entry in &section.entries {
            let mut about = entry.description.to_owned();
            if !entry.aliases.is_empty() {
                let names: Vec<String> = entry.aliases.iter().map(|a| format!("`{a}`")).collect();
                write!(about, " Also {}.", names.join(", ")).unwrap();
            }
            if entry.dialects != Dialects::ALL {
                write!(about, " *{}*", entry.dialects).unwrap();
            }
            let cell = |text: &str| text.replace('|', "\\|").replace('\n', " ");
            let (example, value) = entry.example;
            writeln!(
                out,
                "| `{}` | {} | `{}` is `{}` |",
                cell(entry.usage),
                cell(&about),
                cell(example),
                cell(value)
            )
            .unwrap();
        }
    }
    out
}

fn dialect_of(dialects: Dialects) -> SqlDialect {
    if dialects.contains(Dialects::LLKV) {
        SqlDialect::Llkv
    } else if dialects.contains(Dialects::SQLITE) {
        SqlDialect::Sqlite
    } else {
        SqlDialect::DuckDb
    }
}

/// The only value of a query.
fn answer(engine: &SqlEngine, sql: &str) -> Result<String, Error> {
    let mut values = Vec::new();
    for result in engine.execute(sql)? {
        if let StatementResult::Select(stream) = result {
            for batch in stream {
                let batch = batch.map_err(Error::from_arrow)?;
                for row in 0..batch.num_rows() {
                    for column in batch.columns() {
                        values.push(Scalar::from_array(column, row)?.to_string());
                    }
                }
            }
        }
    }
    Ok(values.join(", "))
}

#[test]
fn every_example_is_true() {
    let engines = SqlDialect::ALL.map(|dialect| {
        let options = EngineOptions::with_dialect(dialect);
        (dialect, SqlEngine::in_memory_with(options).unwrap())
    });
    let mut wrong = Vec::new();
    for entry in sections().into_iter().flat_map(|section| section.entries) {
        let dialect = dialect_of(entry.dialects);
        let (_, engine) = engines.iter().find(|(own, _)| *own == dialect).unwrap();
        let (example, expected) = entry.example;
        match answer(engine, &format!("SELECT {example}")) {
            Ok(value) if value == expected => {}
            other => wrong.push(format!(
                "{dialect}: {example}: expected {expected}, got {other:?}"
            )),
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn no_dialect_has_two_functions_of_one_name() {
    for (dialect, name) in Dialects::EACH {
        let mut names = HashSet::new();
        for entry in sections().into_iter().flat_map(|section| section.entries) {
            // What is of one dialect only takes the place of what is of all.
            if entry.dialects.contains(dialect) && entry.dialects != Dialects::ALL {
                for own in std::iter::once(&entry.name).chain(entry.aliases) {
                    assert!(names.insert(*own), "{own} stands twice in {name}");
                }
            }
        }
    }
}

#[test]
fn the_page_is_up_to_date() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/functions.md");
    let page = page();
    if std::env::var_os("LLKV_UPDATE").is_some() {
        std::fs::write(&path, &page).unwrap();
    }
    let known = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        known == page,
        "docs/functions.md is stale: run this test with LLKV_UPDATE=1"
    );
}
