//! Plans that ask for one row by its key: run on the caller's thread, without operators, pipelines and
//! morsels, which would take longer than the row.

use crate::batch::Batch;
use crate::resolve::{Column, Prepared};
use arrow::array::{ArrayRef, AsArray, RecordBatch, UInt64Array};
use arrow::datatypes::{Field, Schema, SchemaRef};
use llkv_expr::{BinaryOp, ColumnId, Expr};
use llkv_plan::{IndexInfo, LogicalPlan, Projection, Scan, set_parameters};
use llkv_result::{Error, Result};
use llkv_table::{PointLookup, TableHandle};
use llkv_types::{FieldId, IndexId, RowId, Scalar, TableId};
use smallvec::SmallVec;
use std::sync::Arc;

/// A plan whose rows have one whole key of a unique index, prepared for many executions with other values
/// of its parameters.
#[derive(Debug)]
pub struct PointPlan {
    table: TableId,
    lookup: PointLookup,
    /// A value for each column of the key.
    key: Vec<Expr>,
    /// What is looked up: stored columns, then the row id where the plan reads it.
    columns: Vec<Column>,
    with_row_id: bool,
    /// What the row must pass besides.
    residual: Option<Value>,
    output: Vec<Value>,
    schema: SchemaRef,
}

/// An expression over the columns that are looked up.
#[derive(Debug)]
enum Value {
    Ready(Prepared),
    /// With parameters in it.
    Open(Expr),
}

/// What a look-up gives.
#[derive(Debug)]
pub enum PointResult {
    /// The row, or that there is none.
    Row(Option<RecordBatch>),
    /// Only a scan can tell: the plan has to be executed as any other.
    Unknown,
}

/// Takes note of a look-up: the index, the key, and the ids of the rows that have it.
pub type NotePoint<'n> = &'n mut dyn FnMut(IndexId, &[Scalar], &[RowId]) -> Result<()>;

impl PointPlan {
    /// The form of a plan, optimized or as it was bound, that looks up one row; `None` for a plan that does something else.
    /// `indexes` gives those of a table.
    ///
    /// # Errors
    /// For expressions that no kernel takes.
    pub fn of(
        plan: &LogicalPlan,
        indexes: &dyn Fn(TableId) -> Vec<IndexInfo>,
    ) -> Result<Option<Self>> {
        let Some(parts) = Parts::of(plan) else {
            return Ok(None);
        };
        let scan = parts.scan;
        let conjuncts: Vec<&Expr> = parts.conjuncts().collect();
        if let Some(projections) = parts.projections {
            return Self::of_scan(scan, &conjuncts, projections, indexes);
        }
        let projections = scan.columns.iter().map(|(_, column)| column);
        let projections = projections.chain(&scan.row_id).map(|column| Projection {
            expr: Expr::column(column.id, column.ty),
            column: column.clone(),
        });
        Self::of_scan(scan, &conjuncts, &projections.collect::<Vec<_>>(), indexes)
    }

    /// The table of a plan that may look up one row, by what it tests: whether there is a key of that, [`Self::of`] tells.
    #[must_use]
    pub fn table_tested(plan: &LogicalPlan) -> Option<TableId> {
        let parts = Parts::of(plan)?;
        let is_tested = parts.conjuncts().any(tests_a_column);
        is_tested.then_some(parts.scan.table)
    }

    fn of_scan(
        scan: &Scan,
        conjuncts: &[&Expr],
        projections: &[Projection],
        indexes: &dyn Fn(TableId) -> Vec<IndexInfo>,
    ) -> Result<Option<Self>> {
        let unique = indexes(scan.table)
            .into_iter()
            .filter(|i| i.unique && i.collations.is_empty());
        let found = unique.filter_map(|index| Some((key_of(scan, &index, conjuncts)?, index)));
        let Some((key, index)) = found.min_by_key(|(key, _)| key.len()) else {
            return Ok(None);
        };
        let by_key: Vec<usize> = key.iter().map(|(at, _)| *at).collect();
        let rest = conjuncts.iter().enumerate();
        let rest = rest.filter(|(at, _)| !by_key.contains(at));
        let rest: Vec<Expr> = rest.map(|(_, expr)| (*expr).clone()).collect();
        let read: Vec<ColumnId> = projections
            .iter()
            .map(|p| &p.expr)
            .chain(&rest)
            .flat_map(Expr::columns)
            .collect();
        let wanted = scan.columns.iter().filter(|(_, c)| read.contains(&c.id));
        let wanted = wanted.map(|(field, column)| (*field, Column::from(column)));
        let (fields, mut columns): (Vec<FieldId>, Vec<Column>) = wanted.unzip();
        let row_id = scan.row_id.as_ref().filter(|c| read.contains(&c.id));
        columns.extend(row_id.map(Column::from));
        let types = index.fields.iter().zip(&key);
        let types: Vec<_> = types.map(|(f, (_, value))| (*f, value.ty())).collect();
        let Some(lookup) = PointLookup::new(index.id, &types, fields)? else {
            return Ok(None);
        };
        let residual = match rest.is_empty() {
            true => None,
            false => Some(Value::new(&Expr::and(rest), &columns)?),
        };
        let output = projections.iter().map(|p| Value::new(&p.expr, &columns));
        let schema = projections.iter().map(|p| {
            // As in all results: NULL is allowed everywhere.
            Field::new(&*p.column.name, p.column.ty.to_arrow(), true)
        });
        Ok(Some(Self {
            table: scan.table,
            lookup,
            key: key.into_iter().map(|(_, value)| value).collect(),
            with_row_id: row_id.is_some(),
            residual,
            output: output.collect::<Result<_>>()?,
            schema: Arc::new(Schema::new(schema.collect::<Vec<_>>())),
            columns,
        }))
    }

    /// The table that is read.
    #[must_use]
    pub fn table(&self) -> TableId {
        self.table
    }

    /// The schema of its rows.
    #[must_use]
    pub fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    /// Looks the row up, with values for the plan's parameters. `note` is told the key and the rows that have it.
    ///
    /// # Errors
    /// When the store or a computation fails, and what `note` gives.
    pub fn run(
        &self,
        handle: &TableHandle,
        values: &[Scalar],
        note: Option<NotePoint<'_>>,
    ) -> Result<PointResult> {
        let key = self.key.iter().map(|expr| constant_value(expr, values));
        // An error of a value counts only where there is a row that it is compared with.
        let Ok(key) = key.collect::<Result<SmallVec<[Scalar; 4]>>>() else {
            return Ok(PointResult::Unknown);
        };
        let Some(found) = self.lookup.find(handle, &key)? else {
            return Ok(PointResult::Unknown);
        };
        if let Some(note) = note {
            note(self.lookup.index(), &key, &found.row_ids)?;
        }
        if found.row_ids.is_empty() {
            return Ok(PointResult::Row(None));
        }
        let rows = found.row_ids.len();
        let mut columns = found.columns;
        if self.with_row_id {
            columns.push(Arc::new(UInt64Array::from(found.row_ids)));
        }
        let mut batch = Batch::new(columns, rows);
        if let Some(residual) = &self.residual {
            let mask = residual.evaluate(&batch, &self.columns, values)?;
            let mask = mask.as_boolean_opt();
            let mask = mask.ok_or_else(|| Error::internal("a predicate that is not BOOLEAN"))?;
            batch = batch.filter(mask)?;
            if batch.rows == 0 {
                return Ok(PointResult::Row(None));
            }
        }
        let output = self.output.iter();
        let output = output.map(|value| value.evaluate(&batch, &self.columns, values));
        let output = Batch::new(output.collect::<Result<_>>()?, batch.rows);
        let batch = output.into_record_batch(&self.schema)?;
        Ok(PointResult::Row(Some(batch)))
    }
}

impl Value {
    fn new(expr: &Expr, columns: &[Column]) -> Result<Self> {
        let mut is_open = false;
        expr.visit(&mut |expr| is_open |= matches!(expr, Expr::Parameter { .. }));
        Ok(match is_open {
            true => Self::Open(expr.clone()),
            false => Self::Ready(Prepared::new(expr, columns)?),
        })
    }

    fn evaluate(&self, batch: &Batch, columns: &[Column], values: &[Scalar]) -> Result<ArrayRef> {
        match self {
            Self::Ready(prepared) => prepared.evaluate(batch),
            Self::Open(Expr::Parameter { index, .. }) => {
                value_of(*index, values)?.to_array(batch.rows)
            }
            Self::Open(expr) => {
                let mut expr = expr.clone();
                set_parameters(&mut expr, values);
                Prepared::new(&expr, columns)?.evaluate(batch)
            }
        }
    }
}

/// What a plan that may look up one row is made of.
struct Parts<'p> {
    scan: &'p Scan,
    /// What is tested above the scan.
    filter: Option<&'p Expr>,
    /// What is made of its columns; `None` where they are put out as they are.
    projections: Option<&'p [Projection]>,
}

impl<'p> Parts<'p> {
    fn of(plan: &'p LogicalPlan) -> Option<Self> {
        let (plan, projections) = match one_row_below(plan) {
            LogicalPlan::Project(project) => {
                let projections = Some(project.projections.as_slice());
                (one_row_below(&project.input), projections)
            }
            other => (other, None),
        };
        let (plan, filter) = match plan {
            LogicalPlan::Filter(filter) => (filter.input.as_ref(), Some(&filter.predicate)),
            other => (other, None),
        };
        match plan {
            LogicalPlan::Scan(scan) => Some(Self {
                scan,
                filter,
                projections,
            }),
            _ => None,
        }
    }

    fn conjuncts(&self) -> impl Iterator<Item = &'p Expr> + use<'p> {
        let tests = self.scan.predicates.iter().chain(self.filter);
        tests.flat_map(Expr::conjuncts)
    }
}

/// The plan below nodes that change nothing about one row.
fn one_row_below(plan: &LogicalPlan) -> &LogicalPlan {
    match plan {
        LogicalPlan::Sort(sort) if sort.fetch != Some(0) => one_row_below(&sort.input),
        LogicalPlan::Distinct(distinct) => one_row_below(&distinct.input),
        LogicalPlan::Limit(limit) if limit.skip == 0 && limit.fetch != Some(0) => {
            one_row_below(&limit.input)
        }
        other => other,
    }
}

fn sides_of_equality(expr: &Expr) -> Option<(&Expr, &Expr)> {
    match expr {
        Expr::Binary {
            op: BinaryOp::Eq,
            left,
            right,
            ..
        } => Some((left, right)),
        _ => None,
    }
}

/// True for `column = value`.
fn tests_a_column(expr: &Expr) -> bool {
    let is = |column: &Expr, value: &Expr| matches!(column, Expr::Column { .. }) && is_fixed(value);
    sides_of_equality(expr).is_some_and(|(left, right)| is(left, right) || is(right, left))
}

/// For each column of an index the conjunct that says what its value is, and the value; `None` where one
/// has none.
fn key_of(scan: &Scan, index: &IndexInfo, conjuncts: &[&Expr]) -> Option<Vec<(usize, Expr)>> {
    let mut key = Vec::with_capacity(index.fields.len());
    for field in &index.fields {
        let (_, column) = scan.columns.iter().find(|(of, _)| of == field)?;
        let mut values = conjuncts.iter().enumerate().filter_map(|(at, expr)| {
            let (left, right) = sides_of_equality(expr)?;
            let value = match (left, right) {
                (Expr::Column { id, .. }, value) | (value, Expr::Column { id, .. })
                    if *id == column.id =>
                {
                    value
                }
                _ => return None,
            };
            (value.ty() == column.ty && is_fixed(value)).then(|| (at, value.clone()))
        });
        key.push(values.next()?);
    }
    Some(key)
}

/// True for an expression whose value depends on parameters at most, and takes no function.
#[must_use]
pub fn is_fixed(expr: &Expr) -> bool {
    if matches!(expr, Expr::Parameter { .. } | Expr::Literal(_)) {
        return true;
    }
    let mut has_children = false;
    let mut fixed = true;
    expr.for_each_child(&mut |child| {
        has_children = true;
        fixed &= is_fixed(child);
    });
    has_children && fixed && !matches!(expr, Expr::Function { .. })
}

/// The value of an expression that [`is_fixed`].
///
/// # Errors
/// When it cannot be computed.
pub fn constant_value(expr: &Expr, values: &[Scalar]) -> Result<Scalar> {
    match expr {
        Expr::Parameter { index, .. } => value_of(*index, values).cloned(),
        Expr::Literal(value) => Ok(value.clone()),
        other => {
            let mut expr = other.clone();
            set_parameters(&mut expr, values);
            llkv_compute::fold(&expr)
        }
    }
}

fn value_of(index: usize, values: &[Scalar]) -> Result<&Scalar> {
    let value = values.get(index);
    value.ok_or_else(|| Error::internal(format!("parameter {} has no value", index + 1)))
}
