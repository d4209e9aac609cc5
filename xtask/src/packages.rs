//! `cargo xtask packages`: has every crate that can be published what a published crate needs?
//!
//! Metadata, a README, the licence's text and an example that runs as a doctest are looked for in the
//! files that cargo would pack. Packing and building them is left to `cargo package --workspace`.

use crate::step::{self, TaskResult, root};
use cargo_metadata::{MetadataCommand, Package};
use std::path::Path;

/// Files that a package must hold.
const FILES: [&str; 4] = ["Cargo.toml", "README.md", "LICENSE", "src/lib.rs"];
/// Rust code between backticks that rustdoc runs: a fence without a word that takes it out.
const FENCES: [&str; 2] = ["```", "```rust"];

pub(crate) fn run() -> TaskResult {
    let metadata = MetadataCommand::new()
        .current_dir(root())
        .no_deps()
        .exec()
        .map_err(|error| error.to_string())?;
    let mut wrong = Vec::new();
    let mut count = 0;
    for package in &metadata.packages {
        // An empty list of registries means `publish = false`.
        if package.publish.as_ref().is_some_and(Vec::is_empty) {
            continue;
        }
        count += 1;
        let missing = missing(package)?;
        wrong.extend(
            missing
                .into_iter()
                .map(|what| format!("{}: {what}", package.name)),
        );
    }
    if wrong.is_empty() {
        step::say(&format!("packages: {count} crates have all that they need"));
        return Ok(());
    }
    Err(format!("packages:\n  {}", wrong.join("\n  ")))
}

/// What the package lacks, in words.
fn missing(package: &Package) -> Result<Vec<String>, String> {
    let fields = [
        ("description", package.description.is_some()),
        ("license", package.license.is_some()),
        ("repository", package.repository.is_some()),
        ("readme", package.readme.is_some()),
        ("keywords", !package.keywords.is_empty()),
        ("categories", !package.categories.is_empty()),
        ("rust-version", package.rust_version.is_some()),
    ];
    let fields = fields.into_iter().filter(|(_, present)| !present);
    let mut missing: Vec<String> = fields.map(|(name, _)| format!("no {name}")).collect();
    let files = packed_files(package)?;
    for file in FILES {
        if !files.iter().any(|packed| packed == file) {
            missing.push(format!("{file} is not packed"));
        }
    }
    let folder = package
        .manifest_path
        .parent()
        .map(|p| p.as_std_path().to_owned());
    if !folder.is_some_and(|folder| has_example(&folder)) {
        missing.push("neither the crate's docs nor its README have an example".into());
    }
    Ok(missing)
}

/// The files that cargo would pack.
fn packed_files(package: &Package) -> Result<Vec<String>, String> {
    let name = package.name.as_str();
    let output = step::cargo([
        "package",
        "--list",
        "--allow-dirty",
        "--offline",
        "--package",
        name,
    ])
    .output()
    .map_err(|error| format!("cargo does not start: {error}"))?;
    if !output.status.success() {
        let message = String::from_utf8_lossy(&output.stderr);
        return Err(format!("cargo package --list of {name}: {message}"));
    }
    let listed = String::from_utf8_lossy(&output.stdout);
    Ok(listed.lines().map(str::to_owned).collect())
}

/// Is there a doctest in the docs of the crate, or in the README where that is part of them?
fn has_example(folder: &Path) -> bool {
    let read = |file: &str| std::fs::read_to_string(folder.join(file)).unwrap_or_default();
    let root = read("src/lib.rs");
    let docs = root.lines().filter_map(|line| line.strip_prefix("//!"));
    let fenced = |line: &str| FENCES.contains(&line.trim());
    docs.into_iter().any(fenced)
        || (root.contains("include_str!(\"../README.md\")")
            && read("README.md").lines().any(fenced))
}
