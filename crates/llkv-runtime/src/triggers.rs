//! CREATE TRIGGER and DROP TRIGGER.

use crate::RuntimeSession;
use crate::ddl::{self, IfExists, make_room};
use crate::schemas::is_temporary_schema;
use crate::transaction::Transaction;
use llkv_plan::{TableRef, TriggerDefinition};
use llkv_result::{ObjectKind, Result, StatementResult};
use llkv_table::{CatalogObject, TriggerMeta};
use std::sync::Arc;

/// CREATE TRIGGER. That of a temporary table or view is temporary like it.
pub(crate) fn create_trigger(
    session: &RuntimeSession,
    transaction: &mut Transaction,
    definition: TriggerDefinition,
    if_not_exists: bool,
) -> Result<StatementResult> {
    let tag = "CREATE TRIGGER";
    transaction.check_writable(tag)?;
    let name = &definition.name;
    let temporary = definition.temporary
        || is_temporary_schema(name)
        || transaction.catalog().is_temporary(definition.table);
    let existing = IfExists::new(if_not_exists, false);
    if make_room(transaction, ObjectKind::Trigger, name, temporary, existing)? {
        let trigger = TriggerMeta {
            id: session.context.new_object_id()?,
            name: definition.name.name,
            table: definition.table,
            time: definition.time,
            event: definition.event,
            sql: definition.sql,
            dialect: definition.dialect,
        };
        transaction.create(CatalogObject::Trigger(Arc::new(trigger)), temporary)?;
    }
    Ok(StatementResult::Catalog { tag })
}

/// DROP TRIGGER.
pub(crate) fn drop_triggers(
    transaction: &mut Transaction,
    names: &[TableRef],
    if_exists: bool,
) -> Result<StatementResult> {
    let (kind, tag) = (ObjectKind::Trigger, "DROP TRIGGER");
    ddl::drop_objects(transaction, kind, names, if_exists, tag)
}
