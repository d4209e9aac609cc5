//! Runs over time: a file for each, and the form in which github-action-benchmark wants them.

use super::figures::Figure;
use crate::step;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{SystemTime, UNIX_EPOCH};

/// One run of the benches.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Run {
    /// Seconds since 1970-01-01.
    pub(crate) at_s: u64,
    pub(crate) commit: String,
    /// The first line of the commit's message.
    pub(crate) subject: String,
    pub(crate) figures: Vec<Figure>,
}

impl Run {
    /// A run that has just ended, of the commit that is checked out.
    pub(crate) fn now(figures: Vec<Figure>) -> Result<Self, String> {
        let since = SystemTime::now().duration_since(UNIX_EPOCH);
        let at_s = since.map_err(|error| error.to_string())?.as_secs();
        Ok(Self {
            at_s,
            commit: git("%H"),
            subject: git("%s"),
            figures,
        })
    }

    /// The figure of that name and engine.
    pub(crate) fn figure(&self, name: &str, engine: &str) -> Option<&Figure> {
        let mut figures = self.figures.iter();
        figures.find(|figure| figure.name == name && figure.engine == engine)
    }

    /// The commit as people write it.
    pub(crate) fn short_commit(&self) -> &str {
        self.commit.get(..8).unwrap_or(&self.commit)
    }
}

/// A field of the last commit; empty outside a repository.
fn git(format: &str) -> String {
    let mut command = Command::new("git");
    command.args(["log", "-1", &format!("--format={format}")]);
    let output = command.current_dir(step::root()).output();
    let text = output.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned());
    text.unwrap_or_default()
}

/// All runs, the oldest first.
#[derive(Debug)]
pub(crate) struct History {
    folder: PathBuf,
    pub(crate) runs: Vec<Run>,
}

impl History {
    /// Reads the runs of a folder, which need not exist.
    pub(crate) fn read(folder: &Path) -> Result<Self, String> {
        let mut runs = Vec::new();
        let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
        for path in entries.map(|entry| entry.path()) {
            if path.extension().is_none_or(|extension| extension != "json") {
                continue;
            }
            let told = |error: &dyn std::fmt::Display| format!("{}: {error}", path.display());
            let bytes = std::fs::read(&path).map_err(|error| told(&error))?;
            let run: Run = serde_json::from_slice(&bytes).map_err(|error| told(&error))?;
            runs.push(run);
        }
        runs.sort_by_key(|run| run.at_s);
        Ok(Self {
            folder: folder.to_path_buf(),
            runs,
        })
    }

    /// Keeps one more run.
    pub(crate) fn add(&mut self, run: Run) -> Result<(), String> {
        let name = format!("{}-{}.json", run.at_s, run.short_commit());
        let text = serde_json::to_string_pretty(&run).map_err(|error| error.to_string())?;
        step::write(&self.folder.join(name), &text)?;
        self.runs.push(run);
        Ok(())
    }

    /// All runs as `window.BENCHMARK_DATA` holds them.
    pub(crate) fn action_data(&self) -> Value {
        let entries = self.runs.iter().map(|run| {
            json!({
                "commit": {"id": run.commit, "message": run.subject},
                "date": run.at_s * 1000,
                "tool": "customSmallerIsBetter",
                "benches": action_form(run),
            })
        });
        let entries: Vec<Value> = entries.collect();
        let last = self.runs.last().map_or(0, |run| run.at_s * 1000);
        let url = env!("CARGO_PKG_REPOSITORY");
        json!({"lastUpdate": last, "repoUrl": url, "entries": {"LLKV": entries}})
    }
}

/// A run's figures as github-action-benchmark reads them with `tool: customSmallerIsBetter`.
pub(crate) fn action_form(run: &Run) -> Vec<Value> {
    let ours = run.figures.iter().filter(|figure| figure.is_ours());
    let entry = |figure: &Figure| {
        let peers = run
            .figures
            .iter()
            .filter(|other| other.name == figure.name && !other.is_ours() && other.value > 0.0);
        let ratios =
            peers.map(|peer| format!("{:.2} x {}", figure.value / peer.value, peer.engine));
        json!({
            "name": figure.name, "unit": figure.unit, "value": figure.value,
            "range": figure.range.to_string(),
            "extra": ratios.collect::<Vec<String>>().join("\n"),
        })
    };
    ours.map(entry).collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    pub(crate) fn figure(name: &str, engine: &str, value: f64) -> Figure {
        Figure {
            name: name.into(),
            engine: engine.into(),
            unit: "ns".into(),
            value,
            range: 1.0,
        }
    }

    #[test]
    fn runs_are_kept_and_come_back_in_their_order() {
        let folder = tempfile::tempdir().unwrap();
        for at_s in [30, 10, 20] {
            let mut history = History::read(folder.path()).unwrap();
            let run = Run {
                at_s,
                commit: "0123456789".into(),
                subject: "why".into(),
                figures: vec![figure("a", "llkv", 2.0), figure("a", "sqlite", 4.0)],
            };
            history.add(run).unwrap();
        }
        let history = History::read(folder.path()).unwrap();
        let times: Vec<u64> = history.runs.iter().map(|run| run.at_s).collect();
        assert_eq!(times, [10, 20, 30]);
        let data = history.action_data();
        let last = &data["entries"]["LLKV"][2];
        assert_eq!(last["date"], 30_000);
        assert_eq!(last["benches"].as_array().unwrap().len(), 1);
        assert_eq!(last["benches"][0]["extra"], "0.50 x sqlite");
        assert!(
            History::read(&folder.path().join("none"))
                .unwrap()
                .runs
                .is_empty()
        );
    }
}
