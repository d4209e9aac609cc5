//! `rowid`: the number of a row.
//!
//! In SQLite's dialect the INTEGER PRIMARY KEY of a table is one. Rows of other tables, and all rows in DuckDB's dialect, are
//! numbered by their place in the table, which names a row for as long as nothing changes it.

use super::Binder;
use super::names::written;
use super::scope::Qualifier;
use crate::SqlDialect;
use llkv_expr::{BinaryOp, ColumnId, Expr};
use llkv_plan::{ColumnSet, JoinKind, LogicalPlan, Scan, TableInfo};
use llkv_result::{BindError, ObjectKind, Result};
use llkv_types::{Scalar, SqlType};
use sqlparser::ast::Ident;

impl Binder<'_> {
    /// True for the names that a dialect has for the number of a row.
    pub(super) fn means_row_id(&self, name: &Ident) -> bool {
        let names: &[&str] = match self.dialect {
            SqlDialect::Sqlite => &["rowid", "oid", "_rowid_"],
            SqlDialect::DuckDb => &["rowid"],
            SqlDialect::Llkv => &[],
        };
        names.iter().any(|own| name.value.eq_ignore_ascii_case(own))
    }

    /// The number of a row of the one table of a frame that may be meant; none where there is no such table.
    ///
    /// # Errors
    /// Where several may be meant.
    pub(super) fn row_id_of(
        &mut self,
        depth: usize,
        relation: Option<Qualifier<'_>>,
        parts: &[Ident],
    ) -> Result<Option<Expr>> {
        let fresh = self.new_column("rowid", SqlType::UInt64, false);
        let Some(frame) = self.frames.get_mut(depth) else {
            return Ok(None);
        };
        let columns = frame.scope.columns.iter();
        let meant = columns.filter(|column| relation.is_none_or(|of| column.is_of(of)));
        let (keys, others): (Vec<_>, Vec<_>) = meant
            .map(|column| &column.column)
            .partition(|column| self.row_ids.contains(column.id));
        let ids: ColumnSet = others.iter().map(|column| column.id).collect();
        let mut scans = Vec::new();
        tables_of(&mut frame.plan, &mut scans);
        scans.retain(|scan| {
            let mut columns = scan.columns.iter().map(|(_, column)| column.id);
            columns.clone().all(|id| !self.row_ids.contains(id))
                && columns.any(|id| ids.contains(id))
        });
        match (keys.as_slice(), scans.as_mut_slice()) {
            ([], []) => Ok(None),
            ([key], []) => Ok(Some(Expr::column(key.id, key.ty))),
            ([], [scan]) => {
                let id = scan.row_id.get_or_insert(fresh).id;
                Ok(Some(self.numbered(id)))
            }
            _ => Err(BindError::Ambiguous {
                kind: ObjectKind::Column,
                name: written(parts),
                span: parts.last().and_then(|name| self.source.span(name.span)),
            }
            .into()),
        }
    }

    /// Numbers from 1 on in SQLite's dialect, from 0 on in DuckDB's.
    fn numbered(&self, id: ColumnId) -> Expr {
        let place = Expr::column(id, SqlType::UInt64).cast(SqlType::Int64);
        match self.dialect {
            SqlDialect::Sqlite => {
                let one = Expr::Literal(Scalar::Int64(1));
                Expr::binary(BinaryOp::Add, place, one, SqlType::Int64)
            }
            _ => place,
        }
    }

    /// The position of a table's INTEGER PRIMARY KEY, in SQLite's dialect.
    pub(super) fn row_id_position(&self, info: &TableInfo) -> Option<usize> {
        if self.dialect != crate::SqlDialect::Sqlite {
            return None;
        }
        let key = info.keys.iter().find(|key| key.primary)?;
        let [position] = key.columns.as_slice() else {
            return None;
        };
        let position = *position as usize;
        let column = info.columns.get(position)?;
        (column.ty == llkv_types::SqlType::Int64).then_some(position)
    }
}

/// The scans whose columns a plan puts out itself.
fn tables_of<'p>(plan: &'p mut LogicalPlan, found: &mut Vec<&'p mut Scan>) {
    match plan {
        LogicalPlan::Scan(scan) => found.push(scan),
        LogicalPlan::Filter(filter) => tables_of(&mut filter.input, found),
        LogicalPlan::Apply(apply) => tables_of(&mut apply.outer, found),
        LogicalPlan::Join(join) => {
            tables_of(&mut join.left, found);
            if !matches!(join.kind, JoinKind::Semi | JoinKind::Anti) {
                tables_of(&mut join.right, found);
            }
        }
        _ => {}
    }
}
