//! One version of each Arrow crate: two would not understand each other's arrays.

use crate::step::{TaskResult, root};
use cargo_metadata::MetadataCommand;
use std::collections::BTreeMap;

pub(crate) fn run() -> TaskResult {
    let metadata = MetadataCommand::new()
        .current_dir(root())
        .exec()
        .map_err(|error| error.to_string())?;
    let mut versions: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for package in metadata.packages {
        let name = package.name.to_string();
        if name == "arrow" || name.starts_with("arrow-") || name == "parquet" {
            versions
                .entry(name)
                .or_default()
                .push(package.version.to_string());
        }
    }
    let several: Vec<String> = versions
        .iter()
        .filter(|(_, versions)| versions.len() > 1)
        .map(|(name, versions)| format!("{name} {}", versions.join(" and ")))
        .collect();
    if several.is_empty() {
        return Ok(());
    }
    Err(format!(
        "more than one version of an Arrow crate: {}",
        several.join(", ")
    ))
}
