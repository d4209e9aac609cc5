//! STRICT tables of SQLite: columns that take values of their type alone, by a CHECK for each.

use super::Binder;
use super::alter_texts::ident;
use super::create::add_check;
use crate::text::parse_expression;
use llkv_plan::TableDefinition;
use llkv_result::Result;
use sqlparser::ast;

impl Binder<'_> {
    /// The column of a STRICT table, which was defined last: it takes values of its type alone.
    pub(super) fn keep_to_type(
        &self,
        column: &ast::ColumnDef,
        table: &mut TableDefinition,
    ) -> Result<()> {
        let name = column.data_type.to_string().to_ascii_lowercase();
        let kind = match name.as_str() {
            "int" | "integer" => "integer",
            "real" | "text" | "blob" => name.as_str(),
            "any" => {
                if let Some(defined) = table.columns.last_mut() {
                    defined.declared = None;
                }
                return Ok(());
            }
            _ => {
                let message = "a column of a STRICT table is INT, INTEGER, REAL, TEXT, BLOB or ANY";
                return self.invalid(message, &column.name);
            }
        };
        let is_of_kind = format!(
            "typeof({}) IN ('{kind}', 'null')",
            ident(&column.name.value)
        );
        let name = ast::Ident::new(format!("{}_{}_type", table.name.name, column.name.value));
        parse_expression(&is_of_kind, self.dialect, |expr| {
            add_check(table, Some(&name), expr);
            Ok(())
        })
    }
}
