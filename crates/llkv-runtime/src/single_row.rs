//! INSERT of one row whose values are known before: appended without arrays, where nothing but the row's keys has to be looked at.

use crate::RuntimeSession;
use crate::direct;
use crate::transaction::{Transaction, row_id_column};
use arrow::array::RecordBatch;
use llkv_executor::{constant_value, is_fixed};
use llkv_expr::Expr;
use llkv_plan::{ConflictAction, Insert, LogicalPlan, PlanStatement, Projection};
use llkv_result::{Result, StatementResult};
use llkv_types::{Scalar, SqlType};
use smallvec::SmallVec;

/// The values of an INSERT of one row that nothing else depends on, for a table that its values fit.
pub(crate) struct SingleRow<'p>(&'p [Projection]);

impl<'p> SingleRow<'p> {
    /// `None` where the statement does more, or its rows, which are `plan`, are others.
    pub(crate) fn of(insert: &Insert, plan: &'p LogicalPlan) -> Option<Self> {
        let is_plain = insert.checks.is_empty()
            && insert.on_conflict == ConflictAction::Error
            && insert.upsert.is_none()
            && insert.returning.is_none()
            && insert.triggers.is_none()
            && insert.cascades.is_empty()
            && !insert.is_copy;
        let LogicalPlan::Project(project) = plan else {
            return None;
        };
        let LogicalPlan::Values(source) = project.input.as_ref() else {
            return None;
        };
        let rows: usize = source.batches.iter().map(RecordBatch::num_rows).sum();
        let fits = |p: &Projection| {
            p.expr.ty() == p.column.ty && p.column.ty != SqlType::Variant && is_fixed(&p.expr)
        };
        (is_plain && rows == 1 && project.projections.iter().all(fits))
            .then_some(Self(&project.projections))
    }

    /// A value for each column of the table.
    pub(crate) fn values(&self) -> impl ExactSizeIterator<Item = &'p Expr> + Clone + use<'p> {
        self.0.iter().map(|projection| &projection.expr)
    }
}

impl RuntimeSession {
    /// Runs a statement that came by itself, not from a trigger's body: as [`Self::run`], or as a row alone.
    pub(crate) fn run_given(
        &mut self,
        transaction: &mut Transaction,
        statement: Box<PlanStatement>,
    ) -> Result<StatementResult> {
        if let PlanStatement::Insert(insert) = statement.as_ref()
            && let Some(row) = SingleRow::of(insert, &insert.source)
            && direct::is_allowed(self)
            && append(transaction, insert, row.values(), &[])?
        {
            self.last_execution = None;
            return Ok(StatementResult::Insert { rows: 1 });
        }
        self.run(transaction, statement)
    }
}

/// Appends a row; false where it has to be appended as a batch, and nothing has happened.
///
/// # Errors
/// When a value cannot be computed, or the row violates a constraint.
pub(crate) fn append<'e>(
    transaction: &mut Transaction,
    insert: &Insert,
    row: impl ExactSizeIterator<Item = &'e Expr> + Clone,
    parameters: &[Scalar],
) -> Result<bool> {
    transaction.check_writable("INSERT")?;
    let table = transaction.table(insert.table, &insert.table_name)?;
    if !table.meta().foreign_keys.is_empty() {
        return Ok(false);
    }
    let computed: SmallVec<[Scalar; 8]>;
    let row = if is_as_given(row.clone(), parameters) {
        parameters
    } else {
        let row = row.map(|expr| constant_value(expr, parameters));
        computed = row.collect::<Result<_>>()?;
        &computed
    };
    let number = insert
        .numbered_key
        .and_then(|key| row_id_column(&table, key));
    let number = number.map(|at| row.get(at));
    if let Some(None | Some(Scalar::Null(_))) = number {
        return Ok(false);
    }
    let is_appended = transaction.append_row(&table, row)?;
    if let (true, Some(Some(Scalar::Int64(number)))) = (is_appended, number) {
        transaction.last_row_id = Some(*number);
    }
    Ok(is_appended)
}

/// True where the row is the parameters, in their order.
fn is_as_given<'e>(row: impl ExactSizeIterator<Item = &'e Expr>, parameters: &[Scalar]) -> bool {
    let is_parameter =
        |(at, expr): (usize, &Expr)| matches!(expr, Expr::Parameter { index, .. } if *index == at);
    row.len() == parameters.len() && row.enumerate().all(is_parameter)
}
