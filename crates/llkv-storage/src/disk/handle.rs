//! A file with its path: whole reads and writes, and errors that name file, operation and offset.

use super::{Disk, DiskFile, LockMode, OpenMode};
use llkv_result::{Result, StorageError};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// An open file that knows its name.
#[derive(Clone)]
pub(crate) struct FileHandle {
    file: Arc<dyn DiskFile>,
    path: Arc<PathBuf>,
}

/// The error of a failed operation; a full disk gets a variant of its own.
pub(crate) fn io_error(
    path: &Path,
    operation: &'static str,
    offset: u64,
    len: u64,
    source: io::Error,
) -> StorageError {
    let full = matches!(
        source.kind(),
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded
    );
    if full {
        return StorageError::DiskFull {
            path: path.to_path_buf(),
            needed_bytes: len,
        };
    }
    StorageError::Io {
        path: path.to_path_buf(),
        operation,
        offset,
        source: Arc::new(source),
    }
}

impl FileHandle {
    /// Opens `path` on `disk`.
    pub(crate) fn open(disk: &dyn Disk, path: &Path, mode: OpenMode) -> Result<Self> {
        let file = disk
            .open(path, mode)
            .map_err(|e| io_error(path, "open", 0, 0, e))?;
        Ok(Self {
            file,
            path: Arc::new(path.to_path_buf()),
        })
    }

    /// The same open file under another name, after a rename.
    pub(crate) fn renamed(self, path: &Path) -> Self {
        Self {
            path: Arc::new(path.to_path_buf()),
            ..self
        }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Fills `bytes`; a file that ends before is damaged.
    pub(crate) fn read_exact(&self, bytes: &mut [u8], offset: u64) -> Result<()> {
        let got = self.read_up_to(bytes, offset)?;
        if got < bytes.len() {
            let detail = format!("the file ends {} bytes too early", bytes.len() - got);
            return Err(self.corrupt(offset, None, detail));
        }
        Ok(())
    }

    /// Reads until `bytes` is full or the file ends.
    pub(crate) fn read_up_to(&self, bytes: &mut [u8], offset: u64) -> Result<usize> {
        let mut done = 0;
        while let Some(rest) = bytes.get_mut(done..).filter(|rest| !rest.is_empty()) {
            let at = offset + done as u64;
            match self.file.read_at(rest, at) {
                Ok(0) => break,
                Ok(n) => done += n,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(self.error("read", at, rest.len() as u64, e)),
            }
        }
        Ok(done)
    }

    /// Writes all of `bytes`, going on after short writes.
    pub(crate) fn write_all(&self, bytes: &[u8], offset: u64) -> Result<()> {
        let mut done = 0;
        while let Some(rest) = bytes.get(done..).filter(|rest| !rest.is_empty()) {
            let at = offset + done as u64;
            match self.file.write_at(rest, at) {
                Ok(0) => {
                    let e = io::Error::from(io::ErrorKind::WriteZero);
                    return Err(self.error("write", at, rest.len() as u64, e));
                }
                Ok(n) => done += n,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(self.error("write", at, rest.len() as u64, e)),
            }
        }
        Ok(())
    }

    pub(crate) fn identity(&self) -> Option<(u64, u64)> {
        self.file.identity()
    }

    pub(crate) fn size(&self) -> Result<u64> {
        self.file.size().map_err(|e| self.error("measure", 0, 0, e))
    }

    pub(crate) fn set_size(&self, len: u64) -> Result<()> {
        let result = self.file.set_size(len);
        result.map_err(|e| self.error("resize", len, len, e))
    }

    pub(crate) fn reserve(&self, len: u64) -> Result<()> {
        let result = self.file.reserve(len);
        result.map_err(|e| self.error("reserve", 0, len, e))
    }

    pub(crate) fn punch(&self, offset: u64, len: u64) -> Result<()> {
        let result = self.file.punch(offset, len);
        result.map_err(|e| self.error("punch", offset, len, e))
    }

    pub(crate) fn sync_data(&self) -> Result<()> {
        let result = self.file.sync_data();
        result.map_err(|e| self.error("sync", 0, 0, e))
    }

    pub(crate) fn map(&self, offset: u64, len: usize) -> Result<Option<arrow::buffer::Buffer>> {
        let result = self.file.map(offset, len);
        result.map_err(|e| self.error("map", offset, len as u64, e))
    }

    pub(crate) fn try_lock(&self, mode: LockMode) -> Result<()> {
        match self.file.try_lock(mode) {
            Ok(true) => Ok(()),
            Ok(false) => Err(StorageError::Locked {
                path: self.path.to_path_buf(),
            }
            .into()),
            Err(e) => Err(self.error("lock", 0, 0, e)),
        }
    }

    fn error(
        &self,
        operation: &'static str,
        offset: u64,
        len: u64,
        e: io::Error,
    ) -> llkv_result::Error {
        io_error(&self.path, operation, offset, len, e).into()
    }

    /// The error for bytes that are not what they must be.
    pub(crate) fn corrupt(
        &self,
        offset: u64,
        key: Option<u64>,
        detail: impl Into<String>,
    ) -> llkv_result::Error {
        StorageError::Corrupt {
            path: self.path.to_path_buf(),
            offset,
            key,
            detail: detail.into(),
        }
        .into()
    }
}
