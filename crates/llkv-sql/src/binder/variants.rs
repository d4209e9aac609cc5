//! SQLite's rules for operands of several types: values there carry their own type.
//!
//! What has one type in all rows stays of that type, and pays nothing. Where types meet that SQLite would
//! not make one (a CASE of integers and reals, a number beside a text), the operands become
//! [`SqlType::Variant`] and so does what is computed from them.

use super::Binder;
use super::values::Target;
use llkv_compute::coercion::common_type;
use llkv_compute::functions::of_variants;
use llkv_expr::{BinaryOp, CastMode, Expr, UnaryOp};
use llkv_plan::{ColumnInfo, LogicalPlan, Project, Projection, TableInfo};
use llkv_result::{Error, Result};
use llkv_types::variant::Variant;
use llkv_types::{Scalar, SqlType};

/// Declared types that a column has only once it was made one whose values carry their type.
pub(super) const REAL: &str = "REAL";
pub(super) const TEXT: &str = "TEXT";
pub(super) const BLOB: &str = "BLOB";

/// Up to here every integer is a double.
const EXACT: u64 = 1 << 53;

/// What a comparison converts the other side to. See "Type Affinity" in SQLite's documentation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Affinity {
    /// Nothing: an expression.
    None,
    /// A column of numbers, or a CAST to one.
    Numeric,
    /// A column of texts, or a CAST to one.
    Text,
    /// A column that takes every value as it is, or a CAST to a blob: nothing is done to either side, unless
    /// the other one is of numbers.
    Blob,
}

/// What a column whose values carry their type does to those that come, by its declared type: a function.
fn conversion(column: &ColumnInfo) -> Option<&'static str> {
    match (column.ty, column.declared.as_deref()?) {
        (SqlType::Variant, REAL) => Some("real_column"),
        (SqlType::Variant, TEXT) => Some("text_affinity"),
        (SqlType::Variant, BLOB) => None,
        (SqlType::Variant, _) => Some("numeric_column"),
        _ => None,
    }
}

impl Affinity {
    /// That of a column of a table.
    pub(super) fn of_column(column: &ColumnInfo) -> Self {
        match conversion(column) {
            Some("text_affinity") => Self::Text,
            Some(_) => Self::Numeric,
            None => Self::of_type(column.ty),
        }
    }

    const fn of_type(ty: SqlType) -> Self {
        match ty {
            SqlType::Text | SqlType::Interval => Self::Text,
            ty if ty.is_temporal() => Self::Text,
            ty if ty.is_numeric() => Self::Numeric,
            SqlType::Boolean => Self::Numeric,
            SqlType::Blob | SqlType::Variant => Self::Blob,
            _ => Self::None,
        }
    }
}

impl Binder<'_> {
    /// Notes that a column of the statement is a column of a table.
    pub(super) fn note_column(&mut self, column: &llkv_plan::PlanColumn, of_table: &ColumnInfo) {
        self.note_collation(column.id, of_table);
        if self.dialect.values_carry_types() {
            self.set_affinity(column.id, Affinity::of_column(of_table));
        }
    }

    /// What texts of a table, as those of CHECK, find behind the columns of its rows: collations and affinities.
    pub(super) fn note_columns(&mut self, columns: &[llkv_plan::PlanColumn], info: &TableInfo) {
        for (column, of_table) in columns.iter().zip(&info.columns) {
            self.note_collation(column.id, of_table);
            self.set_affinity(column.id, Affinity::of_column(of_table));
        }
    }

    /// The rows of a statement on their way into a table (all columns in their order), with values in
    /// columns whose values carry their type as these hold them.
    pub(super) fn as_stored(
        &mut self,
        source: LogicalPlan,
        info: &TableInfo,
    ) -> Result<LogicalPlan> {
        if info
            .columns
            .iter()
            .all(|column| conversion(column).is_none())
        {
            return Ok(source);
        }
        let mut projections = Vec::with_capacity(info.columns.len());
        for (given, column) in source.columns().into_iter().zip(&info.columns) {
            let expr = self.stored_value(Expr::column(given.id, given.ty), column)?;
            projections.push(Projection {
                column: self.new_column(column.name.clone(), column.ty, true),
                expr,
            });
        }
        Ok(LogicalPlan::Project(Project {
            input: Box::new(source),
            projections,
        }))
    }

    /// A value of a column's type as the column holds it.
    pub(super) fn stored_value(&mut self, expr: Expr, column: &ColumnInfo) -> Result<Expr> {
        match conversion(column) {
            Some(name) => {
                let call = self.variant_call(name, vec![expr], SqlType::Variant)?;
                match call.is_constant() {
                    true => Ok(Expr::Literal(llkv_compute::fold(&call)?)),
                    false => Ok(call),
                }
            }
            None => Ok(expr),
        }
    }

    /// A column that stands for an expression has the expression's affinity.
    pub(super) fn note_alias(&mut self, column: llkv_expr::ColumnId, expr: &Expr) {
        if self.dialect.values_carry_types() {
            let affinity = self.affinity(expr);
            if affinity != Affinity::None {
                self.set_affinity(column, affinity);
            }
        }
    }

    /// The affinity of a column, where it has one.
    pub(super) fn column_affinity(&self, column: llkv_expr::ColumnId) -> Affinity {
        let known = self.affinities.get(column.0 as usize);
        known.copied().unwrap_or(Affinity::None)
    }

    /// Gives a column an affinity.
    pub(super) fn set_affinity(&mut self, column: llkv_expr::ColumnId, affinity: Affinity) {
        let at = column.0 as usize;
        if self.affinities.len() <= at {
            self.affinities.resize(at + 1, Affinity::None);
        }
        if let Some(place) = self.affinities.get_mut(at) {
            *place = affinity;
        }
    }

    fn affinity(&self, expr: &Expr) -> Affinity {
        match expr {
            Expr::Column { id, .. } => self.column_affinity(*id),
            // A cast that the text asks for; those that the binder adds are strict.
            Expr::Cast {
                ty,
                mode: CastMode::Sqlite,
                ..
            } => Affinity::of_type(*ty),
            Expr::Function { function, .. } if function.name == "cast_numeric" => Affinity::Numeric,
            _ => Affinity::None,
        }
    }

    /// A call of a function that no text can name.
    fn variant_call(&self, name: &'static str, args: Vec<Expr>, ty: SqlType) -> Result<Expr> {
        let function = of_variants(name)
            .ok_or_else(|| Error::internal(format!("no function {name} of variants")))?;
        Ok(Expr::Function { function, args, ty })
    }

    /// The expression as one whose values carry their type.
    pub(super) fn as_variant(&mut self, expr: Expr) -> Expr {
        self.coerce(expr, SqlType::Variant)
    }

    /// A constant computed here, as a literal of its own type.
    fn folded(&self, expr: Expr) -> Result<Expr> {
        if !expr.is_constant() {
            return Ok(expr);
        }
        let scalar = llkv_compute::fold(&expr)?;
        Ok(Expr::Literal(plain(scalar)))
    }

    /// Operands of a comparison in one type.
    pub(super) fn comparison_sides(&mut self, left: Expr, right: Expr) -> Result<(Expr, Expr)> {
        if is_parameter(&left) || is_parameter(&right) {
            return Ok(self.adapt_pair(left, right));
        }
        let (left_affinity, right_affinity) = (self.affinity(&left), self.affinity(&right));
        let (mut left, mut right) = (storable(left), storable(right));
        let is_numeric = [left_affinity, right_affinity].contains(&Affinity::Numeric);
        for side in [&mut left, &mut right] {
            let is_unconverted = |id| self.unconverted.contains(id);
            if is_numeric && matches!(side, Expr::Column { id, .. } if is_unconverted(*id)) {
                *side = self.with_affinity(side.clone(), Affinity::Numeric)?;
            }
        }
        match (left_affinity, right_affinity) {
            (Affinity::Numeric, Affinity::Numeric) => {}
            (Affinity::Numeric, _) => right = self.with_affinity(right, Affinity::Numeric)?,
            (_, Affinity::Numeric) => left = self.with_affinity(left, Affinity::Numeric)?,
            (Affinity::Text, Affinity::None) => {
                right = self.with_affinity(right, Affinity::Text)?
            }
            (Affinity::None, Affinity::Text) => left = self.with_affinity(left, Affinity::Text)?,
            _ => {}
        }
        Ok(self.comparable(left, right))
    }

    /// Both sides in a type in which they compare by SQLite's order.
    fn comparable(&mut self, left: Expr, right: Expr) -> (Expr, Expr) {
        let left = exact_integer(left, right.ty());
        let right = exact_integer(right, left.ty());
        let (lt, rt) = (left.ty(), right.ty());
        let alike = lt == rt
            || lt == SqlType::Null
            || rt == SqlType::Null
            || (lt.is_integer() && rt.is_integer())
            || (lt.is_float() && rt.is_float())
            || compares_as_double(&left, rt)
            || compares_as_double(&right, lt)
            || (is_exact(lt) && is_exact(rt));
        if alike {
            return (left, right);
        }
        let left = self.as_variant(left);
        (left, self.as_variant(right))
    }

    /// A value as the affinity of the other side of a comparison wants it.
    fn with_affinity(&mut self, expr: Expr, affinity: Affinity) -> Result<Expr> {
        let name = match (affinity, expr.ty()) {
            (Affinity::Numeric, SqlType::Text | SqlType::Variant) => "numeric_affinity",
            (Affinity::Text, SqlType::Variant) => "text_affinity",
            (Affinity::Text, ty) if ty.is_numeric() => return Ok(self.text_of(expr)),
            _ => return Ok(expr),
        };
        let expr = self.as_variant(expr);
        let converted = self.variant_call(name, vec![expr], SqlType::Variant)?;
        self.folded(converted)
    }

    /// Operands of `+ - * / %` as numbers.
    pub(super) fn number_sides(
        &mut self,
        op: BinaryOp,
        left: Expr,
        right: Expr,
    ) -> Result<(Expr, Expr)> {
        let (left, right) = match is_parameter(&left) || is_parameter(&right) {
            true => {
                let (left, right) = self.adapt_pair(left, right);
                let open = |expr: &Expr| !expr.ty().is_numeric();
                if open(&left) || open(&right) {
                    return Ok((left, right));
                }
                (left, right)
            }
            false => (self.number_operand(left)?, self.number_operand(right)?),
        };
        let variant = |ty: SqlType| ty == SqlType::Variant;
        // The remainder is that of whole numbers, and a real all the same.
        let inexact = |ty: SqlType| ty.is_numeric() && !ty.is_integer();
        let (lt, rt) = (left.ty(), right.ty());
        if lt.is_integer() && rt.is_integer() && op != BinaryOp::Modulo {
            self.may_widen = true;
        }
        let carry = variant(lt)
            || variant(rt)
            || self.wide_results
            || overflows(op, &left, &right)
            || (op == BinaryOp::Modulo && (inexact(lt) || inexact(rt)));
        if !carry {
            return Ok((left, right));
        }
        let left = self.as_variant(left);
        Ok((left, self.as_variant(right)))
    }

    /// What arithmetic of reals gives: NULL for what is no number, as infinity less infinity.
    pub(super) fn real_result(&self, op: BinaryOp, result: Expr) -> Result<Expr> {
        use BinaryOp::{Add, Divide, Multiply, Subtract};
        let is_real = result.ty() == SqlType::Float64
            && matches!(op, Add | Subtract | Multiply | Divide)
            && self.dialect.values_carry_types();
        match is_real {
            true => self.variant_call("real_result", vec![result], SqlType::Float64),
            false => Ok(result),
        }
    }

    /// An operand of arithmetic: texts and blobs count as the number that they begin with.
    pub(super) fn number_operand(&mut self, expr: Expr) -> Result<Expr> {
        let expr = storable(expr);
        match expr.ty() {
            SqlType::Text | SqlType::Blob => {
                let zero = Expr::Literal(Scalar::variant(Variant::Integer(0)));
                let constant = expr.is_constant();
                let expr = self.as_variant(expr);
                if !constant {
                    return Ok(expr);
                }
                self.folded(Expr::binary(BinaryOp::Add, expr, zero, SqlType::Variant))
            }
            _ => Ok(expr),
        }
    }

    /// True where a statement may have to be bound again, with results of integers that may be reals.
    pub(crate) const fn may_widen(&self) -> bool {
        self.may_widen
    }

    /// `-x`, for what is no plain number.
    pub(super) fn negated_variant(&mut self, expr: Expr) -> Result<Expr> {
        let expr = if self.wide_results {
            self.as_variant(expr)
        } else {
            expr
        };
        let expr = self.number_operand(expr)?;
        if expr.ty() == SqlType::Variant {
            return Ok(Expr::unary(UnaryOp::Negate, expr));
        }
        self.folded(Expr::unary(UnaryOp::Negate, expr))
    }

    /// The type in which results meet: their own where they have one, else that of values which carry
    /// their type.
    pub(super) fn unify_types(&self, types: impl IntoIterator<Item = SqlType>) -> SqlType {
        let mut result = SqlType::Null;
        for ty in types {
            let ty = if ty == SqlType::Boolean {
                SqlType::Int64
            } else {
                ty
            };
            result = match (result, ty) {
                (SqlType::Null, other) | (other, SqlType::Null) => other,
                (a, b) if a == b => a,
                (a, b) if (a.is_float() && b.is_float()) || (is_exact(a) && is_exact(b)) => {
                    common_type(a, b).unwrap_or(SqlType::Variant)
                }
                _ => SqlType::Variant,
            };
        }
        result
    }

    /// `x IN (...)`: the affinity of x is applied to the elements, and they are compared as they are then.
    pub(super) fn in_list_sides(
        &mut self,
        value: Expr,
        items: Vec<Expr>,
    ) -> Result<(SqlType, Expr, Vec<Expr>)> {
        let affinity = self.affinity(&value);
        let value = storable(value);
        let mut converted = Vec::with_capacity(items.len());
        for item in items {
            let item = storable(item);
            let item = match affinity {
                Affinity::None | Affinity::Blob => item,
                affinity => self.with_affinity(item, affinity)?,
            };
            converted.push(exact_integer(item, value.ty()));
        }
        let types = converted.iter().map(Expr::ty);
        let ty = self.unify_types(std::iter::once(value.ty()).chain(types));
        Ok((ty, value, converted))
    }

    /// `min(a, b, ...)` and `max(a, b, ...)`: NULL where an argument is.
    pub(super) fn scalar_extreme(&mut self, max: bool, args: Vec<Expr>) -> Result<Expr> {
        let ty = match self.unify_types(args.iter().map(Expr::ty)) {
            SqlType::Null => SqlType::Int64,
            ty => ty,
        };
        let args = args.into_iter().map(|arg| self.coerce(arg, ty)).collect();
        let name = if max { "scalar_max" } else { "scalar_min" };
        self.variant_call(name, args, ty)
    }

    /// `nullif(a, b)`: a keeps its type.
    pub(super) fn nullif_as_case(
        &mut self,
        value: Expr,
        other: Expr,
        node: &impl super::place::Place,
    ) -> Result<Expr> {
        let value = self.once(storable(value))?;
        let again = self.copy_of(&value)?;
        let equal = self.equal_as_they_are(again, other, node)?;
        let null = Expr::Literal(Scalar::Null(value.ty()));
        self.case_of(vec![(equal, null)], Some(value), node)
    }

    /// Whether two values are equal, as functions compare their arguments: without affinity.
    pub(super) fn equal_as_they_are(
        &mut self,
        left: Expr,
        right: Expr,
        node: &impl super::place::Place,
    ) -> Result<Expr> {
        if !self.dialect.values_carry_types() {
            return self.binary(BinaryOp::Eq, left, right, node);
        }
        let (left, right) = self.comparable(storable(left), storable(right));
        self.binary_of(BinaryOp::Eq, left, right, node)
    }

    /// `typeof(x)`
    pub(super) fn type_of_value(&mut self, expr: Expr) -> Result<Expr> {
        let text = |name: &str| Expr::Literal(Scalar::Text(name.into()));
        let name = match expr.ty() {
            SqlType::Variant => {
                let function = self
                    .function("typeof")
                    .ok_or_else(|| Error::internal("no function typeof"))?;
                return Ok(Expr::Function {
                    function,
                    args: vec![expr],
                    ty: SqlType::Text,
                });
            }
            SqlType::Null => return Ok(text("null")),
            SqlType::Blob => "blob",
            SqlType::Float32 | SqlType::Float64 | SqlType::Decimal { .. } => "real",
            ty if ty.is_numeric() || ty == SqlType::Boolean => "integer",
            _ => "text",
        };
        if let Some(scalar) = expr.as_literal() {
            return Ok(text(if scalar.is_null() { "null" } else { name }));
        }
        let expr = self.settle(expr);
        Ok(Expr::Case {
            branches: vec![(Expr::unary(UnaryOp::IsNull, expr), text("null"))],
            otherwise: Some(Box::new(text(name))),
            ty: SqlType::Text,
        })
    }

    /// `CAST(x AS NUMERIC)`
    pub(super) fn cast_numeric(&mut self, expr: Expr) -> Result<Expr> {
        let expr = storable(expr);
        let expr = if expr.ty().is_numeric() {
            expr
        } else {
            let expr = self.as_variant(expr);
            let call = self.variant_call("cast_numeric", vec![expr], SqlType::Variant)?;
            self.folded(call)?
        };
        let ty = expr.ty();
        if ty == SqlType::Variant {
            return Ok(expr);
        }
        // For its affinity: it converts nothing more.
        Ok(Expr::Cast {
            expr: Box::new(expr),
            ty,
            mode: CastMode::Sqlite,
        })
    }

    /// `+x`: x, without its affinity.
    pub(super) fn without_affinity(&self, expr: Expr) -> Expr {
        if self.affinity(&expr) == Affinity::None {
            return expr;
        }
        let ty = expr.ty();
        Expr::Cast {
            expr: Box::new(expr),
            ty,
            mode: CastMode::Strict,
        }
    }

    /// A value on its way into a column: a number that is written as text is that number, a real without
    /// a fraction an integer; what the column cannot hold is an error.
    pub(super) fn assign_variant(
        &mut self,
        expr: Expr,
        ty: SqlType,
        into: Option<Target<'_>>,
    ) -> Result<Expr> {
        let expr = storable(expr);
        let from = expr.ty();
        if from == ty || from == SqlType::Null || is_parameter(&expr) {
            return Ok(self.coerce(expr, ty));
        }
        let checked = match ty {
            SqlType::Text if from.is_numeric() => return Ok(self.text_of(expr)),
            SqlType::Text => from == SqlType::Variant || from == SqlType::Blob,
            SqlType::Blob => true,
            ty if ty.is_integer() => !from.is_integer(),
            ty if ty.is_float() => !from.is_numeric(),
            _ => false,
        };
        if !checked {
            return Ok(self.coerce(expr, ty));
        }
        let constant = expr.is_constant();
        let value = self.as_variant(expr);
        let value = match into {
            None => value.cast(ty),
            Some(Target { table, column }) => {
                let names = [table.name.as_str(), &*column.name];
                let [table, column] = names.map(|name| Expr::Literal(Scalar::Text(name.into())));
                self.variant_call("column_value", vec![value, table, column], ty)?
            }
        };
        if constant && let Ok(scalar) = llkv_compute::fold(&value) {
            return Ok(Expr::Literal(scalar));
        }
        Ok(value)
    }
}

/// True for integer literals whose result is no integer of 64 bits.
fn overflows(op: BinaryOp, left: &Expr, right: &Expr) -> bool {
    let (Some(Scalar::Int64(l)), Some(Scalar::Int64(r))) = (left.as_literal(), right.as_literal())
    else {
        return false;
    };
    let exact = match op {
        BinaryOp::Add => l.checked_add(*r),
        BinaryOp::Subtract => l.checked_sub(*r),
        BinaryOp::Multiply => l.checked_mul(*r),
        _ => return false,
    };
    exact.is_none()
}

/// Truth values as the integers that they are, dates as texts.
fn storable(expr: Expr) -> Expr {
    match expr.ty() {
        SqlType::Boolean => expr.cast(SqlType::Int64),
        SqlType::Interval => expr.cast(SqlType::Text),
        ty if ty.is_temporal() => expr.cast(SqlType::Text),
        _ => expr,
    }
}

/// A literal of the type that the value has.
fn plain(scalar: Scalar) -> Scalar {
    let Scalar::Variant(bytes) = &scalar else {
        return match scalar {
            Scalar::Null(SqlType::Variant) => Scalar::Null(SqlType::Null),
            other => other,
        };
    };
    match Variant::decode(bytes) {
        Some(Variant::Integer(value)) => Scalar::Int64(value),
        Some(Variant::Real(value)) => Scalar::Float64(value),
        Some(Variant::Text(text)) => Scalar::Text(text.into()),
        Some(Variant::Blob(bytes)) => Scalar::Blob(bytes.into()),
        None => scalar,
    }
}

/// A real literal that is an integer as one, beside integers.
fn exact_integer(expr: Expr, other: SqlType) -> Expr {
    match expr {
        Expr::Literal(Scalar::Float64(value))
            if other.is_integer() && value.fract() == 0.0 && value.abs() <= EXACT as f64 =>
        {
            Expr::Literal(Scalar::Int64(value as i64))
        }
        other => other,
    }
}

/// True for a literal that compares with integers or reals alike as a double: a fraction, which no
/// rounding of a large integer reaches, or an integer that is a double.
fn compares_as_double(expr: &Expr, other: SqlType) -> bool {
    match expr.as_literal() {
        Some(Scalar::Float64(value)) => other.is_numeric() && value.fract() != 0.0,
        Some(Scalar::Int64(value)) => other.is_float() && value.unsigned_abs() <= EXACT,
        _ => false,
    }
}

/// Integers and decimals: they have a common type that holds both.
const fn is_exact(ty: SqlType) -> bool {
    ty.is_integer() || matches!(ty, SqlType::Decimal { .. })
}

fn is_parameter(expr: &Expr) -> bool {
    matches!(
        expr,
        Expr::Parameter {
            ty: SqlType::Null,
            ..
        }
    )
}
