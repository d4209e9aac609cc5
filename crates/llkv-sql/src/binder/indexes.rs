//! CREATE INDEX.

use super::Binder;
use llkv_plan::{IndexColumn, IndexDefinition, PlanStatement, TableInfo};
use llkv_result::Result;
use sqlparser::ast;

impl Binder<'_> {
    pub(super) fn bind_create_index(&self, create: &ast::CreateIndex) -> Result<PlanStatement> {
        let rare = [
            (create.predicate.is_some(), "an index on some of the rows"),
            (!create.include.is_empty(), "INCLUDE"),
            (create.nulls_distinct == Some(false), "NULLS NOT DISTINCT"),
            (!create.with.is_empty(), "WITH options of an index"),
            (!create.alter_options.is_empty(), "options of an index"),
        ];
        if let Some((_, feature)) = rare.iter().find(|(present, _)| *present) {
            return self.unsupported(*feature, &create.table_name);
        }
        let is_ordered = |using: &ast::IndexType| match using {
            ast::IndexType::BTree => true,
            ast::IndexType::Custom(name) => name.value.eq_ignore_ascii_case("art"),
            _ => false,
        };
        if let Some(using) = create.using.as_ref().filter(|using| !is_ordered(using)) {
            return self.unsupported(format!("an index USING {using}"), &create.table_name);
        }
        let info = self.target(&create.table_name)?;
        let mut columns: Vec<IndexColumn> = Vec::with_capacity(create.columns.len());
        for column in &create.columns {
            let column = self.index_column(column, &info, create)?;
            if columns.iter().all(|known| known.field != column.field) {
                columns.push(column);
            }
        }
        if columns.is_empty() {
            return self.invalid("an index needs at least one column", &create.table_name);
        }
        let name = match &create.name {
            Some(name) => Some(self.table_ref(name)?),
            None => None,
        };
        Ok(PlanStatement::CreateIndex {
            definition: IndexDefinition {
                name,
                table: info.id,
                table_name: info.name.clone(),
                unique: create.unique,
                columns,
            },
            if_not_exists: create.if_not_exists,
        })
    }

    fn index_column(
        &self,
        column: &ast::IndexColumn,
        info: &TableInfo,
        create: &ast::CreateIndex,
    ) -> Result<IndexColumn> {
        let (mut expr, explicit) = self.without_collation(&column.column.expr)?;
        while let ast::Expr::Nested(inner) = expr {
            expr = inner;
        }
        let ast::Expr::Identifier(name) = expr else {
            return self.unsupported("an index on an expression", &create.table_name);
        };
        if column.operator_class.is_some() {
            return self.unsupported("an operator class", name);
        }
        let position = self.column_position(info, name)?;
        let Some(found) = info.columns.get(position) else {
            return self.column_not_found(name, info.columns.iter().map(|c| &*c.name));
        };
        let options = &column.column.options;
        Ok(IndexColumn {
            field: found.field,
            descending: matches!(options.sort, Some(ast::OrderBySort::Desc)),
            nulls_first: options.nulls_first,
            collation: self.collation_of_key(found.ty, explicit.unwrap_or(found.collation)),
        })
    }
}
