//! Mapped bytes that are lent out, per file and across the handles of this process.
//!
//! A blob may outlive the pager that it came from. The next pager over the same file must then not
//! write where the blob still looks: it asks here which extents those are. (Other processes are kept
//! away by the file's lock, which the map behind the blob keeps.)

use parking_lot::Mutex;
use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Weak};

/// Files by device and inode.
type Files = HashMap<(u64, u64), Weak<Lent>>;

/// The files that have lent extents.
static FILES: LazyLock<Mutex<Files>> = LazyLock::new(Mutex::default);

/// The lent extents of one file.
#[derive(Debug, Default)]
pub(crate) struct Lent {
    /// offset -> (length, how many extent objects lend it)
    extents: Mutex<HashMap<u64, (u64, u32)>>,
}

impl Lent {
    /// What is lent of the file; nothing can be, of a file without identity.
    pub(crate) fn of(identity: Option<(u64, u64)>) -> Arc<Self> {
        let Some(identity) = identity else {
            return Arc::default();
        };
        let mut files = FILES.lock();
        files.retain(|_, lent| lent.strong_count() > 0);
        if let Some(lent) = files.get(&identity).and_then(Weak::upgrade) {
            return lent;
        }
        let lent = Arc::default();
        files.insert(identity, Arc::downgrade(&lent));
        lent
    }

    pub(crate) fn lend(&self, offset: u64, len: u64) {
        let mut extents = self.extents.lock();
        extents.entry(offset).or_insert((len, 0)).1 += 1;
    }

    pub(crate) fn take_back(&self, offset: u64) {
        let mut extents = self.extents.lock();
        if let Some((_, count)) = extents.get_mut(&offset) {
            *count -= 1;
            if *count == 0 {
                extents.remove(&offset);
            }
        }
    }

    pub(crate) fn has(&self, offset: u64) -> bool {
        self.extents.lock().contains_key(&offset)
    }

    /// (offset, length) of everything lent now.
    pub(crate) fn extents(&self) -> Vec<(u64, u64)> {
        let extents = self.extents.lock();
        extents
            .iter()
            .map(|(offset, (len, _))| (*offset, *len))
            .collect()
    }
}
