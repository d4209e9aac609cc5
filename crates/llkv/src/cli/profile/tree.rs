//! The tree of operators, sized by time.

use super::page::{WIDTH, escaped, fitting, millis};
use llkv::executor::OperatorStatistics;
use std::fmt::{self, Formatter};
use std::time::Duration;

const ROW: f64 = 40.0;

/// Least width of an operator: all of them are to be seen.
const LEAST: f64 = 26.0;

/// An operator with its place.
struct Node<'a> {
    operator: &'a OperatorStatistics,
    /// Time spent in it and below.
    total: Duration,
    /// Operators below it that read from nothing, at least one.
    leaves: usize,
    inputs: Vec<Node<'a>>,
}

impl<'a> Node<'a> {
    fn new(operator: &'a OperatorStatistics) -> Self {
        let inputs: Vec<Node<'a>> = operator.inputs.iter().map(Node::new).collect();
        let below: Duration = inputs.iter().map(|input| input.total).sum();
        Self {
            operator,
            total: operator.time + below,
            leaves: inputs
                .iter()
                .map(|input| input.leaves)
                .sum::<usize>()
                .max(1),
            inputs,
        }
    }

    fn depth(&self) -> usize {
        1 + self.inputs.iter().map(Node::depth).max().unwrap_or(0)
    }

    fn name(&self) -> String {
        match &self.operator.note {
            Some(note) => note.description.clone(),
            None => format!("{} {}", self.operator.operator, self.operator.detail),
        }
    }
}

/// What all boxes share.
struct Picture {
    /// Time of the whole tree, in seconds.
    total: f64,
}

impl Picture {
    /// Writes an operator and its inputs into the given place.
    fn write(
        &self,
        f: &mut Formatter<'_>,
        node: &Node<'_>,
        x: f64,
        width: f64,
        row: usize,
    ) -> fmt::Result {
        let y = ROW * row as f64;
        let own = node.operator.time.as_secs_f64();
        let share = own / self.total;
        let name = node.name();
        let counts = format!(
            "{}  {} rows",
            millis(node.operator.time),
            node.operator.rows
        );
        write!(
            f,
            "<g><title>{}\n{counts}, {:.1} % of the time</title>\
             <rect class=\"box cold\" x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{:.1}\" fill-opacity=\"0.35\"/>\
             <rect class=\"hot\" x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{:.1}\" fill-opacity=\"{:.2}\"/>\
             <rect class=\"hot\" x=\"{x:.1}\" y=\"{:.1}\" width=\"{:.1}\" height=\"3\"/>\
             <text x=\"{:.1}\" y=\"{:.1}\">{}</text><text class=\"soft\" x=\"{:.1}\" y=\"{:.1}\">{}</text></g>",
            escaped(&name),
            share * 100.0,
            ROW - 2.0,
            ROW - 2.0,
            share * 0.8,
            y + ROW - 5.0,
            (width * own / node.total.as_secs_f64().max(1e-9)).clamp(0.0, width),
            x + 5.0,
            y + 15.0,
            fitting(&name, width - 10.0),
            x + 5.0,
            y + 29.0,
            fitting(&counts, width - 10.0),
        )?;
        // Each input has room for what must be seen of it; what is left is shared by time.
        let least = LEAST.min(width / node.leaves as f64);
        let free = width - least * node.leaves as f64;
        let below: f64 = node.inputs.iter().map(|i| i.total.as_secs_f64()).sum();
        let mut from = x;
        for input in &node.inputs {
            let all = node.total.as_secs_f64().max(1e-9);
            let alone = node.inputs.len() == 1 && below <= 0.0;
            let part = if alone {
                1.0
            } else {
                input.total.as_secs_f64() / all
            };
            let width = least * input.leaves as f64 + free * part;
            self.write(f, input, from, width, row + 1)?;
            from += width;
        }
        Ok(())
    }
}

/// Writes the picture.
pub(super) fn write(f: &mut Formatter<'_>, operators: &OperatorStatistics) -> fmt::Result {
    let root = Node::new(operators);
    let height = ROW * root.depth() as f64;
    let picture = Picture {
        total: root.total.as_secs_f64().max(1e-9),
    };
    write!(f, "<svg viewBox=\"0 0 {WIDTH} {height}\" role=\"img\">")?;
    picture.write(f, &root, 0.0, WIDTH, 0)?;
    f.write_str("</svg>")
}
