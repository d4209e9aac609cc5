//! Binding alone: from text to a plan, with any catalog and no database.

use crate::binder::{Binder, BoundStatement, ParameterMode};
use crate::dialect::SqlDialect;
use crate::null_order::Reading;
use crate::text::parse_statement;
use llkv_plan::{CatalogView, ExternalSource, PlanStatement, TableRef};
use llkv_result::{BindError, CatalogError, ObjectKind, Result};
use std::sync::Arc;

/// Parses one statement and binds it against a catalog.
///
/// # Errors
/// Every [`BindError`]: syntax, names, types, what is not supported; and what the catalog gives.
pub fn bind(sql: &str, dialect: SqlDialect, catalog: &dyn CatalogView) -> Result<BoundStatement> {
    Ok(bind_as(sql, dialect.into(), catalog)?.statement)
}

/// The same, with all that a session says about how text is read.
pub(crate) fn bind_as(sql: &str, reading: Reading, catalog: &dyn CatalogView) -> Result<Bound> {
    parse_statement(sql, reading.dialect, |parsed| {
        let mut binder = Binder::new(catalog, reading, sql, ParameterMode::None);
        let statement = binder.bind(parsed)?;
        Ok(Bound {
            statement,
            may_widen: binder.may_widen(),
        })
    })
}

/// A bound statement, and what a second binding may change.
pub(crate) struct Bound {
    pub(crate) statement: BoundStatement,
    /// It computes with integers, which SQLite would make reals where they do not fit 64 bits.
    pub(crate) may_widen: bool,
}

/// An INSERT of a source's rows, columns by position, into a table.
pub(crate) fn bind_append(
    table: &str,
    source: Arc<dyn ExternalSource>,
    dialect: SqlDialect,
    catalog: &dyn CatalogView,
) -> Result<PlanStatement> {
    let name = TableRef {
        schema: None,
        name: table.to_owned(),
    };
    let info = catalog
        .table(&name)?
        .ok_or_else(|| CatalogError::NotFound {
            kind: ObjectKind::Table,
            name: table.to_owned(),
        })?;
    let positions: Vec<usize> = (0..info.columns.len()).collect();
    Binder::new(catalog, dialect, "", ParameterMode::None)
        .bind_append(&info, &positions, source, false)
}

/// The error of a statement that stands `offset` bytes into its script.
pub(crate) fn shifted(error: llkv_result::Error, offset: usize) -> llkv_result::Error {
    match error {
        llkv_result::Error::Bind(mut error) => {
            if let BindError::Syntax { span, .. }
            | BindError::NotFound { span, .. }
            | BindError::Ambiguous { span, .. }
            | BindError::TypeMismatch { span, .. }
            | BindError::UndefinedFunction { span, .. }
            | BindError::Invalid { span, .. }
            | BindError::Unsupported { span, .. } = &mut error
                && let Some(span) = span
            {
                span.start += offset;
                span.end += offset;
            }
            error.into()
        }
        other => other,
    }
}
