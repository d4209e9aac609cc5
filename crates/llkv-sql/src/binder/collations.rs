//! COLLATE: texts that compare as other texts do.
//!
//! Columns compare their bytes. Where a comparison, ORDER BY, GROUP BY or IN names another collation, the texts
//! of all sides are replaced by ones whose bytes compare as it says; nothing else knows of collations.

use super::Binder;
use super::place::Place;
use crate::SqlDialect;
use llkv_expr::{BinaryOp, Expr};
use llkv_result::Result;
use llkv_types::{Scalar, SqlType};
use sqlparser::ast;

/// How texts compare.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Collation {
    /// By their bytes.
    #[default]
    Binary,
    /// Without regard to case: of ASCII in SQLite's dialect, of all letters in DuckDB's.
    NoCase,
    /// Without regard to spaces at their end.
    RightTrim,
}

impl Collation {
    /// The collation of a comparison: that of its left side, or else of its right one.
    pub(super) fn or(self, right: Self) -> Self {
        match self {
            Self::Binary => right,
            own => own,
        }
    }

    pub(super) fn is_binary(self) -> bool {
        self == Self::Binary
    }
}

impl Binder<'_> {
    /// The collation of a name.
    pub(super) fn collation(&self, name: &ast::ObjectName, node: &impl Place) -> Result<Collation> {
        let own = self.dialect != SqlDialect::Llkv;
        let lower = name.to_string().replace('"', "").to_ascii_lowercase();
        match lower.as_str() {
            "binary" | "c" | "posix" | "ucs_basic" => Ok(Collation::Binary),
            "nocase" if own => Ok(Collation::NoCase),
            "rtrim" if self.dialect == SqlDialect::Sqlite => Ok(Collation::RightTrim),
            _ => self.unsupported(format!("the collation {name}"), node),
        }
    }

    /// Columns and unique keys hold texts that compare by their bytes.
    pub(super) fn refuse_collation(
        &self,
        name: &ast::ObjectName,
        holder: &str,
        node: &impl Place,
    ) -> Result<()> {
        if self.collation(name, node)?.is_binary() {
            return Ok(());
        }
        self.unsupported(format!("{holder} with the collation {name}"), node)
    }

    /// A side of a comparison and the collation that stands behind it.
    pub(super) fn without_collation<'e>(
        &self,
        side: &'e ast::Expr,
    ) -> Result<(&'e ast::Expr, Collation)> {
        let mut inner = side;
        while let ast::Expr::Nested(next) = inner {
            inner = next;
        }
        match inner {
            ast::Expr::Collate { expr, collation } => {
                Ok((expr.as_ref(), self.collation(collation, side)?))
            }
            _ => Ok((side, Collation::Binary)),
        }
    }

    /// `left op right` under a collation.
    pub(super) fn compare_collated(
        &mut self,
        op: BinaryOp,
        left: Expr,
        right: Expr,
        collation: Collation,
        node: &ast::Expr,
    ) -> Result<Expr> {
        let (left, right) = self.meet(op, left, right)?;
        let left = self.collated(left, collation, node)?;
        let right = self.collated(right, collation, node)?;
        self.binary_of(op, left, right, node)
    }

    /// A value whose bytes compare as the collation says.
    pub(super) fn collated(
        &mut self,
        value: Expr,
        collation: Collation,
        node: &impl Place,
    ) -> Result<Expr> {
        let function = match collation {
            Collation::Binary => return Ok(value),
            Collation::NoCase => "lower",
            Collation::RightTrim => "rtrim",
        };
        match value.ty() {
            SqlType::Text => self.call(function, vec![value], node),
            SqlType::Variant => {
                let name = Expr::Literal(Scalar::Text("text".into()));
                let own = self.copy_of(&value)?;
                let ty = self.type_of_value(own)?;
                let is_text = Expr::compare(BinaryOp::Eq, ty, name);
                let own = self.copy_of(&value)?;
                let text = self.call(function, vec![own], node)?;
                self.case_of(vec![(is_text, text)], Some(value), node)
            }
            _ => Ok(value),
        }
    }
}
