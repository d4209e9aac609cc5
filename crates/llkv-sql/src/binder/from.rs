//! FROM: relations and the rows that they give.

use super::Binder;
use super::frame::{Clause, Frame};
use super::scope::Scope;
use super::series::refers_to_others;
use super::subquery::keep;
use llkv_plan::{Apply, ApplyKind, Join, JoinKind, LogicalPlan, PlanColumn, Scan, TableInfo};
use llkv_result::Result;
use llkv_types::{SqlType, TableId};
use sqlparser::ast::{self, TableAlias, TableFactor};
use std::sync::Arc;

/// Rows, and the names of their columns.
pub(super) type Rows = (LogicalPlan, Scope);

impl Binder<'_> {
    /// `FROM a, b JOIN c ...`; one row of no columns where there is no FROM.
    pub(super) fn bind_from(&mut self, from: &[ast::TableWithJoins]) -> Result<Rows> {
        let mut rows: Option<Rows> = None;
        for item in from {
            rows = Some(match rows.take() {
                None => self.bind_table_with_joins(item, None)?,
                Some(left) => self.bind_comma(left, item)?,
            });
        }
        Ok(rows.unwrap_or_else(|| (LogicalPlan::one_row(), Scope::default())))
    }

    fn bind_comma(&mut self, left: Rows, item: &ast::TableWithJoins) -> Result<Rows> {
        if is_lateral(&item.relation) {
            return self.bind_table_with_joins(item, Some(left));
        }
        if self.dialect.commas_join() {
            let right = self.bind_relation(&item.relation)?;
            let mut rows = cross(left, right);
            for join in &item.joins {
                rows = self.bind_join(rows, join)?;
            }
            return Ok(rows);
        }
        if item.joins.iter().any(|join| is_lateral(&join.relation)) {
            return self.beside(left, ApplyKind::Cross, |binder| {
                binder.bind_table_with_joins(item, None)
            });
        }
        let right = self.bind_table_with_joins(item, None)?;
        self.refuse_same_relations(&left.1, &right.1, item)?;
        Ok(cross(left, right))
    }

    /// Two relations of one name would make their columns unreachable.
    pub(super) fn refuse_same_relations(
        &self,
        left: &Scope,
        right: &Scope,
        node: &impl super::place::Place,
    ) -> Result<()> {
        if self.dialect.same_relation_names() {
            return Ok(());
        }
        match left.same_relation(right) {
            Some(relation) => self.invalid(format!("FROM names \"{relation}\" twice"), node),
            None => Ok(()),
        }
    }

    /// One relation and what is joined to it; `outer` are the relations before it, where it refers to them.
    fn bind_table_with_joins(
        &mut self,
        item: &ast::TableWithJoins,
        outer: Option<Rows>,
    ) -> Result<Rows> {
        let mut rows = match outer {
            None => self.bind_relation(&item.relation)?,
            Some(outer) => self.bind_lateral(outer, &item.relation, ApplyKind::Cross)?,
        };
        for join in &item.joins {
            rows = self.bind_join(rows, join)?;
        }
        Ok(rows)
    }

    /// `LATERAL (SELECT ...)`: for each row of `outer`, the rows that refer to it.
    pub(super) fn bind_lateral(
        &mut self,
        outer: Rows,
        relation: &TableFactor,
        kind: ApplyKind,
    ) -> Result<Rows> {
        self.beside(outer, kind, |binder| binder.bind_relation(relation))
    }

    /// For each row of `outer` the rows that are bound beside it, and may refer to it.
    fn beside(
        &mut self,
        outer: Rows,
        kind: ApplyKind,
        bind: impl FnOnce(&mut Self) -> Result<Rows>,
    ) -> Result<Rows> {
        let (plan, scope) = outer;
        self.frames
            .push(Frame::new(scope, LogicalPlan::one_row(), Clause::Row));
        let inner = bind(self);
        let scope = self
            .frames
            .pop()
            .map(|frame| frame.scope)
            .unwrap_or_default();
        let (inner, mut inner_scope) = inner?;
        if matches!(kind, ApplyKind::Left) {
            inner_scope.set_nullable();
        }
        let plan = LogicalPlan::Apply(Apply {
            outer: Box::new(plan),
            inner: Box::new(inner),
            kind,
        });
        Ok((plan, scope.join(inner_scope)))
    }

    pub(super) fn bind_relation(&mut self, relation: &TableFactor) -> Result<Rows> {
        self.count_relation()?;
        match relation {
            TableFactor::Table {
                name,
                alias,
                args,
                sample,
                with_ordinality: false,
                ..
            } => {
                if sample.is_some() {
                    return self.unsupported("TABLESAMPLE", name);
                }
                match args {
                    Some(args) => self.bind_table_function(name, &args.args, alias.as_ref()),
                    None => self.bind_named(name, alias.as_ref()),
                }
            }
            TableFactor::Function {
                name,
                args,
                alias,
                with_ordinality: false,
                ..
            } => self.bind_table_function(name, args, alias.as_ref()),
            TableFactor::Derived {
                subquery,
                alias,
                sample: None,
                ..
            } => {
                let plan = self.bind_query(subquery)?;
                self.named_rows(plan, alias.as_ref(), None)
            }
            TableFactor::NestedJoin {
                table_with_joins,
                alias,
            } => {
                let (plan, scope) = self.bind_table_with_joins(table_with_joins, None)?;
                match alias {
                    None => Ok((plan, scope)),
                    Some(_) => {
                        let columns = scope.star(None).cloned().collect();
                        let plan = keep(plan, columns);
                        self.named_rows(plan, alias.as_ref(), None)
                    }
                }
            }
            other => self.unsupported("this kind of relation", other),
        }
    }

    /// A table, a view, a common table expression, a view of the system, a file.
    fn bind_named(&mut self, name: &ast::ObjectName, alias: Option<&TableAlias>) -> Result<Rows> {
        if let [own] = self.name_parts(name)?.as_slice()
            && let Some(plan) = self.bind_cte(&own.value)?
        {
            return self.named_rows(plan, alias, Some(&own.value));
        }
        let table = self.table_ref(name)?;
        self.note_relation(name, &table)?;
        if let Some(info) = self.catalog.table(&table)? {
            let plan = self.scan(&info);
            return self.rows_of_object(plan, alias, (info.id, &info.name));
        }
        if let Some(view) = self.catalog.view(&table)? {
            let plan = self.bind_view(&view)?;
            return self.rows_of_object(plan, alias, (view.id, &view.name));
        }
        if let Some(source) = self.catalog.system_view(&table)? {
            let plan = self.external(source)?;
            return self.named_rows(plan, alias, Some(&table.name));
        }
        if let Some((plan, stem)) = self.bind_file_name(name)? {
            return self.named_rows(plan, alias, Some(&stem));
        }
        // A table function that needs no argument.
        let lower = table.name.to_ascii_lowercase();
        if let (Some(pragma), None) = (lower.strip_prefix("pragma_"), &table.schema)
            && let Some(plan) = self.pragma_rows(pragma, None, name)?
        {
            return self.named_rows(plan, alias, Some(&table.name));
        }
        self.table_not_found(&table, name)
    }

    /// The rows of a table or view.
    pub(super) fn rows_of_object(
        &mut self,
        plan: LogicalPlan,
        alias: Option<&TableAlias>,
        (id, name): (TableId, &str),
    ) -> Result<Rows> {
        let (plan, scope) = self.named_rows(plan, alias, Some(name))?;
        Ok(match alias {
            None => (plan, scope.of_object(id)),
            Some(_) => (plan, scope),
        })
    }

    /// All columns of a table.
    pub(super) fn scan(&mut self, info: &TableInfo) -> LogicalPlan {
        let row_id = self.row_id_position(info);
        let columns: Vec<_> = info
            .columns
            .iter()
            .map(|c| {
                let column = self.new_column(Arc::clone(&c.name), c.ty, c.nullable);
                self.note_column(&column, c);
                (c.field, column)
            })
            .collect();
        if let Some((_, column)) = row_id.and_then(|at| columns.get(at)) {
            self.row_ids.insert(column.id);
        }
        self.note_origins(info.id, columns.iter().map(|(_, column)| column.id));
        LogicalPlan::Scan(Scan {
            table: info.id,
            table_name: info.name.clone(),
            columns,
            row_id: None,
            predicates: vec![],
            index: None,
        })
    }

    /// All columns of a table, and the row id.
    pub(super) fn scan_with_row_id(&mut self, info: &TableInfo) -> (LogicalPlan, PlanColumn) {
        let row_id = self.new_column("rowid", SqlType::UInt64, false);
        let mut plan = self.scan(info);
        if let LogicalPlan::Scan(scan) = &mut plan {
            scan.row_id = Some(row_id.clone());
        }
        (plan, row_id)
    }

    /// Rows under the name, and with the column names, that they have in FROM.
    pub(super) fn named_rows(
        &mut self,
        plan: LogicalPlan,
        alias: Option<&TableAlias>,
        default: Option<&str>,
    ) -> Result<Rows> {
        let mut columns = plan.columns();
        self.enter_relation(&columns);
        let Some(alias) = alias else {
            return Ok((plan, Scope::of_relation(default, columns)));
        };
        if alias.columns.len() > columns.len() {
            return self.invalid(
                format!(
                    "\"{}\" has {} columns, {} names are given",
                    alias.name.value,
                    columns.len(),
                    alias.columns.len()
                ),
                &alias.name,
            );
        }
        for (column, name) in columns.iter_mut().zip(&alias.columns) {
            column.name = name.name.value.as_str().into();
        }
        Ok((plan, Scope::of_relation(Some(&alias.name.value), columns)))
    }
}

/// All pairs.
pub(super) fn cross(left: Rows, right: Rows) -> Rows {
    let plan = LogicalPlan::Join(Join {
        left: Box::new(left.0),
        right: Box::new(right.0),
        kind: JoinKind::Inner,
        on: vec![],
        null_equal: vec![],
        filter: None,
        mark: None,
        null_aware_mark: false,
        aggregates: Vec::new(),
        left_first: false,
    });
    (plan, left.1.join(right.1))
}

pub(super) fn is_lateral(relation: &TableFactor) -> bool {
    matches!(
        relation,
        TableFactor::Derived { lateral: true, .. } | TableFactor::Function { lateral: true, .. }
    ) || refers_to_others(relation)
}
