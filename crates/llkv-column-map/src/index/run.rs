//! A sorted run: immutable pages of entries, a directory of their first keys, a filter.

use super::KeyRange;
use super::bloom::{Bloom, BloomBuilder};
use super::page::{Page, PageWriter};
use crate::bytes::damaged_key;
use crate::descriptor::{RecordKind, seal, unseal};
use bitcode::{Decode, Encode};
use llkv_result::{Error, Result, StorageError};
use llkv_storage::{Blob, BoxedPager, Pager, WriteBatch};
use llkv_types::{PhysicalKey, RowId};
use std::sync::{Arc, OnceLock};
use xxhash_rust::xxh3::xxh3_64;

/// A page is full from here on.
const PAGE_BYTES: usize = 128 << 10;
/// Values from this size on are written ahead of the commit: most pages, so that a run of any size takes the memory of one.
const EARLY_BYTES: usize = 16 << 10;
/// What stands first in a run; its version is that of the filter, the pages and the form of keys, too.
const DIRECTORY: RecordKind = RecordKind {
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
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
struct Directory {
    /// The first key of each page.
    fences: Vec<Vec<u8>>,
    last_key: Vec<u8>,
    /// xxh3-64 of the filter: garbage there would hide keys.
    bloom_checksum: u64,
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

    fn read(&self, offset: u64) -> Result<Blob> {
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

    fn directory(&self) -> Result<&Directory> {
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
        // Entries of one key may begin in the page before the one that starts with it.
        let after = directory
            .fences
            .partition_point(|fence| **fence < *range.low);
        let mut at = after.saturating_sub(1);
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

/// A run that no commit refers to yet.
#[derive(Debug)]
pub(crate) struct StagedRun {
    directory: Directory,
    bloom: Blob,
    blobs: Vec<Blob>,
    entries: u64,
}

impl StagedRun {
    pub(crate) fn entries(&self) -> u64 {
        self.entries
    }

    /// Gives the run its keys; its parts join the batch.
    pub(crate) fn place(self, pager: &BoxedPager, batch: &mut WriteBatch) -> Result<Run> {
        let first = pager.alloc_many(self.blobs.len() + 2)?.start;
        let meta = RunMeta {
            first_key: first,
            pages: u32::try_from(self.blobs.len())
                .map_err(|_| Error::internal("a run of too many pages"))?,
            entries: self.entries,
        };
        let directory = Blob::from_bytes(&seal(DIRECTORY, &self.directory));
        let parts = [directory, self.bloom].into_iter().chain(self.blobs);
        let keys = (first..).map(PhysicalKey);
        batch.puts.extend(keys.zip(parts));
        Ok(Run::stored(meta, Arc::clone(pager)))
    }
}

fn store(pager: &dyn Pager, bytes: &[u8]) -> Result<Blob> {
    if bytes.len() >= EARLY_BYTES {
        pager.write_early(bytes)
    } else {
        Ok(Blob::from_bytes(bytes))
    }
}

/// Writes a run: entries in order, pages as they are full.
pub(crate) struct RunWriter<'a> {
    pager: &'a dyn Pager,
    page: PageWriter,
    run: StagedRun,
    bloom: BloomBuilder,
}

impl<'a> RunWriter<'a> {
    /// A run of at most so many entries, with a filter of at most so many bytes.
    pub(crate) fn new(pager: &'a dyn Pager, entries: u64, filter_bytes: usize) -> Self {
        Self {
            pager,
            page: PageWriter::default(),
            run: StagedRun {
                directory: Directory {
                    fences: Vec::new(),
                    last_key: Vec::new(),
                    bloom_checksum: 0,
                },
                bloom: Blob::from_bytes(&[]),
                blobs: Vec::new(),
                entries: 0,
            },
            bloom: BloomBuilder::with_room(entries, filter_bytes),
        }
    }

    pub(crate) fn push(&mut self, key: &[u8], row_id: RowId) -> Result<()> {
        self.bloom.push(key);
        self.page.push(key, row_id);
        self.run.entries += 1;
        if self.page.bytes() >= PAGE_BYTES {
            self.finish_page()?;
        }
        Ok(())
    }

    fn finish_page(&mut self) -> Result<()> {
        self.run
            .directory
            .fences
            .push(self.page.first_key().to_vec());
        self.run.directory.last_key = self.page.last_key().to_vec();
        let blob = store(self.pager, &self.page.finish())?;
        self.run.blobs.push(blob);
        Ok(())
    }

    /// The run; none where nothing was pushed.
    pub(crate) fn finish(mut self) -> Result<Option<StagedRun>> {
        if self.page.len() > 0 {
            self.finish_page()?;
        }
        let bloom = self.bloom.finish();
        self.run.directory.bloom_checksum = xxh3_64(&bloom);
        self.run.bloom = store(self.pager, &bloom)?;
        Ok((self.run.entries > 0).then_some(self.run))
    }
}

/// A run that is read from front to back, stored or staged.
pub(crate) struct Cursor<'a> {
    source: Source<'a>,
    page: Option<Page>,
    page_at: usize,
    entry: usize,
    key: Vec<u8>,
    row_id: RowId,
}

enum Source<'a> {
    Stored(&'a Run),
    Staged(&'a StagedRun),
}

impl<'a> Cursor<'a> {
    /// Before the first entry.
    pub(crate) fn stored(run: &'a Run) -> Self {
        Self::new(Source::Stored(run))
    }

    pub(crate) fn staged(run: &'a StagedRun) -> Self {
        Self::new(Source::Staged(run))
    }

    fn new(source: Source<'a>) -> Self {
        Self {
            source,
            page: None,
            page_at: 0,
            entry: 0,
            key: Vec::new(),
            row_id: 0,
        }
    }

    /// Moves to the next entry; false at the end.
    ///
    /// # Errors
    /// When a page cannot be read or is damaged.
    pub(crate) fn advance(&mut self) -> Result<bool> {
        loop {
            if let Some(page) = &self.page {
                if self.entry < page.len() {
                    page.key_into(self.entry, &mut self.key);
                    self.row_id = page.row_id(self.entry);
                    self.entry += 1;
                    return Ok(true);
                }
                self.page = None;
            }
            let blob = match &self.source {
                Source::Stored(run) if self.page_at < run.page_count() => {
                    run.read(self.page_at as u64 + 2)?
                }
                Source::Stored(_) => return Ok(false),
                Source::Staged(run) => match run.blobs.get(self.page_at) {
                    Some(blob) => blob.clone(),
                    None => return Ok(false),
                },
            };
            self.page = Some(Page::open(blob)?);
            self.page_at += 1;
            self.entry = 0;
        }
    }

    /// The entry that [`Self::advance`] moved to.
    pub(crate) fn entry(&self) -> (&[u8], RowId) {
        (&self.key, self.row_id)
    }
}
