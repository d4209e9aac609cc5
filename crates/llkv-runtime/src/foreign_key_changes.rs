//! Foreign keys of tables that come, change and go.

use crate::foreign_key_definition::meta_of;
use crate::foreign_keys::violation;
use crate::transaction::Transaction;
use llkv_plan::{ForeignKeyDefinition, TableRef};
use llkv_result::{BindError, CatalogError, ObjectKind, Result};
use llkv_table::{CatalogObject, ForeignKeyMeta, Reference, ScanRequest, Table, TableMeta};
use llkv_types::{FieldId, TableId};
use std::sync::Arc;

/// A table with foreign keys came: transactions that change its parents have to know.
pub(crate) fn check_parents(transaction: &mut Transaction, child: &Arc<Table>) -> Result<()> {
    for key in &child.meta().foreign_keys {
        let catalog = transaction.catalog();
        if catalog.is_temporary(key.parent) != catalog.is_temporary(child.id()) {
            return Err(CatalogError::InvalidTable {
                message: "a foreign key cannot join a temporary table and one that stays".into(),
            }
            .into());
        }
        if key.parent != child.id() {
            transaction.touch(key.parent)?;
        }
    }
    Ok(())
}

/// ADD FOREIGN KEY: the rows that there are must have their parents, unless foreign keys are not enforced.
pub(crate) fn add(
    transaction: &mut Transaction,
    child: &Arc<Table>,
    key: &ForeignKeyDefinition,
    enforced: bool,
) -> Result<()> {
    let mut meta = child.meta().clone();
    crate::alter::check_free_constraint(&mut meta, &key.name)?;
    let key = meta_of(transaction, &meta, key)?;
    let parent = key.parent;
    meta.foreign_keys.push(key.clone());
    let altered = redefine(transaction, child, meta)?;
    check_parents(transaction, &altered)?;
    if !enforced {
        return Ok(());
    }
    let child = transaction.table(altered.id(), &altered.meta().name)?;
    let parent = transaction.table(parent, &key.name)?;
    let reference = Reference::new(&child, &parent, &key)?;
    let handle = transaction.handle(&child)?;
    let request = ScanRequest::new(key.fields.clone());
    let scan = handle.scan_stream(&request)?;
    scan.for_each_batch(|batch| {
        transaction.patience.cancel.check()?;
        let keys = reference.keys_of_columns(batch.columns())?;
        let missing = transaction.missing_keys(&reference, &keys, false)?;
        if !missing.is_empty() || keys.is_beyond() {
            return Err(violation(&reference));
        }
        Ok(())
    })?;
    transaction.reads().by_constraint(child.id());
    transaction.reads().by_constraint(parent.id());
    Ok(())
}

/// Tables are about to go: foreign keys of others stand in the way, or go too.
pub(crate) fn before_drop(
    transaction: &mut Transaction,
    names: &[TableRef],
    cascade: bool,
) -> Result<()> {
    let names = names.iter();
    let dropped: Vec<TableId> = names
        .filter_map(|name| match transaction.find(ObjectKind::Table, name)? {
            CatalogObject::Table(table) => Some(table.id()),
            _ => None,
        })
        .collect();
    before_drop_of(transaction, &dropped, cascade)
}

/// The same by their ids.
pub(crate) fn before_drop_of(
    transaction: &mut Transaction,
    dropped: &[TableId],
    cascade: bool,
) -> Result<()> {
    let refers = |key: &ForeignKeyMeta| dropped.contains(&key.parent);
    drop_references(transaction, refers, dropped, cascade)
}

/// Drops the foreign keys that `goes` tells of all tables but some, or refuses to.
fn drop_references(
    transaction: &mut Transaction,
    goes: impl Fn(&ForeignKeyMeta) -> bool,
    but: &[TableId],
    cascade: bool,
) -> Result<()> {
    let catalog = Arc::clone(transaction.catalog());
    for child in catalog.tables_with_foreign_keys() {
        if but.contains(&child.id()) {
            continue;
        }
        let Some(key) = child.meta().foreign_keys.iter().find(|key| goes(key)) else {
            continue;
        };
        if !cascade {
            let parent = catalog.table(key.parent);
            let parent = parent.map_or("", |table| table.meta().name.as_str());
            let (key, child) = (&key.name, &child.meta().name);
            let dependent = format!("constraint \"{key}\" of table \"{child}\"");
            return Err(CatalogError::in_use(ObjectKind::Table, parent, dependent));
        }
        let mut meta = child.meta().clone();
        meta.foreign_keys.retain(|key| !goes(key));
        redefine(transaction, child, meta)?;
    }
    Ok(())
}

/// A table is about to have another definition: foreign keys that rest on a key which it has not any more
/// stand in the way, or go too.
pub(crate) fn before_alter(
    transaction: &mut Transaction,
    table: &Arc<Table>,
    after: &mut TableMeta,
    cascade: bool,
) -> Result<()> {
    let stays = |index| after.keys.iter().any(|key| key.index == index);
    let gone: Vec<&[FieldId]> = table
        .meta()
        .keys
        .iter()
        .filter(|key| !stays(key.index))
        .map(|key| key.fields.as_slice())
        .collect();
    if gone.is_empty() {
        return Ok(());
    }
    let rests = |key: &ForeignKeyMeta| {
        key.parent == table.id() && gone.contains(&key.parent_fields.as_slice())
    };
    // Its own are those that it has afterwards: one goes with a column, without a word.
    if let (Some(key), false) = (after.foreign_keys.iter().find(|key| rests(key)), cascade) {
        let dependent = format!("constraint \"{}\"", key.name);
        return Err(CatalogError::in_use(
            ObjectKind::Table,
            &after.name,
            dependent,
        ));
    }
    after.foreign_keys.retain(|key| !rests(key));
    drop_references(transaction, rests, &[table.id()], cascade)
}

/// Has foreign keys refer to the table that takes the place of another, field by field.
pub(crate) fn retarget(
    meta: &mut TableMeta,
    (from, to): (TableId, TableId),
    fields: &[(FieldId, FieldId)],
) {
    let now = |field: FieldId| {
        let mut fields = fields.iter();
        fields
            .find(|(then, _)| *then == field)
            .map_or(field, |(_, now)| *now)
    };
    for key in meta
        .foreign_keys
        .iter_mut()
        .filter(|key| key.parent == from)
    {
        key.parent = to;
        key.parent_fields
            .iter_mut()
            .for_each(|field| *field = now(*field));
    }
}

/// The tables that refer to one whose rows were written anew follow it.
pub(crate) fn follow_parent(
    transaction: &mut Transaction,
    from: TableId,
    parent: &Arc<Table>,
    fields: &[(FieldId, FieldId)],
) -> Result<()> {
    let catalog = Arc::clone(transaction.catalog());
    for child in catalog.tables_with_foreign_keys() {
        if !child
            .meta()
            .foreign_keys
            .iter()
            .any(|key| key.parent == from)
        {
            continue;
        }
        let mut meta = child.meta().clone();
        retarget(&mut meta, (from, parent.id()), fields);
        for key in meta
            .foreign_keys
            .iter()
            .filter(|key| key.parent == parent.id())
        {
            let pairs = key.fields.iter().zip(&key.parent_fields);
            for (own, referred) in pairs {
                let ty = |table: &TableMeta, field: FieldId| {
                    let mut columns = table.columns.iter();
                    columns.find(|c| c.field == field).map(|c| c.ty)
                };
                let (own, referred) = (ty(&meta, *own), ty(parent.meta(), *referred));
                let integers = [own, referred].iter().flatten().all(|ty| ty.is_integer());
                if own != referred && !integers {
                    return Err(BindError::TypeMismatch {
                        message: format!("foreign key \"{}\" would join two types", key.name),
                        span: None,
                    }
                    .into());
                }
            }
        }
        redefine(transaction, child, meta)?;
    }
    Ok(())
}

/// A table with its indexes and another definition.
fn redefine(transaction: &mut Transaction, table: &Table, meta: TableMeta) -> Result<Arc<Table>> {
    let altered = table.altered(meta, table.indexes().to_vec(), None)?;
    transaction.change(CatalogObject::Table(Arc::clone(&altered)))?;
    Ok(altered)
}
