//! The temporary tables and views of a session between its transactions.
//!
//! A temporary table is one whose rows stay staged: a transaction takes them over when it begins, writes to
//! them as to its own rows, and hands them back when it ends. They are in no commit record and in no
//! other session, and go with the session.

use llkv_table::{CatalogState, StagedTable, TemporaryObjects};
use llkv_types::TableId;
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

/// Temporary objects, and the rows of the tables among them.
#[derive(Debug)]
pub(crate) struct TemporarySpace {
    pub(crate) objects: Arc<TemporaryObjects>,
    pub(crate) rows: BTreeMap<TableId, StagedTable>,
    pub(crate) seen: Mutex<Seen>,
}

/// The last shared catalog that was looked at, and the same with the session's objects.
pub(crate) type Seen = Option<(Arc<CatalogState>, Arc<CatalogState>)>;

impl Default for TemporarySpace {
    /// No objects.
    fn default() -> Self {
        // Each transaction begins and ends with it, nearly always.
        static NONE: LazyLock<Arc<TemporaryObjects>> = LazyLock::new(Arc::default);
        Self {
            objects: Arc::clone(&NONE),
            rows: BTreeMap::new(),
            seen: Mutex::default(),
        }
    }
}

impl TemporarySpace {
    /// The catalog of a session: the shared one, with its own objects where it has some.
    pub(crate) fn seen_with(&self, catalog: Arc<CatalogState>) -> Arc<CatalogState> {
        if self.objects.is_empty() {
            return catalog;
        }
        let mut seen = self.seen.lock();
        if let Some((shared, own)) = seen.as_ref()
            && Arc::ptr_eq(shared, &catalog)
            && Arc::ptr_eq(own.temporaries(), &self.objects)
        {
            return Arc::clone(own);
        }
        let own = Arc::new(catalog.with_temporaries(Arc::clone(&self.objects)));
        *seen = Some((catalog, Arc::clone(&own)));
        own
    }
}
