//! The pages of a table's descriptor: so that a checkpoint writes what changed of it, however large the table is.
//!
//! A page describes a few row groups, in no particular order, and is never changed: once one of its groups
//! is, a checkpoint drops the page and describes its groups anew. What fills no page stands in the
//! descriptor itself.

use crate::bytes::damaged_key;
use crate::descriptor::GroupMeta;
use crate::packed_group::{seal_groups, stored_bytes, unseal_groups};
use crate::row_group::RowGroup;
use hashbrown::HashSet;
use llkv_result::Result;
use llkv_storage::{Blob, Pager, WriteBatch};
use llkv_types::{PhysicalKey, ROW_GROUP_ROWS};
use std::sync::Arc;

/// Descriptions of row groups fill a page from here on: with it, a change of one writes little.
const PAGE_BYTES: usize = 3 << 10;
/// Those of small groups do from here on.
const SMALL_PAGE_BYTES: usize = 16 << 10;

/// Pages from this size on, those of groups of many runs, are written at once.
const EARLY_BYTES: usize = 16 << 10;

/// A stored page, and the groups that it describes.
#[derive(Debug, Clone)]
pub(crate) struct GroupPage {
    pub(crate) key: u64,
    groups: Vec<Arc<RowGroup>>,
}

/// The groups of a table as its descriptor names them.
#[derive(Debug, Default)]
pub(crate) struct Paged {
    pub(crate) pages: Vec<GroupPage>,
    /// Groups that no page describes.
    pub(crate) loose: Vec<GroupMeta>,
}

impl Paged {
    /// Describes `groups`, of which `old` pages describe some already. New pages join `batch`, and so do
    /// the keys of pages that are not used any more.
    ///
    /// # Errors
    /// When the pager gives no keys.
    pub(super) fn write(
        old: &[GroupPage],
        groups: &[Arc<RowGroup>],
        pager: &dyn Pager,
        batch: &mut WriteBatch,
    ) -> Result<Self> {
        let current: HashSet<*const RowGroup> = groups.iter().map(Arc::as_ptr).collect();
        let mut described: HashSet<*const RowGroup> = HashSet::new();
        let mut out = Self::default();
        for page in old {
            if page
                .groups
                .iter()
                .all(|group| current.contains(&Arc::as_ptr(group)))
            {
                described.extend(page.groups.iter().map(Arc::as_ptr));
                out.pages.push(page.clone());
            } else {
                batch.frees.push(PhysicalKey(page.key));
            }
        }
        let fresh = groups
            .iter()
            .filter(|group| !described.contains(&Arc::as_ptr(group)));
        // Small groups are about to be merged into others: a page of them would not live long.
        let (small, large): (Vec<_>, Vec<_>) =
            fresh.partition(|group| group.rows < ROW_GROUP_ROWS / 4);
        out.fill(&large, PAGE_BYTES, pager, batch)?;
        out.fill(&small, SMALL_PAGE_BYTES, pager, batch)?;
        Ok(out)
    }

    /// Describes groups in pages of `page_bytes`; what fills none is loose.
    fn fill(
        &mut self,
        groups: &[&Arc<RowGroup>],
        page_bytes: usize,
        pager: &dyn Pager,
        batch: &mut WriteBatch,
    ) -> Result<()> {
        let mut metas: Vec<GroupMeta> = Vec::new();
        let mut members: Vec<Arc<RowGroup>> = Vec::new();
        let mut bytes = 0;
        for group in groups {
            let Some(meta) = group.meta() else { continue };
            bytes += stored_bytes(&meta);
            metas.push(meta);
            members.push(Arc::clone(group));
            if bytes >= page_bytes {
                let sealed = seal_groups(&metas);
                let key = pager.alloc_many(1)?.start;
                let blob = match sealed.len() {
                    EARLY_BYTES.. => pager.write_early(&sealed)?,
                    _ => Blob::from_bytes(&sealed),
                };
                batch.puts.push((PhysicalKey(key), blob));
                let groups = std::mem::take(&mut members);
                self.pages.push(GroupPage { key, groups });
                metas.clear();
                bytes = 0;
            }
        }
        self.loose.append(&mut metas);
        Ok(())
    }

    /// Reads the pages of a descriptor.
    ///
    /// # Errors
    /// When the pager fails, or a page is missing or damaged.
    pub(crate) fn read(keys: &[u64], pager: &Arc<dyn Pager>) -> Result<Vec<GroupPage>> {
        let wanted: Vec<PhysicalKey> = keys.iter().copied().map(PhysicalKey).collect();
        let found = pager.batch_get(&wanted)?;
        keys.iter()
            .zip(found)
            .map(|(key, blob)| {
                let blob = blob
                    .ok_or_else(|| damaged_key(Some(*key), "a page of a descriptor is missing"))?;
                let metas = unseal_groups(*key, blob.as_slice())?;
                let groups = metas
                    .into_iter()
                    .map(|meta| RowGroup::stored(meta, Arc::clone(pager)).map(Arc::new));
                Ok(GroupPage {
                    key: *key,
                    groups: groups.collect::<Result<_>>()?,
                })
            })
            .collect()
    }
}

impl GroupPage {
    /// The groups that it describes.
    pub(crate) fn groups(&self) -> &[Arc<RowGroup>] {
        &self.groups
    }
}
