//! Statistics as a table for people, with the tree of operators in its last column, and as JSON.

use super::{OperatorSpan, OperatorStatistics, ScanStatistics};
use llkv_plan::JsonWriter;
use std::fmt;
use std::time::Duration;

/// The columns before the tree.
const TITLES: [&str; 5] = ["time", "rows", "expected", "bytes", "spilled"];

/// A line: a cell for each title, then the operator.
type Line = ([String; TITLES.len()], String);

impl fmt::Display for OperatorStatistics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut lines = vec![(TITLES.map(str::to_owned), "operator".to_owned())];
        self.lines(&mut lines, "", "");
        let mut widths = [0; TITLES.len()];
        for (cells, _) in &lines {
            for (width, cell) in widths.iter_mut().zip(cells) {
                *width = (*width).max(cell.chars().count());
            }
        }
        for (cells, operator) in &lines {
            for (cell, width) in cells.iter().zip(widths) {
                write!(f, "{cell:>width$}  ")?;
            }
            writeln!(f, "{operator}")?;
        }
        Ok(())
    }
}

impl OperatorStatistics {
    fn lines(&self, lines: &mut Vec<Line>, branch: &str, trunk: &str) {
        let expected = self.note.as_ref();
        let cells = [
            time(self.time),
            count(self.rows),
            expected.map_or_else(
                || "-".into(),
                |note| format!("~{}", count(note.rows.round() as u64)),
            ),
            bytes(self.bytes),
            if self.spilled_bytes > 0 {
                bytes(self.spilled_bytes)
            } else {
                "-".into()
            },
        ];
        let scan = self.scan.map(|scan| format!("  ({scan})"));
        let name = self.name();
        lines.push((cells, format!("{branch}{name}{}", scan.unwrap_or_default())));
        let last = self.inputs.len().saturating_sub(1);
        for (at, input) in self.inputs.iter().enumerate() {
            let (branch, below) = if at == last {
                ("└─ ", "   ")
            } else {
                ("├─ ", "│  ")
            };
            input.lines(
                lines,
                &format!("{trunk}{branch}"),
                &format!("{trunk}{below}"),
            );
        }
    }

    /// The operator with what it works on: in the words of the plan where these are known, with its own kind where
    /// that says more.
    fn name(&self) -> String {
        let Some(note) = &self.note else {
            return match self.detail.as_str() {
                "" => self.operator.to_owned(),
                detail => format!("{} {detail}", self.operator),
            };
        };
        let node = note.description.split(' ').next().unwrap_or_default();
        let kind = self.operator.replace(' ', "");
        if node.to_ascii_lowercase().starts_with(&kind) {
            note.description.clone()
        } else {
            format!("{} [{}]", note.description, self.operator)
        }
    }

    /// The counters of the operator and its inputs as members of a JSON object.
    pub fn write_json(&self, json: &mut JsonWriter) {
        json.text("operator", self.operator);
        let description = self
            .note
            .as_ref()
            .map_or(&self.detail, |note| &note.description);
        json.text("description", description);
        if let Some(note) = &self.note {
            json.number("estimated_rows", note.rows.round());
        }
        json.number("rows", self.rows);
        json.number("batches", self.batches);
        json.number("time_ms", format!("{:.3}", self.time.as_secs_f64() * 1e3));
        json.number("bytes", self.bytes);
        json.number("spilled_bytes", self.spilled_bytes);
        json.key("spans");
        json.array(|json| {
            for span in &self.spans {
                json.element();
                json.object(|json| span.write_json(json));
            }
        });
        if let Some(scan) = &self.scan {
            json.key("scan");
            json.object(|json| scan.write_json(json));
        }
        json.key("inputs");
        json.array(|json| {
            for input in &self.inputs {
                json.element();
                json.object(|json| input.write_json(json));
            }
        });
    }
}

impl OperatorSpan {
    fn write_json(&self, json: &mut JsonWriter) {
        let millis = |time: Duration| format!("{:.3}", time.as_secs_f64() * 1e3);
        json.text("role", self.role.name());
        if let Some(pipeline) = self.pipeline {
            json.number("pipeline", pipeline);
        }
        json.number("start_ms", millis(self.start));
        json.number("end_ms", millis(self.end));
        json.number("workers", self.workers);
    }
}

impl ScanStatistics {
    fn write_json(&self, json: &mut JsonWriter) {
        json.number("row_groups_read", self.row_groups_read);
        json.number("row_groups_pruned", self.row_groups_pruned);
        json.number("blocks_read", self.blocks_read);
        json.number("blocks_pruned", self.blocks_pruned);
        json.number("rows_scanned", self.rows_scanned);
        json.number("bytes_read", self.bytes_read);
    }
}

impl fmt::Display for ScanStatistics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} rows looked at, {} read",
            count(self.rows_scanned),
            bytes(self.bytes_read)
        )?;
        let row_groups = self.row_groups_read + self.row_groups_pruned;
        let pruned = [
            ("row groups", self.row_groups_pruned, row_groups),
            (
                "blocks",
                self.blocks_pruned,
                self.blocks_read + self.blocks_pruned,
            ),
        ];
        for (what, pruned, all) in pruned.into_iter().filter(|(_, pruned, _)| *pruned > 0) {
            write!(f, ", {} of {} {what} pruned", count(pruned), count(all))?;
        }
        Ok(())
    }
}

/// `1.234 ms`, `12.3 s`.
fn time(time: Duration) -> String {
    let millis = time.as_secs_f64() * 1e3;
    if millis < 10_000.0 {
        format!("{millis:.3} ms")
    } else {
        format!("{:.3} s", millis / 1e3)
    }
}

/// `1,234,567`
fn count(count: u64) -> String {
    let digits = count.to_string();
    let mut text = String::with_capacity(digits.len() * 4 / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `1.5 MiB`
fn bytes(bytes: u64) -> String {
    const UNITS: [&str; 4] = ["KiB", "MiB", "GiB", "TiB"];
    if bytes < 1024 {
        return format!("{bytes} B");
    }
    let mut value = bytes as f64 / 1024.0;
    let mut unit = 0;
    while value >= 1024.0 && unit + 1 < UNITS.len() {
        value /= 1024.0;
        unit += 1;
    }
    format!(
        "{value:.1} {}",
        UNITS.get(unit).copied().unwrap_or_default()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_readable() {
        assert_eq!(
            (count(0), count(999), count(1_234_567)),
            ("0".into(), "999".into(), "1,234,567".into())
        );
        assert_eq!(
            (bytes(1023), bytes(1536), bytes(5 << 40)),
            ("1023 B".into(), "1.5 KiB".into(), "5.0 TiB".into())
        );
        assert_eq!(time(Duration::from_micros(1500)), "1.500 ms");
        assert_eq!(time(Duration::from_secs(75)), "75.000 s");
    }
}
