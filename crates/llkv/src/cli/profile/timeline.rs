//! When pipelines ran.

use super::page::{WIDTH, escaped, fitting, millis};
use llkv::executor::{OperatorSpan, OperatorStatistics, SpanRole};
use std::fmt::{self, Formatter};
use std::time::Duration;

/// Room for names at the left.
const LEFT: f64 = 430.0;
const ROW: f64 = 22.0;
const TOP: f64 = 20.0;

/// Bars above which the shorter ones are left out: a recursion runs its pipelines again and again.
const MOST_BARS: usize = 60;

/// A stretch of time with what ran in it.
#[derive(Debug, PartialEq, Eq)]
struct Bar {
    pipeline: Option<u32>,
    /// Operators in the order in which rows meet them.
    operators: Vec<String>,
    start: Duration,
    end: Duration,
    workers: usize,
}

impl Bar {
    fn new(span: &OperatorSpan) -> Self {
        Self {
            pipeline: span.pipeline,
            operators: Vec::new(),
            start: span.start,
            end: span.end,
            workers: span.workers,
        }
    }

    fn taken(&self) -> Duration {
        self.end.saturating_sub(self.start)
    }

    fn label(&self) -> String {
        self.operators.join(" → ")
    }
}

/// The bars of a tree, those that began first above.
fn bars(operators: &OperatorStatistics) -> Vec<Bar> {
    let mut bars = Vec::new();
    collect(operators, &mut bars);
    if bars.len() > MOST_BARS {
        bars.sort_by_key(|bar| std::cmp::Reverse(bar.taken()));
        bars.truncate(MOST_BARS);
    }
    bars.sort_by_key(|bar| (bar.start, bar.end));
    bars
}

/// Inputs come before what reads from them, as rows do.
fn collect(operator: &OperatorStatistics, bars: &mut Vec<Bar>) {
    for input in &operator.inputs {
        collect(input, bars);
    }
    let name = match (operator.operator, operator.detail.split(' ').next()) {
        ("scan", Some(table)) => format!("scan {table}"),
        (name, _) => name.to_owned(),
    };
    for span in &operator.spans {
        let known = bars
            .iter_mut()
            .find(|bar| span.pipeline.is_some() && bar.pipeline == span.pipeline);
        let bar = match known {
            Some(bar) => bar,
            None => {
                bars.push(Bar::new(span));
                let Some(bar) = bars.last_mut() else {
                    continue;
                };
                bar
            }
        };
        // An operator that is both the source and the first step stands there once.
        if span.role != SpanRole::Step || bar.operators.last() != Some(&name) {
            bar.operators.push(name.clone());
        }
    }
}

/// Writes the picture.
pub(super) fn write(f: &mut Formatter<'_>, operators: &OperatorStatistics) -> fmt::Result {
    let bars = bars(operators);
    let end = bars.iter().map(|bar| bar.end).max().unwrap_or_default();
    let total = end.as_secs_f64().max(1e-9);
    let height = TOP + ROW * bars.len() as f64 + 6.0;
    let x = |time: Duration| LEFT + (WIDTH - LEFT - 70.0) * time.as_secs_f64() / total;
    write!(f, "<svg viewBox=\"0 0 {WIDTH} {height}\" role=\"img\">")?;
    for share in [0, 1, 2, 3, 4] {
        let time = end * share / 4;
        let at = x(time);
        write!(
            f,
            "<line x1=\"{at:.1}\" x2=\"{at:.1}\" y1=\"{TOP}\" y2=\"{height}\"/>\
             <text class=\"soft\" x=\"{at:.1}\" y=\"12\" text-anchor=\"middle\">{}</text>",
            millis(time)
        )?;
    }
    for (row, bar) in bars.iter().enumerate() {
        let y = TOP + ROW * row as f64 + 3.0;
        let (from, width) = (x(bar.start), (x(bar.end) - x(bar.start)).max(1.5));
        let (class, threads) = match bar.pipeline {
            Some(_) if bar.workers > 1 => ("bar", format!(" × {}", bar.workers)),
            Some(_) => ("bar", String::new()),
            None => ("between", String::new()),
        };
        let label = bar.label();
        write!(
            f,
            "<g><title>{}: {} to {}{threads}</title>\
             <text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>\
             <rect class=\"{class}\" x=\"{from:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{:.1}\"/>\
             <text class=\"soft\" x=\"{:.1}\" y=\"{:.1}\">{}{threads}</text></g>",
            escaped(&label),
            millis(bar.start),
            millis(bar.end),
            LEFT - 10.0,
            y + 12.0,
            fitting(&label, LEFT - 16.0),
            ROW - 6.0,
            from + width + 5.0,
            y + 12.0,
            millis(bar.taken()),
        )?;
    }
    f.write_str("</svg>")
}
