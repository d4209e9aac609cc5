//! ALTER TABLE: which change it is, and what it asks of the rows that there are.

use super::alter_triggers::On;
use super::frame::{Clause, Frame};
use super::scope::Scope;
use super::statement::BoundStatement;
use super::{Binder, alter_texts, alter_triggers, alter_views};
use crate::SqlDialect;
use crate::text::parse_expression;
use llkv_expr::Expr;
use llkv_plan::{
    AlterAction, AlterTable, CheckDefinition, ColumnDefinition, ColumnInfo, Dependent,
    GeneratedColumn, KeyDefinition, LogicalPlan, PlanColumn, PlanStatement, Project, Projection,
    RowCheck, TableDefinition, TableInfo, TableRef, ViewInfo,
};
use llkv_result::{BindError, CatalogError, ConstraintError, ObjectKind, Result};
use llkv_types::{SqlType, TableId};
use sqlparser::ast::{
    self, AlterColumnOperation, AlterTableOperation as Op, ColumnOption, TableConstraint,
};
use std::sync::Arc;

impl Binder<'_> {
    pub(super) fn bind_alter_table(&mut self, alter: &ast::AlterTable) -> Result<BoundStatement> {
        if alter.table_type.is_some() || alter.location.is_some() || alter.on_cluster.is_some() {
            return self.unsupported("this ALTER TABLE", &alter.name);
        }
        let name = self.table_ref(&alter.name)?;
        let Some(info) = self.catalog.table(&name)? else {
            if let Some(view) = self.catalog.view(&name)? {
                return self.bind_alter_view(name, &view, alter).map(plan);
            }
            if alter.if_exists {
                return Ok(plan(nothing(name)));
            }
            return self.table_not_found(&name, &alter.name);
        };
        let steps = alter_texts::steps(alter);
        match (steps.as_slice(), alter.operations.as_slice()) {
            ([], [operation]) => self.bind_alteration(&info, operation, alter).map(plan),
            _ => Ok(BoundStatement::Steps {
                tag: "ALTER TABLE",
                texts: steps,
            }),
        }
    }

    fn bind_alter_view(
        &self,
        object: TableRef,
        view: &Arc<ViewInfo>,
        alter: &ast::AlterTable,
    ) -> Result<PlanStatement> {
        let [Op::RenameTable { table_name }] = alter.operations.as_slice() else {
            return self.invalid(format!("\"{}\" is not a table", view.name), &alter.name);
        };
        let name = self.new_name(table_name)?;
        let dependents = self.with_other_name((&On::View(Arc::clone(view)), &view.name), &name)?;
        let action = AlterAction::RenameObject {
            kind: ObjectKind::View,
            object,
            name,
        };
        Ok(without_table(view.name.clone(), action, dependents))
    }

    pub(super) fn bind_alter_index(
        &self,
        index: &ast::ObjectName,
        operation: &ast::AlterIndexOperation,
    ) -> Result<PlanStatement> {
        let ast::AlterIndexOperation::RenameIndex { index_name } = operation;
        let object = self.table_ref(index)?;
        let table_name = object.name.clone();
        let action = AlterAction::RenameObject {
            kind: ObjectKind::Index,
            object,
            name: self.table_ref(index_name)?.name,
        };
        Ok(without_table(table_name, action, Vec::new()))
    }

    fn new_name(&self, name: &ast::RenameTableNameKind) -> Result<String> {
        let (ast::RenameTableNameKind::As(name) | ast::RenameTableNameKind::To(name)) = name;
        Ok(self.table_ref(name)?.name)
    }

    fn bind_alteration(
        &mut self,
        info: &Arc<TableInfo>,
        operation: &Op,
        alter: &ast::AlterTable,
    ) -> Result<PlanStatement> {
        let mut out = unaltered(info);
        match operation {
            Op::AddColumn {
                if_not_exists,
                column_def,
                column_position: None,
                ..
            } => self.add_column((info, alter), column_def, *if_not_exists, &mut out)?,
            Op::DropColumn {
                column_names,
                if_exists,
                drop_behavior,
                ..
            } => {
                let [column] = column_names.as_slice() else {
                    return self.unsupported("several columns in one DROP", &alter.name);
                };
                let cascade = is_cascade(drop_behavior.as_ref());
                self.drop_column(info, column, (*if_exists, cascade), &mut out)?;
            }
            Op::RenameColumn {
                old_column_name,
                new_column_name,
            } => self.rename_column(info, (old_column_name, new_column_name), &mut out)?,
            Op::RenameTable { table_name } => {
                let to = self.new_name(table_name)?;
                let texts = alter_texts::with_table_name(info, &to)?;
                let on = On::Table(Arc::new(alter_texts::with_texts(info, &texts)));
                out.dependents = self.with_other_name((&on, &info.name), &to)?;
                out.action = AlterAction::RenameTable { name: to, texts };
            }
            Op::AlterColumn { column_name, op } => {
                self.alter_column((info, alter), (column_name, op), &mut out)?;
            }
            Op::AddConstraint {
                constraint,
                not_valid: false,
            } => self.add_constraint(info, constraint, alter, &mut out)?,
            Op::DropConstraint {
                if_exists,
                name,
                drop_behavior,
            } => {
                out.action = AlterAction::DropConstraint {
                    name: name.value.clone(),
                    if_exists: *if_exists,
                    cascade: is_cascade(drop_behavior.as_ref()),
                };
            }
            Op::RenameConstraint { old_name, new_name } => {
                out.action = AlterAction::RenameConstraint {
                    name: old_name.value.clone(),
                    new_name: new_name.value.clone(),
                };
            }
            other => return self.unsupported(format!("ALTER TABLE ... {other}"), &alter.name),
        }
        Ok(PlanStatement::AlterTable(Box::new(out)))
    }

    /// The views and triggers that name a table or view, as they are when it has another name.
    fn with_other_name(&self, (on, name): (&On, &str), to: &str) -> Result<Vec<Dependent>> {
        let mut dependents = alter_views::with_other_name(self, (on.id(), name), to)?;
        let triggers = alter_triggers::with_other_name(self, (on, name), to, &dependents)?;
        dependents.extend(triggers);
        Ok(dependents)
    }

    fn drop_column(
        &mut self,
        info: &Arc<TableInfo>,
        column: &ast::Ident,
        (if_exists, cascade): (bool, bool),
        out: &mut AlterTable,
    ) -> Result<()> {
        let position = match self.column_position(info, column) {
            Err(_) if if_exists => return Ok(()),
            found => found?,
        };
        let Some(dropped) = info.columns.get(position) else {
            return super::invalid("a column that is not there");
        };
        if info.columns.len() == 1 {
            return self.invalid("a table needs at least one column", column);
        }
        alter_texts::refuse_source_of_generated(info, dropped)?;
        let checks = alter_texts::checks_of(info, &dropped.name)?;
        if self.dialect != SqlDialect::Llkv {
            self.refuse_needed_column(info, position, dropped, &checks)?;
        }
        let mut after = info.as_ref().clone();
        after.columns.remove(position);
        let (gone, mut keys) = (position as u32, std::mem::take(&mut after.keys));
        keys.retain(|key| !key.columns.contains(&gone));
        for column in keys.iter_mut().flat_map(|key| &mut key.columns) {
            *column -= u32::from(*column > gone);
        }
        after.keys = keys;
        after.checks.retain(|check| !checks.contains(&check.name));
        out.dependents = alter_views::without(self, info, &after, cascade, &dropped.name)?;
        let goes = (cascade, out.dependents.as_slice());
        let triggers = alter_triggers::without(self, (info, &after), position, goes)?;
        out.dependents.extend(triggers);
        out.action = AlterAction::DropColumn {
            field: dropped.field,
            checks,
            cascade,
        };
        Ok(())
    }

    /// SQLite and DuckDB drop no column that something else of the table needs. A CHECK of this column alone goes with it.
    fn refuse_needed_column(
        &self,
        info: &TableInfo,
        position: usize,
        column: &ColumnInfo,
        checks: &[String],
    ) -> Result<()> {
        let of_key = |key: &&KeyDefinition| key.columns.contains(&(position as u32));
        let indexes = self.catalog.indexes(info.id);
        let mut of_others = Vec::new();
        for other in info
            .columns
            .iter()
            .filter(|other| other.field != column.field)
        {
            of_others.extend(alter_texts::checks_of(info, &other.name)?);
        }
        let mut checks = checks.iter();
        let dependent = if let Some(key) = info.keys.iter().find(of_key) {
            format!("constraint \"{}\"", key.name)
        } else if let Some(index) = indexes.iter().find(|i| i.fields.contains(&column.field)) {
            format!("index \"{}\"", index.name)
        } else if let Some(check) = checks.find(|check| of_others.contains(check)) {
            format!("constraint \"{check}\"")
        } else {
            return Ok(());
        };
        Err(CatalogError::in_use(
            ObjectKind::Column,
            column.name.to_string(),
            dependent,
        ))
    }

    fn rename_column(
        &mut self,
        info: &Arc<TableInfo>,
        (from, to): (&ast::Ident, &ast::Ident),
        out: &mut AlterTable,
    ) -> Result<()> {
        let position = self.column_position(info, from)?;
        let Some(column) = info.columns.get(position) else {
            return super::invalid("a column that is not there");
        };
        let taken = |other: &ColumnInfo| {
            other.field != column.field && other.name.eq_ignore_ascii_case(&to.value)
        };
        if info.columns.iter().any(taken) {
            return Err(CatalogError::AlreadyExists {
                kind: ObjectKind::Column,
                name: to.value.clone(),
            }
            .into());
        }
        let texts = alter_texts::with_column_name(info, &column.name, &to.value)?;
        let mut after = alter_texts::with_texts(info, &texts);
        if let Some(renamed) = after.columns.get_mut(position) {
            renamed.name = to.value.as_str().into();
        }
        out.dependents = alter_views::with_column_name(self, info, &after)?;
        let tables = (info.as_ref(), &Arc::new(after));
        let triggers = alter_triggers::with_column_name(self, tables, position, &out.dependents)?;
        out.dependents.extend(triggers);
        out.action = AlterAction::RenameColumn {
            field: column.field,
            name: to.value.clone(),
            texts,
        };
        Ok(())
    }

    fn alter_column(
        &mut self,
        (info, alter): (&Arc<TableInfo>, &ast::AlterTable),
        (column_name, op): (&ast::Ident, &AlterColumnOperation),
        out: &mut AlterTable,
    ) -> Result<()> {
        let position = self.column_position(info, column_name)?;
        let Some(column) = info.columns.get(position) else {
            return super::invalid("a column that is not there");
        };
        self.refuse_for_generated(column, column_name, op)?;
        let field = column.field;
        out.action = match op {
            AlterColumnOperation::SetNotNull => {
                out.violations.push(self.null_rows(info, position)?);
                AlterAction::SetNullable {
                    field,
                    nullable: false,
                }
            }
            AlterColumnOperation::DropNotNull => {
                let of_key =
                    |key: &&KeyDefinition| key.primary && key.columns.contains(&(position as u32));
                if info.keys.iter().any(|key| of_key(&key)) {
                    return Err(CatalogError::InvalidTable {
                        message: format!("column \"{}\" is in a primary key", column.name),
                    }
                    .into());
                }
                AlterAction::SetNullable {
                    field,
                    nullable: true,
                }
            }
            AlterColumnOperation::SetDefault { value } => {
                self.require_dialect(info)?;
                let mut defined = alter_texts::definition_of_column(column);
                let mut value = value.clone();
                self.qualify_sequences(&mut value)?;
                defined.default_sql = Some(value.to_string());
                self.verify_default(&defined)?;
                let default_sql = defined.default_sql;
                AlterAction::SetDefault { field, default_sql }
            }
            AlterColumnOperation::DropDefault => AlterAction::SetDefault {
                field,
                default_sql: None,
            },
            AlterColumnOperation::SetDataType {
                data_type, using, ..
            } => {
                let ty = self.bind_type(data_type, column_name)?;
                if ty == column.ty && using.is_none() {
                    return Ok(());
                }
                alter_texts::refuse_source_of_generated(info, column)?;
                let mut after = info.as_ref().clone();
                if let Some(column) = after.columns.get_mut(position) {
                    column.ty = ty;
                    self.verify_default(&alter_texts::definition_of_column(column))?;
                }
                self.check_foreign_key_types(&after, column_name)?;
                if let Some(view) = alter_views::that_uses(self, info, &after)? {
                    let feature = format!("a change of a type that view \"{view}\" uses");
                    return self.unsupported(feature, column_name);
                }
                self.convert(&after, info, position, using.as_ref(), out)?;
                AlterAction::SetType {
                    field,
                    ty,
                    declared: None,
                }
            }
            AlterColumnOperation::AddGenerated {
                generated_as,
                sequence_options,
            } => {
                let always = matches!(generated_as, Some(ast::GeneratedAs::Always));
                let options = sequence_options.as_deref().unwrap_or_default();
                let mut table = self.definition_of(info);
                table.name.schema = self.table_ref(&alter.name)?.schema;
                self.add_identity(table, (column_name, column), always, options)?
            }
        };
        Ok(())
    }

    /// What a column that has its own values cannot become: another default, or a column without one.
    fn refuse_for_generated(
        &self,
        column: &ColumnInfo,
        place: &ast::Ident,
        op: &AlterColumnOperation,
    ) -> Result<()> {
        use AlterColumnOperation as Op;
        let is_identity = matches!(column.generated, Some(GeneratedColumn::Identity { .. }));
        let why = match op {
            Op::SetDefault { .. } | Op::DropDefault if is_identity => "is an identity column",
            Op::DropNotNull if is_identity => "is an identity column, which has no NULLs",
            Op::SetDefault { .. } | Op::DropDefault if column.is_computed() => "is generated",
            Op::SetDataType { using: Some(_), .. } if column.is_computed() => {
                "is generated: its type changes without USING"
            }
            Op::SetDataType { data_type, .. }
                if is_identity && !self.bind_type(data_type, place)?.is_integer() =>
            {
                "is an identity column, of integers"
            }
            _ => return Ok(()),
        };
        self.invalid(format!("column \"{}\" {why}", column.name), place)
    }

    /// ADD GENERATED ... AS IDENTITY: the numbers of a sequence for the rows to come.
    fn add_identity(
        &mut self,
        mut table: TableDefinition,
        (name, column): (&ast::Ident, &ColumnInfo),
        always: bool,
        options: &[ast::SequenceOptions],
    ) -> Result<AlterAction> {
        let refused = if column.nullable {
            Some("must be NOT NULL before it can be an identity")
        } else if column.generated.is_some() {
            Some("is generated already")
        } else if column.default_sql.is_some() {
            Some("has a default already")
        } else {
            None
        };
        if let Some(why) = refused {
            return self.invalid(format!("column \"{}\" {why}", column.name), name);
        }
        let mut defined = alter_texts::definition_of_column(column);
        self.add_sequence(&mut table, &mut defined, options, None)?;
        match (table.sequences.pop(), defined.default_sql) {
            (Some((_, sequence)), Some(default_sql)) => Ok(AlterAction::AddIdentity {
                field: column.field,
                default_sql,
                always,
                sequence,
            }),
            _ => super::invalid("an identity without a sequence"),
        }
    }

    /// The rows of a table with one column in another type.
    pub(super) fn convert(
        &mut self,
        after: &TableInfo,
        info: &TableInfo,
        position: usize,
        using: Option<&ast::Expr>,
        out: &mut AlterTable,
    ) -> Result<()> {
        let (plan, columns) = self.rows_of(info);
        let (Some(from), Some(to)) = (columns.get(position), after.columns.get(position)) else {
            return super::invalid("a column that is not there");
        };
        let bound = match using {
            None => Expr::column(from.id, from.ty),
            Some(using) => self.bind_over(info, &columns, using)?,
        };
        let castable = match using {
            None if self.dialect == SqlDialect::Llkv => converts_by_itself(bound.ty(), to.ty),
            _ => bound.ty() == to.ty || llkv_compute::coercion::can_cast(bound.ty(), to.ty),
        };
        if !castable {
            return Err(BindError::TypeMismatch {
                message: format!(
                    "column \"{}\" cannot be cast automatically from {} to {}",
                    to.name,
                    bound.ty(),
                    to.ty
                ),
                span: None,
            }
            .into());
        }
        let mut projections = kept(&columns);
        let converted = Projection {
            column: self.new_column(to.name.clone(), to.ty, true),
            expr: self.assign(bound, to.ty)?,
        };
        if let Some(slot) = projections.get_mut(position) {
            *slot = converted;
        }
        let written: Vec<PlanColumn> = projections.iter().map(|p| p.column.clone()).collect();
        out.checks = self.bind_checks(after, &written)?;
        for check in &out.checks {
            refuse_wrong_constants(&check.expr)?;
        }
        out.rows = Some(project(plan, projections));
        Ok(())
    }

    fn add_constraint(
        &mut self,
        info: &Arc<TableInfo>,
        constraint: &TableConstraint,
        alter: &ast::AlterTable,
        out: &mut AlterTable,
    ) -> Result<()> {
        let mut table = self.definition_of(info);
        let (keys, checks) = (table.keys.len(), table.checks.len());
        let foreign = table.foreign_keys.len();
        self.define_constraint(constraint, &mut table, &alter.name)?;
        if let Some(key) = table.keys.get(keys) {
            if key.primary && info.keys.iter().any(|key| key.primary) {
                return Err(CatalogError::InvalidTable {
                    message: format!("table \"{}\" has a primary key already", info.name),
                }
                .into());
            }
            for position in key.columns.iter().filter(|_| key.primary) {
                out.violations
                    .push(self.null_rows(info, *position as usize)?);
            }
            out.action = AlterAction::AddKey(key.clone());
        } else if let Some(check) = table.checks.get(checks) {
            self.require_dialect(info)?;
            out.violations.push(self.false_rows(info, check)?);
            out.action = AlterAction::AddCheck(check.clone());
        } else if let Some(key) = table.foreign_keys.get(foreign) {
            out.action = AlterAction::AddForeignKey(key.clone());
        }
        Ok(())
    }

    /// The definition by which a table could be created again.
    pub(super) fn definition_of(&self, info: &TableInfo) -> TableDefinition {
        let columns = info.columns.iter();
        TableDefinition {
            name: TableRef {
                schema: None,
                name: info.name.clone(),
            },
            columns: columns.map(alter_texts::definition_of_column).collect(),
            keys: info.keys.clone(),
            checks: info.checks.clone(),
            foreign_keys: self.catalog.foreign_keys(info.id),
            sequences: vec![],
            temporary: false,
            dialect: info.dialect.clone(),
        }
    }

    /// The rows in which a column is NULL.
    fn null_rows(
        &mut self,
        info: &TableInfo,
        position: usize,
    ) -> Result<(LogicalPlan, ConstraintError)> {
        let (plan, columns) = self.rows_of(info);
        let Some(column) = columns.get(position) else {
            return super::invalid("a column that is not there");
        };
        let of_column = Expr::column(column.id, column.ty);
        let is_null = Expr::unary(llkv_expr::UnaryOp::IsNull, of_column);
        let error = ConstraintError::NotNull {
            table: info.name.clone(),
            column: column.name.to_string(),
        };
        Ok((super::select::filter(plan, is_null), error))
    }

    /// The rows that a CHECK refuses.
    fn false_rows(
        &mut self,
        info: &TableInfo,
        check: &CheckDefinition,
    ) -> Result<(LogicalPlan, ConstraintError)> {
        let alone = TableInfo {
            checks: vec![check.clone()],
            ..info.clone()
        };
        let (plan, columns) = self.rows_of(info);
        let mut bound: Vec<RowCheck> = self.bind_checks(&alone, &columns)?;
        let Some(bound) = bound.pop() else {
            return super::invalid("a constraint without a condition");
        };
        let is_false = Expr::unary(llkv_expr::UnaryOp::IsFalse, bound.expr);
        let error = ConstraintError::Check {
            table: info.name.clone(),
            constraint: check.name.clone(),
        };
        Ok((super::select::filter(plan, is_false), error))
    }

    pub(super) fn rows_of(&mut self, info: &TableInfo) -> (LogicalPlan, Vec<PlanColumn>) {
        let plan = self.scan(info);
        let columns = plan.columns();
        (plan, columns)
    }

    /// An expression over the rows of a table.
    fn bind_over(
        &mut self,
        info: &TableInfo,
        columns: &[PlanColumn],
        expr: &ast::Expr,
    ) -> Result<Expr> {
        self.note_columns(columns, info);
        let scope = Scope::of_relation(Some(&info.name), columns.to_vec());
        let frame = Frame::new(scope, LogicalPlan::one_row(), Clause::Row);
        self.frames.push(frame);
        let bound = self.bind_expr(expr);
        let frame = self.frames.pop();
        match frame.is_some_and(|frame| !frame.pending.is_empty()) {
            true => self.unsupported("a subquery in USING", expr),
            false => bound,
        }
    }

    /// Texts of a table are read in one dialect.
    pub(super) fn require_dialect(&self, info: &TableInfo) -> Result<()> {
        match info.dialect == self.dialect.name() {
            true => Ok(()),
            false => super::unsupported(format!(
                "an expression of the dialect {} in a table of the dialect {}",
                self.dialect, info.dialect
            )),
        }
    }

    /// A default is bound once now, so that a mistake shows.
    pub(super) fn verify_default(&mut self, column: &ColumnDefinition) -> Result<()> {
        let Some(sql) = &column.default_sql else {
            return Ok(());
        };
        let dialect = self.dialect;
        parse_expression(sql, dialect, |expr| {
            self.apart(dialect, |binder| {
                let bound = binder.bind_expr(expr)?;
                let castable = llkv_compute::coercion::can_cast(bound.ty(), column.ty);
                // Where values carry their types, the row that takes it decides, as for any other value.
                let is_free = dialect.values_carry_types();
                if bound.ty() != column.ty && !castable && !is_free {
                    return Err(BindError::TypeMismatch {
                        message: format!(
                            "the default of \"{}\" is {}, the column {}",
                            column.name,
                            bound.ty(),
                            column.ty
                        ),
                        span: None,
                    }
                    .into());
                }
                let value = match is_free {
                    true => bound,
                    false => binder.coerce(bound, column.ty),
                };
                if value.is_constant() && value.as_literal().is_none() {
                    llkv_compute::fold(&value)?;
                }
                Ok(())
            })
        })
    }
}

fn plan(statement: PlanStatement) -> BoundStatement {
    BoundStatement::Plan(Box::new(statement))
}

fn nothing(name: TableRef) -> PlanStatement {
    without_table(name.name, AlterAction::Nothing, Vec::new())
}

/// A change of what is no table.
fn without_table(
    table_name: String,
    action: AlterAction,
    dependents: Vec<Dependent>,
) -> PlanStatement {
    PlanStatement::AlterTable(Box::new(AlterTable {
        table: TableId::CATALOG,
        table_name,
        action,
        rows: None,
        checks: Vec::new(),
        violations: Vec::new(),
        dependents,
    }))
}

fn is_cascade(behavior: Option<&ast::DropBehavior>) -> bool {
    matches!(behavior, Some(ast::DropBehavior::Cascade))
}

/// True where a value of one type becomes one of the other when it is assigned.
fn converts_by_itself(from: SqlType, to: SqlType) -> bool {
    let is_time = |ty| {
        matches!(
            ty,
            SqlType::Date | SqlType::Timestamp | SqlType::TimestampTz
        )
    };
    let numeric = from.is_numeric() && to.is_numeric();
    from == to || to == SqlType::Text || numeric || (is_time(from) && is_time(to))
}

/// All columns as they are.
pub(super) fn kept(columns: &[PlanColumn]) -> Vec<Projection> {
    let columns = columns.iter();
    columns
        .map(|column| Projection {
            expr: Expr::column(column.id, column.ty),
            column: column.clone(),
        })
        .collect()
}

pub(super) fn project(input: LogicalPlan, projections: Vec<Projection>) -> LogicalPlan {
    LogicalPlan::Project(Project {
        input: Box::new(input),
        projections,
    })
}

/// True for an option of a column that is a constraint of its own.
pub(super) fn is_constraint(option: &ColumnOption) -> bool {
    matches!(
        option,
        ColumnOption::PrimaryKey(_)
            | ColumnOption::Unique(_)
            | ColumnOption::Check(_)
            | ColumnOption::ForeignKey(_)
    )
}

/// The statement that changes nothing of a table.
pub(super) fn unaltered(info: &TableInfo) -> AlterTable {
    AlterTable {
        table: info.id,
        table_name: info.name.clone(),
        action: AlterAction::Nothing,
        rows: None,
        checks: Vec::new(),
        violations: Vec::new(),
        dependents: Vec::new(),
    }
}

/// A literal in a CHECK that is no value of a column's new type is an error now, not for the first row.
fn refuse_wrong_constants(check: &Expr) -> Result<()> {
    let mut result = Ok(());
    check.visit(&mut |part| {
        let is_converted = matches!(part, Expr::Cast { .. }) && part.is_constant();
        if result.is_ok() && is_converted {
            result = llkv_compute::fold(part).map(drop);
        }
    });
    result
}
