//! The nodes of a plan, each handing its rows to whoever asked for them.

use super::aggregate::{Calls, Groups};
use super::check::{Checked, Tables};
use super::key_set::{Key, KeySet};
use super::sorted::SortedRows;
use super::subquery::Subqueries;
use crate::pipeline::Flow;
use llkv_compute::{Row, compare_values, evaluate_row, row_passes};
use llkv_expr::{BinaryOp, ColumnId, Expr};
use llkv_plan::{
    Aggregate, ColumnSet, Distinct, Join, JoinKind, Limit, LogicalPlan, PlanColumn, Project, Scan,
    SetOp, SetOpKind, Sort, UnionAll, Values,
};
use llkv_result::{Error, Result};
use llkv_types::Scalar;
use smallvec::SmallVec;
use std::borrow::Cow;

/// Who takes the rows of a node: the row stands in the walk.
pub(super) type Sink<'s, 'p> = &'s mut dyn FnMut(&mut Walk<'p>) -> Result<Flow>;

/// Places of columns in the row.
pub(super) type Places = SmallVec<[usize; 8]>;

/// The value of a column.
#[derive(Clone)]
enum Slot<'p> {
    /// A value of the row at which a scan is.
    Scanned {
        cursor: usize,
        position: usize,
    },
    /// A value of a table or a constant, which stays where it is.
    Standing(&'p Scalar),
    Computed(Scalar),
}

/// Values of columns.
struct CurrentRow<'p> {
    /// By the columns' numbers.
    slots: Vec<Slot<'p>>,
    /// The rows at which the running scans are, the outermost first.
    cursors: Vec<&'p [Scalar]>,
}

impl<'p> CurrentRow<'p> {
    #[inline]
    fn at(&self, place: usize) -> Option<&Scalar> {
        match self.slots.get(place)? {
            Slot::Scanned { cursor, position } => self.cursors.get(*cursor)?.get(*position),
            Slot::Standing(value) => Some(value),
            Slot::Computed(value) => Some(value),
        }
    }

    /// What stays the value of a column when the scans go on.
    fn fixed(&self, place: usize) -> Option<Slot<'p>> {
        match self.slots.get(place)? {
            Slot::Scanned { cursor, position } => {
                let value = self.cursors.get(*cursor)?.get(*position)?;
                Some(Slot::Standing(value))
            }
            other => Some(other.clone()),
        }
    }
}

impl Row for CurrentRow<'_> {
    #[inline]
    fn value(&self, column: ColumnId) -> Option<&Scalar> {
        self.at(column.0 as usize)
    }
}

/// A plan that is being run, and the row at hand.
pub(super) struct Walk<'p> {
    tables: &'p Tables,
    /// Columns that somebody reads: others are not set.
    read: &'p ColumnSet,
    /// Values of all columns of the statement, each at the place of its number.
    row: CurrentRow<'p>,
    pub(super) subqueries: Subqueries,
}

impl<'p> Walk<'p> {
    pub(super) fn new(checked: &'p Checked) -> Self {
        Self {
            tables: &checked.tables,
            read: &checked.read,
            row: CurrentRow {
                slots: vec![Slot::Computed(Scalar::Boolean(false)); checked.columns],
                cursors: Vec::new(),
            },
            subqueries: Subqueries::default(),
        }
    }

    /// Hands all rows of a node to `sink`, until it wants no more: [`Flow::Stop`] says that it did not.
    pub(super) fn run(&mut self, plan: &'p LogicalPlan, sink: Sink<'_, 'p>) -> Result<Flow> {
        match plan {
            LogicalPlan::Scan(node) => self.scan(node, sink),
            LogicalPlan::Values(node) => self.values(node, sink),
            LogicalPlan::Filter(node) => self.run(&node.input, &mut |walk| match walk
                .passes(&node.predicate)?
            {
                true => sink(walk),
                false => Ok(Flow::Continue),
            }),
            LogicalPlan::Project(node) => self.project(node, sink),
            LogicalPlan::Limit(node) => self.limit(node, sink),
            LogicalPlan::Distinct(node) => self.distinct(node, sink),
            LogicalPlan::Sort(node) => self.sort(node, sink),
            LogicalPlan::Aggregate(node) => self.aggregate(node, sink),
            LogicalPlan::Join(node) => self.join(node, sink),
            LogicalPlan::Apply(node) => self.apply(node, sink),
            LogicalPlan::UnionAll(node) => self.union_all(node, sink),
            LogicalPlan::SetOp(node) => self.set_op(node, sink),
            other => Err(Error::internal(format!(
                "{:?} is not run directly",
                std::mem::discriminant(other)
            ))),
        }
    }

    /// The value of a column, by its place.
    #[inline]
    pub(super) fn value(&self, place: usize) -> Result<&Scalar> {
        self.row.at(place).ok_or_else(|| no_place(place))
    }

    pub(super) fn set(&mut self, place: usize, value: Scalar) -> Result<()> {
        self.put(place, Slot::Computed(value))
    }

    fn put(&mut self, place: usize, value: Slot<'p>) -> Result<()> {
        let slot = self.row.slots.get_mut(place);
        *slot.ok_or_else(|| no_place(place))? = value;
        Ok(())
    }

    /// Puts values into places, as [`Walk::values_at`] gave them.
    pub(super) fn set_all(
        &mut self,
        places: &[usize],
        values: impl IntoIterator<Item = Scalar>,
    ) -> Result<()> {
        let mut pairs = places.iter().zip(values);
        pairs.try_for_each(|(place, value)| self.set(*place, value))
    }

    /// The values in some places.
    pub(super) fn values_at(&self, places: &[usize]) -> Result<Key> {
        let places = places.iter();
        places.map(|place| self.value(*place).cloned()).collect()
    }

    pub(super) fn passes(&self, predicate: &Expr) -> Result<bool> {
        row_passes(predicate, &self.row)
    }

    pub(super) fn evaluate(&self, expr: &Expr) -> Result<Scalar> {
        evaluate_row(expr, &self.row).map(Cow::into_owned)
    }

    /// Puts the value of an expression into a place. Values of tables and constants stay where they are.
    fn compute(&mut self, expr: &'p Expr, column: &PlanColumn) -> Result<()> {
        let value = match expr {
            Expr::Column { id, .. } if *id == column.id => return Ok(()),
            Expr::Column { id, .. } => {
                let place = id.0 as usize;
                self.row.fixed(place).ok_or_else(|| no_place(place))?
            }
            Expr::Literal(value) => Slot::Standing(value),
            expr => Slot::Computed(self.evaluate(expr)?),
        };
        self.put(column.id.0 as usize, value)
    }

    fn scan(&mut self, node: &'p Scan, sink: Sink<'_, 'p>) -> Result<Flow> {
        let tables = self.tables;
        let table = tables.iter().find(|(id, _)| *id == node.table);
        let Some((_, table)) = table else {
            return Err(Error::internal("a table was not read before its scan"));
        };
        let cursor = self.row.cursors.len();
        let read = self.read;
        let columns = node.columns.iter();
        for (field, column) in columns.filter(|(_, column)| read.contains(column.id)) {
            let position = table.position(*field);
            let position = position.ok_or_else(|| Error::internal("a scan of no such field"))?;
            self.put(column.id.0 as usize, Slot::Scanned { cursor, position })?;
        }
        if let Some(column) = &node.row_id
            && read.contains(column.id)
        {
            let position = table.row_id_position();
            self.put(column.id.0 as usize, Slot::Scanned { cursor, position })?;
        }
        self.row.cursors.push(&[]);
        let mut flow = Flow::Continue;
        for row in table.rows() {
            if let Some(current) = self.row.cursors.last_mut() {
                *current = row;
            }
            if self.pass_all(&node.predicates)? && sink(self)? == Flow::Stop {
                flow = Flow::Stop;
                break;
            }
        }
        self.row.cursors.truncate(cursor);
        Ok(flow)
    }

    fn pass_all(&self, predicates: &[Expr]) -> Result<bool> {
        for predicate in predicates {
            if !self.passes(predicate)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn values(&mut self, node: &'p Values, sink: Sink<'_, 'p>) -> Result<Flow> {
        for batch in &node.batches {
            for row in 0..batch.num_rows() {
                for (values, column) in batch.columns().iter().zip(&node.columns) {
                    let value = Scalar::from_array(values.as_ref(), row)?;
                    self.set(column.id.0 as usize, value)?;
                }
                if sink(self)? == Flow::Stop {
                    return Ok(Flow::Stop);
                }
            }
        }
        Ok(Flow::Continue)
    }

    fn project(&mut self, node: &'p Project, sink: Sink<'_, 'p>) -> Result<Flow> {
        self.run(&node.input, &mut |walk| {
            for projection in &node.projections {
                walk.compute(&projection.expr, &projection.column)?;
            }
            sink(walk)
        })
    }

    fn limit(&mut self, node: &'p Limit, sink: Sink<'_, 'p>) -> Result<Flow> {
        let (mut skip, mut fetch) = (node.skip, node.fetch.unwrap_or(u64::MAX));
        if fetch == 0 {
            return Ok(Flow::Continue);
        }
        let mut wanted = Flow::Continue;
        self.run(&node.input, &mut |walk| {
            if skip > 0 {
                skip -= 1;
                return Ok(Flow::Continue);
            }
            fetch -= 1;
            wanted = sink(walk)?;
            Ok(match fetch {
                0 => Flow::Stop,
                _ => wanted,
            })
        })?;
        Ok(wanted)
    }

    fn distinct(&mut self, node: &'p Distinct, sink: Sink<'_, 'p>) -> Result<Flow> {
        let places = places_of(&node.input);
        let mut seen = KeySet::default();
        self.run(&node.input, &mut |walk| {
            let (_, is_new) = seen.place(walk.values_at(&places)?);
            match is_new {
                true => sink(walk),
                false => Ok(Flow::Continue),
            }
        })
    }

    fn sort(&mut self, node: &'p Sort, sink: Sink<'_, 'p>) -> Result<Flow> {
        let places = places_of(&node.input);
        let mut rows = SortedRows::new(&node.keys, &places);
        self.run(&node.input, &mut |walk| {
            rows.add(walk)?;
            Ok(Flow::Continue)
        })?;
        let fetch = node.fetch.and_then(|fetch| usize::try_from(fetch).ok());
        for row in rows.in_order().take(fetch.unwrap_or(usize::MAX)) {
            self.set_all(&places, row.iter().cloned())?;
            if sink(self)? == Flow::Stop {
                return Ok(Flow::Stop);
            }
        }
        Ok(Flow::Continue)
    }

    fn aggregate(&mut self, node: &'p Aggregate, sink: Sink<'_, 'p>) -> Result<Flow> {
        if node.groups.is_empty() {
            return self.aggregate_all(node, sink);
        }
        let mut groups = Groups::new(node);
        self.run(&node.input, &mut |walk| {
            groups.feed(walk)?;
            Ok(Flow::Continue)
        })?;
        for (keys, values) in groups.finish()? {
            for (group, value) in node.groups.iter().zip(keys) {
                self.set(group.column.id.0 as usize, value)?;
            }
            for ((column, _), value) in node.aggregates.iter().zip(values) {
                self.set(column.id.0 as usize, value)?;
            }
            if sink(self)? == Flow::Stop {
                return Ok(Flow::Stop);
            }
        }
        Ok(Flow::Continue)
    }

    /// All rows are one group, and so are none.
    fn aggregate_all(&mut self, node: &'p Aggregate, sink: Sink<'_, 'p>) -> Result<Flow> {
        let mut calls = Calls::new(node);
        self.run(&node.input, &mut |walk| {
            calls.feed(node, walk)?;
            Ok(Flow::Continue)
        })?;
        for ((column, _), value) in node.aggregates.iter().zip(calls.finish(node)) {
            self.set(column.id.0 as usize, value?)?;
        }
        sink(self)
    }

    fn join(&mut self, node: &'p Join, sink: Sink<'_, 'p>) -> Result<Flow> {
        self.run(&node.left, &mut |walk| {
            let mut has_match = false;
            let flow = walk.run(&node.right, &mut |walk| {
                if !walk.are_joined(node)? {
                    return Ok(Flow::Continue);
                }
                has_match = true;
                sink(walk)
            })?;
            if has_match || node.kind != JoinKind::Left {
                return Ok(flow);
            }
            walk.set_nulls(&node.right)?;
            sink(walk)
        })
    }

    /// Whether the rows of both sides that stand in the row belong together.
    fn are_joined(&self, node: &Join) -> Result<bool> {
        for (at, (left, right)) in node.on.iter().enumerate() {
            let op = match node.null_equal.get(at) {
                Some(true) => BinaryOp::IsNotDistinctFrom,
                _ => BinaryOp::Eq,
            };
            let left = evaluate_row(left, &self.row)?;
            let right = evaluate_row(right, &self.row)?;
            if compare_values(op, &left, &right)? != Some(true) {
                return Ok(false);
            }
        }
        node.filter.as_ref().map_or(Ok(true), |f| self.passes(f))
    }

    /// Makes all columns of a side NULL.
    pub(super) fn set_nulls(&mut self, side: &LogicalPlan) -> Result<()> {
        let mut done = Ok(());
        side.for_each_column(&mut |column| {
            let set = self.set(column.id.0 as usize, Scalar::Null(column.ty));
            if done.is_ok() {
                done = set;
            }
        });
        done
    }

    fn union_all(&mut self, node: &'p UnionAll, sink: Sink<'_, 'p>) -> Result<Flow> {
        for input in &node.inputs {
            let places = places_of(input);
            let flow = self.run(input, &mut |walk| {
                walk.pass_on(&places, &node.columns)?;
                sink(walk)
            })?;
            if flow == Flow::Stop {
                return Ok(flow);
            }
        }
        Ok(Flow::Continue)
    }

    /// Gives the columns of an input to those that stand for them above.
    fn pass_on(&mut self, places: &[usize], columns: &[PlanColumn]) -> Result<()> {
        for (from, to) in places.iter().zip(columns) {
            let value = self.value(*from)?.clone();
            self.set(to.id.0 as usize, value)?;
        }
        Ok(())
    }

    /// The right side is not run where the left one has no rows: what it would give, an error too, changes nothing.
    fn set_op(&mut self, node: &'p SetOp, sink: Sink<'_, 'p>) -> Result<Flow> {
        let left = self.keys_of(&node.left)?.into_keys();
        if left.is_empty() {
            return Ok(Flow::Continue);
        }
        let right = self.keys_of(&node.right)?;
        let places = places_of(&node.left);
        for key in left {
            let is_there = right.find(&key).is_some();
            if is_there != (node.kind == SetOpKind::Intersect) {
                continue;
            }
            self.set_all(&places, key)?;
            self.pass_on(&places, &node.columns)?;
            if sink(self)? == Flow::Stop {
                return Ok(Flow::Stop);
            }
        }
        Ok(Flow::Continue)
    }

    /// The different rows of a node.
    fn keys_of(&mut self, plan: &'p LogicalPlan) -> Result<KeySet> {
        let places = places_of(plan);
        let mut keys = KeySet::default();
        self.run(plan, &mut |walk| {
            keys.place(walk.values_at(&places)?);
            Ok(Flow::Continue)
        })?;
        Ok(keys)
    }
}

/// The places of the columns that a node puts out, in their order.
pub(super) fn places_of(plan: &LogicalPlan) -> Places {
    let mut places = Places::new();
    plan.for_each_column(&mut |column| places.push(column.id.0 as usize));
    places
}

fn no_place(place: usize) -> Error {
    Error::internal(format!("a row has no place {place}"))
}
