//! Foreign keys: what a statement wrote and took away is looked at in whole batches, through the index of the
//! parent's key.
//!
//! A row of the child refers to a key of the parent. When a statement writes rows of a child, the keys that the
//! parent has not are remembered; when it takes keys of a parent away, their children go, change, or are
//! remembered too. What was remembered is looked at once more at the end of the statement, or of the
//! transaction where the constraint is deferred: a key that no parent has and that a child refers to is an
//! error.

use crate::checks::RowChecks;
use crate::deferral::Deferral;
use crate::row_values::prepare;
use crate::settings::SessionSettings;
use crate::transaction::Transaction;
use arrow::array::{ArrayRef, BooleanArray, RecordBatch, RecordBatchOptions};
use arrow::compute::{concat_batches, filter_record_batch};
use arrow::datatypes::{Field, Schema};
use llkv_plan::CascadeTarget;
use llkv_result::{ConstraintError, Result};
use llkv_table::{
    CatalogState, ForeignKeyMeta, OnConflict, Reference, ReferentialAction, ReferredKeys, Table,
};
use llkv_types::{FieldId, RowId, TableId};
use roaring::RoaringTreemap;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

/// Rows that are read at a time.
const CHUNK_ROWS: usize = 8_192;

/// Keys that must be there, or referred to by nobody, when it is looked.
#[derive(Debug, Clone)]
pub(crate) struct PendingKeys {
    pub(crate) child: TableId,
    /// The constraint's name.
    pub(crate) name: String,
    keys: ReferredKeys,
}

impl PendingKeys {
    /// Their constraint and its table; `None` once it is gone.
    pub(crate) fn constraint<'c>(
        &self,
        catalog: &'c CatalogState,
    ) -> Option<(&'c Arc<Table>, &'c ForeignKeyMeta)> {
        let child = catalog.table(self.child)?;
        let mut keys = child.meta().foreign_keys.iter();
        let key = keys.find(|key| key.name == self.name)?;
        Some((child, key))
    }
}

/// Rows that went, or got other values.
pub(crate) struct Removed {
    pub(crate) table: Arc<Table>,
    pub(crate) old: RecordBatch,
    pub(crate) new: Option<RecordBatch>,
}

/// Rows of a child that a constraint changes.
pub(crate) struct Affected {
    /// The keys of the parent that they refer to.
    pub(crate) keys: ReferredKeys,
    /// The rows, each with the number of its key.
    pub(crate) rows: Vec<(RowId, u32)>,
    /// What the columns of the constraint get; the rows go where absent.
    pub(crate) values: Option<Vec<ArrayRef>>,
}

/// What one statement does, as far as foreign keys are concerned.
pub(crate) struct ForeignKeys<'a> {
    table: Arc<Table>,
    /// The statement's table refers to others.
    has_parents: bool,
    /// Others refer to it.
    has_children: bool,
    deferral: Deferral,
    pending: Vec<PendingKeys>,
    /// Rows of the statement's table that got other values, as they were and as they are: one change, however many parts
    /// they came in, lest a new key of one part passes for the old key of a later one.
    parts: Vec<(RecordBatch, RecordBatch)>,
    pub(crate) removed: VecDeque<Removed>,
    pub(crate) targets: &'a [CascadeTarget],
}

/// The foreign keys of a table.
fn parents_of(catalog: &CatalogState, table: &Arc<Table>) -> Result<Vec<Reference>> {
    let keys = table.meta().foreign_keys.iter();
    let references = keys.filter_map(|key| {
        let parent = catalog.table(key.parent)?;
        Some(Reference::new(table, parent, key))
    });
    references.collect()
}

/// The foreign keys that refer to a table.
pub(crate) fn children_of(catalog: &CatalogState, table: &Arc<Table>) -> Result<Vec<Reference>> {
    let mut references = Vec::new();
    for child in catalog.tables_with_foreign_keys() {
        for key in &child.meta().foreign_keys {
            if key.parent == table.id() {
                references.push(Reference::new(child, table, key)?);
            }
        }
    }
    Ok(references)
}

impl<'a> ForeignKeys<'a> {
    /// For a statement on a table; `targets` are the tables whose rows it may change in turn. `changed`: the
    /// columns that it sets, where it leaves others as they are.
    pub(crate) fn of(
        transaction: &Transaction,
        table: &Arc<Table>,
        targets: &'a [CascadeTarget],
        changed: Option<&[FieldId]>,
        settings: &SessionSettings,
    ) -> Self {
        let enforced = settings.foreign_keys;
        let catalog = transaction.catalog();
        let mut others = catalog.tables_with_foreign_keys();
        let changes = |fields: &[FieldId]| {
            changed.is_none_or(|changed| fields.iter().any(|field| changed.contains(field)))
        };
        let refers = |child: &Arc<Table>| {
            let mut keys = child.meta().foreign_keys.iter();
            keys.any(|key| key.parent == table.id() && changes(&key.parent_fields))
        };
        let mut own = table.meta().foreign_keys.iter();
        Self {
            has_parents: enforced && own.any(|key| changes(&key.fields)),
            has_children: enforced && others.any(refers),
            table: Arc::clone(table),
            deferral: settings.deferral.clone(),
            pending: Vec::new(),
            parts: Vec::new(),
            removed: VecDeque::new(),
            targets,
        }
    }

    /// Rows that were written; `kept` marks them where not all were.
    pub(crate) fn inserted(
        &mut self,
        transaction: &mut Transaction,
        rows: &RecordBatch,
        kept: Option<&BooleanArray>,
    ) -> Result<()> {
        if !self.has_parents {
            return Ok(());
        }
        let table = Arc::clone(&self.table);
        match kept {
            None => self.refer(transaction, &table, rows),
            Some(kept) => self.refer(transaction, &table, &filter_record_batch(rows, kept)?),
        }
    }

    /// Rows that were deleted.
    pub(crate) fn deleted(
        &mut self,
        transaction: &mut Transaction,
        rows: &RoaringTreemap,
    ) -> Result<()> {
        if !self.has_children || rows.is_empty() {
            return Ok(());
        }
        let ids: Vec<RowId> = rows.iter().collect();
        for ids in ids.chunks(CHUNK_ROWS) {
            let old = transaction.rows_by_id(&self.table, ids)?;
            self.remove(old, None);
        }
        Ok(())
    }

    /// Rows that got other values: their ids, and the values.
    pub(crate) fn updated(
        &mut self,
        transaction: &mut Transaction,
        ids: &[RowId],
        new: &RecordBatch,
    ) -> Result<()> {
        if self.has_children && !ids.is_empty() {
            let old = transaction.rows_by_id(&self.table, ids)?;
            self.remove(old, Some(new.clone()));
        }
        self.inserted(transaction, new, None)
    }

    /// [`ForeignKeys::updated`] for some of the rows that the statement changes at once.
    pub(crate) fn part_updated(
        &mut self,
        transaction: &mut Transaction,
        ids: &[RowId],
        new: &RecordBatch,
    ) -> Result<()> {
        if self.has_children && !ids.is_empty() {
            let old = transaction.rows_by_id(&self.table, ids)?;
            self.parts.push((old, new.clone()));
        }
        self.inserted(transaction, new, None)
    }

    /// Remembers rows of the statement's table that went, or got other values.
    fn remove(&mut self, old: RecordBatch, new: Option<RecordBatch>) {
        let table = Arc::clone(&self.table);
        self.removed.push_back(Removed { table, old, new });
    }

    /// Does what follows from the statement and looks at what must hold at its end.
    pub(crate) fn finish(mut self, transaction: &mut Transaction) -> Result<()> {
        let (old, new): (Vec<_>, Vec<_>) = std::mem::take(&mut self.parts).into_iter().unzip();
        if let (Some(first_old), Some(first_new)) = (old.first(), new.first()) {
            let old = concat_batches(&first_old.schema(), &old)?;
            let new = concat_batches(&first_new.schema(), &new)?;
            self.remove(old, Some(new));
        }
        while let Some(removed) = self.removed.pop_front() {
            self.follow(transaction, &removed)?;
        }
        check(transaction, self.pending)
    }

    /// Rows of a table were written: their parents must be there.
    fn refer(
        &mut self,
        transaction: &mut Transaction,
        table: &Arc<Table>,
        rows: &RecordBatch,
    ) -> Result<()> {
        let catalog = Arc::clone(transaction.catalog());
        for reference in parents_of(&catalog, table)? {
            let keys = reference.keys_of_child(rows)?;
            if keys.is_beyond() {
                return Err(violation(&reference));
            }
            if keys.is_empty() {
                continue;
            }
            let missing = transaction.missing_keys(&reference, &keys, true)?;
            if !missing.is_empty() {
                self.remember(transaction, &reference, keys.taken(&missing)?);
            }
        }
        Ok(())
    }

    pub(crate) fn remember(
        &mut self,
        transaction: &mut Transaction,
        reference: &Reference,
        keys: ReferredKeys,
    ) {
        let pending = PendingKeys {
            child: reference.child.id(),
            name: reference.key.name.clone(),
            keys,
        };
        match self.deferral.puts_off(reference.child.id(), &reference.key) {
            true => transaction.defer(pending),
            false => self.pending.push(pending),
        }
    }

    /// Rows of a parent went or changed.
    fn follow(&mut self, transaction: &mut Transaction, removed: &Removed) -> Result<()> {
        let catalog = Arc::clone(transaction.catalog());
        for reference in children_of(&catalog, &removed.table)? {
            let Some(affected) = self.affected(transaction, &reference, removed)? else {
                continue;
            };
            match affected.values {
                None => self.delete_children(transaction, &reference, &affected.rows)?,
                Some(values) => {
                    self.change_children(transaction, &reference, &affected.rows, values)?;
                }
            }
        }
        Ok(())
    }

    /// What a constraint asks for after rows of the parent went or changed: none where that is nothing, or is looked
    /// at later.
    pub(crate) fn affected(
        &mut self,
        transaction: &mut Transaction,
        reference: &Reference,
        removed: &Removed,
    ) -> Result<Option<Affected>> {
        let keys = reference.keys_of_parent(&removed.old, removed.new.as_ref())?;
        if keys.is_empty() {
            return Ok(None);
        }
        transaction.take_away(reference, &keys)?;
        let action = match removed.new {
            None => reference.key.on_delete,
            Some(_) => reference.key.on_update,
        };
        if action == ReferentialAction::NoAction {
            self.remember(transaction, reference, keys);
            return Ok(None);
        }
        let handle = transaction.handle(&reference.child)?;
        let rows = reference.rows_of_child(&handle, &keys)?;
        if rows.is_empty() {
            return Ok(None);
        }
        let values = match (action, &removed.new) {
            // Even where another row has the key now.
            (ReferentialAction::Restrict | ReferentialAction::NoAction, _) => {
                return Err(violation(reference));
            }
            (ReferentialAction::Cascade, None) => None,
            (ReferentialAction::Cascade, Some(new)) => {
                let of: Vec<u32> = rows.iter().map(|(_, key)| keys.row(*key)).collect();
                Some(reference.values_for_child(new, &of)?)
            }
            (ReferentialAction::SetNull, _) => {
                Some(self.constants(reference, rows.len(), false)?)
            }
            (ReferentialAction::SetDefault, _) => {
                Some(self.constants(reference, rows.len(), true)?)
            }
        };
        Ok(Some(Affected { keys, rows, values }))
    }

    fn delete_children(
        &mut self,
        transaction: &mut Transaction,
        reference: &Reference,
        rows: &[(RowId, u32)],
    ) -> Result<()> {
        let ids: RoaringTreemap = rows.iter().map(|(id, _)| *id).collect();
        transaction.delete(&reference.child, &ids)?;
        let ids: Vec<RowId> = ids.iter().collect();
        for ids in ids.chunks(CHUNK_ROWS) {
            let old = transaction.rows_by_id(&reference.child, ids)?;
            self.removed.push_back(Removed {
                table: Arc::clone(&reference.child),
                old,
                new: None,
            });
        }
        Ok(())
    }

    /// NULLs or defaults for the columns of a constraint.
    fn constants(
        &self,
        reference: &Reference,
        rows: usize,
        defaults: bool,
    ) -> Result<Vec<ArrayRef>> {
        let target = self.target(reference.child.id());
        let mut values = Vec::with_capacity(reference.key.fields.len());
        for field in &reference.key.fields {
            let default = target.filter(|_| defaults).and_then(|target| {
                let mut defaults = target.defaults.iter();
                defaults.find(|(known, _)| known == field)
            });
            let mut columns = reference.child.schema().columns.iter();
            let ty = columns.find(|c| c.field == *field).map(|c| c.ty);
            values.push(match (default, ty) {
                (Some((_, default)), _) => {
                    prepare(default, &[])?.evaluate(&without_columns(rows)?)?
                }
                (None, Some(ty)) => llkv_types::Scalar::Null(ty).to_array(rows)?,
                (None, None) => return Err(llkv_result::Error::internal("no such column")),
            });
        }
        Ok(values)
    }

    /// What statements know of a table whose rows change in turn.
    pub(crate) fn target(&self, table: TableId) -> Option<&'a CascadeTarget> {
        self.targets.iter().find(|target| target.table == table)
    }

    /// Gives rows of a child other values in the columns of a constraint.
    fn change_children(
        &mut self,
        transaction: &mut Transaction,
        reference: &Reference,
        rows: &[(RowId, u32)],
        values: Vec<ArrayRef>,
    ) -> Result<()> {
        let ids: Vec<RowId> = rows.iter().map(|(id, _)| *id).collect();
        let old = transaction.rows_by_id(&reference.child, &ids)?;
        let new = self.changed(reference, &old, values)?;
        self.put(transaction, reference, &ids, &new)?;
        self.removed.push_back(Removed {
            table: Arc::clone(&reference.child),
            old,
            new: Some(new),
        });
        Ok(())
    }

    /// Rows of a child with other values in the columns of a constraint, and what is generated of these, under a
    /// schema that lets NULLs pass: the table refuses them.
    pub(crate) fn changed(
        &self,
        reference: &Reference,
        rows: &RecordBatch,
        values: Vec<ArrayRef>,
    ) -> Result<RecordBatch> {
        let child = &reference.child;
        let mut columns = rows.columns().to_vec();
        for (field, values) in reference.key.fields.iter().zip(values) {
            let mut known = child.schema().columns.iter();
            let at = known.position(|column| column.field == *field);
            if let Some(slot) = at.and_then(|at| columns.get_mut(at)) {
                *slot = values;
            }
        }
        let nullable = |field: &Arc<Field>| field.as_ref().clone().with_nullable(true);
        let fields: Vec<Field> = rows.schema().fields().iter().map(nullable).collect();
        let schema = Arc::new(Schema::new(fields));
        let changed = RecordBatch::try_new(Arc::clone(&schema), columns)?;
        let Some(target) = self.target(child.id()).filter(|t| !t.generated.is_empty()) else {
            return Ok(changed);
        };
        let mut columns = changed.columns().to_vec();
        for (at, value) in &target.generated {
            if let Some(slot) = columns.get_mut(*at) {
                *slot = prepare(&value.expr, &target.columns)?.evaluate(&changed)?;
            }
        }
        Ok(RecordBatch::try_new(schema, columns)?)
    }

    /// Puts rows of a child into the places of others, where only the columns of a constraint changed.
    pub(crate) fn put(
        &mut self,
        transaction: &mut Transaction,
        reference: &Reference,
        ids: &[RowId],
        new: &RecordBatch,
    ) -> Result<()> {
        let child = &reference.child;
        if let Some(target) = self.target(child.id()) {
            let name = child.meta().name.as_str();
            RowChecks::new(&target.checks, &target.columns, name)?.check(new)?;
        }
        transaction.delete(child, &ids.iter().copied().collect())?;
        let of_key = |at: usize| child.keys().iter().any(|key| key.columns().contains(&at));
        let place = |field: &FieldId| {
            let mut columns = child.schema().columns.iter();
            columns.position(|column| column.field == *field)
        };
        let of_constraint = reference.key.fields.iter().filter_map(place);
        let generated = self
            .target(child.id())
            .map(|target| target.generated.iter());
        let generated = generated.into_iter().flatten().map(|(at, _)| *at);
        let mut changed = of_constraint.chain(generated);
        match changed.any(of_key) {
            true => drop(transaction.append(child, new.clone(), OnConflict::Error)?),
            false => transaction.append_versions(child, new.clone())?,
        }
        self.refer(transaction, child, new)
    }
}

/// Rows for expressions that name no column.
fn without_columns(rows: usize) -> Result<RecordBatch> {
    let options = RecordBatchOptions::new().with_row_count(Some(rows));
    let schema = Arc::new(Schema::empty());
    Ok(RecordBatch::try_new_with_options(schema, vec![], &options)?)
}

/// The error of a row whose parent is not there, or of a parent that a row refers to.
pub(crate) fn violation(reference: &Reference) -> llkv_result::Error {
    ConstraintError::ForeignKey {
        table: reference.child.meta().name.clone(),
        constraint: reference.key.name.clone(),
    }
    .into()
}

/// Looks at remembered keys: an error for one that no parent has and that a child refers to.
pub(crate) fn check(transaction: &mut Transaction, pending: Vec<PendingKeys>) -> Result<()> {
    for pending in pending {
        let catalog = Arc::clone(transaction.catalog());
        let Some((child, key)) = pending.constraint(&catalog) else {
            continue;
        };
        let Some(parent) = catalog.table(key.parent) else {
            continue;
        };
        let reference = Reference::new(child, parent, key)?;
        let missing = transaction.missing_keys(&reference, &pending.keys, false)?;
        if missing.is_empty() {
            continue;
        }
        let handle = transaction.handle(child)?;
        let keys = pending.keys.taken(&missing)?;
        if !reference.rows_of_child(&handle, &keys)?.is_empty() {
            return Err(violation(&reference));
        }
    }
    Ok(())
}

/// Looks at the keys of deferred constraints, before a commit.
pub(crate) fn check_deferred(transaction: &mut Transaction) -> Result<()> {
    let pending = transaction.take_deferred();
    check(transaction, pending)
}

/// The keys of parents that a transaction refers to and took away, by table and index.
pub(crate) type ReferenceFootprints =
    BTreeMap<(TableId, llkv_types::IndexId), llkv_table::ReferenceFootprint>;
