//! `cargo xtask floors`: the edges between our crates against the table in ARCHITECTURE.md.

use crate::step::{self, TaskResult, root};
use cargo_metadata::{DependencyKind, MetadataCommand};
use std::collections::{BTreeMap, BTreeSet};

const BEGIN: &str = "<!-- floors:begin -->";
const END: &str = "<!-- floors:end -->";

/// Crates and those of ours that each may depend on, for building and for testing.
type Edges = BTreeMap<String, BTreeSet<String>>;

pub(crate) fn run() -> TaskResult {
    let path = root().join("ARCHITECTURE.md");
    let text = std::fs::read_to_string(&path)
        .map_err(|error| format!("{} cannot be read: {error}", path.display()))?;
    let allowed = table(&text)?;
    let wrong = violations(&allowed, &actual()?);
    if wrong.is_empty() {
        step::say(&format!(
            "floors: {} crates, no edge upwards",
            allowed.len()
        ));
        return Ok(());
    }
    Err(format!("floors:\n  {}", wrong.join("\n  ")))
}

/// Reads rows `| crate | crate, crate |` between the markers.
fn table(text: &str) -> Result<Edges, String> {
    let missing = || format!("ARCHITECTURE.md has no table between {BEGIN} and {END}");
    let (_, after) = text.split_once(BEGIN).ok_or_else(missing)?;
    let (section, _) = after.split_once(END).ok_or_else(missing)?;
    let mut edges = Edges::new();
    for line in section.lines() {
        let cells: Vec<&str> = line
            .trim()
            .trim_matches('|')
            .split('|')
            .map(str::trim)
            .collect();
        let [name, below] = cells.as_slice() else {
            continue;
        };
        let Some(name) = crate_name(name) else {
            continue;
        };
        let below = below.split(',').filter_map(|word| crate_name(word.trim()));
        edges.insert(name, below.collect());
    }
    Ok(edges)
}

/// A name between backticks; the table's head and its rule have none.
fn crate_name(cell: &str) -> Option<String> {
    let name = cell.strip_prefix('`')?.strip_suffix('`')?;
    Some(name.to_owned())
}

/// The edges as cargo sees them, dev-dependencies included: a test must not reach upwards either.
fn actual() -> Result<Edges, String> {
    let metadata = MetadataCommand::new()
        .current_dir(root())
        .no_deps()
        .exec()
        .map_err(|error| error.to_string())?;
    let ours: BTreeSet<String> = metadata
        .packages
        .iter()
        .map(|package| package.name.to_string())
        .collect();
    let mut edges = Edges::new();
    for package in metadata
        .packages
        .iter()
        .filter(|package| package.name != "xtask")
    {
        let own = package.name.to_string();
        let below = package.dependencies.iter().filter(|dependency| {
            // A crate may name itself for its own tests.
            dependency.name != own || dependency.kind != DependencyKind::Development
        });
        let below = below.map(|dependency| dependency.name.clone());
        let below: BTreeSet<String> = below.filter(|name| ours.contains(name)).collect();
        edges.insert(own, below);
    }
    Ok(edges)
}

fn violations(allowed: &Edges, actual: &Edges) -> Vec<String> {
    let mut wrong = Vec::new();
    for (name, below) in actual {
        let Some(may) = allowed.get(name) else {
            wrong.push(format!("{name} is not in the table"));
            continue;
        };
        for edge in below.difference(may) {
            wrong.push(format!(
                "{name} depends on {edge}, which its floor does not allow"
            ));
        }
    }
    for name in allowed.keys().filter(|name| !actual.contains_key(*name)) {
        wrong.push(format!("{name} is in the table and is no crate"));
    }
    wrong
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "before\n<!-- floors:begin -->\n| crate | may use |\n| --- | --- |\n| `a` | |\n| `b` | `a` |\n<!-- floors:end -->\n| `c` | `a` |\n";

    fn edges(pairs: &[(&str, &[&str])]) -> Edges {
        let of = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect();
        pairs
            .iter()
            .map(|(name, below)| ((*name).to_owned(), of(below)))
            .collect()
    }

    #[test]
    fn the_table_is_read_between_its_markers() {
        assert_eq!(table(TEXT).unwrap(), edges(&[("a", &[]), ("b", &["a"])]));
        assert!(table("no table").is_err());
    }

    #[test]
    fn an_edge_upwards_is_found() {
        let allowed = table(TEXT).unwrap();
        assert!(violations(&allowed, &edges(&[("a", &[]), ("b", &["a"])])).is_empty());
        assert!(violations(&allowed, &edges(&[("a", &[]), ("b", &[])])).is_empty());
        let wrong = violations(&allowed, &edges(&[("a", &["b"]), ("b", &[]), ("d", &[])]));
        assert_eq!(wrong.len(), 2, "{wrong:?}");
        assert_eq!(violations(&allowed, &edges(&[("a", &[])])).len(), 1);
    }
}
