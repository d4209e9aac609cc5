//! Foreign keys as statements define them, by places of columns, and as the catalog keeps them, by fields.

use crate::transaction::Transaction;
use llkv_plan::{ForeignKeyAction, ForeignKeyDefinition};
use llkv_result::{Error, Result};
use llkv_table::{ForeignKeyMeta, ReferentialAction, TableMeta};
use llkv_types::FieldId;

/// The stored form of a constraint of a table.
pub(crate) fn meta_of(
    transaction: &Transaction,
    child: &TableMeta,
    key: &ForeignKeyDefinition,
) -> Result<ForeignKeyMeta> {
    let fields_of = |meta: &TableMeta, columns: &[u32]| {
        let fields = columns
            .iter()
            .map(|at| meta.columns.get(*at as usize).map(|c| c.field));
        let fields: Option<Vec<FieldId>> = fields.collect();
        fields.ok_or_else(|| Error::internal("a foreign key over no column"))
    };
    let (parent, parent_fields) = match key.parent.filter(|parent| *parent != child.id) {
        None => (child.id, fields_of(child, &key.parent_columns)?),
        Some(parent) => {
            let table = transaction.table(parent, &key.name)?;
            (parent, fields_of(table.meta(), &key.parent_columns)?)
        }
    };
    Ok(ForeignKeyMeta {
        name: key.name.clone(),
        fields: fields_of(child, &key.columns)?,
        parent,
        parent_fields,
        on_delete: stored_action(key.on_delete),
        on_update: stored_action(key.on_update),
        deferrable: key.deferrable,
        initially_deferred: key.initially_deferred,
    })
}

const fn stored_action(action: ForeignKeyAction) -> ReferentialAction {
    match action {
        ForeignKeyAction::NoAction => ReferentialAction::NoAction,
        ForeignKeyAction::Restrict => ReferentialAction::Restrict,
        ForeignKeyAction::Cascade => ReferentialAction::Cascade,
        ForeignKeyAction::SetNull => ReferentialAction::SetNull,
        ForeignKeyAction::SetDefault => ReferentialAction::SetDefault,
    }
}

const fn defined_action(action: ReferentialAction) -> ForeignKeyAction {
    match action {
        ReferentialAction::NoAction => ForeignKeyAction::NoAction,
        ReferentialAction::Restrict => ForeignKeyAction::Restrict,
        ReferentialAction::Cascade => ForeignKeyAction::Cascade,
        ReferentialAction::SetNull => ForeignKeyAction::SetNull,
        ReferentialAction::SetDefault => ForeignKeyAction::SetDefault,
    }
}

/// What a stored foreign key was defined by.
pub(crate) fn definition(
    key: &ForeignKeyMeta,
    child: &TableMeta,
    parent: &TableMeta,
) -> ForeignKeyDefinition {
    let places = |table: &TableMeta, fields: &[FieldId]| {
        let place = |field: &FieldId| {
            let mut columns = table.columns.iter();
            columns.position(|c| c.field == *field).map(|at| at as u32)
        };
        fields.iter().filter_map(place).collect()
    };
    ForeignKeyDefinition {
        name: key.name.clone(),
        columns: places(child, &key.fields),
        parent: Some(key.parent),
        parent_columns: places(parent, &key.parent_fields),
        on_delete: defined_action(key.on_delete),
        on_update: defined_action(key.on_update),
        deferrable: key.deferrable,
        initially_deferred: key.initially_deferred,
    }
}
