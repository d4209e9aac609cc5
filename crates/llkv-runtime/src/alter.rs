//! ALTER TABLE: another definition, and rows that are checked or written anew where it asks for that.

use crate::checks::RowChecks;
use crate::transaction::Transaction;
use crate::{RuntimeSession, deferral, foreign_key_changes, query, sequences};
use arrow::array::ArrayRef;
use llkv_plan::{
    AlterAction, AlterTable, ColumnDefinition, Dependent, SequenceDefinition, TableRef, TableTexts,
};
use llkv_result::{CatalogError, Error, ObjectKind, Result, StatementResult};
use llkv_table::{
    CatalogObject, CheckMeta, ColMeta, Generated, IndexMeta, KeyMeta, OnConflict, Table, TableMeta,
    TriggerMeta, ViewMeta,
};
use llkv_types::{Collation, FieldId, SqlType};
use std::sync::Arc;

const TAG: &str = "ALTER TABLE";

pub(crate) fn alter_table(
    session: &mut RuntimeSession,
    transaction: &mut Transaction,
    alter: AlterTable,
) -> Result<StatementResult> {
    transaction.check_writable(TAG)?;
    let done = StatementResult::Catalog { tag: TAG };
    match &alter.action {
        AlterAction::Nothing => return Ok(done),
        AlterAction::RenameObject { kind, object, name } => {
            follow(transaction, &alter.dependents)?;
            rename_object(transaction, *kind, object, name)?;
            return Ok(done);
        }
        _ => {}
    }
    let table = transaction.table(alter.table, &alter.table_name)?;
    let only_renames = matches!(
        alter.action,
        AlterAction::RenameTable { .. } | AlterAction::RenameColumn { .. }
    );
    // What waits names its constraint, and holds keys of the types that the columns had.
    if !only_renames && deferral::has_pending(transaction, &table) {
        let table = alter.table_name.clone();
        return Err(CatalogError::ForeignKeysPending { table }.into());
    }
    let Some(mut change) = Change::new(&table, &alter.action)? else {
        return Ok(done);
    };
    if !alter.violations.is_empty() {
        transaction.reads().by_constraint(table.id());
    }
    for (rows, error) in alter.violations {
        if has_rows(session, transaction, rows)? {
            return Err(error.into());
        }
    }
    let cascade = match &alter.action {
        AlterAction::DropColumn { cascade, .. } | AlterAction::DropConstraint { cascade, .. } => {
            *cascade
        }
        _ => false,
    };
    foreign_key_changes::before_alter(transaction, &table, &mut change.meta, cascade)?;
    let table = transaction.table(alter.table, &alter.table_name)?;
    if let AlterAction::AddForeignKey(key) = &alter.action {
        let enforced = session.settings.foreign_keys;
        foreign_key_changes::add(transaction, &table, key, enforced)?;
        return Ok(done);
    }
    follow(transaction, &alter.dependents)?;
    for sequence in transaction.catalog().sequences_of(&table) {
        let meta = sequence.meta();
        let goes = meta
            .owner
            .is_some_and(|(_, field)| change.gone.contains(&field));
        if goes {
            let temporary = transaction.catalog().is_temporary(meta.id);
            transaction.drop_object(ObjectKind::Sequence, meta.schema, &meta.name, temporary)?;
        }
    }
    match alter.rows {
        Some(rows) => {
            let columns = rows.columns();
            let checks = RowChecks::new(&alter.checks, &columns, &alter.table_name)?;
            let execution = query::execute(session, transaction, rows)?;
            rewrite(session, transaction, &table, change, (execution, &checks))?;
        }
        None => {
            let indexes = change.indexes(&table);
            let handle = transaction.handle(&table)?;
            let altered = table.altered(change.meta, indexes, change.fill)?;
            transaction.change(CatalogObject::Table(Arc::clone(&altered)))?;
            if let Some((sequence, field)) = &change.sequence {
                let temporary = transaction.catalog().is_temporary(altered.id());
                let owner = Some((altered.id(), *field));
                sequences::create(session, transaction, sequence, temporary, owner)?;
            }
            if let Some(index) = change.new_key {
                let key = altered.keys().iter().find(|key| key.index().0 == index);
                let key = key.ok_or_else(|| Error::internal("a key that is not there"))?;
                let (memory, cancel) = (&session.context.memory, &session.settings.cancel);
                key.check_rows(&altered.meta().name, &handle, memory, cancel)?;
                transaction.reads().by_constraint(altered.id());
            }
        }
    }
    Ok(done)
}

/// True when a query gives a row.
fn has_rows(
    session: &mut RuntimeSession,
    transaction: &Transaction,
    rows: llkv_plan::LogicalPlan,
) -> Result<bool> {
    let mut execution = query::execute(session, transaction, rows)?;
    while let Some(batch) = execution.next_batch()? {
        if batch.num_rows() > 0 {
            return Ok(true);
        }
    }
    Ok(false)
}

/// A definition to come.
struct Change {
    meta: TableMeta,
    /// What the rows that there are hold in a new column.
    fill: Option<(FieldId, ArrayRef)>,
    /// Columns that go, or become others.
    gone: Vec<FieldId>,
    /// The index of a key that is new.
    new_key: Option<u32>,
    /// A sequence of a column: it numbers the rows that are written anew in that column, which is the last.
    sequence: Option<(SequenceDefinition, FieldId)>,
}

impl Change {
    /// The definition after a change; none where nothing changes.
    fn new(table: &Table, action: &AlterAction) -> Result<Option<Self>> {
        let mut change = Self {
            meta: table.meta().clone(),
            fill: None,
            gone: Vec::new(),
            new_key: None,
            sequence: None,
        };
        let meta = &mut change.meta;
        match action {
            AlterAction::AddColumn {
                column,
                value,
                sequence,
            } => {
                let field = add_column(meta, column);
                change.sequence = sequence.clone().map(|sequence| (sequence, field));
                if !value.is_null() {
                    change.fill = Some((field, value.to_array(1)?));
                }
            }
            AlterAction::DropColumn { field, checks, .. } => {
                meta.columns.retain(|column| column.field != *field);
                meta.checks.retain(|check| !checks.contains(&check.name));
                meta.keys.retain(|key| !key.fields.contains(field));
                meta.foreign_keys.retain(|key| !key.fields.contains(field));
                change.gone.push(*field);
            }
            AlterAction::RenameColumn { field, name, texts } => {
                name.clone_into(&mut column_of(meta, *field)?.name);
                set_texts(meta, texts);
            }
            AlterAction::RenameTable { name, texts } => {
                name.clone_into(&mut meta.name);
                set_texts(meta, texts);
            }
            AlterAction::SetDefault { field, default_sql } => {
                column_of(meta, *field)?.default_sql.clone_from(default_sql);
            }
            AlterAction::AddIdentity {
                field,
                default_sql,
                always,
                sequence,
            } => {
                let column = column_of(meta, *field)?;
                column.default_sql = Some(default_sql.clone());
                column.generated = Some(Generated::Identity { always: *always });
                change.sequence = Some((sequence.clone(), *field));
            }
            AlterAction::SetNullable { field, nullable } => {
                column_of(meta, *field)?.nullable = *nullable;
            }
            AlterAction::SetType {
                field,
                ty,
                declared,
            } => {
                let new = FieldId(meta.next_field);
                meta.next_field += 1;
                let column = column_of(meta, *field)?;
                (column.field, column.ty) = (new, *ty);
                column.declared.clone_from(declared);
                if *ty == SqlType::Variant {
                    // A number has no collation in a key; what may be a text has.
                    let collation = column.collation;
                    let keys = meta.keys.iter_mut();
                    keys.for_each(|key| collate_key(key, *field, collation));
                }
                let fields = meta.keys.iter_mut().flat_map(|key| &mut key.fields);
                let foreign = meta.foreign_keys.iter_mut();
                let fields = fields.chain(foreign.flat_map(|key| &mut key.fields));
                fields
                    .filter(|known| **known == *field)
                    .for_each(|known| *known = new);
            }
            AlterAction::AddCheck(check) => {
                check_free_constraint(meta, &check.name)?;
                meta.checks.push(CheckMeta {
                    name: check.name.clone(),
                    sql: check.sql.clone(),
                });
            }
            AlterAction::AddKey(key) => {
                check_free_constraint(meta, &key.name)?;
                let mut fields = Vec::with_capacity(key.columns.len());
                for position in &key.columns {
                    let column = meta.columns.get_mut(*position as usize);
                    let column = column.ok_or_else(|| Error::internal("a key over no column"))?;
                    column.nullable = column.nullable && !key.primary;
                    fields.push(column.field);
                }
                meta.keys.push(KeyMeta {
                    name: key.name.clone(),
                    primary: key.primary,
                    fields,
                    index: meta.next_index,
                    collations: llkv_table::unless_binary(key.collations.clone()),
                });
                change.new_key = Some(meta.next_index);
                meta.next_index += 1;
            }
            AlterAction::AddForeignKey(_) => {}
            AlterAction::DropConstraint {
                name, if_exists, ..
            } => {
                if !drop_constraint(meta, name) {
                    if *if_exists {
                        return Ok(None);
                    }
                    return Err(no_constraint(name));
                }
            }
            AlterAction::RenameConstraint { name, new_name } => {
                let is_it = |known: &&mut String| known.eq_ignore_ascii_case(name);
                constraint_names(meta)
                    .find(is_it)
                    .ok_or_else(|| no_constraint(name))?;
                check_free_constraint(meta, new_name)?;
                let slot = constraint_names(meta).find(|known| known.eq_ignore_ascii_case(name));
                let slot = slot.ok_or_else(|| no_constraint(name))?;
                new_name.clone_into(slot);
            }
            other => return Err(Error::internal(format!("{other:?} of a table"))),
        }
        Ok(Some(change))
    }

    /// The indexes that the table keeps.
    fn indexes(&self, table: &Table) -> Vec<Arc<IndexMeta>> {
        let of_gone = |index: &IndexMeta| {
            let mut columns = index.columns.iter();
            columns.any(|column| self.gone.contains(&column.field))
        };
        let indexes = table.indexes().iter();
        indexes.filter(|index| !of_gone(index)).cloned().collect()
    }
}

/// Texts of a field in a key compare by a collation from now on.
fn collate_key(key: &mut KeyMeta, field: FieldId, collation: Collation) {
    let mut collations: Vec<Collation> = (0..key.fields.len())
        .map(|at| key.collations.get(at).copied().unwrap_or_default())
        .collect();
    for (own, slot) in key.fields.iter().zip(&mut collations) {
        if *own == field && slot.is_binary() {
            *slot = collation;
        }
    }
    key.collations = llkv_table::unless_binary(collations);
}

fn add_column(meta: &mut TableMeta, column: &ColumnDefinition) -> FieldId {
    let field = FieldId(meta.next_field);
    meta.next_field += 1;
    meta.columns.push(ColMeta {
        field,
        name: column.name.clone(),
        ty: column.ty,
        nullable: column.nullable,
        default_sql: column.default_sql.clone(),
        generated: column.generated.as_ref().map(crate::ddl::generated),
        declared: column.declared.clone(),
        collation: column.collation,
    });
    field
}

fn column_of(meta: &mut TableMeta, field: FieldId) -> Result<&mut ColMeta> {
    let mut columns = meta.columns.iter_mut();
    let column = columns.find(|column| column.field == field);
    column.ok_or_else(|| Error::internal("a column that is not there"))
}

fn set_texts(meta: &mut TableMeta, texts: &TableTexts) {
    for (check, sql) in meta.checks.iter_mut().zip(&texts.checks) {
        sql.clone_into(&mut check.sql);
    }
    for (field, sql) in &texts.generated {
        let mut columns = meta.columns.iter_mut();
        if let Some(column) = columns.find(|column| column.field == *field) {
            column.generated = Some(Generated::Expression(sql.clone()));
        }
    }
}

/// The names of all constraints of a table.
fn constraint_names(meta: &mut TableMeta) -> impl Iterator<Item = &mut String> {
    let keys = meta.keys.iter_mut().map(|key| &mut key.name);
    let checks = meta.checks.iter_mut().map(|check| &mut check.name);
    let foreign = meta.foreign_keys.iter_mut().map(|key| &mut key.name);
    keys.chain(checks).chain(foreign)
}

pub(crate) fn check_free_constraint(meta: &mut TableMeta, name: &str) -> Result<()> {
    if constraint_names(meta).any(|known| known.eq_ignore_ascii_case(name)) {
        return Err(CatalogError::AlreadyExists {
            kind: ObjectKind::Constraint,
            name: name.to_owned(),
        }
        .into());
    }
    Ok(())
}

/// Takes a constraint out; false where there is none of the name.
fn drop_constraint(meta: &mut TableMeta, name: &str) -> bool {
    let before = constraint_names(meta).count();
    meta.keys.retain(|key| !key.name.eq_ignore_ascii_case(name));
    meta.checks
        .retain(|check| !check.name.eq_ignore_ascii_case(name));
    meta.foreign_keys
        .retain(|key| !key.name.eq_ignore_ascii_case(name));
    constraint_names(meta).count() < before
}

pub(crate) fn no_constraint(name: &str) -> Error {
    CatalogError::NotFound {
        kind: ObjectKind::Constraint,
        name: name.to_owned(),
    }
    .into()
}

/// Writes all rows of a table anew, as another table in its place: older snapshots go on reading the former
/// one.
fn rewrite(
    session: &RuntimeSession,
    transaction: &mut Transaction,
    table: &Arc<Table>,
    change: Change,
    (mut execution, checks): (llkv_executor::SelectExecution, &RowChecks<'_>),
) -> Result<()> {
    let temporary = transaction.catalog().is_temporary(table.id());
    let before = table.meta();
    let kept = change.indexes(table);
    let mut meta = change.meta;
    let field_now = |field: FieldId| {
        let mut fields = before.columns.iter().zip(&meta.columns);
        fields
            .find(|(column, _)| column.field == field)
            .map(|(_, column)| column.field)
    };
    let mut indexes = Vec::with_capacity(kept.len());
    for index in &kept {
        let mut again = index.as_ref().clone();
        for column in &mut again.columns {
            let now = field_now(column.field).unwrap_or(column.field);
            let is_variant = |c: &&ColMeta| c.field == now && c.ty == SqlType::Variant;
            if let Some(widened) = meta.columns.iter().find(is_variant)
                && now != column.field
                && column.collation.is_binary()
            {
                column.collation = widened.collation;
            }
            column.field = now;
        }
        indexes.push(again);
    }
    meta.id = session.context.new_object_id()?;
    transaction.reads().by_constraint(table.id());
    let fields: Vec<(FieldId, FieldId)> = before
        .columns
        .iter()
        .zip(&meta.columns)
        .map(|(then, now)| (then.field, now.field))
        .collect();
    let id = meta.id;
    let triggers = transaction.catalog().triggers(table.id()).to_vec();
    for sequence in transaction.catalog().sequences_of(table) {
        let mut again = sequence.meta().clone();
        let owner = again.owner.map(|(_, field)| field);
        let moved = owner.and_then(|field| fields.iter().find(|(then, _)| *then == field));
        again.owner = moved.map(|(_, now)| (id, *now));
        let again = Arc::new(sequence.altered(again));
        transaction.change(CatalogObject::Sequence(again))?;
    }
    transaction.drop_object(ObjectKind::Table, before.schema, &before.name, temporary)?;
    foreign_key_changes::retarget(&mut meta, (table.id(), id), &fields);
    let new = Table::new(meta)?;
    transaction.create(CatalogObject::Table(Arc::clone(&new)), temporary)?;
    foreign_key_changes::follow_parent(transaction, table.id(), &new, &fields)?;
    for mut index in indexes {
        index.id = session.context.new_object_id()?;
        index.table = new.id();
        transaction.create(CatalogObject::Index(Arc::new(index)), temporary)?;
    }
    // The oldest first: their ids are the order in which they fire.
    for trigger in triggers.iter().rev() {
        let mut again = trigger.as_ref().clone();
        again.id = session.context.new_object_id()?;
        again.table = new.id();
        transaction.create(CatalogObject::Trigger(Arc::new(again)), temporary)?;
    }
    let mut numbers = None;
    if let Some((sequence, field)) = &change.sequence {
        let owner = Some((new.id(), *field));
        let sequence = sequences::create(session, transaction, sequence, temporary, owner)?;
        numbers = Some(sequence);
    }
    let new = transaction.table(new.id(), &before.name)?;
    while let Some(mut batch) = execution.next_batch()? {
        if let Some(sequence) = &numbers {
            batch = sequences::number_last_column(sequence, &batch)?;
        }
        checks.check(&batch)?;
        transaction.append(&new, batch, OnConflict::Error)?;
    }
    Ok(())
}

fn rename_object(
    transaction: &mut Transaction,
    kind: ObjectKind,
    object: &TableRef,
    name: &str,
) -> Result<()> {
    let found = transaction.find(kind, object).cloned();
    let renamed = match found {
        Some(CatalogObject::View(view)) if kind == ObjectKind::View => {
            let mut view = view.as_ref().clone();
            name.clone_into(&mut view.name);
            CatalogObject::View(Arc::new(view))
        }
        Some(CatalogObject::Index(index)) if kind == ObjectKind::Index => {
            let mut index = index.as_ref().clone();
            name.clone_into(&mut index.name);
            CatalogObject::Index(Arc::new(index))
        }
        _ => {
            let name = object.name.clone();
            return Err(CatalogError::NotFound { kind, name }.into());
        }
    };
    transaction.change(renamed)
}

/// Views and triggers with the texts that they have from now on, or without those that go.
fn follow(transaction: &mut Transaction, dependents: &[Dependent]) -> Result<()> {
    for dependent in dependents {
        let catalog = transaction.catalog();
        let temporary = catalog.is_temporary(dependent.id);
        let has_id = |object: &&CatalogObject| object.id() == dependent.id;
        let found = catalog.objects().find(has_id).cloned();
        let Some(found) = found else {
            continue;
        };
        let Some(sql) = dependent.sql.clone() else {
            let (kind, schema) = (found.kind(), found.schema());
            transaction.drop_object(kind, schema, found.name(), temporary)?;
            continue;
        };
        transaction.change(match found {
            CatalogObject::View(view) => CatalogObject::View(Arc::new(ViewMeta {
                sql,
                ..view.as_ref().clone()
            })),
            CatalogObject::Trigger(trigger) => CatalogObject::Trigger(Arc::new(TriggerMeta {
                sql,
                ..trigger.as_ref().clone()
            })),
            other => {
                let what = format!("{other:?} has no text to follow");
                return Err(Error::internal(what));
            }
        })?;
    }
    Ok(())
}
