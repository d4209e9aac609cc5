//! ALTER TABLE ... ADD COLUMN: what the rows that there are hold in it.

use super::Binder;
use super::alter::{kept, project};
use llkv_expr::Expr;
use llkv_plan::{
    AlterAction, AlterTable, ColumnDefinition, ColumnInfo, GeneratedColumn, LogicalPlan,
    Projection, SequenceDefinition, TableInfo,
};
use llkv_result::{CatalogError, ConstraintError, ObjectKind, Result};
use llkv_types::Scalar;
use sqlparser::ast;

impl Binder<'_> {
    pub(super) fn add_column(
        &mut self,
        (info, alter): (&TableInfo, &ast::AlterTable),
        column: &ast::ColumnDef,
        if_not_exists: bool,
        out: &mut AlterTable,
    ) -> Result<()> {
        let same = |known: &&ColumnInfo| known.name.eq_ignore_ascii_case(&column.name.value);
        if let Some(known) = info.columns.iter().find(same) {
            if if_not_exists {
                return Ok(());
            }
            return Err(CatalogError::AlreadyExists {
                kind: ObjectKind::Column,
                name: known.name.to_string(),
            }
            .into());
        }
        let mut table = self.definition_of(info);
        // A sequence of the column's own is made where the table is looked for.
        table.name.schema = self.table_ref(&alter.name)?.schema;
        self.define_column(column, &mut table)?;
        let Some(defined) = table.columns.pop() else {
            return super::invalid("a column without a definition");
        };
        if defined.default_sql.is_some() || defined.generated.is_some() {
            self.require_dialect(info)?;
        }
        if let Some((_, sequence)) = table.sequences.pop() {
            return self.add_numbered_column(info, (defined, sequence), out);
        }
        let after = with_column(info, &defined);
        let position = info.columns.len();
        self.verify_default(&defined)?;
        let default = match &defined.generated {
            Some(GeneratedColumn::Expression(_)) => {
                let plan = self.scan(info);
                let mut projections = kept(&plan.columns());
                projections.push(Projection {
                    column: self.new_column(defined.name.as_str(), defined.ty, true),
                    expr: Expr::Literal(Scalar::Null(defined.ty)),
                });
                self.fill_generated(&mut projections, &after)?;
                out.rows = Some(project(plan, projections));
                Expr::Literal(Scalar::Null(defined.ty))
            }
            _ => self.default_of(&after, position)?,
        };
        let mut value = Scalar::Null(defined.ty);
        if default.is_constant() {
            value = llkv_compute::fold(&default)?;
            if value.is_null() {
                value = Scalar::Null(defined.ty);
            }
        } else {
            out.rows = Some(self.rows_with(info, &defined, default));
        }
        if !defined.nullable && value.is_null() && out.rows.is_none() {
            let (plan, _) = self.rows_of(info);
            let error = ConstraintError::NotNull {
                table: info.name.clone(),
                column: defined.name.clone(),
            };
            out.violations.push((plan, error));
        }
        out.action = AlterAction::AddColumn {
            column: defined,
            value,
            sequence: None,
        };
        Ok(())
    }

    /// SERIAL and identity: the sequence numbers the rows that there are, as they are written anew.
    fn add_numbered_column(
        &mut self,
        info: &TableInfo,
        (column, sequence): (ColumnDefinition, SequenceDefinition),
        out: &mut AlterTable,
    ) -> Result<()> {
        let value = Scalar::Null(column.ty);
        let to_be_numbered = Expr::Literal(value.clone());
        out.rows = Some(self.rows_with(info, &column, to_be_numbered));
        out.action = AlterAction::AddColumn {
            column,
            value,
            sequence: Some(sequence),
        };
        Ok(())
    }

    /// All rows with a value for the new column.
    fn rows_with(
        &mut self,
        info: &TableInfo,
        column: &ColumnDefinition,
        value: Expr,
    ) -> LogicalPlan {
        let (plan, columns) = self.rows_of(info);
        let mut projections = kept(&columns);
        projections.push(Projection {
            column: self.new_column(column.name.as_str(), column.ty, true),
            expr: value,
        });
        project(plan, projections)
    }
}

fn with_column(info: &TableInfo, column: &ColumnDefinition) -> TableInfo {
    let mut after = info.clone();
    after.columns.push(ColumnInfo {
        field: llkv_types::FieldId(u32::MAX),
        name: column.name.as_str().into(),
        ty: column.ty,
        nullable: column.nullable,
        default_sql: column.default_sql.clone(),
        generated: column.generated.clone(),
        declared: column.declared.clone(),
        collation: column.collation,
    });
    after
}
