//! FOREIGN KEY: which key of which table it refers to, and what statements have to know of those that refer
//! to theirs.

use super::{Binder, create};
use llkv_plan::{
    CascadeTarget, ForeignKeyAction, ForeignKeyDefinition, KeyDefinition, PlanColumn, Projection,
    TableDefinition, TableInfo, Triggers,
};
use llkv_result::{CatalogError, Result};
use llkv_types::{SqlType, TableId, TriggerEvent};
use sqlparser::ast::{self, ReferentialAction as A};
use std::sync::Arc;

/// What a constraint refers to.
struct Parent {
    /// None for the table that is being defined.
    id: Option<TableId>,
    name: String,
    columns: Vec<(String, SqlType)>,
    keys: Vec<KeyDefinition>,
}

/// Whether values of a type may be looked for among keys of another.
fn may_refer(own: SqlType, referred: SqlType) -> bool {
    own == referred || own.is_integer() && referred.is_integer()
}

impl Binder<'_> {
    pub(super) fn define_foreign_key(
        &self,
        key: &ast::ForeignKeyConstraint,
        table: &mut TableDefinition,
    ) -> Result<()> {
        if let Some(
            ast::ConstraintReferenceMatchKind::Full | ast::ConstraintReferenceMatchKind::Partial,
        ) = key.match_kind
        {
            return self.unsupported("MATCH FULL", &key.foreign_table);
        }
        let own = |name: &ast::Ident| {
            let mut columns = table.columns.iter();
            let at = columns.position(|c| c.name.eq_ignore_ascii_case(&name.value));
            match at {
                Some(at) => Ok(at as u32),
                None => self.column_not_found(name, table.columns.iter().map(|c| c.name.as_str())),
            }
        };
        let columns = key.columns.iter().map(own).collect::<Result<Vec<u32>>>()?;
        let parent = self.parent_of(key, table)?;
        let (columns, parent_columns) = self.match_key(key, columns, &parent)?;
        for (column, referred) in columns.iter().zip(&parent_columns) {
            let (Some(own), Some((name, ty))) = (
                table.columns.get(*column as usize),
                parent.columns.get(*referred as usize),
            ) else {
                return super::invalid("a foreign key over no column");
            };
            if !may_refer(own.ty, *ty) {
                return self.mismatch(
                    format!(
                        "column \"{}\" is {}, column \"{name}\" to which it refers {ty}",
                        own.name, own.ty
                    ),
                    &key.foreign_table,
                );
            }
        }
        let timing = key.characteristics.as_ref();
        let deferred =
            timing.and_then(|timing| timing.initially) == Some(ast::DeferrableInitial::Deferred);
        let deferrable = timing.and_then(|timing| timing.deferrable);
        if deferred && deferrable == Some(false) {
            return self.invalid("INITIALLY DEFERRED needs DEFERRABLE", &key.foreign_table);
        }
        let made = || {
            let names = columns
                .iter()
                .filter_map(|at| table.columns.get(*at as usize));
            let names: Vec<&str> = names.map(|column| column.name.as_str()).collect();
            format!("{}_{}_fkey", table.name.name, names.join("_"))
        };
        let name = create::constraint_name(table, key.name.as_ref(), made);
        table.foreign_keys.push(ForeignKeyDefinition {
            name,
            columns,
            parent: parent.id,
            parent_columns,
            on_delete: action(key.on_delete.as_ref()),
            on_update: action(key.on_update.as_ref()),
            deferrable: deferrable.unwrap_or(deferred),
            initially_deferred: deferred,
        });
        Ok(())
    }

    /// The foreign keys of a table, and those that refer to it, where its columns are `after`'s: both sides must still compare.
    pub(super) fn check_foreign_key_types(
        &self,
        after: &TableInfo,
        node: &impl super::place::Place,
    ) -> Result<()> {
        let tables = self.catalog.tables();
        let table = |id: TableId| match id == after.id {
            true => Some(after),
            false => tables.iter().map(Arc::as_ref).find(|table| table.id == id),
        };
        let referring = self.catalog.referring(after.id);
        let others = referring.iter().map(|child| child.id);
        let others = others.filter(|child| *child != after.id);
        for child in std::iter::once(after.id).chain(others) {
            for key in self.catalog.foreign_keys(child) {
                let (Some(own), Some(parent)) = (table(child), table(key.parent.unwrap_or(child)))
                else {
                    continue;
                };
                for (column, referred) in key.columns.iter().zip(&key.parent_columns) {
                    let own = own.columns.get(*column as usize);
                    let referred = parent.columns.get(*referred as usize);
                    if let Some((own, referred)) = own.zip(referred)
                        && !may_refer(own.ty, referred.ty)
                    {
                        return self.mismatch(
                            format!(
                                "foreign key \"{}\": column \"{}\" would be {}, column \"{}\" to which it refers {}",
                                key.name, own.name, own.ty, referred.name, referred.ty
                            ),
                            node,
                        );
                    }
                }
            }
        }
        Ok(())
    }

    fn parent_of(
        &self,
        key: &ast::ForeignKeyConstraint,
        table: &TableDefinition,
    ) -> Result<Parent> {
        let name = self.table_ref(&key.foreign_table)?;
        let same_schema = name.schema.is_none() || name.schema == table.name.schema;
        if same_schema && name.name.eq_ignore_ascii_case(&table.name.name) {
            let columns = table.columns.iter();
            return Ok(Parent {
                id: None,
                name: table.name.name.clone(),
                columns: columns.map(|c| (c.name.to_string(), c.ty)).collect(),
                keys: table.keys.clone(),
            });
        }
        let Some(info) = self.catalog.table(&name)? else {
            return self.table_not_found(&name, &key.foreign_table);
        };
        let columns = info.columns.iter();
        Ok(Parent {
            id: Some(info.id),
            name: info.name.clone(),
            columns: columns.map(|c| (c.name.to_string(), c.ty)).collect(),
            keys: info.keys.clone(),
        })
    }

    /// The columns of both sides, in the order of the parent's key.
    fn match_key(
        &self,
        key: &ast::ForeignKeyConstraint,
        columns: Vec<u32>,
        parent: &Parent,
    ) -> Result<(Vec<u32>, Vec<u32>)> {
        let no_key = |message: String| CatalogError::InvalidForeignKey { message }.into();
        if key.referred_columns.is_empty() {
            let Some(primary) = parent.keys.iter().find(|key| key.primary) else {
                return Err(no_key(format!(
                    "table \"{}\" has no primary key",
                    parent.name
                )));
            };
            if primary.columns.len() != columns.len() {
                return Err(no_key(
                    "a foreign key has as many columns on both sides".into(),
                ));
            }
            return Ok((columns, primary.columns.clone()));
        }
        let mut referred = Vec::with_capacity(key.referred_columns.len());
        for name in &key.referred_columns {
            let mut known = parent.columns.iter();
            match known.position(|(known, _)| known.eq_ignore_ascii_case(&name.value)) {
                Some(at) => referred.push(at as u32),
                None => {
                    let names = parent.columns.iter().map(|(name, _)| name.as_str());
                    return self.column_not_found(name, names);
                }
            }
        }
        if referred.len() != columns.len() {
            return Err(no_key(
                "a foreign key has as many columns on both sides".into(),
            ));
        }
        for known in &parent.keys {
            let places = known.columns.iter();
            let places: Option<Vec<usize>> = places
                .map(|column| referred.iter().position(|other| other == column))
                .collect();
            let Some(places) = places.filter(|places| places.len() == referred.len()) else {
                continue;
            };
            let own = places.iter().filter_map(|at| columns.get(*at).copied());
            return Ok((own.collect(), known.columns.clone()));
        }
        Err(no_key(format!(
            "table \"{}\" has no PRIMARY KEY or UNIQUE constraint over the columns that are referred to",
            parent.name
        )))
    }

    /// The tables whose rows may change in turn with those of a table.
    pub(super) fn cascades(&mut self, table: TableId) -> Result<Vec<CascadeTarget>> {
        let mut targets: Vec<CascadeTarget> = Vec::new();
        let mut waiting = vec![table];
        while let Some(parent) = waiting.pop() {
            for child in self.catalog.referring(parent) {
                if targets.iter().any(|target| target.table == child.id) {
                    continue;
                }
                targets.push(self.cascade_target(&child)?);
                waiting.push(child.id);
            }
        }
        Ok(targets)
    }

    fn cascade_target(&mut self, child: &TableInfo) -> Result<CascadeTarget> {
        let columns = child.columns.iter();
        let columns: Vec<_> = columns
            .map(|c| self.new_column(c.name.clone(), c.ty, true))
            .collect();
        let mut defaults = Vec::new();
        for (position, column) in child.columns.iter().enumerate() {
            if column.default_sql.is_some() {
                defaults.push((column.field, self.default_of(child, position)?));
            }
        }
        let (on_delete, on_change) = self.cascade_triggers(child)?;
        Ok(CascadeTarget {
            table: child.id,
            checks: self.bind_checks(child, &columns)?,
            generated: self.generated_of(child, &columns)?,
            columns,
            defaults,
            on_delete,
            on_change,
        })
    }

    fn generated_of(
        &mut self,
        table: &TableInfo,
        columns: &[PlanColumn],
    ) -> Result<Vec<(usize, Projection)>> {
        let mut values = super::alter::kept(columns);
        self.fill_generated(&mut values, table)?;
        let values = values.into_iter().enumerate().zip(&table.columns);
        let generated = values.filter(|(_, column)| column.is_computed());
        Ok(generated.map(|(value, _)| value).collect())
    }

    /// The triggers of a table's rows that go, or change, because those go or change that they refer to.
    fn cascade_triggers(&mut self, child: &TableInfo) -> Result<CascadeTriggers> {
        let (mut on_delete, mut on_change) = (None, Vec::new());
        if self.catalog.triggers(child.id).is_empty() {
            return Ok((on_delete, on_change));
        }
        let keys = self.catalog.foreign_keys(child.id);
        if keys
            .iter()
            .any(|key| key.on_delete == ForeignKeyAction::Cascade)
        {
            on_delete = self.bind_triggers_within(child, &[TriggerEvent::Delete], &[])?;
        }
        for key in keys.iter().filter(|key| changes_rows(key)) {
            let changed: Vec<usize> = key.columns.iter().map(|at| *at as usize).collect();
            let triggers = self.bind_triggers_within(child, &[TriggerEvent::Update], &changed)?;
            on_change.extend(triggers.map(|triggers| (key.name.clone(), triggers)));
        }
        Ok((on_delete, on_change))
    }
}

/// Triggers of rows that go, and of rows that change, by the name of the foreign key.
type CascadeTriggers = (Option<Triggers>, Vec<(String, Triggers)>);

/// True for a constraint that gives rows of its table other values.
fn changes_rows(key: &ForeignKeyDefinition) -> bool {
    use ForeignKeyAction::{Cascade, SetDefault, SetNull};
    matches!(key.on_delete, SetNull | SetDefault)
        || matches!(key.on_update, Cascade | SetNull | SetDefault)
}

fn action(action: Option<&A>) -> ForeignKeyAction {
    match action {
        None | Some(A::NoAction) => ForeignKeyAction::NoAction,
        Some(A::Restrict) => ForeignKeyAction::Restrict,
        Some(A::Cascade) => ForeignKeyAction::Cascade,
        Some(A::SetNull) => ForeignKeyAction::SetNull,
        Some(A::SetDefault) => ForeignKeyAction::SetDefault,
    }
}
