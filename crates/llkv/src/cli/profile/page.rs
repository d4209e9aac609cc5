//! The page around the pictures.

use super::{timeline, tree};
use llkv::executor::OperatorStatistics;
use std::fmt::{self, Display, Formatter};
use std::time::Duration;

/// Width of the pictures, in their own units.
pub(super) const WIDTH: f64 = 1_080.0;

/// Width of a letter in them.
const LETTER: f64 = 6.7;

const STYLE: &str = "
:root { color-scheme: light dark; --back: #fff; --ink: #212529; --soft: #868e96; --line: #8883; --hot: #e8590c; }
@media (prefers-color-scheme: dark) { :root { --back: #16181b; --ink: #e9ecef; --soft: #909296; } }
body { font: 15px/1.5 system-ui, sans-serif; background: var(--back); color: var(--ink); max-width: 70rem; margin: 2rem auto; padding: 0 1.2rem; }
h1 { font-size: 1.4rem; margin: 0 0 .2rem; } h2 { font-size: 1.05rem; margin: 2rem 0 .5rem; }
p { margin: .2rem 0 .8rem; color: var(--soft); } pre { overflow-x: auto; font: 13px/1.45 ui-monospace, monospace; }
pre.sql { padding: .7rem .9rem; border-left: 3px solid var(--hot); background: var(--line); white-space: pre-wrap; }
svg { width: 100%; height: auto; display: block; } svg text { font: 11px ui-monospace, monospace; fill: var(--ink); }
svg text.soft { fill: var(--soft); } svg line { stroke: var(--line); } svg rect { rx: 2px; }
.box { stroke: var(--back); } summary { cursor: pointer; }
.source { fill: #1c7ed6; } .bar { fill: #4dabf7; } .between { fill: #ffa94d; } .hot { fill: var(--hot); } .cold { fill: #adb5bd; }
";

/// A query and what its operators did.
pub(super) struct Profile<'a> {
    /// The query.
    pub(super) sql: &'a str,
    /// What EXPLAIN ANALYZE says.
    pub(super) report: &'a str,
    /// The tree of operators.
    pub(super) operators: &'a OperatorStatistics,
}

impl Display for Profile<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let (headline, _) = self.report.split_once('\n').unwrap_or((self.report, ""));
        write!(
            f,
            "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>{} - LLKV profile</title>\
             <meta name=\"viewport\" content=\"width=device-width\"><style>{STYLE}</style></head><body>\
             <h1>{}</h1><p>LLKV {}</p><pre class=\"sql\">{}</pre>",
            escaped(headline),
            escaped(headline),
            env!("CARGO_PKG_VERSION"),
            escaped(self.sql),
        )?;
        f.write_str(
            "<h2>Pipelines over time</h2><p>A bar is a pipeline: rows come from its first operator, go through those \
             in the middle and end in the last. Orange is work between pipelines.</p>",
        )?;
        timeline::write(f, self.operators)?;
        f.write_str(
            "<h2>Operators by time</h2><p>A box is an operator, above those that it reads from. Its width is the time \
             spent in it and below, summed over threads; the dark part of its lower edge is its own.</p>",
        )?;
        tree::write(f, self.operators)?;
        writeln!(
            f,
            "<h2>Counters</h2><pre>{}</pre></body></html>",
            escaped(self.report)
        )
    }
}

/// Text that means itself in HTML.
pub(super) fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            letter => out.push(letter),
        }
    }
    out
}

/// The beginning of a text that has room in so many units, escaped; nothing where next to nothing has.
pub(super) fn fitting(text: &str, width: f64) -> String {
    let room = (width / LETTER) as usize;
    if text.chars().count() <= room {
        return escaped(text);
    }
    if room < 4 {
        return String::new();
    }
    let cut: String = text.chars().take(room - 1).collect();
    format!("{}…", escaped(cut.trim_end()))
}

/// `12.3 ms`
pub(super) fn millis(time: Duration) -> String {
    let millis = time.as_secs_f64() * 1e3;
    match millis {
        m if m >= 10_000.0 => format!("{:.1} s", m / 1e3),
        m if m >= 100.0 => format!("{m:.0} ms"),
        m if m >= 1.0 => format!("{m:.1} ms"),
        m => format!("{:.0} µs", m * 1e3),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_cut_to_their_room_and_mean_themselves() {
        assert_eq!(fitting("a < b", 100.0), "a &lt; b");
        assert_eq!(fitting("a long text", 6.0 * LETTER), "a lon…");
        assert_eq!(fitting("a long text", 12.0), "");
        assert_eq!(escaped("\"&\""), "&quot;&amp;&quot;");
    }

    #[test]
    fn times_have_about_three_digits() {
        let shown = [250, 1_250, 123_400, 12_340_000].map(|us| millis(Duration::from_micros(us)));
        assert_eq!(shown, ["250 µs", "1.2 ms", "123 ms", "12.3 s"]);
    }
}
