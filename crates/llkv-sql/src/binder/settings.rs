//! SET and RESET.

use super::Binder;
use super::statement::{BoundStatement, transaction_modes};
use crate::dialect::SqlDialect;
use llkv_plan::{IsolationLevel, PlanStatement};
use llkv_result::Result;
use sqlparser::ast;

impl Binder<'_> {
    pub(super) fn bind_set(&mut self, set: &ast::Set) -> Result<BoundStatement> {
        match set {
            ast::Set::SingleAssignment {
                variable, values, ..
            } => {
                let name = variable.to_string().replace('"', "").to_ascii_lowercase();
                let mut parts = Vec::with_capacity(values.len());
                for value in values {
                    parts.push(self.setting_value(value)?);
                }
                self.setting(name, parts.join(", "))
            }
            ast::Set::SetTimeZone { value, .. } => {
                let value = self.setting_value(value)?;
                self.setting("timezone".into(), value)
            }
            ast::Set::SetTransaction {
                modes,
                snapshot: None,
                session,
            } => {
                let (read_only, isolation) = transaction_modes(modes);
                match (session, read_only, isolation) {
                    (false, read_only, isolation) => Ok(BoundStatement::Plan(Box::new(
                        PlanStatement::SetTransaction {
                            read_only,
                            isolation,
                        },
                    ))),
                    (true, None | Some(false), Some(isolation)) => {
                        let level = match isolation {
                            IsolationLevel::Snapshot => "repeatable read",
                            IsolationLevel::Serializable => "serializable",
                        };
                        self.setting("default_transaction_isolation".into(), level.into())
                    }
                    _ => super::unsupported(format!("{set}")),
                }
            }
            other => super::unsupported(format!("{other}")),
        }
    }

    pub(super) fn setting(&self, name: String, value: String) -> Result<BoundStatement> {
        if name == "dialect" {
            return Ok(BoundStatement::SetDialect(Some(
                value.parse::<SqlDialect>()?,
            )));
        }
        if name == "default_null_order" || name == "null_order" {
            let order = match value.eq_ignore_ascii_case("default") {
                true => None,
                false => Some(value.parse()?),
            };
            return Ok(BoundStatement::SetNullOrder(order));
        }
        if self.dialect == SqlDialect::DuckDb && super::tuning::is_without_effect(&name) {
            return Ok(BoundStatement::Nothing { tag: "SET" });
        }
        Ok(BoundStatement::Plan(Box::new(PlanStatement::Set {
            name,
            value,
        })))
    }

    /// A word stands for itself.
    fn setting_value(&mut self, value: &ast::Expr) -> Result<String> {
        match value {
            ast::Expr::Identifier(word) => Ok(word.value.clone()),
            other => Ok(self.bind_constant(other)?.to_string()),
        }
    }

    /// `USE schema`
    pub(super) fn bind_use(&self, target: &ast::Use) -> Result<PlanStatement> {
        let value = match target {
            ast::Use::Object(name) | ast::Use::Schema(name) => self.table_ref(name)?.name,
            ast::Use::Default => "default".to_owned(),
            other => return super::unsupported(format!("{other}")),
        };
        Ok(PlanStatement::Set {
            name: "schema".into(),
            value,
        })
    }

    pub(super) fn bind_reset(&self, reset: &ast::ResetStatement) -> Result<BoundStatement> {
        match &reset.reset {
            ast::Reset::ConfigurationParameter(name) => {
                let name = name.to_string().replace('"', "").to_ascii_lowercase();
                if name == "dialect" {
                    return Ok(BoundStatement::SetDialect(None));
                }
                self.setting(name, "default".into())
            }
            _ => super::unsupported("RESET of anything but a setting"),
        }
    }
}
