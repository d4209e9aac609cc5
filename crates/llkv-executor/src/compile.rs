//! From the logical plan to the physical tree: ids become positions, columns nobody reads are left out.

mod join;
mod shared;
mod sources;
mod window;

use crate::keys::SortKeys;
use crate::operators::{
    AggregateOperator, ExpandOperator, Expansion, FilterOperator, LimitOperator, Operator,
    OperatorInfo, PreparedSeries, ProjectOperator, RecursiveInputs, RecursiveOperator,
    SeriesOperator, SeriesSpec, SetOperator, SharedOperator, SortOperator, TopKOperator,
    UnionAllOperator, WorkingTableOperator, list,
};
use crate::operators::{Filter, Projection};
use crate::resolve::{Column, Prepared, position, prepare_all};
use llkv_expr::{AggregateExpr, ColumnId, Expr};
use llkv_plan::{
    Aggregate, ColumnSet, Distinct, Expand, Limit, LogicalPlan, PlanColumn, Project, Recursive,
    Series, SeriesColumn, SetOp, Shared, Sort, UnionAll, WorkingTable,
};
use llkv_result::{Error, Result};
use std::sync::Arc;

/// The columns that the operator above reads; all, in their order, where it is `None`.
type Required<'a> = Option<&'a ColumnSet>;

/// The physical operator of a plan. It puts out the plan's columns in their order; or, where only some are
/// required, at least those, in any order.
///
/// # Errors
/// For nodes that the optimizer should have removed, and for expressions that no kernel takes.
pub(crate) fn compile(plan: &LogicalPlan, required: Required<'_>) -> Result<Box<dyn Operator>> {
    // A plan may be deeper than the caller's stack: chains of set operations, nested subqueries.
    stacker::maybe_grow(64 * 1024, 1024 * 1024, || compile_node(plan, required))
}

fn compile_node(plan: &LogicalPlan, required: Required<'_>) -> Result<Box<dyn Operator>> {
    match plan {
        LogicalPlan::Scan(scan) => sources::scan(scan, required),
        LogicalPlan::External(scan) => Ok(sources::external(scan, required)),
        LogicalPlan::Values(values) => sources::values(values, required),
        LogicalPlan::Filter(node) => filter(node, required),
        LogicalPlan::Project(node) => project(node, required),
        LogicalPlan::Join(node) => join::join(node, required),
        LogicalPlan::Aggregate(node) => aggregate(node, required),
        LogicalPlan::Distinct(node) => distinct(node),
        LogicalPlan::Sort(node) => sort(node, required),
        LogicalPlan::Limit(node) => limit(node, required),
        LogicalPlan::UnionAll(node) => union_all(node, required),
        LogicalPlan::SetOp(node) => set_op(node),
        LogicalPlan::Window(node) => window::window(node, required),
        LogicalPlan::Expand(node) => expand(node, required),
        LogicalPlan::Series(node) => series(node, required),
        LogicalPlan::Recursive(node) => recursive(node),
        LogicalPlan::WorkingTable(node) => Ok(working_table(node, required)),
        LogicalPlan::Shared(node) => shared_rows(node),
        LogicalPlan::Apply(_) => Err(Error::internal("a dependent join reached the executor")),
        other => Err(Error::internal(format!(
            "no operator for {:?}",
            std::mem::discriminant(other)
        ))),
    }
}

/// Whether a column is to be put out.
fn wanted(required: Required<'_>, column: ColumnId) -> bool {
    required.is_none_or(|ids| ids.contains(column))
}

/// Columns of the plan as columns of batches.
fn of_plan<'a>(columns: impl IntoIterator<Item = &'a PlanColumn>) -> Vec<Column> {
    columns.into_iter().map(Column::from).collect()
}

/// What is required of the input by `required` and what `exprs` read besides.
fn with_columns<'a>(
    required: Required<'_>,
    exprs: impl IntoIterator<Item = &'a Expr>,
) -> Option<ColumnSet> {
    let mut ids = required?.clone();
    exprs.into_iter().for_each(|expr| ids.insert_expr(expr));
    Some(ids)
}

/// The columns that `exprs` read.
fn columns_of<'a>(exprs: impl IntoIterator<Item = &'a Expr>) -> ColumnSet {
    let mut ids = ColumnSet::new();
    exprs.into_iter().for_each(|expr| ids.insert_expr(expr));
    ids
}

/// Positions of the wanted ones among `columns`.
fn positions(columns: &[Column], required: Required<'_>) -> Vec<usize> {
    let numbered = columns.iter().enumerate();
    numbered
        .filter(|(_, column)| wanted(required, column.id))
        .map(|(position, _)| position)
        .collect()
}

fn picked(columns: &[Column], positions: &[usize]) -> Vec<Column> {
    let positions = positions.iter();
    positions
        .filter_map(|position| columns.get(*position).copied())
        .collect()
}

fn filter(node: &llkv_plan::Filter, required: Required<'_>) -> Result<Box<dyn Operator>> {
    let below = with_columns(required, [&node.predicate]);
    let input = compile(&node.input, below.as_ref())?;
    let columns = &input.info().columns;
    let output = positions(columns, required);
    let filter = Filter {
        predicate: Prepared::new(&node.predicate, columns)?,
        output: output.clone(),
    };
    Ok(Box::new(FilterOperator {
        info: OperatorInfo::new("filter", picked(columns, &output)),
        filter: Arc::new(filter),
        input,
    }))
}

fn project(node: &Project, required: Required<'_>) -> Result<Box<dyn Operator>> {
    let kept: Vec<_> = node
        .projections
        .iter()
        .filter(|p| wanted(required, p.column.id))
        .collect();
    let below = columns_of(kept.iter().map(|p| &p.expr));
    let input = compile(&node.input, Some(&below))?;
    let exprs = prepare_all(kept.iter().map(|p| &p.expr), &input.info().columns)?;
    Ok(Box::new(ProjectOperator {
        info: OperatorInfo::new("project", of_plan(kept.iter().map(|p| &p.column))),
        projection: Arc::new(Projection { exprs }),
        input,
    }))
}

fn aggregate(node: &Aggregate, required: Required<'_>) -> Result<Box<dyn Operator>> {
    let kept = node.aggregates.iter();
    let kept = kept.filter(|(column, _)| wanted(required, column.id));
    let (columns, mut calls): (Vec<Column>, Vec<AggregateExpr>) = kept
        .map(|(column, call)| (Column::from(column), call.clone()))
        .unzip();
    let mut first_free = ColumnId(0);
    node.input.for_each_column(&mut |column| {
        first_free = first_free.max(ColumnId(column.id.0.saturating_add(1)));
    });
    let shared = shared::share(&mut calls, first_free);
    let mut read = columns_of(node.groups.iter().map(|g| &g.expr));
    for call in &calls {
        read.extend(&columns_of(call.args.iter().chain(&call.filter)));
        read.extend(&columns_of(call.order_by.iter().map(|key| &key.expr)));
    }
    let input = if shared.is_empty() {
        compile(&node.input, Some(&read))?
    } else {
        with_shared(&node.input, &read, &shared)?
    };
    let groups = node.groups.iter().map(|g| Column::from(&g.column));
    let info = OperatorInfo::new("aggregate", groups.chain(columns).collect());
    let operator = AggregateOperator::new(info, input, &node.groups, &calls)?;
    Ok(Box::new(operator))
}

/// The input with the columns `read`, of which some are computed here.
fn with_shared(
    plan: &LogicalPlan,
    read: &ColumnSet,
    shared: &[llkv_plan::Projection],
) -> Result<Box<dyn Operator>> {
    let below = with_columns(Some(read), shared.iter().map(|p| &p.expr));
    let input = compile(plan, below.as_ref())?;
    let columns = &input.info().columns;
    let passed = positions(columns, Some(read));
    let mut output = picked(columns, &passed);
    output.extend(shared.iter().map(|p| Column::from(&p.column)));
    let mut exprs: Vec<Prepared> = passed.into_iter().map(Prepared::Column).collect();
    exprs.extend(prepare_all(shared.iter().map(|p| &p.expr), columns)?);
    Ok(Box::new(ProjectOperator {
        info: OperatorInfo::new("project", output).added(list(shared.iter().map(|p| &p.expr))),
        projection: Arc::new(Projection { exprs }),
        input,
    }))
}

fn distinct(node: &Distinct) -> Result<Box<dyn Operator>> {
    let input = compile(&node.input, None)?;
    let columns = input.info().columns.clone();
    let info = OperatorInfo::new("distinct", columns);
    Ok(Box::new(AggregateOperator::distinct(info, input)))
}

fn sort(node: &Sort, required: Required<'_>) -> Result<Box<dyn Operator>> {
    let below = with_columns(required, node.keys.iter().map(|k| &k.expr));
    let input = compile(&node.input, below.as_ref())?;
    let columns = input.info().columns.clone();
    let keys = Arc::new(SortKeys::new(&node.keys, &columns)?);
    // A bound that no machine's memory reaches is none.
    let fetch = node.fetch.and_then(|fetch| usize::try_from(fetch).ok());
    Ok(
        match fetch.filter(|fetch| *fetch < TopKOperator::MAX_FETCH) {
            Some(fetch) => Box::new(TopKOperator {
                info: OperatorInfo::new("top-k", columns),
                input,
                keys,
                fetch,
            }),
            None => Box::new(SortOperator {
                info: OperatorInfo::new("sort", columns),
                input,
                keys,
            }),
        },
    )
}

fn limit(node: &Limit, required: Required<'_>) -> Result<Box<dyn Operator>> {
    let input = compile(&node.input, required)?;
    let columns = input.info().columns.clone();
    Ok(Box::new(LimitOperator {
        info: OperatorInfo::new("limit", columns),
        input,
        skip: node.skip,
        fetch: node.fetch,
    }))
}

fn union_all(node: &UnionAll, required: Required<'_>) -> Result<Box<dyn Operator>> {
    let columns = of_plan(&node.columns);
    let kept = positions(&columns, required);
    let mut inputs = Vec::with_capacity(node.inputs.len());
    for plan in &node.inputs {
        inputs.push(input_by_position(plan, &kept)?);
    }
    let info = OperatorInfo::new("union all", picked(&columns, &kept));
    Ok(Box::new(UnionAllOperator { info, inputs }))
}

/// An input whose columns are found by position: exactly those at `kept`, in that order.
fn input_by_position(plan: &LogicalPlan, kept: &[usize]) -> Result<Box<dyn Operator>> {
    let columns = picked(&of_plan(&plan.columns()), kept);
    let required = columns.iter().map(|c| c.id).collect();
    let input = compile(plan, Some(&required))?;
    let found = input.info().columns.iter().map(|c| c.id);
    if found.eq(columns.iter().map(|c| c.id)) {
        return Ok(input);
    }
    let exprs: Result<Vec<Prepared>> = columns
        .iter()
        .map(|c| Ok(Prepared::Column(position(c.id, &input.info().columns)?)))
        .collect();
    Ok(Box::new(ProjectOperator {
        info: OperatorInfo::new("project", columns).added("in order".to_owned()),
        projection: Arc::new(Projection { exprs: exprs? }),
        input,
    }))
}

fn expand(node: &Expand, required: Required<'_>) -> Result<Box<dyn Operator>> {
    let below = with_columns(required, node.keys.iter().map(|key| &key.expr));
    let input = compile(&node.input, below.as_ref())?;
    let from = &input.info().columns;
    let passed = positions(from, required);
    let mut columns = picked(from, &passed);
    columns.extend(node.keys.iter().map(|key| Column::from(&key.column)));
    columns.push(Column::from(&node.number));
    let expansion = Expansion {
        passed,
        keys: prepare_all(node.keys.iter().map(|key| &key.expr), from)?,
        sets: node.sets.clone(),
    };
    Ok(Box::new(ExpandOperator {
        info: OperatorInfo::new("expand", columns),
        expansion: Arc::new(expansion),
        input,
    }))
}

fn series(node: &Series, required: Required<'_>) -> Result<Box<dyn Operator>> {
    let exprs = node.series.iter().flat_map(SeriesColumn::exprs);
    let below = with_columns(required, exprs);
    let input = compile(&node.input, below.as_ref())?;
    let from = &input.info().columns;
    let passed = positions(from, required);
    let mut columns = picked(from, &passed);
    columns.extend(node.series.iter().map(|s| Column::from(&s.column)));
    let series = node.series.iter().map(|series| {
        Ok(PreparedSeries {
            function: series.function(),
            ty: series.column.ty,
            start: Prepared::new(&series.start, from)?,
            stop: Prepared::new(&series.stop, from)?,
            step: Prepared::new(&series.step, from)?,
            inclusive: series.inclusive,
        })
    });
    let spec = SeriesSpec {
        series: series.collect::<Result<_>>()?,
        passed,
    };
    Ok(Box::new(SeriesOperator {
        info: OperatorInfo::new("series", columns),
        spec: Arc::new(spec),
        input,
    }))
}

/// All columns are put out: each round reads them.
fn recursive(node: &Recursive) -> Result<Box<dyn Operator>> {
    Ok(Box::new(RecursiveOperator {
        info: OperatorInfo::new("recursive", of_plan(&node.columns)),
        inputs: Arc::new(RecursiveInputs {
            base: compile(&node.base, None)?,
            step: compile(&node.step, None)?,
            table: node.table,
            distinct: node.distinct,
        }),
    }))
}

fn working_table(node: &WorkingTable, required: Required<'_>) -> Box<dyn Operator> {
    let all = of_plan(&node.columns);
    let columns = positions(&all, required);
    let info = OperatorInfo::new("working table", picked(&all, &columns));
    Box::new(WorkingTableOperator {
        info,
        table: node.table,
        columns,
    })
}

/// All columns are put out, in their order: what one place does not read another may.
fn shared_rows(node: &Shared) -> Result<Box<dyn Operator>> {
    let input = compile(&node.input, None)?;
    Ok(Box::new(SharedOperator {
        info: OperatorInfo::new("shared", input.info().columns.clone()),
        input,
        number: node.number,
        places: node.places,
    }))
}

fn set_op(node: &SetOp) -> Result<Box<dyn Operator>> {
    let kind = match node.kind {
        llkv_plan::SetOpKind::Except => "except",
        llkv_plan::SetOpKind::Intersect => "intersect",
    };
    Ok(Box::new(SetOperator {
        info: OperatorInfo::new(kind, of_plan(&node.columns)),
        left: compile(&node.left, None)?,
        right: compile(&node.right, None)?,
        kind: node.kind,
        all: node.all,
    }))
}
