//! A table as one transaction sees it.

use crate::key_ranges::{IndexColumnTests, index_access};
use crate::memory::{MemoryBatch, MemoryScan, scan_schema};
use crate::own_places::OwnPlaces;
use crate::scan::StoredScan;
use crate::{ScanRequest, TableScan};
use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use llkv_column_map::{ColumnPredicate, ColumnTest, IndexAccess, ScanSpec, TableVersion};
use llkv_result::Result;
use llkv_types::{FieldId, IndexId, RowId, TXN_ID_AUTO_COMMIT, TableSchema, TxnId};
use roaring::RoaringTreemap;
use std::sync::Arc;

/// The name of the row-id column in batches that carry one.
pub const ROW_ID_NAME: &str = "__row_id";

/// Row ids from here on are the transaction's own rows, which have no place in the table yet. They fit BIGINT, as what a
/// statement shows of them.
pub const OWN_ROW_ID_BASE: RowId = 1 << 62;

/// One table as one transaction sees it at one moment: the rows committed at its snapshot and its own
/// uncommitted rows, without those that it deleted. Immutable: what the transaction writes later is
/// not in it, so a statement may read and write one table.
#[derive(Debug, Clone)]
pub struct TableHandle {
    pub(crate) schema: Arc<TableSchema>,
    /// The committed rows, and up to which commit they are seen.
    pub(crate) committed: Option<(Arc<TableVersion>, TxnId)>,
    /// Own rows that were encoded and written early.
    pub(crate) own_groups: Option<Arc<TableVersion>>,
    /// Own rows in memory.
    pub(crate) own_batches: Vec<MemoryBatch>,
    /// Where they lie by their keys.
    pub(crate) own_places: Arc<OwnPlaces>,
    /// Rows deleted by the transaction, committed or its own.
    pub(crate) own_deletes: Arc<RoaringTreemap>,
}

impl TableHandle {
    /// A table as a snapshot sees it.
    #[must_use]
    pub fn committed(
        schema: Arc<TableSchema>,
        version: Arc<TableVersion>,
        snapshot_id: TxnId,
    ) -> Self {
        Self {
            committed: Some((version, snapshot_id)),
            ..Self::in_memory(schema, Vec::new())
        }
    }

    /// A table that lies in memory alone. The batches hold all columns of the schema in their order.
    #[must_use]
    pub fn in_memory(schema: Arc<TableSchema>, batches: Vec<RecordBatch>) -> Self {
        let mut first_row_id = OWN_ROW_ID_BASE;
        let own_batches = batches.into_iter().map(|rows| {
            let batch = MemoryBatch { first_row_id, rows };
            first_row_id += batch.rows.num_rows() as u64;
            batch
        });
        Self {
            own_batches: own_batches.collect(),
            schema,
            committed: None,
            own_groups: None,
            own_places: Arc::default(),
            own_deletes: Arc::default(),
        }
    }

    /// The table's columns.
    #[must_use]
    pub fn schema(&self) -> &TableSchema {
        &self.schema
    }

    /// The committed rows alone, where there are any: for access by row id and for statistics.
    #[must_use]
    pub fn version(&self) -> Option<&Arc<TableVersion>> {
        self.committed.as_ref().map(|(version, _)| version)
    }

    /// The table's columns, shared.
    #[must_use]
    pub fn shared_schema(&self) -> &Arc<TableSchema> {
        &self.schema
    }

    /// The committed rows and up to which commit they are seen, where the transaction has changed none and added none.
    #[must_use]
    pub fn unchanged(&self) -> Option<(&Arc<TableVersion>, TxnId)> {
        let changes_nothing =
            self.own_groups.is_none() && self.own_batches.is_empty() && self.own_deletes.is_empty();
        let (version, snapshot) = self.committed.as_ref()?;
        changes_nothing.then_some((version, *snapshot))
    }

    /// About how many rows there are, those that the transaction deleted among them.
    #[must_use]
    pub fn row_count_estimate(&self) -> u64 {
        let committed = self.committed.iter().map(|(version, _)| version);
        let stored = committed.chain(&self.own_groups);
        let stored: u64 = stored.map(|version| version.row_count_estimate()).sum();
        let own = self
            .own_batches
            .iter()
            .map(|own| own.rows.num_rows() as u64);
        stored + own.sum::<u64>()
    }

    /// Opens a scan. Nothing is read before [`TableScan::read`].
    ///
    /// # Errors
    /// For columns that the table has not.
    pub fn scan_stream(&self, request: &ScanRequest) -> Result<TableScan> {
        let access = match request.index {
            Some(index) => self.index_access(index, request)?,
            None => None,
        };
        self.scan_with(request, access.as_ref())
    }

    /// Opens a scan that looks up keys in the committed rows, where their index is there.
    ///
    /// # Errors
    /// For columns that the table has not.
    pub(crate) fn scan_with(
        &self,
        request: &ScanRequest,
        access: Option<&IndexAccess>,
    ) -> Result<TableScan> {
        let schema = scan_schema(&self.schema, request)?;
        let committed = match &self.committed {
            Some((version, snapshot)) => {
                Some(self.scan_version(version, *snapshot, (request, &schema), access)?)
            }
            None => None,
        };
        let own_groups = match &self.own_groups {
            Some(version) => {
                let asked = (request, &schema);
                Some(self.scan_version(version, TXN_ID_AUTO_COMMIT, asked, None)?)
            }
            None => None,
        };
        let own = MemoryScan::new(
            &self.schema,
            Arc::clone(&schema),
            request,
            self.own_batches.clone(),
            Arc::clone(&self.own_deletes),
        )?;
        Ok(TableScan::new(schema, committed, own_groups, own))
    }

    /// The position of a field in the table.
    pub(crate) fn position(&self, field: FieldId) -> Result<usize> {
        crate::memory::position(&self.schema, field)
    }

    fn scan_version(
        &self,
        version: &Arc<TableVersion>,
        snapshot: TxnId,
        (request, schema): (&ScanRequest, &SchemaRef),
        access: Option<&IndexAccess>,
    ) -> Result<StoredScan> {
        let spec = ScanSpec {
            projection: request.columns.clone(),
            with_row_id: request.with_row_id,
            schema: Some(Arc::clone(schema)),
            coded: request.coded.clone(),
            predicates: request.predicates.clone(),
            filter: request.filter.clone(),
            live: request.live.clone(),
            snapshot,
            own_deletes: (!self.own_deletes.is_empty()).then(|| Arc::clone(&self.own_deletes)),
            batch_rows: request.batch_rows(),
            counters: request.counters.clone(),
        };
        if let Some(access) = access
            && let Some(scan) = version.scan_index(&spec, access)?
        {
            return Ok(StoredScan::Index(scan));
        }
        Ok(StoredScan::Columns(version.scan(spec)?))
    }

    /// The keys of an index that the rows asked for may have.
    fn index_access(&self, index: IndexId, request: &ScanRequest) -> Result<Option<IndexAccess>> {
        let Some((version, _)) = &self.committed else {
            return Ok(None);
        };
        let Some(definition) = version.index_definition(index) else {
            return Ok(None);
        };
        let fields = definition.fields.iter().enumerate();
        let key_column = |(at, field): (usize, &_)| {
            let mut columns = self.schema.columns.iter();
            let column = columns.find(|c| c.field == *field)?;
            let collation = definition.collation(at);
            // Keys of a collation are in another order than the values that other predicates test.
            let tests = match collation.is_binary() {
                true => of_field(*field, request.predicates.iter()),
                false => {
                    let of_keys = request.of_keys.iter();
                    let of_keys = of_keys.filter(|(_, own)| *own == collation);
                    of_field(*field, of_keys.map(|(predicate, _)| predicate))
                }
            };
            Some(IndexColumnTests {
                ty: column.ty,
                tests,
            })
        };
        let columns: Option<Vec<_>> = fields.map(key_column).collect();
        match columns {
            Some(columns) => index_access(index, &columns),
            None => Ok(None),
        }
    }
}

/// The tests of a column.
fn of_field<'p>(
    field: FieldId,
    predicates: impl Iterator<Item = &'p ColumnPredicate>,
) -> Vec<&'p ColumnTest> {
    predicates
        .filter(|predicate| predicate.field == field)
        .map(|predicate| &predicate.test)
        .collect()
}
