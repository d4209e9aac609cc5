//! A sorted run: immutable pages of entries, a directory of their first keys, a filter.

use super::KeyRange;
use super::bloom::Bloom;
use super::page::Page;
use crate::bytes::damaged_key;
use crate::descriptor::{RecordKind, unseal};
use bitcode::{Decode, Encode};
use llkv_result::{Error, Result, StorageError};
use llkv_storage::{Blob, BoxedPager};
use llkv_types::{PhysicalKey, RowId};
use std::sync::OnceLock;
use xxhash_rust::xxh3::xxh3_64;

/// What stands first in a run; its version is that of the filter, the pages and the form of keys, too.
pub(super) const DIRECTORY: RecordKind = RecordKind {
    magic: *b"LLKR",
    version: 1,
    name: "the directory of a run",
};

/// A run as the descriptor of its index names it. Its keys follow each other: the directory, the filter,
/// the pages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub(crate) struct RunMeta {
    pub(crate) first_key: u64,
    pub(crate) pages: u32,
    pub(crate) entries: u64,
}

/// What is read of a run before its pages.
#[derive(Debug, Clone, Default, PartialEq, Eq, Encode, Decode)]
pub(super) struct Directory {
    /// The first key of each page.
    pub(super) fences: Vec<Vec<u8>>,
    pub(super) last_key: Vec<u8>,
    /// xxh3-64 of the filter: garbage there would hide keys.
    pub(super) bloom_checksum: u64,
}

impl Directory {
    /// The page where the entries from a key on begin: those of one key may begin in the page before the one that starts with it.
    pub(super) fn page_of(&self, key: &[u8]) -> usize {
        self.fences
            .partition_point(|fence| **fence < *key)
            .saturating_sub(1)
    }
}

/// A run. Its parts are read at first use and kept.
pub(crate) struct Run {
    meta: RunMeta,
    pager: BoxedPager,
    directory: OnceLock<Directory>,
    bloom: OnceLock<Bloom>,
    pages: Vec<OnceLock<Page>>,
}

impl Run {
    pub(crate) fn stored(meta: RunMeta, pager: BoxedPager) -> Self {
        Self {
            pager,
            directory: OnceLock::new(),
            bloom: OnceLock::new(),
            pages: (0..meta.pages).map(|_| OnceLock::new()).collect(),
            meta,
        }
    }

    pub(crate) fn meta(&self) -> RunMeta {
        self.meta
    }

    pub(crate) fn entries(&self) -> u64 {
        self.meta.entries
    }

    /// The keys of the pager that hold it.
    pub(crate) fn keys(&self) -> Vec<u64> {
        let first = self.meta.first_key;
        (first..first.saturating_add(u64::from(self.meta.pages) + 2)).collect()
    }

    pub(super) fn read(&self, offset: u64) -> Result<Blob> {
        let key = PhysicalKey(self.meta.first_key.saturating_add(offset));
        let blob = self.pager.batch_get(&[key])?.pop().flatten();
        let path = || "column store".into();
        blob.ok_or_else(|| {
            StorageError::MissingKey {
                path: path(),
                key: key.0,
            }
            .into()
        })
    }

    pub(super) fn directory(&self) -> Result<&Directory> {
        if let Some(directory) = self.directory.get() {
            return Ok(directory);
        }
        let key = self.meta.first_key;
        let directory: Directory = unseal(DIRECTORY, key, self.read(0)?.as_slice())?;
        if directory.fences.len() != self.pages.len() {
            return Err(damaged_key(
                Some(key),
                "the directory of a run has not its pages",
            ));
        }
        Ok(self.directory.get_or_init(|| directory))
    }

    /// False for a key that the run has not.
    ///
    /// # Errors
    /// When the filter cannot be read or is damaged.
    pub(crate) fn may_contain(&self, key: &[u8]) -> Result<bool> {
        let bloom = match self.bloom.get() {
            Some(bloom) => bloom,
            None => {
                let blob = self.read(1)?;
                if xxh3_64(blob.as_slice()) != self.directory()?.bloom_checksum {
                    let key = self.meta.first_key.saturating_add(1);
                    return Err(damaged_key(Some(key), "the filter of a run"));
                }
                self.bloom.get_or_init(|| Bloom::open(blob))
            }
        };
        Ok(bloom.may_contain(key))
    }

    pub(crate) fn page(&self, at: usize) -> Result<&Page> {
        let slot = self.pages.get(at);
        let slot = slot.ok_or_else(|| Error::internal("a run has no such page"))?;
        if let Some(page) = slot.get() {
            return Ok(page);
        }
        let page = Page::open(self.read(at as u64 + 2)?)?;
        Ok(slot.get_or_init(|| page))
    }

    pub(crate) fn page_count(&self) -> usize {
        self.pages.len()
    }

    /// Rows whose keys lie in a range. `whole_key`: the range is that of one whole key, which the filter
    /// knows.
    ///
    /// # Errors
    /// When a part of the run cannot be read or is damaged.
    pub(crate) fn find(
        &self,
        range: &KeyRange,
        whole_key: bool,
        out: &mut Vec<RowId>,
    ) -> Result<()> {
        let directory = self.directory()?;
        if *range.low > *directory.last_key {
            return Ok(());
        }
        if whole_key && !self.may_contain(&range.low)? {
            return Ok(());
        }
        let mut at = directory.page_of(&range.low);
        let mut entry = self.page(at)?.lower_bound(&range.low);
        while at < self.pages.len() {
            let page = self.page(at)?;
            let end = match &range.high {
                Some(high) => page.lower_bound(high),
                None => page.len(),
            };
            out.extend((entry..end).map(|entry| page.row_id(entry)));
            if end < page.len() {
                break;
            }
            (at, entry) = (at + 1, 0);
        }
        Ok(())
    }
}

impl std::fmt::Debug for Run {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Run")
            .field("meta", &self.meta)
            .finish_non_exhaustive()
    }
}
