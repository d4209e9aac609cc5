//! COLLATE: texts that compare as other texts do.
//!
//! A comparison, a key of ORDER BY or GROUP BY, DISTINCT and the like take their collation from COLLATE or from
//! the columns that stand there. Under another one than that of the bytes, texts are replaced by the keys of the
//! collation, whose bytes compare as it says; nothing behind the binder knows of collations, but for the keys of
//! tables.

use super::Binder;
use super::place::Place;
use crate::SqlDialect;
use hashbrown::HashMap;
use llkv_compute::functions::{collation_key, collation_of_key};
use llkv_expr::{BinaryOp, ColumnId, Expr};
use llkv_plan::{ColumnInfo, ColumnSet, PlanColumn};
use llkv_result::Result;
use llkv_types::{Collation, Scalar, SqlType};
use sqlparser::ast;

/// Where the collation of an expression comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Collated {
    /// COLLATE, on it or within it.
    pub(super) explicit: Option<Collation>,
    /// The column that it is.
    pub(super) column: Option<Collation>,
}

impl Collated {
    /// A column.
    pub(super) fn column(collation: Collation) -> Self {
        Self {
            explicit: None,
            column: Some(collation),
        }
    }

    /// The collation of the expression alone.
    pub(super) fn own(self) -> Collation {
        self.known().unwrap_or_default()
    }

    /// The collation, where the expression has one.
    pub(super) fn known(self) -> Option<Collation> {
        self.explicit.or(self.column)
    }

    /// That of an expression over this one and another: columns in it do not count any more.
    pub(super) fn over(self, right: Self) -> Self {
        Self {
            explicit: self.explicit.or(right.explicit),
            column: None,
        }
    }
}

/// What is known of the collations of a statement.
#[derive(Debug, Default)]
pub(super) struct Collations {
    /// Of the expression that was bound last.
    last: Collated,
    /// The first COLLATE within the expression that is being bound.
    within: Option<Collation>,
    /// Columns that do not compare by their bytes, or that a COLLATE stands behind.
    columns: HashMap<ColumnId, Collated>,
    /// Columns of results that are no columns of a table.
    computed: ColumnSet,
    /// Columns of set operations, with the collations of their first and last inputs.
    inputs: HashMap<ColumnId, (Collated, Collated)>,
}

impl Binder<'_> {
    /// Where the collation of the expression that was bound last comes from.
    pub(super) fn collated_last(&self) -> Collated {
        self.collations.last
    }

    /// Notes that the name which is being bound is a column with a collation.
    pub(super) fn note_collated(&mut self, collated: Collated) {
        self.collations.last = collated;
        self.collations.within = collated.explicit;
    }

    /// Begins an expression; gives what [`Self::leave_collated`] takes.
    pub(super) fn enter_collated(&mut self) -> Option<Collation> {
        self.collations.last = Collated::default();
        self.collations.within.take()
    }

    /// Ends an expression. `outer`: what was met around it before.
    pub(super) fn leave_collated(&mut self, expr: &ast::Expr, outer: Option<Collation>) {
        let explicit = self.collations.within.take();
        let column = match passes_on(expr) {
            true => self.collations.last.column,
            false => None,
        };
        self.collations.last = Collated { explicit, column };
        self.collations.within = outer.or(explicit);
    }

    /// Binds a part whose COLLATEs say nothing of the expression around it: a query, a window.
    pub(super) fn apart_from_collations<R>(&mut self, bind: impl FnOnce(&mut Self) -> R) -> R {
        let (last, within) = (self.collations.last, self.collations.within.take());
        let bound = bind(self);
        (self.collations.last, self.collations.within) = (last, within);
        bound
    }

    /// `x COLLATE name`
    pub(super) fn bind_collate(
        &mut self,
        inner: &ast::Expr,
        name: &ast::ObjectName,
        node: &ast::Expr,
    ) -> Result<Expr> {
        let collation = self.collation(name, node)?;
        let bound = self.bind_expr(inner)?;
        self.collations.within = Some(collation);
        Ok(bound)
    }

    /// The collation of a name.
    pub(super) fn collation(&self, name: &ast::ObjectName, node: &impl Place) -> Result<Collation> {
        let lower = name.to_string().replace('"', "").to_ascii_lowercase();
        match (lower.as_str(), self.dialect) {
            ("binary" | "c" | "posix" | "ucs_basic", _) => Ok(Collation::Binary),
            ("nocase", SqlDialect::Sqlite) => Ok(Collation::NoCase),
            ("nocase", SqlDialect::DuckDb) => Ok(Collation::Lower),
            ("rtrim", SqlDialect::Sqlite) => Ok(Collation::RightTrim),
            _ => self.unsupported(format!("the collation {name}"), node),
        }
    }

    /// A side that a COLLATE may stand behind, and what that says.
    pub(super) fn without_collation<'e>(
        &self,
        side: &'e ast::Expr,
    ) -> Result<(&'e ast::Expr, Option<Collation>)> {
        let mut inner = side;
        while let ast::Expr::Nested(next) = inner {
            inner = next;
        }
        match inner {
            ast::Expr::Collate { expr, collation } => {
                Ok((expr.as_ref(), Some(self.collation(collation, side)?)))
            }
            _ => Ok((side, None)),
        }
    }

    /// The collation of a comparison: COLLATE on the left, COLLATE on the right, the column on the left, the
    /// column on the right. In DuckDB a column without a collation leaves it to the other side.
    pub(super) fn collation_between(&self, left: Collated, right: Collated) -> Collation {
        let explicit = left.explicit.or(right.explicit);
        let other =
            |collation: &Collation| self.dialect == SqlDialect::Sqlite || !collation.is_binary();
        let of_columns = left.column.filter(other).or(right.column);
        explicit.or(of_columns).unwrap_or_default()
    }

    /// The collation of a column that a name means.
    pub(super) fn collation_of_column(&self, id: ColumnId) -> Collation {
        let known = self.collations.columns.get(&id);
        known.map_or(Collation::Binary, |known| known.own())
    }

    /// The collation of a column of a query's result, by the expression that it is there.
    pub(super) fn collated_result(&self, id: ColumnId) -> Collated {
        match self.collations.columns.get(&id) {
            Some(known) => *known,
            None if self.collations.computed.contains(id) => Collated::default(),
            None => Collated::column(Collation::Binary),
        }
    }

    /// Notes the collation of a column by that of the expression that it is.
    pub(super) fn set_collated(&mut self, id: ColumnId, collated: Collated) {
        match collated.known() {
            None => {
                self.collations.computed.insert(id);
            }
            Some(Collation::Binary) if collated.explicit.is_none() => {}
            Some(_) => {
                self.collations.columns.insert(id, collated);
            }
        }
    }

    /// Gives a column the collation of another.
    pub(super) fn copy_collated(&mut self, from: ColumnId, to: ColumnId) {
        self.set_collated(to, self.collated_result(from));
        if let Some((_, last)) = self.collations.inputs.get(&from).copied() {
            let own = self.collated_result(to);
            self.collations.inputs.insert(to, (own, last));
        }
    }

    /// Notes the collation of a column of a set operation by those of its inputs: rows are compared and ordered by the first that
    /// there is.
    pub(super) fn set_collated_of(&mut self, id: ColumnId, inputs: impl Iterator<Item = ColumnId>) {
        let inputs: Vec<ColumnId> = inputs.collect();
        if let (Some(first), Some(last)) = (inputs.first(), inputs.last()) {
            let (first, _) = self.inputs_collated(*first);
            let (_, last) = self.inputs_collated(*last);
            self.collations.inputs.insert(id, (first, last));
        }
        let mut collated = inputs.iter().map(|input| self.collated_result(*input));
        let known = collated.find(|collated| collated.known().is_some());
        self.set_collated(id, known.unwrap_or_default());
    }

    /// The collations of a column in the first and the last SELECT of a query, which may be one.
    fn inputs_collated(&self, id: ColumnId) -> (Collated, Collated) {
        let of_inputs = self.collations.inputs.get(&id).copied();
        of_inputs.unwrap_or_else(|| {
            let own = self.collated_result(id);
            (own, own)
        })
    }

    /// The collation of a column that IN looks at. In SQLite that of a set operation has the one of the last SELECT there.
    pub(super) fn collated_list(&self, id: ColumnId) -> Collated {
        match self.dialect {
            SqlDialect::Sqlite => self.inputs_collated(id).1,
            _ => self.collated_result(id),
        }
    }

    /// Notes that columns are those of a relation from here on. In SQLite the column of a set operation has the collation of the
    /// first SELECT then, that of the bytes where it has none.
    pub(super) fn enter_relation(&mut self, columns: &[PlanColumn]) {
        if self.dialect != SqlDialect::Sqlite || self.collations.inputs.is_empty() {
            return;
        }
        for column in columns {
            if let Some((first, _)) = self.collations.inputs.remove(&column.id) {
                self.collations.columns.remove(&column.id);
                self.set_collated(column.id, Collated::column(first.own()));
            }
        }
    }

    pub(super) fn note_collation(&mut self, id: ColumnId, of_table: &ColumnInfo) {
        if !of_table.collation.is_binary() {
            self.set_collated(id, Collated::column(of_table.collation));
        }
    }

    /// The collation of the keys of a table over a column: DuckDB's are of the texts as they are.
    pub(super) fn collation_of_key(&self, ty: SqlType, collation: Collation) -> Collation {
        match ty {
            SqlType::Text | SqlType::Variant if self.dialect != SqlDialect::DuckDb => collation,
            _ => Collation::Binary,
        }
    }

    /// `left op right` under a collation.
    pub(super) fn compare_collated(
        &mut self,
        op: BinaryOp,
        left: Expr,
        right: Expr,
        collation: Collation,
        node: &impl Place,
    ) -> Result<Expr> {
        if collation.is_binary() {
            return self.binary(op, left, right, node);
        }
        let (left, right) = self.meet(op, left, right)?;
        let left = self.collated(left, collation)?;
        let right = self.collated(right, collation)?;
        self.binary_of(op, left, right, node)
    }

    /// A value whose bytes compare as the collation says.
    pub(super) fn collated(&mut self, value: Expr, collation: Collation) -> Result<Expr> {
        let Some(function) = collation_key(collation) else {
            return Ok(value);
        };
        match (value.ty(), &value) {
            (SqlType::Text, Expr::Literal(Scalar::Text(text))) => Ok(Expr::Literal(Scalar::Text(
                collation.key(text).as_ref().into(),
            ))),
            (ty @ (SqlType::Text | SqlType::Variant), _) => Ok(Expr::Function {
                function,
                args: vec![value],
                ty,
            }),
            _ => Ok(value),
        }
    }

    /// A key of ORDER BY, GROUP BY or a window: the expression that was bound last.
    pub(super) fn collated_key(&mut self, value: Expr) -> Result<Expr> {
        let collation = self.collated_last().own();
        let value = self.settle(value);
        self.collated(value, collation)
    }
}

/// The value of which an expression is the key under a collation.
pub(super) fn value_of_key(expr: &Expr) -> Option<&Expr> {
    match expr {
        Expr::Function { function, args, .. } if collation_of_key(function).is_some() => {
            args.first()
        }
        _ => None,
    }
}

/// True for an expression that is a column where its operand is one.
fn passes_on(expr: &ast::Expr) -> bool {
    matches!(
        expr,
        ast::Expr::Identifier(_)
            | ast::Expr::CompoundIdentifier(_)
            | ast::Expr::Nested(_)
            | ast::Expr::Cast { .. }
            | ast::Expr::UnaryOp {
                op: ast::UnaryOperator::Plus,
                ..
            }
    )
}
