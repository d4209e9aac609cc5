//! Queries: WITH, the body, ORDER BY and LIMIT around it.

use super::limit::Slice;
use super::{Binder, MAX_DEPTH, too_complex};
use llkv_plan::{LogicalPlan, PlanStatement, Sort};
use llkv_result::Result;
use sqlparser::ast::{self, SetExpr};

impl Binder<'_> {
    /// Binds a query in the frames around it.
    pub(super) fn bind_query(&mut self, query: &ast::Query) -> Result<LogicalPlan> {
        if self.depth >= MAX_DEPTH {
            return Err(too_complex("the nesting of queries", MAX_DEPTH));
        }
        self.refuse_rare_query(query)?;
        self.depth += 1;
        self.deepest = self.deepest.max(self.depth);
        let ctes = self.ctes.len();
        let bound = stacker::maybe_grow(256 * 1024, 4 << 20, || {
            self.apart_from_collations(|binder| {
                if let Some(with) = &query.with {
                    binder.push_ctes(with)?;
                }
                binder.bind_query_body(query)
            })
        });
        self.ctes.truncate(ctes);
        self.depth -= 1;
        bound
    }

    /// A query, or what stands behind WITH in its place: `WITH x AS (...) INSERT INTO t SELECT ... FROM x`.
    pub(super) fn bind_query_statement(&mut self, query: &ast::Query) -> Result<PlanStatement> {
        let (SetExpr::Insert(statement)
        | SetExpr::Update(statement)
        | SetExpr::Delete(statement)
        | SetExpr::Merge(statement)) = query.body.as_ref()
        else {
            return self.bind_query(query).map(PlanStatement::Query);
        };
        self.refuse_rare_query(query)?;
        let ctes = self.ctes.len();
        if let Some(with) = &query.with {
            self.push_ctes(with)?;
        }
        let bound = self.bind_statement(statement);
        self.ctes.truncate(ctes);
        bound
    }

    pub(super) fn refuse_rare_query(&self, query: &ast::Query) -> Result<()> {
        let rare = [
            (!query.locks.is_empty(), "FOR UPDATE"),
            (query.for_clause.is_some(), "FOR XML or JSON"),
            (query.settings.is_some(), "SETTINGS"),
            (query.format_clause.is_some(), "FORMAT"),
            (!query.pipe_operators.is_empty(), "the pipe operator |>"),
        ];
        match rare.iter().find(|(present, _)| *present) {
            Some((_, feature)) => self.unsupported(*feature, query),
            None => Ok(()),
        }
    }

    fn bind_query_body(&mut self, query: &ast::Query) -> Result<LogicalPlan> {
        let slice = self.bind_slice(query)?;
        let order_by = query.order_by.as_ref();
        if let SetExpr::Select(select) = query.body.as_ref() {
            return self.bind_select(select, order_by, slice);
        }
        let plan = self.bind_set_expr(&query.body)?;
        self.order_result(plan, order_by, slice)
    }

    /// ORDER BY and LIMIT over a result whose columns are all that is known.
    fn order_result(
        &mut self,
        plan: LogicalPlan,
        order_by: Option<&ast::OrderBy>,
        slice: Slice,
    ) -> Result<LogicalPlan> {
        let Some(order_by) = order_by else {
            return Ok(slice.on(plan));
        };
        let columns = plan.columns();
        let scope = super::scope::Scope::of_relation(None, columns.clone());
        let frame = super::frame::Frame::new(scope, plan, super::frame::Clause::Row);
        self.frames.push(frame);
        let keys = self.bind_order_of_result(order_by, &columns);
        let Some(mut frame) = self.frames.pop() else {
            return super::invalid("ORDER BY without rows");
        };
        let waiting = !frame.pending.is_empty();
        frame.flush();
        let sorted = LogicalPlan::Sort(Sort {
            input: Box::new(frame.take_plan()),
            keys: keys?,
            fetch: None,
        });
        let plan = slice.on(sorted);
        Ok(if waiting {
            super::subquery::keep(plan, columns)
        } else {
            plan
        })
    }

    /// What stands between WITH and ORDER BY.
    pub(super) fn bind_set_expr(&mut self, body: &SetExpr) -> Result<LogicalPlan> {
        match body {
            SetExpr::Select(select) => self.bind_select(select, None, Slice::default()),
            SetExpr::Query(query) => self.bind_query(query),
            SetExpr::SetOperation { .. } => self.bind_set_operation(body),
            SetExpr::Values(values) => self.bind_values(values, None),
            SetExpr::Table(table) => self.bind_table_body(table, body),
            SetExpr::Insert(_) | SetExpr::Update(_) | SetExpr::Delete(_) | SetExpr::Merge(_) => {
                self.unsupported("a statement that changes rows inside a query", body)
            }
        }
    }

    /// `TABLE t`
    fn bind_table_body(&mut self, table: &ast::Table, node: &SetExpr) -> Result<LogicalPlan> {
        let parts: Vec<ast::Ident> = table
            .schema_name
            .iter()
            .chain(&table.table_name)
            .map(|part| ast::Ident::new(part.as_str()))
            .collect();
        if parts.is_empty() {
            return self.invalid("TABLE without a name", node);
        }
        let factor = ast::TableFactor::Table {
            name: ast::ObjectName::from(parts),
            alias: None,
            args: None,
            with_hints: vec![],
            version: None,
            with_ordinality: false,
            partitions: vec![],
            json_path: None,
            sample: None,
            index_hints: vec![],
        };
        self.bind_relation(&factor).map(|(plan, _)| plan)
    }
}
