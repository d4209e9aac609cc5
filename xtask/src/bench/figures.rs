//! What benches have left: criterion's estimates, and the files of workloads.

use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// Engines that a bench may name as the thing that it timed.
const ENGINES: [&str; 4] = ["llkv", "sqlite", "duckdb", "datafusion"];

/// One measured value.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Figure {
    /// What was measured: `group/function`, without the engine.
    pub(crate) name: String,
    /// Who did it.
    pub(crate) engine: String,
    /// `ns` or `MB`.
    pub(crate) unit: String,
    pub(crate) value: f64,
    /// Half the width of the confidence interval; 0 where there is none.
    pub(crate) range: f64,
}

impl Figure {
    /// True for a figure of our own.
    pub(crate) fn is_ours(&self) -> bool {
        self.engine == "llkv"
    }
}

/// `benchmark.json`: what criterion calls a bench.
#[derive(Deserialize)]
struct Named {
    group_id: String,
    function_id: Option<String>,
    value_str: Option<String>,
}

/// `estimates.json`, in nanoseconds.
#[derive(Deserialize)]
struct Estimates {
    median: Estimate,
}

#[derive(Deserialize)]
struct Estimate {
    point_estimate: f64,
    confidence_interval: Interval,
}

#[derive(Deserialize)]
struct Interval {
    lower_bound: f64,
    upper_bound: f64,
}

/// The medians of the benches below criterion's folder that have run since `started`.
pub(crate) fn of_criterion(folder: &Path, started: SystemTime) -> Result<Vec<Figure>, String> {
    let mut figures = Vec::new();
    for path in files(folder, "benchmark.json") {
        let is_new = path.parent().is_some_and(|parent| parent.ends_with("new"));
        if !is_new || !is_younger(&path, started) {
            continue;
        }
        let named: Named = read(&path)?;
        let estimates: Estimates = read(&path.with_file_name("estimates.json"))?;
        figures.push(figure(named, &estimates));
    }
    figures.sort_by(|a, b| (&a.name, &a.engine).cmp(&(&b.name, &b.engine)));
    Ok(figures)
}

fn figure(named: Named, estimates: &Estimates) -> Figure {
    let function = named.function_id.unwrap_or_default();
    let is_engine = ENGINES.contains(&function.as_str());
    let (engine, middle) = match is_engine {
        true => (function, String::new()),
        false => ("llkv".to_owned(), function),
    };
    let parts = [named.group_id, middle, named.value_str.unwrap_or_default()];
    let parts: Vec<String> = parts.into_iter().filter(|part| !part.is_empty()).collect();
    let interval = &estimates.median.confidence_interval;
    Figure {
        name: parts.join("/"),
        engine,
        unit: "ns".into(),
        value: estimates.median.point_estimate,
        range: (interval.upper_bound - interval.lower_bound) / 2.0,
    }
}

/// A line of a workload's file.
#[derive(Deserialize)]
struct WorkloadRow {
    name: String,
    engine: String,
    unit: String,
    value: f64,
}

/// The figures of the workloads that have run since `started`.
pub(crate) fn of_workloads(folder: &Path, started: SystemTime) -> Result<Vec<Figure>, String> {
    let mut figures = Vec::new();
    for path in files(folder, ".json") {
        if !is_younger(&path, started) {
            continue;
        }
        for row in read::<Vec<WorkloadRow>>(&path)? {
            let (factor, unit) = match row.unit.as_str() {
                "ms" => (1e6, "ns".to_owned()),
                _ => (1.0, row.unit),
            };
            figures.push(Figure {
                name: row.name,
                engine: row.engine,
                unit,
                value: row.value * factor,
                range: 0.0,
            });
        }
    }
    Ok(figures)
}

/// Files below a folder whose names end so.
fn files(folder: &Path, ending: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(folder) = folders.pop() {
        let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
        for path in entries.map(|entry| entry.path()) {
            if path.is_dir() {
                folders.push(path);
            } else if path.to_string_lossy().ends_with(ending) {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

fn is_younger(path: &Path, started: SystemTime) -> bool {
    let modified = path.metadata().and_then(|metadata| metadata.modified());
    modified.is_ok_and(|at| at >= started)
}

fn read<T: serde::de::DeserializeOwned>(path: &Path) -> Result<T, String> {
    let told = |error: &dyn std::fmt::Display| format!("{}: {error}", path.display());
    let bytes = std::fs::read(path).map_err(|error| told(&error))?;
    serde_json::from_slice(&bytes).map_err(|error| told(&error))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn write(path: &Path, text: &str) {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    const ESTIMATES: &str = r#"{"median": {"point_estimate": 1500.0, "standard_error": 1.0,
        "confidence_interval": {"confidence_level": 0.95, "lower_bound": 1400.0, "upper_bound": 1600.0}}}"#;

    #[test]
    fn names_say_what_was_measured_and_who_did_it() {
        let folder = tempfile::tempdir().unwrap();
        let benches = [
            (
                "a",
                r#"{"group_id": "insert", "function_id": "sqlite", "value_str": null}"#,
            ),
            (
                "b",
                r#"{"group_id": "insert", "function_id": "llkv", "value_str": null}"#,
            ),
            (
                "c",
                r#"{"group_id": "rows", "function_id": "join", "value_str": "2"}"#,
            ),
            (
                "d",
                r#"{"group_id": "alone", "function_id": null, "value_str": null}"#,
            ),
        ];
        for (name, text) in benches {
            write(&folder.path().join(name).join("new/benchmark.json"), text);
            write(
                &folder.path().join(name).join("new/estimates.json"),
                ESTIMATES,
            );
            write(&folder.path().join(name).join("base/benchmark.json"), "old");
        }
        let figures = of_criterion(folder.path(), SystemTime::UNIX_EPOCH).unwrap();
        let names = figures.iter();
        let names: Vec<_> = names
            .map(|f| (f.name.as_str(), f.engine.as_str()))
            .collect();
        let expected = [
            ("alone", "llkv"),
            ("insert", "llkv"),
            ("insert", "sqlite"),
            ("rows/join/2", "llkv"),
        ];
        assert_eq!(names, expected);
        assert_eq!((figures[0].value, figures[0].range), (1500.0, 100.0));
        let later = SystemTime::now() + std::time::Duration::from_secs(60);
        assert!(of_criterion(folder.path(), later).unwrap().is_empty());
    }

    #[test]
    fn milliseconds_of_workloads_become_nanoseconds() {
        let folder = tempfile::tempdir().unwrap();
        let rows = r#"[{"name": "tpch/Q1", "engine": "duckdb", "unit": "ms", "value": 2.5},
                       {"name": "tpch/file", "engine": "llkv", "unit": "MB", "value": 7}]"#;
        write(&folder.path().join("tpch.json"), rows);
        let figures = of_workloads(folder.path(), SystemTime::UNIX_EPOCH).unwrap();
        let values: Vec<_> = figures.iter().map(|f| (f.unit.as_str(), f.value)).collect();
        assert_eq!(values, [("ns", 2.5e6), ("MB", 7.0)]);
    }
}
