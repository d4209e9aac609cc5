//! Scans: what a snapshot sees of a table, pruned by statistics, filtered on the encoded data.

pub(crate) mod gather;
mod live_bound;
mod morsel;
mod output_column;
mod residual;
mod row_filter;
pub(crate) mod selection;

use live_bound::LiveTest;
pub use live_bound::{LiveBound, LiveColumn};
pub use morsel::MorselReader;
pub use row_filter::{RowFilter, RowTest};

use crate::column_test::Test;
use crate::fill::StoredColumn;
use crate::kind::Kind;
use crate::predicate::{ColumnPredicate, ScanCounters};
use crate::row_group::RowGroup;
use crate::stats::Verdict;
use crate::table_version::TableVersion;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use llkv_result::{Error, Result};
use llkv_types::{BATCH_ROWS, FieldId, RowId, SqlType, TxnId};
use roaring::RoaringTreemap;
use std::ops::{Range, RangeInclusive};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// What a scan puts out.
#[derive(Debug, Clone)]
pub struct ScanSpec {
    /// The columns, in the order in which they are wanted. May be empty: then batches only count rows.
    pub projection: Vec<FieldId>,
    /// Adds the row ids as a last column of 64-bit unsigned integers.
    pub with_row_id: bool,
    /// The schema of the batches, of the columns put out; where absent, columns are named by the numbers of their
    /// fields and the row ids [`ROW_ID_COLUMN`].
    pub schema: Option<SchemaRef>,
    /// Columns of text that may come as dictionary arrays with 32-bit codes, of which one dictionary serves for
    /// many batches; where a chunk is no dictionary they are plain all the same.
    pub coded: Vec<FieldId>,
    /// All must hold; rows that fail one, NULLs included, are not put out.
    pub predicates: Vec<ColumnPredicate>,
    /// What remains to be tested of rows that pass the predicates, before the projection is read.
    pub filter: Option<RowFilter>,
    /// A column of which values beyond a bound are not wanted: rows with such values may be left out.
    pub live: Option<LiveColumn>,
    /// The snapshot: rows created after it, or deleted at or before it, are not put out.
    pub snapshot: TxnId,
    /// Rows that the running transaction has deleted itself.
    pub own_deletes: Option<Arc<RoaringTreemap>>,
    /// Rows of a batch at the most.
    pub batch_rows: usize,
    /// Where to count.
    pub counters: Option<Arc<ScanCounters>>,
}

impl ScanSpec {
    /// All rows of some columns, as a snapshot sees them.
    #[must_use]
    pub fn new(projection: Vec<FieldId>, snapshot: TxnId) -> Self {
        Self {
            projection,
            with_row_id: false,
            schema: None,
            coded: Vec::new(),
            predicates: Vec::new(),
            filter: None,
            live: None,
            snapshot,
            own_deletes: None,
            batch_rows: BATCH_ROWS,
            counters: None,
        }
    }

    /// The schema of batches with columns of the types that `type_of` tells.
    ///
    /// # Errors
    /// What `type_of` gives.
    pub(crate) fn schema_of(
        &self,
        type_of: impl Fn(FieldId) -> Result<SqlType>,
    ) -> Result<SchemaRef> {
        if let Some(schema) = &self.schema {
            return Ok(Arc::clone(schema));
        }
        let mut fields = Vec::with_capacity(self.projection.len() + 1);
        for field in &self.projection {
            let data_type = type_of(*field)?.to_arrow();
            fields.push(Field::new(field.to_string(), data_type, true));
        }
        if self.with_row_id {
            fields.push(Field::new(ROW_ID_COLUMN, DataType::UInt64, false));
        }
        Ok(Arc::new(Schema::new(fields)))
    }
}

/// The name of the row id column of a scan's batches.
pub const ROW_ID_COLUMN: &str = "row_id";

/// A part of a scan that one worker reads: a row group or a part of one, or neighbouring runs of the tail.
#[derive(Debug, Clone)]
pub(crate) struct Morsel {
    pub(crate) pieces: Vec<Piece>,
}

/// Rows of a row group that one worker reads.
#[derive(Debug, Clone)]
pub(crate) struct Piece {
    pub(crate) group: Arc<RowGroup>,
    pub(crate) rows: Range<usize>,
}

/// So few morsels are cut into smaller ones, so that workers share the rows evenly. One is not: what statistics leave a single
/// row group of is read before another worker has begun.
const FEW_MORSELS: RangeInclusive<usize> = 2..=4;
/// Rows of such a smaller morsel: whole windows, about a quarter of a row group.
const PIECE_ROWS: usize = 4 * selection::WINDOW_ROWS;

impl Morsel {
    fn of(groups: Vec<Arc<RowGroup>>) -> Self {
        let whole = |group: Arc<RowGroup>| Piece {
            rows: 0..group.rows,
            group,
        };
        Self {
            pieces: groups.into_iter().map(whole).collect(),
        }
    }

    /// The same rows as morsels of at most [`PIECE_ROWS`], where it is a single row group.
    fn cut(self) -> Vec<Self> {
        let [piece] = self.pieces.as_slice() else {
            return vec![self];
        };
        let starts = piece.rows.clone().step_by(PIECE_ROWS);
        let pieces = starts.map(|start| Piece {
            group: Arc::clone(&piece.group),
            rows: start..(start + PIECE_ROWS).min(piece.rows.end),
        });
        pieces
            .map(|piece| Self {
                pieces: vec![piece],
            })
            .collect()
    }
}

/// A predicate ready to run, with what was learned of it.
#[derive(Debug)]
pub(crate) struct RunningPredicate {
    pub(crate) column: StoredColumn,
    pub(crate) test: Test,
    pub(crate) learned: Learned,
}

/// Rows after which a test that dropped next to none of them is given up.
const IDLE_ROWS: u64 = 4 * BATCH_ROWS as u64;

/// How selective and how dear a predicate has been: shared by all workers of a scan.
#[derive(Debug, Default)]
pub(crate) struct Learned {
    rows_in: AtomicU64,
    rows_out: AtomicU64,
    cost_ns: AtomicU64,
}

impl Learned {
    pub(crate) fn add(&self, rows_in: usize, rows_out: usize, cost_ns: u64) {
        self.rows_in.fetch_add(rows_in as u64, Ordering::Relaxed);
        self.rows_out.fetch_add(rows_out as u64, Ordering::Relaxed);
        self.cost_ns.fetch_add(cost_ns, Ordering::Relaxed);
    }

    /// Nearly all rows have passed so far, so that a test that may be left out is.
    pub(crate) fn is_idle(&self) -> bool {
        let rows_in = self.rows_in.load(Ordering::Relaxed);
        let rows_out = self.rows_out.load(Ordering::Relaxed);
        rows_in >= IDLE_ROWS && rows_out > rows_in / 16 * 15
    }

    /// Cost of dropping a row: the least first is the best order of independent predicates.
    pub(crate) fn rank(&self) -> Option<f64> {
        let rows_in = self.rows_in.load(Ordering::Relaxed);
        if rows_in == 0 {
            return None;
        }
        let dropped = rows_in.saturating_sub(self.rows_out.load(Ordering::Relaxed));
        let cost = self.cost_ns.load(Ordering::Relaxed) as f64;
        Some(cost / (dropped as f64 + rows_in as f64 * 1e-3))
    }
}

/// A scan: independent morsels, each read by whoever takes it.
#[derive(Debug)]
pub struct ColumnScan {
    pub(crate) version: Arc<TableVersion>,
    pub(crate) spec: ScanSpec,
    pub(crate) schema: SchemaRef,
    pub(crate) projection: Vec<StoredColumn>,
    pub(crate) predicates: Arc<Vec<RunningPredicate>>,
    morsels: Vec<Morsel>,
    estimated_rows: u64,
}

impl ColumnScan {
    pub(crate) fn new(version: Arc<TableVersion>, mut spec: ScanSpec) -> Result<Self> {
        spec.batch_rows = spec.batch_rows.max(1);
        let projection = spec
            .projection
            .iter()
            .map(|field| version.column(*field))
            .collect::<Result<Vec<_>>>()?;
        let predicates = compile(&version, &spec.predicates)?;
        let mut scan = Self {
            schema: spec.schema_of(|field| version.type_of(field))?,
            spec,
            projection,
            predicates: Arc::new(predicates),
            morsels: Vec::new(),
            estimated_rows: 0,
            version,
        };
        scan.cut_morsels();
        Ok(scan)
    }

    /// Lists what statistics do not rule out, in the order of row ids.
    fn cut_morsels(&mut self) {
        let version = Arc::clone(&self.version);
        let mut tail = version.tail.for_reading().iter().peekable();
        let mut pruned = 0;
        for group in version.groups.iter() {
            let before = take_tail(&mut tail, group.first_row_id());
            pruned += self.push_tail(before);
            if self.rules_out(group) {
                pruned += 1;
            } else {
                self.push_morsel(vec![Arc::clone(group)]);
            }
        }
        pruned += self.push_tail(take_tail(&mut tail, RowId::MAX));
        if FEW_MORSELS.contains(&self.morsels.len()) {
            let morsels = std::mem::take(&mut self.morsels);
            self.morsels = morsels.into_iter().flat_map(Morsel::cut).collect();
        }
        if let Some(counters) = &self.spec.counters {
            counters
                .row_groups_pruned
                .fetch_add(pruned, Ordering::Relaxed);
        }
    }

    /// Adds neighbouring runs of the tail, and counts 1 when statistics rule out all of them.
    fn push_tail(&mut self, mut runs: Vec<Arc<RowGroup>>) -> u64 {
        let found = runs.len();
        runs.retain(|run| !self.rules_out(run));
        let pruned = found > 0 && runs.is_empty();
        self.push_morsel(runs);
        u64::from(pruned)
    }

    fn push_morsel(&mut self, groups: Vec<Arc<RowGroup>>) {
        if !groups.is_empty() {
            self.estimated_rows += groups.iter().map(|g| g.rows as u64).sum::<u64>();
            self.morsels.push(Morsel::of(groups));
        }
    }

    fn rules_out(&self, group: &RowGroup) -> bool {
        self.predicates
            .iter()
            .any(|p| group.judge(&p.column, &p.test) == Verdict::Nothing)
    }

    /// The schema of the batches: [`ScanSpec::schema`].
    #[must_use]
    pub fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    /// Morsels that [`ColumnScan::read`] can be asked for; morsel order is row id order.
    #[must_use]
    pub fn morsel_count(&self) -> usize {
        self.morsels.len()
    }

    /// Rows that the morsels hold, before predicates and versions.
    #[must_use]
    pub const fn estimated_rows(&self) -> u64 {
        self.estimated_rows
    }

    /// The morsels in the order in which a [`LiveBound`] gets good soonest; all of them, each once.
    ///
    /// # Errors
    /// When the table has no column of the bound.
    pub fn best_first(&self) -> Result<Vec<usize>> {
        let mut order: Vec<usize> = (0..self.morsels.len()).collect();
        if let Some(live) = &self.spec.live {
            let test = LiveTest::new(&self.version, live)?;
            let rank = |morsel: usize| match self.morsels.get(morsel)?.pieces.as_slice() {
                [piece] => test.rank(&piece.group),
                _ => None,
            };
            order.sort_by_cached_key(|morsel| rank(*morsel));
        }
        Ok(order)
    }

    /// Reads one morsel. Workers read different morsels at the same time.
    ///
    /// # Errors
    /// When there is no such morsel. Errors of reading come from the iterator.
    pub fn read(&self, morsel: usize) -> Result<MorselReader> {
        let found = self
            .morsels
            .get(morsel)
            .ok_or_else(|| Error::internal(format!("a scan has no morsel {morsel}")))?;
        MorselReader::new(self, found.clone())
    }

    /// Reads all morsels, one after the other.
    pub fn stream(&self) -> impl Iterator<Item = Result<arrow::array::RecordBatch>> + Send + '_ {
        (0..self.morsels.len()).flat_map(|morsel| {
            let (reader, error) = match self.read(morsel) {
                Ok(reader) => (Some(reader), None),
                Err(error) => (None, Some(Err(error))),
            };
            reader.into_iter().flatten().chain(error)
        })
    }
}

fn compile(
    version: &TableVersion,
    predicates: &[ColumnPredicate],
) -> Result<Vec<RunningPredicate>> {
    predicates
        .iter()
        .map(|predicate| {
            let column = version.column(predicate.field)?;
            let kind = Kind::of(column.ty).ok_or_else(|| Error::internal("column type"))?;
            Ok(RunningPredicate {
                column,
                test: Test::compile(&predicate.test, kind)?,
                learned: Learned::default(),
            })
        })
        .collect()
}

/// The runs of the tail whose rows come before a row id.
fn take_tail<'a>(
    tail: &mut std::iter::Peekable<impl Iterator<Item = &'a Arc<RowGroup>>>,
    before: RowId,
) -> Vec<Arc<RowGroup>> {
    let mut out = Vec::new();
    while let Some(run) = tail.next_if(|run| run.first_row_id() < before) {
        out.push(Arc::clone(run));
    }
    out
}
