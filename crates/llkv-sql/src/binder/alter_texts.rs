//! Texts around ALTER TABLE: one statement for each change, and expressions of the catalog under new names.

use super::alter::is_constraint;
use crate::SqlDialect;
use crate::text::parse_expression;
use llkv_plan::{ColumnDefinition, ColumnInfo, GeneratedColumn, TableInfo, TableTexts};
use llkv_result::{CatalogError, ObjectKind, Result};
use sqlparser::ast::{
    self, AlterTableOperation as Op, ColumnOption, Expr, Ident, TableConstraint, visit_expressions,
    visit_expressions_mut,
};
use sqlparser::keywords::ALL_KEYWORDS;
use std::ops::ControlFlow;

/// The changes of a statement as statements of their own; none where it makes one that needs no other.
pub(super) fn steps(alter: &ast::AlterTable) -> Vec<String> {
    let mut operations = Vec::new();
    for operation in &alter.operations {
        match operation {
            Op::AddColumn {
                column_def,
                if_not_exists,
                ..
            } if column_def.options.iter().any(|o| is_constraint(&o.option)) => {
                let mut plain = column_def.clone();
                plain.options.retain(|o| !is_constraint(&o.option));
                operations.push(Op::AddColumn {
                    column_keyword: true,
                    if_not_exists: *if_not_exists,
                    column_def: plain,
                    column_position: None,
                });
                operations.extend(constraints_of(column_def));
            }
            Op::DropColumn {
                has_column_keyword,
                column_names,
                if_exists,
                drop_behavior,
            } => operations.extend(column_names.iter().map(|name| Op::DropColumn {
                has_column_keyword: *has_column_keyword,
                column_names: vec![name.clone()],
                if_exists: *if_exists,
                drop_behavior: *drop_behavior,
            })),
            other => operations.push(other.clone()),
        }
    }
    if operations.len() == alter.operations.len() && operations.len() == 1 {
        return Vec::new();
    }
    let one = |operation| {
        let mut one = alter.clone();
        one.operations = vec![operation];
        ast::Statement::AlterTable(one).to_string()
    };
    operations.into_iter().map(one).collect()
}

/// The constraints that a column's definition brings, as constraints of the table.
fn constraints_of(column: &ast::ColumnDef) -> impl Iterator<Item = Op> {
    let key_column = ast::IndexColumn {
        column: ast::OrderByExpr::from(column.name.clone()),
        operator_class: None,
    };
    column.options.iter().filter_map(move |option| {
        let name = option.name.clone();
        let mut constraint = match &option.option {
            ColumnOption::PrimaryKey(key) => TableConstraint::PrimaryKey(key.clone()),
            ColumnOption::Unique(key) => TableConstraint::Unique(key.clone()),
            ColumnOption::Check(check) => TableConstraint::Check(check.clone()),
            ColumnOption::ForeignKey(key) => TableConstraint::ForeignKey(key.clone()),
            _ => return None,
        };
        match &mut constraint {
            TableConstraint::PrimaryKey(key) => {
                key.columns = vec![key_column.clone()];
                key.name = name;
            }
            TableConstraint::Unique(key) => {
                key.columns = vec![key_column.clone()];
                key.name = name;
            }
            TableConstraint::Check(check) => check.name = check.name.take().or(name),
            TableConstraint::ForeignKey(key) => {
                key.columns = vec![column.name.clone()];
                key.name = name;
            }
            _ => {}
        }
        Some(Op::AddConstraint {
            constraint,
            not_valid: false,
        })
    })
}

/// The texts of a table under another name of it.
pub(super) fn with_table_name(info: &TableInfo, to: &str) -> Result<TableTexts> {
    texts(info, |expr| {
        if let Expr::CompoundIdentifier(parts) = expr
            && let [.., table, _] = parts.as_mut_slice()
            && table.value.eq_ignore_ascii_case(&info.name)
        {
            *table = ident(to);
        }
    })
}

/// The texts of a table under another name of a column.
pub(super) fn with_column_name(info: &TableInfo, from: &str, to: &str) -> Result<TableTexts> {
    texts(info, |expr| {
        if let Expr::Identifier(name) = expr
            && name.value.eq_ignore_ascii_case(from)
        {
            *name = ident(to);
        } else if let Expr::CompoundIdentifier(parts) = expr
            && let Some(name) = parts.last_mut()
            && name.value.eq_ignore_ascii_case(from)
        {
            *name = ident(to);
        }
    })
}

fn texts(info: &TableInfo, change: impl Fn(&mut Expr)) -> Result<TableTexts> {
    let dialect: SqlDialect = info.dialect.parse()?;
    let rewrite = |sql: &str| {
        parse_expression(sql, dialect, |expr| {
            let mut expr = expr.clone();
            let _ = visit_expressions_mut(&mut expr, |expr| {
                change(expr);
                ControlFlow::<()>::Continue(())
            });
            Ok(expr.to_string())
        })
    };
    let checks = info.checks.iter().map(|check| rewrite(&check.sql));
    let mut generated = Vec::new();
    for column in &info.columns {
        if let Some(GeneratedColumn::Expression(sql)) = &column.generated {
            generated.push((column.field, rewrite(sql)?));
        }
    }
    Ok(TableTexts {
        checks: checks.collect::<Result<_>>()?,
        generated,
    })
}

/// A table with such texts.
pub(super) fn with_texts(info: &TableInfo, texts: &TableTexts) -> TableInfo {
    let mut info = info.clone();
    for (check, sql) in info.checks.iter_mut().zip(&texts.checks) {
        check.sql.clone_from(sql);
    }
    for column in &mut info.columns {
        let mut generated = texts.generated.iter();
        if let Some((_, sql)) = generated.find(|(field, _)| *field == column.field) {
            column.generated = Some(GeneratedColumn::Expression(sql.clone()));
        }
    }
    info
}

/// The names of the CHECK constraints that look at a column.
pub(super) fn checks_of(info: &TableInfo, column: &str) -> Result<Vec<String>> {
    let dialect: SqlDialect = info.dialect.parse()?;
    let mut names = Vec::new();
    for check in &info.checks {
        let uses = parse_expression(&check.sql, dialect, |expr| Ok(mentions(expr, column)))?;
        if uses {
            names.push(check.name.clone());
        }
    }
    Ok(names)
}

/// A column from which another one is generated neither goes nor changes its type.
pub(super) fn refuse_source_of_generated(info: &TableInfo, source: &ColumnInfo) -> Result<()> {
    let dialect: SqlDialect = info.dialect.parse()?;
    for column in &info.columns {
        let Some(GeneratedColumn::Expression(sql)) = &column.generated else {
            continue;
        };
        if parse_expression(sql, dialect, |expr| Ok(mentions(expr, &source.name)))? {
            return Err(CatalogError::in_use(
                ObjectKind::Column,
                source.name.to_string(),
                format!("generated column \"{}\"", column.name),
            ));
        }
    }
    Ok(())
}

/// True for an expression that names a column.
pub(super) fn mentions(expr: &Expr, column: &str) -> bool {
    let found = visit_expressions(expr, |expr| {
        let name = match expr {
            Expr::Identifier(name) => Some(name),
            Expr::CompoundIdentifier(parts) => parts.last(),
            _ => None,
        };
        match name.is_some_and(|name| name.value.eq_ignore_ascii_case(column)) {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        }
    });
    found.is_break()
}

/// The name of a column or table as it stands in a text.
pub(super) fn ident(name: &str) -> Ident {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    let starts_well = name.starts_with(|c: char| c.is_ascii_lowercase() || c == '_');
    let is_word = ALL_KEYWORDS
        .binary_search(&name.to_ascii_uppercase().as_str())
        .is_ok();
    match starts_well && name.chars().all(plain) && !is_word {
        true => Ident::new(name),
        false => Ident::with_quote('"', name),
    }
}

/// The definition that a column was created by.
pub(super) fn definition_of_column(column: &ColumnInfo) -> ColumnDefinition {
    ColumnDefinition {
        name: column.name.to_string(),
        ty: column.ty,
        nullable: column.nullable,
        default_sql: column.default_sql.clone(),
        generated: column.generated.clone(),
        declared: column.declared.clone(),
        collation: column.collation,
    }
}
