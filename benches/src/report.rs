//! Figures of a workload: a table on the screen, and a file for who keeps them.

use std::error::Error;
use std::fmt::Write as _;
use std::path::PathBuf;

/// Figures of some engines, the last of which is the peer where there are two.
#[derive(Debug)]
pub struct Report {
    workload: &'static str,
    engines: Vec<&'static str>,
    rows: Vec<Row>,
}

#[derive(Debug)]
struct Row {
    name: String,
    unit: &'static str,
    figures: Vec<f64>,
}

impl Report {
    /// A report of these engines, ours first; prints its header.
    #[must_use]
    #[allow(clippy::print_stdout)]
    pub fn new(workload: &'static str, engines: Vec<&'static str>) -> Self {
        let names: String = engines.iter().map(|name| format!(" {name:>15}")).collect();
        println!("{workload:<28}{names}    ratio");
        Self {
            workload,
            engines,
            rows: Vec::new(),
        }
    }

    /// Adds and prints a line: a figure of each engine, in `unit` (`ms`, `MB`).
    #[allow(clippy::print_stdout)]
    pub fn add(&mut self, name: impl Into<String>, unit: &'static str, figures: Vec<f64>) {
        let name = name.into();
        let mut line = format!("{name:<28}");
        for figure in &figures {
            // Writing to a string does not fail.
            let _ = write!(line, " {figure:>12.1} {unit:<2}");
        }
        if let [ours, theirs] = figures.as_slice() {
            let _ = write!(line, " {:>8.2}", ours / theirs);
        }
        println!("{line}");
        self.rows.push(Row {
            name,
            unit,
            figures,
        });
    }

    /// The geometric mean of the lines in milliseconds whose names begin with `prefix`, as one more line called `name`.
    pub fn add_mean(&mut self, prefix: &str, name: &str) {
        let lines = self.rows.iter();
        let lines = lines.filter(|row| row.unit == "ms" && row.name.starts_with(prefix));
        let lines: Vec<&Row> = lines.collect();
        let means = (0..self.engines.len()).map(|engine| {
            let logs = lines.iter().filter_map(|row| row.figures.get(engine));
            let sum: f64 = logs.map(|figure| figure.ln()).sum();
            (sum / lines.len() as f64).exp()
        });
        let means = means.collect();
        self.add(name, "ms", means);
    }

    /// Writes `WORKLOAD.json` to the folder that `LLKV_BENCH_OUT` names, if it names one: a list of
    /// objects with `name`, `engine`, `unit` and `value`.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn save(&self) -> Result<(), Box<dyn Error>> {
        let Some(folder) = std::env::var_os("LLKV_BENCH_OUT").map(PathBuf::from) else {
            return Ok(());
        };
        let rows = self.rows.iter().flat_map(|row| {
            let figures = self.engines.iter().zip(&row.figures);
            figures.map(|(engine, figure)| {
                serde_json::json!({
                    "name": format!("{}/{}", self.workload, row.name),
                    "engine": engine, "unit": row.unit, "value": figure,
                })
            })
        });
        let rows: Vec<serde_json::Value> = rows.collect();
        std::fs::create_dir_all(&folder)?;
        let path = folder.join(format!("{}.json", self.workload));
        std::fs::write(path, serde_json::to_vec_pretty(&rows)?)?;
        Ok(())
    }
}
