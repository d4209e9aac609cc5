//! Backups: everything that a pin sees, in a database file of its own, while writing goes on.

use crate::disk::io_error;
use crate::{Blob, Disk, FilePager, FilePagerOptions, Pager, Pin, WriteBatch};
use llkv_result::Result;
use llkv_types::PhysicalKey;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Keys that are read at a time.
const KEYS: usize = 256;
/// Values that are written with one batch.
const BATCH_BYTES: usize = 8 << 20;
/// Values from this size on are written straight to their place.
const EARLY_BYTES: usize = 64 << 10;

/// How far a backup has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Keys that were copied.
    pub keys: u64,
    /// Keys that there are.
    pub of_keys: u64,
    /// Bytes of the values that were copied.
    pub bytes: u64,
}

/// Writes everything that `pin` sees to a new database file. It has another name, `TARGET-unfinished`,
/// until all of it is durable; `progress` is asked after every batch and may end the copy with an error.
///
/// # Errors
/// When `target` exists, on I/O errors of either side, and the error of `progress`. Nothing is left behind
/// but, where the process dies meanwhile, the unfinished file, which the next backup replaces.
pub fn backup(
    pin: &dyn Pin,
    disk: Arc<dyn Disk>,
    target: &Path,
    options: FilePagerOptions,
    progress: &mut dyn FnMut(Progress) -> Result<()>,
) -> Result<Progress> {
    let taken = disk.exists(target);
    if taken.map_err(|e| io_error(target, "look for", 0, 0, e))? {
        let exists = io::Error::new(io::ErrorKind::AlreadyExists, "the file exists");
        return Err(io_error(target, "back up to", 0, 0, exists).into());
    }
    let unfinished = named(target, "-unfinished");
    remove(&*disk, &unfinished)?;
    let copied = copy(pin, &disk, &unfinished, options, progress).and_then(|done| {
        let renamed = disk.rename(&unfinished, target);
        renamed.map_err(|e| io_error(target, "rename", 0, 0, e))?;
        let synced = disk.sync_folder(target);
        synced.map_err(|e| io_error(target, "sync the folder of", 0, 0, e))?;
        Ok(done)
    });
    if copied.is_err() {
        // The error is what the caller wants to know.
        let _ = remove(&*disk, &unfinished);
    }
    copied
}

fn copy(
    pin: &dyn Pin,
    disk: &Arc<dyn Disk>,
    target: &Path,
    options: FilePagerOptions,
    progress: &mut dyn FnMut(Progress) -> Result<()>,
) -> Result<Progress> {
    let pager = FilePager::open_on(Arc::clone(disk), target, options)?;
    let keys = pin.keys_in(PhysicalKey(0)..PhysicalKey(u64::MAX))?;
    let mut done = Progress {
        keys: 0,
        of_keys: keys.len() as u64,
        bytes: 0,
    };
    let mut batch = WriteBatch::default();
    let mut batch_bytes = 0;
    for some in keys.chunks(KEYS) {
        for (key, value) in some.iter().zip(pin.batch_get(some)?) {
            done.keys += 1;
            let Some(value) = value else { continue };
            let bytes = value.as_slice();
            done.bytes += bytes.len() as u64;
            batch_bytes += bytes.len();
            let copy = match bytes.len() {
                EARLY_BYTES.. => pager.write_early(bytes)?,
                _ => Blob::from_bytes(bytes),
            };
            batch.puts.push((*key, copy));
            if batch_bytes >= BATCH_BYTES {
                pager.log(std::mem::take(&mut batch))?;
                batch_bytes = 0;
                progress(done)?;
            }
        }
    }
    pager.log(batch)?;
    pager.close()?;
    progress(done)?;
    Ok(done)
}

fn named(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

/// Removes what a backup that did not end has left.
fn remove(disk: &dyn Disk, unfinished: &Path) -> Result<()> {
    for suffix in ["", "-wal", "-new"] {
        let path = named(unfinished, suffix);
        match disk.remove(&path) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => {
                return Err(io_error(&path, "remove", 0, 0, e).into());
            }
            _ => {}
        }
    }
    Ok(())
}
