//! Walking plans: outputs without allocation, expressions of a node, free columns, shape.

use crate::column_set::ColumnSet;
use crate::{ApplyKind, JoinKind, LogicalPlan, PlanColumn};
use llkv_expr::{ColumnId, Expr};
use smallvec::{SmallVec, smallvec};
use std::convert::Infallible;

/// Takes a plan out of its box, to be rewritten.
pub(crate) fn take(plan: &mut LogicalPlan) -> LogicalPlan {
    std::mem::replace(plan, LogicalPlan::nothing())
}

impl LogicalPlan {
    /// Calls `f` on each column that the node puts out, in order. `nullable` is that of the input:
    /// see [`LogicalPlan::columns`] for the flags after outer joins.
    pub fn for_each_column<'a>(&'a self, f: &mut dyn FnMut(&'a PlanColumn)) {
        match self {
            Self::Scan(scan) => {
                scan.columns.iter().for_each(|(_, c)| f(c));
                scan.row_id.iter().for_each(f);
            }
            Self::External(scan) => scan.columns.iter().for_each(|(_, c)| f(c)),
            Self::Values(values) => values.columns.iter().for_each(f),
            Self::Filter(n) => n.input.for_each_column(f),
            Self::Project(n) => n.projections.iter().for_each(|p| f(&p.column)),
            Self::Join(n) => {
                n.left.for_each_column(f);
                match n.kind {
                    JoinKind::Semi | JoinKind::Anti | JoinKind::NullAwareAnti => {}
                    JoinKind::Mark => n.mark.iter().for_each(f),
                    JoinKind::Group => n.aggregates.iter().for_each(|(c, _)| f(c)),
                    _ => n.right.for_each_column(f),
                }
            }
            Self::Apply(n) => {
                n.outer.for_each_column(f);
                match &n.kind {
                    ApplyKind::Exists { mark } | ApplyKind::In { mark, .. } => f(mark),
                    _ => n.inner.for_each_column(f),
                }
            }
            Self::Aggregate(n) => {
                n.groups.iter().for_each(|g| f(&g.column));
                n.aggregates.iter().for_each(|(c, _)| f(c));
            }
            Self::Distinct(n) => n.input.for_each_column(f),
            Self::Sort(n) => n.input.for_each_column(f),
            Self::Limit(n) => n.input.for_each_column(f),
            Self::UnionAll(n) => n.columns.iter().for_each(f),
            Self::SetOp(n) => n.columns.iter().for_each(f),
            Self::Window(n) => {
                n.input.for_each_column(f);
                n.functions.iter().for_each(|(c, _)| f(c));
            }
            Self::Expand(n) => {
                n.input.for_each_column(f);
                n.keys.iter().for_each(|key| f(&key.column));
                f(&n.number);
            }
            Self::Series(n) => {
                n.input.for_each_column(f);
                n.series.iter().for_each(|s| f(&s.column));
            }
            Self::Recursive(n) => n.columns.iter().for_each(f),
            Self::WorkingTable(n) => n.columns.iter().for_each(f),
            Self::Shared(n) => n.input.for_each_column(f),
        }
    }

    /// The ids of the columns that the node puts out.
    #[must_use]
    pub fn column_set(&self) -> ColumnSet {
        let mut set = ColumnSet::new();
        self.for_each_column(&mut |c| {
            set.insert(c.id);
        });
        set
    }

    /// Calls `f` on each direct input.
    pub fn for_each_input<'a>(&'a self, f: &mut dyn FnMut(&'a LogicalPlan)) {
        match self {
            Self::Scan(_) | Self::External(_) | Self::Values(_) | Self::WorkingTable(_) => {}
            Self::Filter(n) => f(&n.input),
            Self::Project(n) => f(&n.input),
            Self::Join(n) => {
                f(&n.left);
                f(&n.right);
            }
            Self::Apply(n) => {
                f(&n.outer);
                f(&n.inner);
            }
            Self::Aggregate(n) => f(&n.input),
            Self::Distinct(n) => f(&n.input),
            Self::Sort(n) => f(&n.input),
            Self::Limit(n) => f(&n.input),
            Self::UnionAll(n) => n.inputs.iter().for_each(f),
            Self::SetOp(n) => {
                f(&n.left);
                f(&n.right);
            }
            Self::Window(n) => f(&n.input),
            Self::Expand(n) => f(&n.input),
            Self::Series(n) => f(&n.input),
            Self::Recursive(n) => {
                f(&n.base);
                f(&n.step);
            }
            Self::Shared(n) => f(&n.input),
        }
    }

    /// Calls `f` on each direct input, for change in place; stops at the first error.
    ///
    /// # Errors
    /// What `f` gives.
    pub fn try_for_each_input_mut<E>(
        &mut self,
        f: &mut dyn FnMut(&mut LogicalPlan) -> Result<(), E>,
    ) -> Result<(), E> {
        match self {
            Self::Scan(_) | Self::External(_) | Self::Values(_) | Self::WorkingTable(_) => Ok(()),
            Self::Filter(n) => f(&mut n.input),
            Self::Project(n) => f(&mut n.input),
            Self::Join(n) => {
                f(&mut n.left)?;
                f(&mut n.right)
            }
            Self::Apply(n) => {
                f(&mut n.outer)?;
                f(&mut n.inner)
            }
            Self::Aggregate(n) => f(&mut n.input),
            Self::Distinct(n) => f(&mut n.input),
            Self::Sort(n) => f(&mut n.input),
            Self::Limit(n) => f(&mut n.input),
            Self::UnionAll(n) => n.inputs.iter_mut().try_for_each(f),
            Self::SetOp(n) => {
                f(&mut n.left)?;
                f(&mut n.right)
            }
            Self::Window(n) => f(&mut n.input),
            Self::Expand(n) => f(&mut n.input),
            Self::Series(n) => f(&mut n.input),
            Self::Recursive(n) => {
                f(&mut n.base)?;
                f(&mut n.step)
            }
            Self::Shared(n) => f(&mut n.input),
        }
    }

    /// Calls `f` on each direct input, for change in place.
    pub fn for_each_input_mut(&mut self, f: &mut dyn FnMut(&mut LogicalPlan)) {
        let Ok(()) = self.try_for_each_input_mut::<Infallible>(&mut |input| {
            f(input);
            Ok(())
        });
    }

    /// Calls `f` on each expression of the node and of all below it, for change in place.
    pub fn for_each_expr_within_mut(&mut self, f: &mut dyn FnMut(&mut Expr)) {
        self.for_each_expr_mut(f);
        self.for_each_input_mut(&mut |input| input.for_each_expr_within_mut(f));
    }

    /// Calls `f` on each expression of the node itself.
    pub fn for_each_expr<'a>(&'a self, f: &mut dyn FnMut(&'a Expr)) {
        match self {
            Self::Scan(n) => n.predicates.iter().for_each(f),
            Self::Filter(n) => f(&n.predicate),
            Self::Project(n) => n.projections.iter().for_each(|p| f(&p.expr)),
            Self::Join(n) => {
                for (left, right) in &n.on {
                    f(left);
                    f(right);
                }
                n.filter.iter().for_each(&mut *f);
                n.aggregates.iter().for_each(|(_, call)| {
                    call.args.iter().chain(&call.filter).for_each(&mut *f);
                });
            }
            Self::Apply(n) => {
                if let ApplyKind::In {
                    needle, haystack, ..
                } = &n.kind
                {
                    needle.iter().chain(haystack).for_each(f);
                }
            }
            Self::Aggregate(n) => {
                n.groups.iter().for_each(|g| f(&g.expr));
                for (_, call) in &n.aggregates {
                    call.args.iter().for_each(&mut *f);
                    call.filter.iter().for_each(&mut *f);
                    call.order_by.iter().for_each(|k| f(&k.expr));
                }
            }
            Self::Sort(n) => n.keys.iter().for_each(|k| f(&k.expr)),
            Self::Expand(n) => n.keys.iter().for_each(|k| f(&k.expr)),
            Self::Series(n) => n.series.iter().flat_map(|s| s.exprs()).for_each(f),
            Self::Window(n) => {
                n.partition_by.iter().for_each(&mut *f);
                n.order_by.iter().for_each(|k| f(&k.expr));
                for (_, call) in &n.functions {
                    call.exprs().for_each(&mut *f);
                }
            }
            Self::External(_)
            | Self::Values(_)
            | Self::Distinct(_)
            | Self::Limit(_)
            | Self::UnionAll(_)
            | Self::SetOp(_)
            | Self::Recursive(_)
            | Self::WorkingTable(_)
            | Self::Shared(_) => {}
        }
    }

    /// Calls `f` on each expression of the node itself, for change in place.
    pub fn for_each_expr_mut(&mut self, f: &mut dyn FnMut(&mut Expr)) {
        match self {
            Self::Scan(n) => n.predicates.iter_mut().for_each(f),
            Self::Filter(n) => f(&mut n.predicate),
            Self::Project(n) => n.projections.iter_mut().for_each(|p| f(&mut p.expr)),
            Self::Join(n) => {
                for (left, right) in &mut n.on {
                    f(left);
                    f(right);
                }
                n.filter.iter_mut().for_each(&mut *f);
                for (_, call) in &mut n.aggregates {
                    call.args
                        .iter_mut()
                        .chain(&mut call.filter)
                        .for_each(&mut *f);
                }
            }
            Self::Apply(n) => {
                if let ApplyKind::In {
                    needle, haystack, ..
                } = &mut n.kind
                {
                    needle.iter_mut().chain(haystack).for_each(f);
                }
            }
            Self::Aggregate(n) => {
                n.groups.iter_mut().for_each(|g| f(&mut g.expr));
                for (_, call) in &mut n.aggregates {
                    call.args.iter_mut().for_each(&mut *f);
                    call.filter.iter_mut().for_each(&mut *f);
                    call.order_by.iter_mut().for_each(|k| f(&mut k.expr));
                }
            }
            Self::Sort(n) => n.keys.iter_mut().for_each(|k| f(&mut k.expr)),
            Self::Expand(n) => n.keys.iter_mut().for_each(|k| f(&mut k.expr)),
            Self::Series(n) => n.series.iter_mut().flat_map(|s| s.exprs_mut()).for_each(f),
            Self::Window(n) => {
                n.partition_by.iter_mut().for_each(&mut *f);
                n.order_by.iter_mut().for_each(|k| f(&mut k.expr));
                for (_, call) in &mut n.functions {
                    call.for_each_expr_mut(&mut *f);
                }
            }
            Self::External(_)
            | Self::Values(_)
            | Self::Distinct(_)
            | Self::Limit(_)
            | Self::UnionAll(_)
            | Self::SetOp(_)
            | Self::Recursive(_)
            | Self::WorkingTable(_)
            | Self::Shared(_) => {}
        }
    }

    /// True where running it again may give other rows.
    #[must_use]
    pub fn is_volatile(&self) -> bool {
        let mut volatile = false;
        self.for_each_expr(&mut |expr| volatile = volatile || expr.is_volatile());
        self.for_each_input(&mut |input| volatile = volatile || input.is_volatile());
        volatile
    }

    /// True where its rows are the same wherever it stands in a statement: it reads no row around it, and no recursion.
    #[must_use]
    pub fn may_be_shared(&self) -> bool {
        fn reads_recursion(plan: &LogicalPlan) -> bool {
            let mut found = matches!(plan, LogicalPlan::WorkingTable(_));
            plan.for_each_input(&mut |input| found = found || reads_recursion(input));
            found
        }
        self.free_columns().is_empty() && !reads_recursion(self)
    }

    /// Columns that the plan uses and does not produce: its correlation with plans around it.
    #[must_use]
    pub fn free_columns(&self) -> ColumnSet {
        let mut used = ColumnSet::new();
        let mut produced = ColumnSet::new();
        collect(self, &mut used, &mut produced);
        used.subtract(&produced);
        used
    }

    /// Does the plan read one of these columns without producing it?
    #[must_use]
    pub(crate) fn depends_on(&self, columns: &ColumnSet) -> bool {
        !columns.is_empty() && self.free_columns().intersects(columns)
    }
}

/// Ids are unique in a statement, so that use and production can be collected for a whole tree.
fn collect(plan: &LogicalPlan, used: &mut ColumnSet, produced: &mut ColumnSet) {
    plan.for_each_expr(&mut |e| used.insert_expr(e));
    match plan {
        LogicalPlan::Scan(_)
        | LogicalPlan::External(_)
        | LogicalPlan::Values(_)
        | LogicalPlan::Project(_)
        | LogicalPlan::Aggregate(_)
        | LogicalPlan::UnionAll(_)
        | LogicalPlan::SetOp(_)
        | LogicalPlan::Recursive(_)
        | LogicalPlan::WorkingTable(_) => plan.for_each_column(&mut |c| {
            produced.insert(c.id);
        }),
        LogicalPlan::Expand(n) => {
            produced.insert(n.number.id);
            n.keys.iter().for_each(|key| {
                produced.insert(key.column.id);
            });
        }
        LogicalPlan::Series(n) => n.series.iter().for_each(|s| {
            produced.insert(s.column.id);
        }),
        LogicalPlan::Window(n) => n.functions.iter().for_each(|(c, _)| {
            produced.insert(c.id);
        }),
        LogicalPlan::Join(n) => n.own_columns().for_each(|c| {
            produced.insert(c.id);
        }),
        LogicalPlan::Apply(n) => {
            if let ApplyKind::Exists { mark } | ApplyKind::In { mark, .. } = &n.kind {
                produced.insert(mark.id);
            }
        }
        _ => {}
    }
    plan.for_each_input(&mut |input| collect(input, used, produced));
}

/// Kinds of nodes in a plan, as bits: a rule that needs a kind that is absent is not run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct NodeKinds(u32);

impl NodeKinds {
    /// [`LogicalPlan::Filter`]
    pub const FILTER: Self = Self(1);
    /// [`LogicalPlan::Project`]
    pub const PROJECT: Self = Self(1 << 1);
    /// [`LogicalPlan::Join`]
    pub const JOIN: Self = Self(1 << 2);
    /// [`LogicalPlan::Apply`]
    pub const APPLY: Self = Self(1 << 3);
    /// [`LogicalPlan::Aggregate`]
    pub const AGGREGATE: Self = Self(1 << 4);
    /// [`LogicalPlan::Distinct`]
    pub const DISTINCT: Self = Self(1 << 5);
    /// [`LogicalPlan::Sort`]
    pub const SORT: Self = Self(1 << 6);
    /// [`LogicalPlan::Limit`]
    pub const LIMIT: Self = Self(1 << 7);
    /// [`LogicalPlan::UnionAll`] or [`LogicalPlan::SetOp`]
    pub const SET: Self = Self(1 << 8);
    /// Leaves: scans and values.
    pub const LEAF: Self = Self(1 << 9);
    /// A join that is not inner.
    pub const OUTER_JOIN: Self = Self(1 << 10);
    /// An expression that is more than a column or a constant.
    pub const COMPUTED: Self = Self(1 << 11);
    /// [`LogicalPlan::Window`]
    pub const WINDOW: Self = Self(1 << 12);
    /// [`LogicalPlan::Recursive`]
    pub const RECURSIVE: Self = Self(1 << 13);
    /// [`LogicalPlan::Shared`]
    pub const SHARED: Self = Self(1 << 14);
    /// Any node.
    pub const ANY: Self = Self(u32::MAX);

    /// Both.
    #[must_use]
    pub const fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Have the two a kind in common?
    #[must_use]
    pub const fn intersects(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    /// Kinds of the nodes of a plan, in one pass without recursion: safe on a plan of any depth.
    pub(crate) fn within(plan: &LogicalPlan) -> Self {
        let mut kinds = Self::default();
        let mut plans: SmallVec<[&LogicalPlan; 16]> = smallvec![plan];
        while let Some(node) = plans.pop() {
            kinds = kinds.or(Self::of(node));
            node.for_each_input(&mut |input| plans.push(input));
        }
        kinds
    }

    fn of(plan: &LogicalPlan) -> Self {
        let mut kinds = Self::of_node(plan);
        plan.for_each_expr(&mut |expr| {
            if !matches!(expr, Expr::Column { .. } | Expr::Literal(_)) {
                kinds = kinds.or(Self::COMPUTED);
            }
        });
        kinds
    }

    fn of_node(plan: &LogicalPlan) -> Self {
        match plan {
            LogicalPlan::Scan(_)
            | LogicalPlan::External(_)
            | LogicalPlan::Values(_)
            | LogicalPlan::WorkingTable(_) => Self::LEAF,
            LogicalPlan::Filter(_) => Self::FILTER,
            LogicalPlan::Project(_) => Self::PROJECT,
            LogicalPlan::Join(n) if n.kind == JoinKind::Inner => Self::JOIN,
            LogicalPlan::Join(_) => Self::JOIN.or(Self::OUTER_JOIN),
            LogicalPlan::Apply(_) => Self::APPLY,
            LogicalPlan::Aggregate(_) => Self::AGGREGATE,
            LogicalPlan::Distinct(_) => Self::DISTINCT,
            LogicalPlan::Sort(_) => Self::SORT,
            LogicalPlan::Limit(_) => Self::LIMIT,
            LogicalPlan::UnionAll(_) | LogicalPlan::SetOp(_) => Self::SET,
            LogicalPlan::Window(_) => Self::WINDOW,
            LogicalPlan::Expand(_) | LogicalPlan::Series(_) => Self::PROJECT,
            LogicalPlan::Recursive(_) => Self::RECURSIVE,
            LogicalPlan::Shared(_) => Self::SHARED,
        }
    }
}

/// What a plan is made of, found in one pass without recursion: safe on a plan of any depth.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Shape {
    /// Kinds of nodes.
    pub(crate) kinds: NodeKinds,
    /// Levels of plan nodes and expressions on the longest path.
    pub(crate) depth: usize,
    /// A column id that nothing has.
    pub(crate) next_column: u32,
}

impl Shape {
    pub(crate) fn of(plan: &LogicalPlan) -> Self {
        let mut shape = Self::default();
        let mut plans: SmallVec<[(&LogicalPlan, usize); 16]> = smallvec![(plan, 1)];
        let mut exprs: SmallVec<[(&Expr, usize); 32]> = SmallVec::new();
        while let Some((node, depth)) = plans.pop() {
            shape.kinds = shape.kinds.or(NodeKinds::of(node));
            shape.depth = shape.depth.max(depth);
            shape.see_columns(node);
            node.for_each_expr(&mut |e| exprs.push((e, depth + 1)));
            while let Some((expr, depth)) = exprs.pop() {
                shape.depth = shape.depth.max(depth);
                match expr {
                    Expr::Column { id, .. } => shape.see(*id),
                    Expr::Literal(_) => {}
                    _ => expr.for_each_child(&mut |child| exprs.push((child, depth + 1))),
                }
            }
            node.for_each_input(&mut |input| plans.push((input, depth + 1)));
        }
        shape
    }

    fn see(&mut self, id: ColumnId) {
        self.next_column = self.next_column.max(id.0.saturating_add(1));
    }

    /// Columns that the node itself makes; those of its inputs are seen there.
    fn see_columns(&mut self, node: &LogicalPlan) {
        match node {
            LogicalPlan::Join(n) => n.own_columns().for_each(|c| self.see(c.id)),
            LogicalPlan::Apply(n) => {
                if let ApplyKind::Exists { mark } | ApplyKind::In { mark, .. } = &n.kind {
                    self.see(mark.id);
                }
            }
            LogicalPlan::Window(n) => n.functions.iter().for_each(|(c, _)| self.see(c.id)),
            LogicalPlan::Expand(n) => {
                n.keys.iter().for_each(|key| self.see(key.column.id));
                self.see(n.number.id);
            }
            LogicalPlan::Series(n) => n.series.iter().for_each(|s| self.see(s.column.id)),
            // Numbers of working tables are taken from the same row of numbers as columns.
            LogicalPlan::Recursive(n) => {
                self.see(ColumnId(n.table));
                n.columns.iter().for_each(|c| self.see(c.id));
            }
            // So are those of shared rows.
            LogicalPlan::Shared(n) => self.see(ColumnId(n.number)),
            LogicalPlan::Filter(_)
            | LogicalPlan::Distinct(_)
            | LogicalPlan::Sort(_)
            | LogicalPlan::Limit(_) => {}
            other => other.for_each_column(&mut |c| self.see(c.id)),
        }
    }
}
