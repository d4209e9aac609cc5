//! LIMIT, OFFSET, FETCH FIRST.

use super::{Binder, ParameterMode};
use llkv_expr::{CastMode, Expr};
use llkv_plan::{Limit, LogicalPlan};
use llkv_result::Result;
use llkv_types::{Scalar, SqlType};
use sqlparser::ast::{self, LimitClause};

/// The part of the rows that a query gives.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Slice {
    skip: u64,
    fetch: Option<u64>,
}

impl Slice {
    /// The first row alone.
    pub(super) const fn first_row() -> Self {
        Self {
            skip: 0,
            fetch: Some(1),
        }
    }

    /// The plan with the slice on top, where there is one.
    pub(super) fn on(self, input: LogicalPlan) -> LogicalPlan {
        if self.skip == 0 && self.fetch.is_none() {
            return input;
        }
        LogicalPlan::Limit(Limit {
            input: Box::new(input),
            skip: self.skip,
            fetch: self.fetch,
        })
    }
}

impl Binder<'_> {
    pub(super) fn bind_slice(&mut self, query: &ast::Query) -> Result<Slice> {
        let mut slice = Slice::default();
        match &query.limit_clause {
            None => {}
            Some(LimitClause::LimitOffset {
                limit,
                offset,
                limit_by,
            }) => {
                if let Some(first) = limit_by.first() {
                    return self.unsupported("LIMIT ... BY", first);
                }
                if let Some(limit) = limit {
                    slice.fetch = self.bind_count("LIMIT", limit)?;
                }
                if let Some(offset) = offset {
                    slice.skip = self.bind_count("OFFSET", &offset.value)?.unwrap_or(0);
                }
            }
            Some(LimitClause::OffsetCommaLimit { offset, limit }) => {
                slice.fetch = self.bind_count("LIMIT", limit)?;
                slice.skip = self.bind_count("OFFSET", offset)?.unwrap_or(0);
            }
        }
        if let Some(fetch) = &query.fetch {
            if fetch.with_ties || fetch.percent {
                return super::unsupported("FETCH FIRST ... WITH TIES or PERCENT");
            }
            slice.fetch = match &fetch.quantity {
                Some(quantity) => self.bind_count("FETCH FIRST", quantity)?,
                None => Some(1),
            };
        }
        Ok(slice)
    }

    /// A constant count of rows; `None` for NULL, which means all. SQLite takes a negative LIMIT for all
    /// and a negative OFFSET for none.
    fn bind_count(&mut self, clause: &str, node: &ast::Expr) -> Result<Option<u64>> {
        let bound = self.bind_expr(node)?;
        if let (Expr::Parameter { .. }, ParameterMode::Prepare) = (&bound, self.parameters.mode()) {
            self.parameters.needs_values = true;
            self.coerce(bound, SqlType::Int64);
            return Ok(None);
        }
        if self.trigger_row.is_some() && !bound.is_constant() {
            return self.unsupported(format!("{clause} by a value of OLD or NEW"), node);
        }
        if !bound.is_constant() {
            return self.invalid(format!("{clause} takes a constant"), node);
        }
        let scalar = match bound {
            Expr::Literal(scalar) => scalar,
            other => llkv_compute::fold(&other)?,
        };
        let scalar = match scalar.sql_type() {
            SqlType::Text | SqlType::Decimal { .. } | SqlType::Float32 | SqlType::Float64
                if self.dialect != crate::SqlDialect::Sqlite =>
            {
                llkv_compute::cast_scalar(&scalar, SqlType::Int64, CastMode::Strict)?
            }
            _ => scalar,
        };
        let count = match &scalar {
            Scalar::Null(_) => return Ok(None),
            Scalar::Int8(n) => i64::from(*n),
            Scalar::Int16(n) => i64::from(*n),
            Scalar::Int32(n) => i64::from(*n),
            Scalar::Int64(n) => *n,
            Scalar::UInt64(n) => i64::try_from(*n).unwrap_or(i64::MAX),
            other => {
                return self.mismatch(
                    format!("{clause} takes an integer, not {}", other.sql_type()),
                    node,
                );
            }
        };
        match u64::try_from(count) {
            Ok(count) => Ok(Some(count)),
            Err(_) if self.dialect == crate::SqlDialect::Sqlite => Ok(None),
            Err(_) => self.invalid(format!("{clause} must not be negative"), node),
        }
    }
}
