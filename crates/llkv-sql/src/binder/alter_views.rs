//! Views over a table or view that changes: those that follow it, and those that would not bind any more.

use super::alter_texts::ident;
use super::altered_catalog::{Altered, AlteredCatalog};
use super::{Binder, ParameterMode};
use crate::SqlDialect;
use crate::text::parse_query;
use llkv_plan::{CatalogView, ColumnInfo, Dependent, PlanColumn, TableInfo, TableRef, ViewInfo};
use llkv_result::{CatalogError, ObjectKind, Result};
use llkv_types::{SqlType, TableId};
use sqlparser::ast::{self, Query, TableFactor, VisitMut, VisitorMut};
use std::ops::ControlFlow;
use std::sync::Arc;

/// Names and types of a view's columns; none where it does not bind.
fn columns_of(catalog: &dyn CatalogView, view: &ViewInfo) -> Option<Vec<(String, SqlType)>> {
    let dialect: SqlDialect = view.dialect.parse().ok()?;
    let mut binder = Binder::new(catalog, dialect, "", ParameterMode::None);
    let columns = binder.bind_view(view).ok()?.columns();
    let named = |column: PlanColumn| (column.name.to_string(), column.ty);
    Some(columns.into_iter().map(named).collect())
}

/// The views that give other columns, or none at all, when the table is another or the view went.
fn dependents(
    binder: &Binder<'_>,
    relation: TableId,
    after: Option<TableInfo>,
) -> Result<Vec<(TableRef, Arc<ViewInfo>)>> {
    let changed = AlteredCatalog {
        catalog: binder.catalog,
        relation,
        now: after.map_or(Altered::Gone, |after| Altered::Table(Arc::new(after))),
        dependents: &[],
    };
    let mut found = Vec::new();
    for name in binder.catalog.views() {
        let Some(view) = binder.catalog.view(&name)? else {
            continue;
        };
        // One that does not bind now depends on nothing.
        let Some(before) = columns_of(binder.catalog, &view) else {
            continue;
        };
        if columns_of(&changed, &view).is_none_or(|after| after != before) {
            found.push((name, view));
        }
    }
    Ok(found)
}

/// The views that go with a change, with CASCADE; an error where there are any without.
pub(super) fn without(
    binder: &Binder<'_>,
    info: &TableInfo,
    after: &TableInfo,
    cascade: bool,
    column: &str,
) -> Result<Vec<Dependent>> {
    let dependents = dependents(binder, info.id, Some(after.clone()))?;
    if let (Some((view, _)), false) = (dependents.first(), cascade) {
        return Err(CatalogError::in_use(
            ObjectKind::Column,
            column,
            format!("view \"{}\"", view.name),
        ));
    }
    let gone = |(_, view): &(_, Arc<ViewInfo>)| Dependent {
        id: view.id,
        sql: None,
    };
    Ok(dependents.iter().map(gone).collect())
}

/// The first view that is not the same over another description of the table.
pub(super) fn that_uses(
    binder: &Binder<'_>,
    info: &TableInfo,
    after: &TableInfo,
) -> Result<Option<String>> {
    let dependents = dependents(binder, info.id, Some(after.clone()))?;
    Ok(dependents.first().map(|(_, view)| view.name.clone()))
}

/// The views over tables and views that are dropped, which go with CASCADE; an error where there are any without.
pub(super) fn dropped_with(
    binder: &Binder<'_>,
    kind: ObjectKind,
    dropped: &[(TableId, String)],
    cascade: bool,
) -> Result<Vec<TableRef>> {
    let mut found: Vec<(TableRef, TableId)> = Vec::new();
    for (relation, name) in dropped {
        for (view_name, view) in dependents(binder, *relation, None)? {
            if dropped.iter().any(|(id, _)| *id == view.id) {
                continue;
            }
            if !cascade {
                return Err(CatalogError::in_use(
                    kind,
                    name,
                    format!("view \"{}\"", view.name),
                ));
            }
            if found.iter().all(|(_, id)| *id != view.id) {
                found.push((view_name, view.id));
            }
        }
    }
    Ok(found.into_iter().map(|(name, _)| name).collect())
}

/// The views over a table or view as they are when it has another name: `FROM t` becomes `FROM new AS t`.
pub(super) fn with_other_name(
    binder: &Binder<'_>,
    relation: (TableId, &str),
    to: &str,
) -> Result<Vec<Dependent>> {
    let views = dependents(binder, relation.0, None)?;
    follow(binder, relation, views, |name| {
        let mut parts = name.0.clone();
        parts.pop();
        parts.push(ast::ObjectNamePart::Identifier(ident(to)));
        Ok(Relation::Name(ast::ObjectName(parts)))
    })
}

/// The views over a table as they are when a column has another name: they see the table with the name
/// that it had.
pub(super) fn with_column_name(
    binder: &Binder<'_>,
    info: &TableInfo,
    after: &TableInfo,
) -> Result<Vec<Dependent>> {
    let named = |(before, now): (&ColumnInfo, &ColumnInfo)| {
        let (name, now) = (ident(&before.name), ident(&now.name));
        match name == now {
            true => name.to_string(),
            false => format!("{now} AS {name}"),
        }
    };
    let columns = info.columns.iter().zip(&after.columns).map(named);
    let columns: Vec<String> = columns.collect();
    let columns = columns.join(", ");
    let dialect = binder.dialect;
    let views = dependents(binder, info.id, Some(after.clone()))?;
    follow(binder, (info.id, &info.name), views, |name| {
        let text = format!("SELECT {columns} FROM {name}");
        let query = parse_query(&text, dialect, |query| Ok(query.clone()))?;
        Ok(Relation::Query(Box::new(query)))
    })
}

/// What stands in the place of a table's name.
enum Relation {
    Name(ast::ObjectName),
    Query(Box<Query>),
}

fn follow(
    binder: &Binder<'_>,
    (id, name): (TableId, &str),
    views: Vec<(TableRef, Arc<ViewInfo>)>,
    relation: impl Fn(&ast::ObjectName) -> Result<Relation>,
) -> Result<Vec<Dependent>> {
    let mut changes = Vec::new();
    for (_, view) in views {
        let dialect: SqlDialect = view.dialect.parse()?;
        let mut query = parse_query(&view.sql, dialect, |query| Ok(query.clone()))?;
        let mut rewriter = Rewriter {
            binder,
            id,
            name,
            relation: &relation,
            changed: false,
            error: None,
        };
        let _ = query.visit(&mut rewriter);
        if let Some(error) = rewriter.error {
            return Err(error);
        }
        if rewriter.changed {
            changes.push(Dependent {
                id: view.id,
                sql: Some(query.to_string()),
            });
        }
    }
    Ok(changes)
}

struct Rewriter<'r, F> {
    binder: &'r Binder<'r>,
    id: TableId,
    name: &'r str,
    relation: &'r F,
    changed: bool,
    error: Option<llkv_result::Error>,
}

impl<F: Fn(&ast::ObjectName) -> Result<Relation>> Rewriter<'_, F> {
    fn rewrite(&mut self, factor: &mut TableFactor) -> Result<()> {
        let TableFactor::Table {
            name,
            alias,
            args: None,
            ..
        } = factor
        else {
            return Ok(());
        };
        let reference = self.binder.stored_reference(self.binder.table_ref(name)?)?;
        let meant = self.binder.relation_id(&reference)?;
        if meant != Some(self.id) {
            return Ok(());
        }
        self.changed = true;
        let shown = alias.clone().or_else(|| {
            let shown = ident(&reference.name);
            Some(ast::TableAlias {
                explicit: true,
                name: shown,
                columns: Vec::new(),
                at: None,
            })
        });
        match (self.relation)(name)? {
            Relation::Name(to) => {
                *name = to;
                *alias = shown;
            }
            Relation::Query(subquery) => {
                *factor = TableFactor::Derived {
                    lateral: false,
                    subquery,
                    alias: shown,
                    sample: None,
                };
            }
        }
        Ok(())
    }
}

impl<F: Fn(&ast::ObjectName) -> Result<Relation>> VisitorMut for Rewriter<'_, F> {
    type Break = ();

    fn pre_visit_query(&mut self, query: &mut Query) -> ControlFlow<()> {
        let ctes = query.with.iter().flat_map(|with| &with.cte_tables);
        for cte in ctes {
            let name = &cte.alias.name.value;
            if name.eq_ignore_ascii_case(self.name) {
                self.error = Some(CatalogError::in_use(
                    ObjectKind::Table,
                    self.name,
                    format!("a view with a common table expression \"{name}\""),
                ));
                return ControlFlow::Break(());
            }
        }
        ControlFlow::Continue(())
    }

    // After what is inside: a query that stands in the place of the table names it too.
    fn post_visit_table_factor(&mut self, factor: &mut TableFactor) -> ControlFlow<()> {
        if let Err(error) = self.rewrite(factor) {
            self.error = Some(error);
            return ControlFlow::Break(());
        }
        ControlFlow::Continue(())
    }
}
