//! Plans as text: one line a node, inputs below it; or as JSON.

mod json;

use crate::estimate::{Estimate, Estimator};
use crate::{
    Aggregate, Apply, ApplyKind, CatalogView, Expand, Join, JoinKind, LogicalPlan, PlanColumn,
    Projection, Series, SetOpKind, Window,
};
use hashbrown::HashMap;
use llkv_expr::{ColumnId, Expr};
use std::fmt::Write;

/// The tree as text, without estimates: what golden tests compare.
#[must_use]
pub fn explain(plan: &LogicalPlan) -> String {
    Printer::new(plan, None).print(plan)
}

/// The tree as text, each node with the rows that are expected of it.
#[must_use]
pub fn explain_estimated(plan: &LogicalPlan, catalog: &dyn CatalogView) -> String {
    let estimator = Estimator::new(catalog);
    Printer::new(plan, Some(&estimator)).print(plan)
}

/// The tree as a JSON text, each node with what it is, the rows that are expected of it, and its inputs.
#[must_use]
pub fn explain_json(plan: &LogicalPlan, catalog: &dyn CatalogView) -> String {
    json::plan(plan, &notes(plan, catalog))
}

pub use json::JsonWriter;

/// What EXPLAIN says of the nodes of one plan, which must stay where it is in memory.
#[derive(Debug, Clone, Default)]
pub struct PlanNotes {
    /// By the address of the node.
    by_node: HashMap<*const LogicalPlan, PlanNote>,
}

/// What EXPLAIN says of a node.
#[derive(Debug, Clone, PartialEq)]
pub struct PlanNote {
    /// The node, with names of columns.
    pub description: String,
    /// Rows that are expected of it.
    pub rows: f64,
}

impl PlanNotes {
    /// What is said of a node.
    #[must_use]
    pub fn of(&self, node: &LogicalPlan) -> Option<&PlanNote> {
        self.by_node.get(&std::ptr::from_ref(node))
    }
}

/// What EXPLAIN says of each node of a plan.
#[must_use]
pub fn notes(plan: &LogicalPlan, catalog: &dyn CatalogView) -> PlanNotes {
    let estimator = Estimator::new(catalog);
    let printer = Printer::new(plan, None);
    let mut notes = PlanNotes::default();
    note(plan, &printer, &estimator, &mut notes);
    notes
}

fn note(
    plan: &LogicalPlan,
    printer: &Printer<'_>,
    estimator: &Estimator<'_>,
    notes: &mut PlanNotes,
) -> Estimate {
    // As deep as the plan, which may be deeper than the caller's stack.
    stacker::maybe_grow(64 * 1024, 1024 * 1024, || {
        let mut inputs = Vec::new();
        plan.for_each_input(&mut |input| inputs.push(note(input, printer, estimator, notes)));
        let estimate = estimator.of_node(plan, &inputs);
        let note = PlanNote {
            description: printer.describe(plan),
            rows: estimate.rows,
        };
        notes.by_node.insert(std::ptr::from_ref(plan), note);
        estimate
    })
}

/// A step of a plan, for people who come from SQLite.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueryPlanStep {
    /// Number, from 1, a node before what is below it.
    pub id: i64,
    /// The step that this one feeds; 0 for none.
    pub parent: i64,
    /// What is done. A table is one that is scanned (`SCAN t`) or searched by an index
    /// (`SEARCH t USING INDEX i`).
    pub detail: String,
}

/// The tree as steps. Filters and projections belong to the steps that they are part of.
#[must_use]
pub fn query_plan(plan: &LogicalPlan) -> Vec<QueryPlanStep> {
    let printer = Printer::new(plan, None);
    let mut steps = Vec::new();
    let mut open = vec![(plan, 0)];
    while let Some((node, parent)) = open.pop() {
        let detail = match node {
            LogicalPlan::Filter(_) | LogicalPlan::Project(_) => None,
            LogicalPlan::Scan(scan) => Some(match &scan.index {
                None => format!("SCAN {}", scan.table_name),
                Some(index) => format!("SEARCH {} USING INDEX {}", scan.table_name, index.name),
            }),
            LogicalPlan::External(scan) => Some(format!("SCAN {}", scan.source.name())),
            other => Some(printer.describe(other)),
        };
        let own = match detail {
            None => parent,
            Some(detail) => {
                let id = steps.len() as i64 + 1;
                steps.push(QueryPlanStep { id, parent, detail });
                id
            }
        };
        let inputs = node.inputs();
        open.extend(inputs.into_iter().rev().map(|input| (input, own)));
    }
    steps
}

struct Printer<'a> {
    /// Names of columns; with the number where the name alone does not tell.
    names: HashMap<ColumnId, String>,
    estimator: Option<&'a Estimator<'a>>,
}

/// Text of a node and what is below it.
struct Block {
    lines: Vec<String>,
    estimate: Option<Estimate>,
}

impl<'a> Printer<'a> {
    fn new(plan: &LogicalPlan, estimator: Option<&'a Estimator<'a>>) -> Self {
        let mut columns: Vec<(ColumnId, String)> = Vec::new();
        collect_names(plan, &mut columns);
        // Of several names of a column the one that it has at its origin is shown: it comes last.
        let mut names: HashMap<ColumnId, String> = columns.into_iter().collect();
        let mut uses: HashMap<String, usize> = HashMap::new();
        for name in names.values() {
            *uses.entry(name.clone()).or_default() += 1;
        }
        for (id, name) in &mut names {
            if name.is_empty() || uses.get(name).is_some_and(|n| *n > 1) {
                let _ = write!(name, "{id}");
            }
        }
        Self { names, estimator }
    }

    fn print(&self, plan: &LogicalPlan) -> String {
        let mut text = self.block(plan).lines.join("\n");
        text.push('\n');
        text
    }

    fn block(&self, plan: &LogicalPlan) -> Block {
        let mut blocks = Vec::new();
        plan.for_each_input(&mut |input| blocks.push(self.block(input)));
        let estimate = self.estimator.map(|estimator| {
            let inputs: Vec<Estimate> = blocks
                .iter_mut()
                .filter_map(|b| b.estimate.take())
                .collect();
            estimator.of_node(plan, &inputs)
        });
        let mut first = self.describe(plan);
        if let Some(estimate) = &estimate {
            let _ = write!(first, "  [~{:.0} rows]", estimate.rows);
        }
        let mut lines = vec![first];
        let last = blocks.len().saturating_sub(1);
        for (i, block) in blocks.into_iter().enumerate() {
            let (branch, trunk) = if i == last {
                ("└─ ", "   ")
            } else {
                ("├─ ", "│  ")
            };
            for (j, line) in block.lines.into_iter().enumerate() {
                lines.push(format!("{}{line}", if j == 0 { branch } else { trunk }));
            }
        }
        Block { lines, estimate }
    }

    fn describe(&self, plan: &LogicalPlan) -> String {
        match plan {
            LogicalPlan::Scan(n) => {
                let columns = n.columns.iter().map(|(_, c)| c).chain(&n.row_id);
                let mut text = format!("Scan {} ({})", n.table_name, self.columns(columns));
                if let Some(index) = &n.index {
                    let _ = write!(text, " by index {}", index.name);
                }
                if !n.predicates.is_empty() {
                    let _ = write!(text, " where {}", self.list(&n.predicates, " AND "));
                }
                text
            }
            LogicalPlan::External(n) => {
                let columns = n.columns.iter().map(|(_, c)| c);
                format!("External {} ({})", n.source.name(), self.columns(columns))
            }
            LogicalPlan::Values(n) => {
                let rows: usize = n.batches.iter().map(|b| b.num_rows()).sum();
                format!("Values {rows} rows ({})", self.columns(&n.columns))
            }
            LogicalPlan::Filter(n) => format!("Filter {}", self.expr(&n.predicate)),
            LogicalPlan::Project(n) => format!("Project {}", self.projections(&n.projections)),
            LogicalPlan::Join(n) => self.join(n),
            LogicalPlan::Apply(n) => self.apply(n),
            LogicalPlan::Aggregate(n) => self.aggregate(n),
            LogicalPlan::Distinct(_) => "Distinct".into(),
            LogicalPlan::Sort(n) => {
                let keys: Vec<String> = n.keys.iter().map(|k| self.named(&k.to_string())).collect();
                let mut text = format!("Sort {}", keys.join(", "));
                if let Some(fetch) = n.fetch {
                    let _ = write!(text, " first {fetch}");
                }
                text
            }
            LogicalPlan::Limit(n) => {
                let mut text = "Limit".to_string();
                if let Some(fetch) = n.fetch {
                    let _ = write!(text, " {fetch}");
                }
                if n.skip > 0 {
                    let _ = write!(text, " skip {}", n.skip);
                }
                text
            }
            LogicalPlan::Window(n) => self.window(n),
            LogicalPlan::Expand(n) => self.expand(n),
            LogicalPlan::Series(n) => self.series(n),
            LogicalPlan::Recursive(n) => format!(
                "Recursive{} {} ({})",
                if n.distinct { "" } else { "All" },
                n.name,
                self.columns(&n.columns)
            ),
            LogicalPlan::WorkingTable(n) => {
                format!("WorkingTable {} ({})", n.name, self.columns(&n.columns))
            }
            LogicalPlan::Shared(n) => format!("Shared {}, at {} places", n.number, n.places),
            LogicalPlan::UnionAll(n) => format!("UnionAll ({})", self.columns(&n.columns)),
            LogicalPlan::SetOp(n) => {
                let kind = match n.kind {
                    SetOpKind::Except => "Except",
                    SetOpKind::Intersect => "Intersect",
                };
                let all = if n.all { "All" } else { "" };
                format!("{kind}{all} ({})", self.columns(&n.columns))
            }
        }
    }

    fn join(&self, n: &Join) -> String {
        let cross = n.kind == JoinKind::Inner && n.on.is_empty() && n.filter.is_none();
        let mut text = if cross {
            "CrossJoin".to_string()
        } else {
            format!("{:?}Join", n.kind)
        };
        if let Some(mark) = &n.mark {
            let aware = match (n.null_aware_mark, n.left_first) {
                (true, _) => " (as IN)",
                (false, true) => " (left first)",
                (false, false) => "",
            };
            let _ = write!(text, " {}{aware}", self.name(mark.id));
        }
        for (column, call) in &n.aggregates {
            let call = self.named(&call.to_string());
            let _ = write!(text, " {} := {call}", self.name(column.id));
        }
        for (i, ((left, right), null_equal)) in n.on.iter().zip(&n.null_equal).enumerate() {
            let word = if i == 0 { "on" } else { "and" };
            let op = if *null_equal {
                "is not distinct from"
            } else {
                "="
            };
            let _ = write!(
                text,
                " {word} {} {op} {}",
                self.operand(left),
                self.operand(right)
            );
        }
        if let Some(filter) = &n.filter {
            let _ = write!(text, " where {}", self.expr(filter));
        }
        text
    }

    fn apply(&self, n: &Apply) -> String {
        match &n.kind {
            ApplyKind::Cross => "Apply cross".into(),
            ApplyKind::Left => "Apply left".into(),
            ApplyKind::Scalar { first_row: false } => "Apply scalar".into(),
            ApplyKind::Scalar { first_row: true } => "Apply scalar, first row".into(),
            ApplyKind::Exists { mark } => format!("Apply exists {}", self.name(mark.id)),
            ApplyKind::In {
                mark,
                needle,
                haystack,
            } => format!(
                "Apply {}: ({}) in ({})",
                self.name(mark.id),
                self.list(needle, ", "),
                self.list(haystack, ", ")
            ),
        }
    }

    fn aggregate(&self, n: &Aggregate) -> String {
        let mut text = "Aggregate".to_string();
        if !n.groups.is_empty() {
            let _ = write!(text, " by {}", self.projections(&n.groups));
        }
        for (i, (column, call)) in n.aggregates.iter().enumerate() {
            let word = if i == 0 { ":" } else { "," };
            let call = self.named(&call.to_string());
            let _ = write!(text, "{word} {} := {call}", self.name(column.id));
        }
        text
    }

    fn expand(&self, n: &Expand) -> String {
        let sets: Vec<String> = n
            .sets
            .iter()
            .map(|set| {
                let keys = n.keys.iter().zip(set).filter(|(_, has)| **has);
                let names: Vec<String> = keys.map(|(key, _)| self.expr(&key.expr)).collect();
                format!("({})", names.join(", "))
            })
            .collect();
        format!("Expand {}", sets.join(", "))
    }

    fn series(&self, n: &Series) -> String {
        let calls = n.series.iter().map(|series| {
            let args = series.exprs().map(|expr| self.expr(expr));
            format!("{}({})", series.function(), args.join(", "))
        });
        format!("Series {}", calls.collect::<Vec<_>>().join(", "))
    }

    fn window(&self, n: &Window) -> String {
        let mut text = "Window".to_string();
        if !n.partition_by.is_empty() {
            let _ = write!(text, " partition by {}", self.list(&n.partition_by, ", "));
        }
        for (i, key) in n.order_by.iter().enumerate() {
            let word = if i == 0 { " order by " } else { ", " };
            let _ = write!(text, "{word}{}", self.named(&key.to_string()));
        }
        for (i, (column, call)) in n.functions.iter().enumerate() {
            let word = if i == 0 { ":" } else { "," };
            let call_text = self.named(&call.to_string());
            let _ = write!(text, "{word} {} := {call_text}", self.name(column.id));
        }
        if let Some(wanted) = n.wanted {
            let _ = write!(text, ", first {wanted} of each");
        }
        text
    }

    fn projections(&self, projections: &[Projection]) -> String {
        let parts: Vec<String> = projections
            .iter()
            .map(|p| match &p.expr {
                Expr::Column { id, .. } if *id == p.column.id => self.name(*id),
                expr => format!("{} := {}", self.name(p.column.id), self.expr(expr)),
            })
            .collect();
        parts.join(", ")
    }

    fn columns<'c>(&self, columns: impl IntoIterator<Item = &'c PlanColumn>) -> String {
        let names: Vec<String> = columns.into_iter().map(|c| self.name(c.id)).collect();
        names.join(", ")
    }

    fn list(&self, exprs: &[Expr], separator: &str) -> String {
        let parts: Vec<String> = exprs.iter().map(|e| self.operand(e)).collect();
        parts.join(separator)
    }

    fn operand(&self, expr: &Expr) -> String {
        match expr {
            Expr::Or(_) => format!("({})", self.expr(expr)),
            _ => self.expr(expr),
        }
    }

    fn name(&self, id: ColumnId) -> String {
        self.names
            .get(&id)
            .cloned()
            .unwrap_or_else(|| id.to_string())
    }

    fn expr(&self, expr: &Expr) -> String {
        self.named(&expr.to_string())
    }

    /// Puts names in place of `#17` outside of quotes: an expression knows numbers alone.
    fn named(&self, text: &str) -> String {
        let mut out = String::with_capacity(text.len());
        let mut quoted = false;
        let mut rest = text.chars().peekable();
        while let Some(c) = rest.next() {
            quoted ^= c == '\'';
            if c != '#' || quoted {
                out.push(c);
                continue;
            }
            let mut digits = String::new();
            while let Some(digit) = rest.next_if(char::is_ascii_digit) {
                digits.push(digit);
            }
            match digits.parse() {
                Ok(number) => out.push_str(&self.name(ColumnId(number))),
                Err(_) => {
                    out.push('#');
                    out.push_str(&digits);
                }
            }
        }
        out
    }
}

/// Names where columns are made. Ids in a tree are unique but for columns passed through.
fn collect_names(plan: &LogicalPlan, names: &mut Vec<(ColumnId, String)>) {
    match plan {
        LogicalPlan::Filter(_)
        | LogicalPlan::Distinct(_)
        | LogicalPlan::Sort(_)
        | LogicalPlan::Limit(_)
        | LogicalPlan::Shared(_) => {}
        LogicalPlan::Expand(n) => {
            names.extend(
                n.keys
                    .iter()
                    .map(|k| (k.column.id, k.column.name.to_string())),
            );
            names.push((n.number.id, n.number.name.to_string()));
        }
        LogicalPlan::Series(n) => {
            names.extend(
                n.series
                    .iter()
                    .map(|s| (s.column.id, s.column.name.to_string())),
            );
        }
        LogicalPlan::Window(n) => {
            names.extend(n.functions.iter().map(|(c, _)| (c.id, c.name.to_string())));
        }
        LogicalPlan::Join(n) => {
            names.extend(n.own_columns().map(|c| (c.id, c.name.to_string())));
        }
        LogicalPlan::Apply(n) => {
            if let ApplyKind::Exists { mark } | ApplyKind::In { mark, .. } = &n.kind {
                names.push((mark.id, mark.name.to_string()));
            }
        }
        other => other.for_each_column(&mut |c| names.push((c.id, c.name.to_string()))),
    }
    plan.for_each_input(&mut |input| collect_names(input, names));
}
