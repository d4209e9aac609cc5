//! INSERT.

use super::Binder;
use super::frame::{Clause, Frame};
use super::generated::is_default;
use super::scope::Scope;
use super::subquery::keeping;
use super::triggers::Changed;
use super::values::Target;
use crate::SqlDialect;
use crate::text::parse_expression;
use llkv_expr::{Expr, UnaryOp};
use llkv_plan::{
    CascadeTarget, ColumnInfo, ConflictAction, Insert, LogicalPlan, PlanColumn, PlanStatement,
    Project, Projection, RowCheck, TableInfo, TableRef, Triggers, ViewChange,
};
use llkv_result::Result;
use llkv_types::{Scalar, SqlType, TriggerEvent};
use sqlparser::ast::{self, SetExpr, TableObject};
use std::sync::Arc;

impl Binder<'_> {
    pub(super) fn bind_insert(&mut self, insert: &ast::Insert) -> Result<PlanStatement> {
        self.refuse_rare_insert(insert)?;
        let TableObject::TableName(name) = &insert.table else {
            return self.unsupported("INSERT into a function or query", &insert.table);
        };
        let info = match self.changed(name, TriggerEvent::Insert)? {
            Changed::Table(info) => info,
            Changed::View(view, _) => return self.insert_into_view(insert, &view),
        };
        let positions = self.insert_columns(insert, &info)?;
        self.refuse_given(insert, &info, &positions)?;
        let source = match &insert.source {
            None => self.default_values(&info)?,
            Some(query) => self.insert_source(query, &info, &positions, insert)?,
        };
        let source = match Self::insert_action(insert) {
            ConflictAction::Replace => self.without_forbidden_nulls(source, &info)?,
            _ => source,
        };
        let source = self.with_identity(source, &info)?;
        let source = self.as_stored(source, &info)?;
        let source = self.with_generated(source, &info, 0)?;
        let columns = source.columns();
        let checks = self.bind_checks(&info, &columns)?;
        let (on_conflict, upsert) = self.bind_on_conflict(insert, &info, &columns)?;
        let alias = insert.table_alias.as_ref().map(|a| a.alias.value.as_str());
        let returning = self.bind_returning(insert.returning.as_deref(), (&info, alias), &[])?;
        let cascades = match (on_conflict, &upsert) {
            (ConflictAction::Replace, _) | (_, Some(_)) => self.cascades(info.id)?,
            _ => Vec::new(),
        };
        let triggers = self.bind_insert_triggers((insert, on_conflict), &info, &cascades)?;
        Ok(PlanStatement::Insert(Insert {
            table: info.id,
            table_name: info.name.clone(),
            source,
            checks,
            on_conflict,
            upsert,
            returning,
            is_copy: false,
            cascades,
            triggers,
            numbered_key: self.numbered_key(&info),
            generated_with_key: self.generated_with_key(&info, &columns)?,
        }))
    }

    /// The rows of REPLACE: where a column takes no NULL, its default stands in the place of one.
    fn without_forbidden_nulls(
        &mut self,
        source: LogicalPlan,
        info: &TableInfo,
    ) -> Result<LogicalPlan> {
        let has_default = |column: &ColumnInfo| !column.nullable && column.default_sql.is_some();
        if !info.columns.iter().any(has_default) {
            return Ok(source);
        }
        let mut projections = keeping(source.columns());
        for (position, projection) in projections.iter_mut().enumerate() {
            if !info.columns.get(position).is_some_and(has_default) {
                continue;
            }
            let default = self.default_of(info, position)?;
            let column = &mut projection.column;
            let default = self.coerce(default, column.ty);
            let given = projection.expr.clone();
            projection.expr = Expr::Case {
                branches: vec![(Expr::unary(UnaryOp::IsNull, given.clone()), default)],
                otherwise: Some(Box::new(given)),
                ty: column.ty,
            };
            *column = self.new_column(Arc::clone(&column.name), column.ty, true);
        }
        Ok(LogicalPlan::Project(Project {
            input: Box::new(source),
            projections,
        }))
    }

    /// The statement that puts rows into a table, none of which may be there already.
    pub(super) fn plain_insert(&mut self, source: LogicalPlan, info: &TableInfo) -> Result<Insert> {
        let source = self.with_generated(source, info, 0)?;
        let columns = source.columns();
        Ok(Insert {
            table: info.id,
            table_name: info.name.clone(),
            source,
            checks: self.bind_checks(info, &columns)?,
            on_conflict: ConflictAction::Error,
            upsert: None,
            returning: None,
            is_copy: false,
            cascades: Vec::new(),
            triggers: self.bind_triggers(info, (&[TriggerEvent::Insert], &[]), &[])?,
            numbered_key: self.numbered_key(info),
            generated_with_key: self.generated_with_key(info, &columns)?,
        })
    }

    /// The key whose column is numbered where a row brings none.
    pub(super) fn numbered_key(&self, info: &TableInfo) -> Option<usize> {
        self.row_id_position(info)?;
        info.keys.iter().position(|key| key.primary)
    }

    /// The triggers of the rows that come, of those that DO UPDATE changes, and of those that REPLACE
    /// makes go.
    fn bind_insert_triggers(
        &mut self,
        (insert, on_conflict): (&ast::Insert, ConflictAction),
        info: &TableInfo,
        cascades: &[CascadeTarget],
    ) -> Result<Option<Triggers>> {
        let fires = cascades.iter().any(CascadeTarget::fires);
        if !fires && self.catalog.triggers(info.id).is_empty() {
            return Ok(None);
        }
        let mut events = vec![TriggerEvent::Insert];
        let mut changed = Vec::new();
        if on_conflict == ConflictAction::Replace {
            events.push(TriggerEvent::Delete);
        }
        if let Some(ast::OnInsert::OnConflict(conflict)) = &insert.on
            && let ast::OnConflictAction::DoUpdate(update) = &conflict.action
        {
            events.push(TriggerEvent::Update);
            for assignment in &update.assignments {
                changed.extend(self.assigned_positions(assignment, info)?);
            }
        }
        self.bind_triggers(info, (&events, &changed), cascades)
    }

    /// The rows that INSTEAD OF triggers of a view are run with.
    fn insert_into_view(
        &mut self,
        insert: &ast::Insert,
        view: &TableInfo,
    ) -> Result<PlanStatement> {
        if insert.on.is_some() || insert.returning.is_some() {
            let what = "ON CONFLICT or RETURNING on a view";
            return self.unsupported(what, &insert.table);
        }
        let positions = self.insert_columns(insert, view)?;
        let source = match &insert.source {
            None => self.default_values(view)?,
            Some(query) => self.insert_source(query, view, &positions, insert)?,
        };
        self.change_view(view, TriggerEvent::Insert, source, &[])
    }

    /// A change of a view, which is what its triggers make of it.
    pub(super) fn change_view(
        &mut self,
        view: &TableInfo,
        event: TriggerEvent,
        source: LogicalPlan,
        changed: &[usize],
    ) -> Result<PlanStatement> {
        let triggers = self.bind_triggers(view, (&[event], changed), &[])?;
        Ok(PlanStatement::ChangeView(ViewChange {
            view: view.name.clone(),
            event,
            width: view.columns.len(),
            source,
            triggers: triggers.unwrap_or_else(|| Triggers {
                calls: Vec::new(),
                programs: Arc::default(),
            }),
        }))
    }

    fn refuse_rare_insert(&self, insert: &ast::Insert) -> Result<()> {
        let rare = [
            (insert.overwrite, "INSERT OVERWRITE"),
            (insert.partitioned.is_some(), "PARTITION"),
            (!insert.assignments.is_empty(), "INSERT ... SET"),
            (insert.insert_alias.is_some(), "INSERT ... AS"),
            (insert.output.is_some(), "OUTPUT"),
            (insert.multi_table_insert_type.is_some(), "INSERT ALL"),
        ];
        match rare.iter().find(|(present, _)| *present) {
            Some((_, feature)) => self.unsupported(*feature, &insert.insert_token.0),
            None => Ok(()),
        }
    }

    /// The table that a statement changes.
    pub(super) fn target(&self, name: &ast::ObjectName) -> Result<Arc<TableInfo>> {
        let table = self.table_ref(name)?;
        if let Some(info) = self.catalog.table(&table)? {
            return Ok(info);
        }
        self.no_target(&table, name)
    }

    /// The error for a name that is not a table's.
    pub(super) fn no_target<T>(&self, table: &TableRef, name: &ast::ObjectName) -> Result<T> {
        if self.catalog.view(table)?.is_some() {
            return self.invalid(
                format!("\"{}\" is a view; its rows cannot be changed", table.name),
                name,
            );
        }
        self.table_not_found(table, name)
    }

    /// Positions in the table of the columns that are given, in the order in which they are.
    fn insert_columns(&self, insert: &ast::Insert, info: &TableInfo) -> Result<Vec<usize>> {
        let width = match insert.source.as_ref().map(|query| query.body.as_ref()) {
            Some(SetExpr::Values(values)) => values.rows.first().map(|row| row.content.len()),
            _ => None,
        };
        self.insert_positions(&insert.columns, info, width)
    }

    /// The same of a list of names; `width` is how many values a row has, where that is known.
    pub(super) fn insert_positions(
        &self,
        names: &[ast::ObjectName],
        info: &TableInfo,
        width: Option<usize>,
    ) -> Result<Vec<usize>> {
        if names.is_empty() {
            let all = 0..info.columns.len();
            // Columns that compute their values are not meant, unless a DEFAULT stands for them.
            let is_computed = |at: &usize| {
                let column = info.columns.get(*at);
                column.is_some_and(ColumnInfo::is_computed)
            };
            if width == Some(all.len()) {
                return Ok(all.collect());
            }
            let given = all.filter(|at| !is_computed(at));
            return Ok(match width {
                Some(width) if self.fills_up() => given.take(width).collect(),
                _ => given.collect(),
            });
        }
        let mut positions = Vec::with_capacity(names.len());
        for name in names {
            let ident = self.simple_name(name)?;
            let position = self.column_position(info, ident)?;
            if positions.contains(&position) {
                return self.invalid(format!("column \"{}\" is listed twice", ident.value), name);
            }
            positions.push(position);
        }
        Ok(positions)
    }

    /// Rows that are shorter than the table get defaults in its other columns, as in PostgreSQL.
    fn fills_up(&self) -> bool {
        self.dialect == SqlDialect::Llkv
    }

    pub(super) fn column_position(&self, info: &TableInfo, name: &ast::Ident) -> Result<usize> {
        match self.position_of(info, name) {
            Some(position) => {
                self.note_position(name, (info.id, position));
                Ok(position)
            }
            None => self.column_not_found(name, info.columns.iter().map(|c| &*c.name)),
        }
    }

    /// The rows as given, then shaped to the table.
    fn insert_source(
        &mut self,
        query: &ast::Query,
        info: &TableInfo,
        positions: &[usize],
        insert: &ast::Insert,
    ) -> Result<LogicalPlan> {
        let columns = positions.iter().filter_map(|&at| info.columns.get(at));
        let into: Vec<Target<'_>> = columns.map(|column| Target::new(info, column)).collect();
        let plain =
            query.with.is_none() && query.order_by.is_none() && query.limit_clause.is_none();
        let plan = match query.body.as_ref() {
            SetExpr::Values(values) if plain => {
                let width = values.rows.first().map_or(0, |row| row.content.len());
                self.check_width(width, into.len(), insert)?;
                if let Some(values) = self.replace_defaults(values, info, positions)? {
                    self.bind_values(&values, Some(&into))?
                } else {
                    self.bind_values(values, Some(&into))?
                }
            }
            _ => {
                let plan = self.bind_query(query)?;
                let width = plan.columns().len();
                if insert.columns.is_empty() && self.fills_up() && width < into.len() {
                    let given = positions.get(..width).unwrap_or_default();
                    return self.shape(plan, info, given);
                }
                self.check_width(width, into.len(), insert)?;
                plan
            }
        };
        self.shape(plan, info, positions)
    }

    fn check_width(&self, width: usize, columns: usize, insert: &ast::Insert) -> Result<()> {
        if width == columns {
            return Ok(());
        }
        self.invalid(
            format!("INSERT has {width} values for {columns} columns"),
            &insert.table,
        )
    }

    /// `VALUES (1, DEFAULT)`: the word stands for the column's default.
    fn replace_defaults(
        &mut self,
        values: &ast::Values,
        info: &TableInfo,
        positions: &[usize],
    ) -> Result<Option<ast::Values>> {
        let present = values
            .rows
            .iter()
            .any(|row| row.content.iter().any(is_default));
        if !present {
            return Ok(None);
        }
        let mut values = values.clone();
        for row in &mut values.rows {
            for (expr, position) in row.content.iter_mut().zip(positions) {
                if is_default(expr) {
                    *expr = self.default_as_written(info, *position)?;
                }
            }
        }
        Ok(Some(values))
    }

    /// The default of a column as a piece of the statement's text. One that was written in another
    /// dialect cannot stand there: its value does.
    fn default_as_written(&mut self, info: &TableInfo, position: usize) -> Result<ast::Expr> {
        let null = ast::Expr::Value(ast::Value::Null.into());
        let column = info.columns.get(position);
        let Some(sql) = column.and_then(|column| column.default_sql.as_deref()) else {
            return Ok(null);
        };
        if info.dialect == self.dialect.name() {
            return parse_expression(sql, self.dialect, |expr| Ok(expr.clone()));
        }
        let default = self.default_of(info, position)?;
        if !default.is_constant() {
            return super::unsupported(format!(
                "DEFAULT among VALUES, where the table's default is read as {}",
                info.dialect
            ));
        }
        Ok(match llkv_compute::fold(&default)? {
            Scalar::Null(_) => null,
            value => {
                let text = ast::Value::SingleQuotedString(value.to_string());
                ast::Expr::Value(text.into())
            }
        })
    }

    /// All columns of the table in their order: given ones cast, the others with their defaults.
    pub(super) fn shape(
        &mut self,
        plan: LogicalPlan,
        info: &TableInfo,
        positions: &[usize],
    ) -> Result<LogicalPlan> {
        let given = plan.columns();
        let straight = positions.iter().copied().eq(0..info.columns.len())
            && given.iter().zip(&info.columns).all(|(g, c)| g.ty == c.ty);
        if straight {
            return Ok(plan);
        }
        let fits = positions
            .iter()
            .zip(&given)
            .all(|(&p, g)| info.columns.get(p).is_some_and(|c| c.ty == g.ty));
        let plan = match plan {
            LogicalPlan::Values(values) if fits => {
                return self.shape_values(values, info, positions);
            }
            LogicalPlan::Project(row) if fits && is_literal_row(&row) => {
                return self.shape_row(row, info, positions);
            }
            other => other,
        };
        let mut projections = Vec::with_capacity(info.columns.len());
        for (position, column) in info.columns.iter().enumerate() {
            let source = positions.iter().position(|p| *p == position);
            let expr = match source.and_then(|at| given.get(at)) {
                Some(from) => self.assigned_column(from, Target::new(info, column))?,
                None => self.default_of(info, position)?,
            };
            projections.push(Projection {
                column: self.new_column(column.name.clone(), column.ty, true),
                expr,
            });
        }
        Ok(LogicalPlan::Project(Project {
            input: Box::new(plan),
            projections,
        }))
    }

    pub(super) fn assigned_column(&mut self, from: &PlanColumn, into: Target<'_>) -> Result<Expr> {
        let (ty, name) = (into.column.ty, &into.column.name);
        if !self.is_assignable(from.ty, ty) {
            return Err(llkv_result::BindError::TypeMismatch {
                message: format!("column \"{name}\" is {ty}, the value is {}", from.ty),
                span: None,
            }
            .into());
        }
        Ok(match from.ty {
            SqlType::Null => Expr::Literal(Scalar::Null(ty)),
            own => self.assign_into(Expr::column(from.id, own), into)?,
        })
    }

    /// True where values of a type may go into columns of another, some of them at least.
    pub(super) fn is_assignable(&self, from: SqlType, to: SqlType) -> bool {
        from == to
            || self.dialect.values_carry_types()
            || llkv_compute::coercion::can_cast(from, to)
    }

    /// VALUES stay VALUES: columns change places, constant defaults become arrays.
    fn shape_values(
        &mut self,
        values: llkv_plan::Values,
        info: &TableInfo,
        positions: &[usize],
    ) -> Result<LogicalPlan> {
        let mut defaults = Vec::with_capacity(info.columns.len());
        for position in 0..info.columns.len() {
            defaults.push(match positions.contains(&position) {
                true => None,
                false => Some(self.default_of(info, position)?),
            });
        }
        let constant = defaults.iter().flatten().all(Expr::is_constant);
        if !constant {
            let plan = LogicalPlan::Values(values);
            return self.shape_live(plan, info, positions, defaults);
        }
        let mut scalars = Vec::with_capacity(defaults.len());
        for default in defaults {
            scalars.push(match default {
                None => None,
                Some(Expr::Literal(scalar)) => Some(scalar),
                Some(other) => Some(llkv_compute::fold(&other)?),
            });
        }
        let columns: Vec<PlanColumn> = info
            .columns
            .iter()
            .map(|c| self.new_column(c.name.clone(), c.ty, true))
            .collect();
        let mut batches = Vec::with_capacity(values.batches.len());
        for batch in &values.batches {
            let mut arrays = Vec::with_capacity(columns.len());
            for (position, scalar) in scalars.iter().enumerate() {
                let given = positions.iter().position(|p| *p == position);
                arrays.push(match (scalar, given) {
                    (Some(scalar), _) => scalar.to_array(batch.num_rows())?,
                    (None, Some(at)) => Arc::clone(batch.column(at)),
                    (None, None) => return super::invalid("a column without a value"),
                });
            }
            batches.push(super::values::batch_of(&columns, arrays, batch.num_rows())?);
        }
        Ok(LogicalPlan::Values(llkv_plan::Values { columns, batches }))
    }

    /// One row of literals, with the defaults of the columns that it does not give.
    fn shape_row(
        &mut self,
        mut row: Project,
        info: &TableInfo,
        positions: &[usize],
    ) -> Result<LogicalPlan> {
        if positions.iter().copied().eq(0..info.columns.len()) {
            return Ok(LogicalPlan::Project(row));
        }
        let mut given: Vec<Option<Projection>> = row.projections.into_iter().map(Some).collect();
        row.projections = Vec::with_capacity(info.columns.len());
        for (position, column) in info.columns.iter().enumerate() {
            let source = positions.iter().position(|p| *p == position);
            let value = source.and_then(|at| given.get_mut(at)?.take());
            row.projections.push(match value {
                Some(value) => value,
                None => Projection {
                    expr: self.default_of(info, position)?,
                    column: self.new_column(Arc::clone(&column.name), column.ty, true),
                },
            });
        }
        Ok(LogicalPlan::Project(row))
    }

    fn shape_live(
        &mut self,
        plan: LogicalPlan,
        info: &TableInfo,
        positions: &[usize],
        defaults: Vec<Option<Expr>>,
    ) -> Result<LogicalPlan> {
        let given = plan.columns();
        let mut projections = Vec::with_capacity(defaults.len());
        for (position, (default, column)) in defaults.into_iter().zip(&info.columns).enumerate() {
            let source = positions.iter().position(|p| *p == position);
            let expr = match (default, source.and_then(|at| given.get(at))) {
                (Some(default), _) => default,
                (None, Some(from)) => self.assigned_column(from, Target::new(info, column))?,
                (None, None) => Expr::Literal(Scalar::Null(column.ty)),
            };
            projections.push(Projection {
                column: self.new_column(column.name.clone(), column.ty, true),
                expr,
            });
        }
        Ok(LogicalPlan::Project(Project {
            input: Box::new(plan),
            projections,
        }))
    }

    /// DEFAULT VALUES: one row.
    fn default_values(&mut self, info: &TableInfo) -> Result<LogicalPlan> {
        self.shape(LogicalPlan::one_row(), info, &[])
    }

    /// The default of a column, cast; NULL where it has none.
    pub(super) fn default_of(&mut self, info: &TableInfo, position: usize) -> Result<Expr> {
        let Some(column) = info.columns.get(position) else {
            return super::invalid("a column that is not there");
        };
        let Some(sql) = &column.default_sql else {
            return Ok(Expr::Literal(Scalar::Null(column.ty)));
        };
        let dialect: SqlDialect = info.dialect.parse()?;
        let bound = parse_expression(sql, dialect, |expr| {
            self.of_catalog(dialect, |binder| binder.bind_expr(expr))
        })?;
        self.assign_into(bound, Target::new(info, column))
    }

    /// CHECK constraints over the rows that a statement writes.
    pub(super) fn bind_checks(
        &mut self,
        info: &TableInfo,
        columns: &[PlanColumn],
    ) -> Result<Vec<RowCheck>> {
        if info.checks.is_empty() {
            return Ok(vec![]);
        }
        let named: Vec<PlanColumn> = columns
            .iter()
            .zip(&info.columns)
            .map(|(column, own)| PlanColumn {
                name: own.name.clone(),
                ..column.clone()
            })
            .collect();
        self.note_columns(&named, info);
        let scope = Scope::of_relation(Some(&info.name), named);
        let dialect: SqlDialect = info.dialect.parse()?;
        let mut checks = Vec::with_capacity(info.checks.len());
        for check in &info.checks {
            let expr = parse_expression(&check.sql, dialect, |expr| {
                self.of_catalog(dialect, |binder| {
                    let frame = Frame::new(scope.clone(), LogicalPlan::one_row(), Clause::Row);
                    binder.frames.push(frame);
                    let bound = binder.bind_expr(expr)?;
                    binder.condition(bound, expr)
                })
            })?;
            checks.push(RowCheck {
                name: check.name.clone(),
                expr,
            });
        }
        Ok(checks)
    }
}

fn is_literal_row(row: &Project) -> bool {
    let mut values = row.projections.iter().map(|projection| &projection.expr);
    matches!(row.input.as_ref(), LogicalPlan::Values(_))
        && values.all(|expr| expr.as_literal().is_some())
}
