//! The dashboard: one page of HTML and SVG that needs nothing else.

use super::figures::Figure;
use super::history::{History, Run};
use std::fmt::Write as _;

/// Runs that a plot shows.
const SHOWN: usize = 200;
const WIDTH: f64 = 640.0;
const HEIGHT: f64 = 150.0;
/// Room for the numbers at the left and below.
const LEFT: f64 = 64.0;
const BELOW: f64 = 18.0;
/// A change is coloured from here on.
const NOTABLE: f64 = 0.1;

const STYLE: &str = "
:root { color-scheme: light dark; --line: #8884; --llkv: #d9480f; --sqlite: #0b7285; --duckdb: #b8860b; --datafusion: #5f3dc4; }
body { font: 15px/1.5 system-ui, sans-serif; max-width: 62rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.1rem; margin-top: 2.2rem; }
table { border-collapse: collapse; width: 100%; } th, td { padding: .25rem .6rem; border-bottom: 1px solid var(--line); }
th { text-align: left; font-weight: 600; } th.n, td.n { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
.better { color: #2b8a3e; } .worse { color: #c92a2a; } .quiet { opacity: .65; }
svg { max-width: 100%; height: auto; display: block; } svg text { font: 11px system-ui, sans-serif; fill: currentColor; opacity: .75; }
figure { margin: 1rem 0 1.8rem; } figcaption { font-weight: 600; }
";

/// The page about all runs.
pub(crate) fn page(history: &History) -> String {
    let mut out = String::new();
    let title = "LLKV benchmarks";
    // Writing to a string does not fail.
    let _ = write!(
        out,
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>{title}</title>\
         <meta name=\"viewport\" content=\"width=device-width\"><style>{STYLE}</style></head><body><h1>{title}</h1>"
    );
    if let Some(last) = history.runs.last() {
        let runs = history.runs.len();
        let _ = write!(
            out,
            "<p>{} of commit <code>{}</code>: {}. {}; each value is the median of its run, less is better. \
             A ratio below 1 means that LLKV takes less than the peer did in the same run.</p>",
            date(last.at_s),
            escaped(last.short_commit()),
            escaped(&last.subject),
            if runs == 1 {
                "One run".to_owned()
            } else {
                format!("{runs} runs")
            },
        );
        for group in groups(last) {
            section(&mut out, history, last, &group);
        }
    }
    out.push_str("</body></html>\n");
    out
}

/// First parts of the names, in the order in which they occur.
fn groups(run: &Run) -> Vec<String> {
    let mut groups: Vec<String> = Vec::new();
    for figure in &run.figures {
        let group = group_of(&figure.name);
        if groups.iter().all(|known| known != group) {
            groups.push(group.to_owned());
        }
    }
    groups
}

fn group_of(name: &str) -> &str {
    name.split('/').next().unwrap_or(name)
}

fn section(out: &mut String, history: &History, last: &Run, group: &str) {
    let before = history.runs.iter().rev().nth(1);
    let figures = last.figures.iter();
    let figures = figures.filter(|f| f.is_ours() && group_of(&f.name) == group);
    let figures: Vec<&Figure> = figures.collect();
    let _ = write!(
        out,
        "<h2>{}</h2><table><tr><th>bench</th><th class=\"n\">LLKV</th><th class=\"n\">to the run before</th><th class=\"n\">peers</th></tr>",
        escaped(group)
    );
    for figure in &figures {
        let name = figure.name.strip_prefix(group).unwrap_or(&figure.name);
        let name = name.trim_start_matches('/');
        let former = before.and_then(|run| run.figure(&figure.name, "llkv"));
        let _ = write!(
            out,
            "<tr><td>{}</td><td class=\"n\">{}</td><td class=\"n\">{}</td><td class=\"n\">{}</td></tr>",
            escaped(if name.is_empty() { group } else { name }),
            human(figure.value, &figure.unit),
            former.map_or_else(
                || "<span class=\"quiet\">new</span>".to_owned(),
                |f| change(figure, f)
            ),
            ratios(last, figure),
        );
    }
    out.push_str("</table>");
    for figure in figures {
        plot(out, history, figure);
    }
}

fn change(now: &Figure, former: &Figure) -> String {
    let ratio = now.value / former.value;
    let class = match ratio - 1.0 {
        more if more > NOTABLE => "worse",
        less if less < -NOTABLE => "better",
        _ => "quiet",
    };
    format!(
        "<span class=\"{class}\">{:+.1} %</span>",
        (ratio - 1.0) * 100.0
    )
}

fn ratios(run: &Run, figure: &Figure) -> String {
    let peers = run.figures.iter();
    let peers = peers.filter(|f| f.name == figure.name && !f.is_ours() && f.value > 0.0);
    let peers = peers.map(|peer| {
        let ratio = figure.value / peer.value;
        let class = if ratio > 1.0 { "worse" } else { "better" };
        let theirs = human(peer.value, &peer.unit);
        let name = escaped(&peer.engine);
        format!("<span class=\"{class}\">{ratio:.2}</span> of {name} ({theirs})")
    });
    peers.collect::<Vec<String>>().join("<br>")
}

/// Values over runs, a line for each engine; nothing where there is only one run.
fn plot(out: &mut String, history: &History, figure: &Figure) {
    let skipped = history.runs.len().saturating_sub(SHOWN);
    let runs: Vec<&Run> = history.runs.iter().skip(skipped).collect();
    let mut engines: Vec<&str> = Vec::new();
    let mut top: f64 = 0.0;
    for found in runs.iter().flat_map(|run| &run.figures) {
        if found.name == figure.name {
            top = top.max(found.value + found.range);
            if !engines.contains(&found.engine.as_str()) {
                engines.push(&found.engine);
            }
        }
    }
    if runs.len() < 2 || top <= 0.0 {
        return;
    }
    let x = |at: usize| LEFT + (WIDTH - LEFT - 8.0) * at as f64 / (runs.len() - 1) as f64;
    let y = |value: f64| 8.0 + (HEIGHT - BELOW - 8.0) * (1.0 - value / top);
    let _ = write!(
        out,
        "<figure><figcaption>{}</figcaption><svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\">",
        escaped(&figure.name)
    );
    for share in [0.0, 0.5, 1.0] {
        let (value, at) = (top * share, y(top * share));
        let _ = write!(
            out,
            "<line x1=\"{LEFT}\" x2=\"{WIDTH}\" y1=\"{at:.1}\" y2=\"{at:.1}\" stroke=\"var(--line)\"/>\
             <text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>",
            LEFT - 6.0,
            at + 4.0,
            human(value, &figure.unit)
        );
    }
    for (at, end) in [(0, "start"), (runs.len() - 1, "end")] {
        let day = runs.get(at).map(|run| date(run.at_s)).unwrap_or_default();
        let _ = write!(
            out,
            "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"{end}\">{day}</text>",
            x(at),
            HEIGHT - 4.0
        );
    }
    for engine in engines {
        let points = runs.iter().enumerate();
        let points =
            points.filter_map(|(at, run)| Some((at, run, run.figure(&figure.name, engine)?)));
        let points: Vec<(usize, &&Run, &Figure)> = points.collect();
        let line = points
            .iter()
            .map(|(at, _, f)| format!("{:.1},{:.1}", x(*at), y(f.value)));
        let line = line.collect::<Vec<String>>().join(" ");
        let colour = format!("var(--{engine}, currentColor)");
        let _ = write!(
            out,
            "<polyline points=\"{line}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"1.5\"/>"
        );
        for (at, run, found) in points {
            let _ = write!(
                out,
                "<circle cx=\"{:.1}\" cy=\"{:.1}\" r=\"2.5\" fill=\"{colour}\"><title>{engine} {}: {} ({})</title></circle>",
                x(at),
                y(found.value),
                escaped(run.short_commit()),
                human(found.value, &found.unit),
                escaped(&run.subject),
            );
        }
    }
    out.push_str("</svg></figure>");
}

/// A value with its unit, as people read it.
fn human(value: f64, unit: &str) -> String {
    let scales = [(1e9, "s"), (1e6, "ms"), (1e3, "µs")];
    let (value, unit) = match unit {
        "ns" => {
            let scale = scales.into_iter().find(|(scale, _)| value >= *scale);
            scale.map_or((value, "ns"), |(scale, unit)| (value / scale, unit))
        }
        _ => (value, unit),
    };
    let digits = match value {
        v if v >= 100.0 => 0,
        v if v >= 10.0 => 1,
        _ => 2,
    };
    format!("{value:.digits$} {unit}")
}

/// A day, from seconds since 1970-01-01 (Hinnant, "chrono-compatible low-level date algorithms").
fn date(at_s: u64) -> String {
    let days = at_s / 86_400 + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = (month_from_march + 2) % 12 + 1;
    let year = era * 400 + year_of_era + u64::from(month <= 2);
    format!("{year}-{month:02}-{day:02}")
}

fn escaped(text: &str) -> String {
    let text = text.replace('&', "&amp;").replace('<', "&lt;");
    text.replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_days_are_readable() {
        assert_eq!(human(1_234_567.0, "ns"), "1.23 ms");
        assert_eq!(human(14.2, "ns"), "14.2 ns");
        assert_eq!(human(187.3, "MB"), "187 MB");
        assert_eq!(date(0), "1970-01-01");
        assert_eq!(date(951_782_400), "2000-02-29");
        assert_eq!(date(1_735_689_599), "2024-12-31");
    }

    #[test]
    fn a_page_shows_changes_ratios_and_lines_over_time() {
        let folder = tempfile::tempdir().unwrap();
        let mut history = History::read(folder.path()).unwrap();
        for (at_s, value) in [(1, 100.0), (2, 200.0)] {
            let figure = |engine: &str, value| Figure {
                name: "a & b/<c>".into(),
                engine: engine.into(),
                unit: "ns".into(),
                value,
                range: 0.0,
            };
            let run = Run {
                at_s,
                commit: "abc".into(),
                subject: "why".into(),
                figures: vec![figure("llkv", value), figure("sqlite", 400.0)],
            };
            history.add(run).unwrap();
        }
        let page = page(&history);
        for part in [
            "a &amp; b",
            "&lt;c&gt;",
            "+100.0 %",
            "0.50",
            "<polyline",
            "400 ns",
        ] {
            assert!(page.contains(part), "{part}");
        }
        assert!(!page.contains("<script") && !page.contains("src="));
    }
}
