//! Writes runs: entries in order, by one thread or by several that have a range of them each.

use super::bloom::{BloomBuilder, WaitingKeys};
use super::page::PageWriter;
use super::run::{DIRECTORY, Directory, Run, RunMeta};
use crate::descriptor::seal;
use llkv_result::{Error, Result};
use llkv_storage::{Blob, BoxedPager, Pager, WriteBatch};
use llkv_types::{CancelToken, PhysicalKey, RowId};
use parking_lot::Mutex;
use std::sync::Arc;
use xxhash_rust::xxh3::xxh3_64;

/// A page is full from here on.
const PAGE_BYTES: usize = 128 << 10;
/// Values from this size on are written ahead of the commit: most pages, so that a run of any size takes the memory of one.
const EARLY_BYTES: usize = 16 << 10;

/// A run that no commit refers to yet.
#[derive(Debug)]
pub(crate) struct StagedRun {
    pub(super) directory: Directory,
    /// None in a run that will be merged with others before anybody looks for a key in it.
    bloom: Option<Blob>,
    pub(super) blobs: Vec<Blob>,
    entries: u64,
}

impl StagedRun {
    pub(crate) fn entries(&self) -> u64 {
        self.entries
    }

    pub(crate) fn has_filter(&self) -> bool {
        self.bloom.is_some()
    }

    /// Gives the run its keys; its parts join the batch.
    ///
    /// # Errors
    /// When it has no filter.
    pub(crate) fn place(self, pager: &BoxedPager, batch: &mut WriteBatch) -> Result<Run> {
        let first = pager.alloc_many(self.blobs.len() + 2)?.start;
        let meta = RunMeta {
            first_key: first,
            pages: u32::try_from(self.blobs.len())
                .map_err(|_| Error::internal("a run of too many pages"))?,
            entries: self.entries,
        };
        let bloom = self.bloom;
        let bloom = bloom.ok_or_else(|| Error::internal("a run without a filter stays"))?;
        let directory = Blob::from_bytes(&seal(DIRECTORY, &self.directory));
        let parts = [directory, bloom].into_iter().chain(self.blobs);
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

/// What the parts of a run share: its filter, and the token that is asked before each page.
pub(crate) struct RunWriter<'a> {
    pager: &'a dyn Pager,
    cancel: &'a CancelToken,
    bloom: Option<Mutex<BloomBuilder>>,
}

impl<'a> RunWriter<'a> {
    /// A run of at most so many entries, with a filter of at most so many bytes.
    pub(crate) fn new(
        pager: &'a dyn Pager,
        cancel: &'a CancelToken,
        entries: u64,
        filter_bytes: usize,
    ) -> Self {
        Self {
            pager,
            cancel,
            bloom: Some(Mutex::new(BloomBuilder::with_room(entries, filter_bytes))),
        }
    }

    /// A run that cannot stay: it has no filter.
    pub(crate) fn without_filter(pager: &'a dyn Pager, cancel: &'a CancelToken) -> Self {
        Self {
            pager,
            cancel,
            bloom: None,
        }
    }

    /// The writer of a part of the run.
    pub(crate) fn part(&self) -> PartWriter<'_> {
        PartWriter {
            run: self,
            page: PageWriter::default(),
            waiting: WaitingKeys::default(),
            part: RunPart::default(),
        }
    }

    /// The run of these parts, which follow each other; none where nothing was pushed.
    pub(crate) fn finish(
        self,
        parts: impl IntoIterator<Item = RunPart>,
    ) -> Result<Option<StagedRun>> {
        let mut directory = Directory::default();
        let (mut blobs, mut entries) = (Vec::new(), 0);
        for part in parts.into_iter().filter(|part| part.entries > 0) {
            directory.fences.extend(part.fences);
            directory.last_key = part.last_key;
            blobs.extend(part.blobs);
            entries += part.entries;
        }
        if entries == 0 {
            return Ok(None);
        }
        let bloom = self.bloom.map(|bloom| bloom.into_inner().finish());
        directory.bloom_checksum = bloom.as_deref().map_or(0, xxh3_64);
        let bloom = bloom.map(|bloom| store(self.pager, &bloom)).transpose()?;
        Ok(Some(StagedRun {
            directory,
            bloom,
            blobs,
            entries,
        }))
    }
}

/// The pages of some entries that follow each other.
#[derive(Debug, Default)]
pub(crate) struct RunPart {
    fences: Vec<Vec<u8>>,
    last_key: Vec<u8>,
    blobs: Vec<Blob>,
    entries: u64,
}

/// Writes a part of a run: entries in order, pages as they are full.
pub(crate) struct PartWriter<'a> {
    run: &'a RunWriter<'a>,
    page: PageWriter,
    waiting: WaitingKeys,
    part: RunPart,
}

impl PartWriter<'_> {
    pub(crate) fn push(&mut self, key: &[u8], row_id: RowId) -> Result<()> {
        if let Some(bloom) = &self.run.bloom
            && self.waiting.push(key)
        {
            bloom.lock().add(&mut self.waiting);
        }
        self.page.push(key, row_id);
        self.part.entries += 1;
        if self.page.bytes() >= PAGE_BYTES {
            self.finish_page()?;
        }
        Ok(())
    }

    fn finish_page(&mut self) -> Result<()> {
        self.run.cancel.check()?;
        self.part.fences.push(self.page.first_key().to_vec());
        self.part.last_key = self.page.last_key().to_vec();
        let blob = store(self.run.pager, &self.page.finish())?;
        self.part.blobs.push(blob);
        Ok(())
    }

    pub(crate) fn finish(mut self) -> Result<RunPart> {
        if self.page.len() > 0 {
            self.finish_page()?;
        }
        if let Some(bloom) = &self.run.bloom {
            bloom.lock().add(&mut self.waiting);
        }
        Ok(self.part)
    }
}
