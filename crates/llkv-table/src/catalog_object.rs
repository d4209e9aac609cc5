//! What the catalog holds: tables, views, indexes, triggers, schemas, sequences.

use crate::catalog::{ObjectKey, RowKind, key_in};
use crate::meta::{INDEX_VERSION, VIEW_VERSION, encode, encode_as, encode_table};
use crate::{
    IndexMeta, MAIN_SCHEMA, SCHEMAS, SchemaMeta, Sequence, SequenceMeta, Table, TriggerMeta,
    ViewMeta,
};
use llkv_result::ObjectKind;
use llkv_types::TableId;
use std::sync::Arc;

/// An object that has a name.
#[derive(Debug, Clone)]
pub enum CatalogObject {
    /// A base table.
    Table(Arc<Table>),
    /// A view.
    View(Arc<ViewMeta>),
    /// An index of a table.
    Index(Arc<IndexMeta>),
    /// A trigger of a table or view.
    Trigger(Arc<TriggerMeta>),
    /// A schema.
    Schema(Arc<SchemaMeta>),
    /// A sequence.
    Sequence(Arc<Sequence>),
}

impl CatalogObject {
    /// The name as created.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Table(table) => &table.meta().name,
            Self::View(view) => &view.name,
            Self::Index(index) => &index.name,
            Self::Trigger(trigger) => &trigger.name,
            Self::Schema(schema) => &schema.name,
            Self::Sequence(sequence) => &sequence.meta().name,
        }
    }

    /// The identity.
    #[must_use]
    pub fn id(&self) -> TableId {
        match self {
            Self::Table(table) => table.id(),
            Self::View(view) => view.id,
            Self::Index(index) => index.id,
            Self::Trigger(trigger) => trigger.id,
            Self::Schema(schema) => schema.id,
            Self::Sequence(sequence) => sequence.meta().id,
        }
    }

    /// Its schema.
    #[must_use]
    pub fn schema(&self) -> TableId {
        match self {
            Self::Table(table) => table.meta().schema,
            Self::View(view) => view.schema,
            Self::Index(index) => index.schema,
            // Their names are one for all schemas.
            Self::Trigger(_) => MAIN_SCHEMA,
            Self::Schema(_) => SCHEMAS,
            Self::Sequence(sequence) => sequence.meta().schema,
        }
    }

    /// Under which the catalog keeps it.
    pub(crate) fn key(&self) -> ObjectKey {
        key_in(self.kind(), self.schema(), self.name())
    }

    /// True for the very same value.
    pub(crate) fn is(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Table(a), Self::Table(b)) => Arc::ptr_eq(a, b),
            (Self::View(a), Self::View(b)) => Arc::ptr_eq(a, b),
            (Self::Index(a), Self::Index(b)) => Arc::ptr_eq(a, b),
            (Self::Trigger(a), Self::Trigger(b)) => Arc::ptr_eq(a, b),
            (Self::Schema(a), Self::Schema(b)) => Arc::ptr_eq(a, b),
            (Self::Sequence(a), Self::Sequence(b)) => Arc::ptr_eq(a, b) || a.is_same(b),
            _ => false,
        }
    }

    /// The record of it.
    pub(crate) fn record(&self) -> (RowKind, TableId, Vec<u8>) {
        match self {
            Self::Table(table) => (RowKind::Table, table.id(), encode_table(table.meta())),
            Self::View(view) => {
                let view = view.as_ref();
                (RowKind::View, view.id, encode_as(VIEW_VERSION, view))
            }
            Self::Index(index) => {
                let index = index.as_ref();
                (RowKind::Index, index.id, encode_as(INDEX_VERSION, index))
            }
            Self::Trigger(trigger) => {
                (RowKind::Trigger, trigger.id, encode::<TriggerMeta>(trigger))
            }
            Self::Schema(schema) => (RowKind::Schema, schema.id, encode::<SchemaMeta>(schema)),
            Self::Sequence(sequence) => {
                // A new one may have given numbers to the transaction that created it.
                let meta = match sequence.meta().last {
                    None => sequence.meta_now(),
                    Some(_) => sequence.meta().clone(),
                };
                (RowKind::Sequence, meta.id, encode::<SequenceMeta>(&meta))
            }
        }
    }

    /// What it is.
    #[must_use]
    pub fn kind(&self) -> ObjectKind {
        match self {
            Self::Table(_) => ObjectKind::Table,
            Self::View(_) => ObjectKind::View,
            Self::Index(_) => ObjectKind::Index,
            Self::Trigger(_) => ObjectKind::Trigger,
            Self::Schema(_) => ObjectKind::Schema,
            Self::Sequence(_) => ObjectKind::Sequence,
        }
    }
}
