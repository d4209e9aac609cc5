//! Where temporary files are, and how much they may take.

use parking_lot::RwLock;
use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// Makes temporary files: the seam at which tests put disks that fail.
pub trait SpillDisk: Send + Sync {
    /// A new, empty file in `directory`, which is made where it does not exist. The file is gone when what is
    /// given back is dropped, and after a crash at the latest when `clear` is called.
    ///
    /// # Errors
    /// Whatever the system says.
    fn create(&self, directory: &Path) -> io::Result<Box<dyn SpillStorage>>;

    /// Removes what a crash left behind in a folder that nobody uses, and the folder.
    ///
    /// # Errors
    /// Whatever the system says; a folder that does not exist is no error.
    fn clear(&self, directory: &Path) -> io::Result<()>;
}

/// The bytes of one temporary file.
pub trait SpillStorage: Send + Sync {
    /// Writes all of `bytes` at `offset`.
    ///
    /// # Errors
    /// Whatever the system says; what stands in the file then is unknown.
    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()>;

    /// Reads as many bytes as `into` takes.
    ///
    /// # Errors
    /// Whatever the system says, the end of the file among it.
    fn read_at(&self, offset: u64, into: &mut [u8]) -> io::Result<()>;
}

/// The temporary files of an engine: their folder, their limit, what they take.
pub struct SpillSpace {
    disk: Arc<dyn SpillDisk>,
    directory: RwLock<PathBuf>,
    /// The folder is nobody else's: it goes with the last file.
    is_owned: AtomicBool,
    limit_bytes: AtomicU64,
    used_bytes: AtomicU64,
    files: AtomicU64,
}

impl SpillSpace {
    /// Files in `directory`, which is made when the first one is, without a limit.
    #[must_use]
    pub fn new(directory: impl Into<PathBuf>) -> Arc<Self> {
        Self::with_disk(directory, Arc::new(LocalDisk))
    }

    /// The same on another disk.
    #[must_use]
    pub fn with_disk(directory: impl Into<PathBuf>, disk: Arc<dyn SpillDisk>) -> Arc<Self> {
        Arc::new(Self {
            disk,
            directory: RwLock::new(directory.into()),
            is_owned: AtomicBool::new(false),
            limit_bytes: AtomicU64::new(u64::MAX),
            used_bytes: AtomicU64::new(0),
            files: AtomicU64::new(0),
        })
    }

    /// The folder of new files.
    #[must_use]
    pub fn directory(&self) -> PathBuf {
        self.directory.read().clone()
    }

    /// Says whether the folder is for these files alone: it is then removed with the last of them.
    pub fn set_owned(&self, is_owned: bool) {
        self.is_owned.store(is_owned, Ordering::Relaxed);
    }

    /// Puts new files into another folder.
    pub fn set_directory(&self, directory: impl Into<PathBuf>) {
        *self.directory.write() = directory.into();
    }

    /// Bytes that all files may take together.
    #[must_use]
    pub fn limit_bytes(&self) -> u64 {
        self.limit_bytes.load(Ordering::Relaxed)
    }

    /// Changes the limit. With 0 nothing is spilled: who passes the memory limit fails.
    pub fn set_limit_bytes(&self, limit_bytes: u64) {
        self.limit_bytes.store(limit_bytes, Ordering::Relaxed);
    }

    /// Bytes that all files take now.
    #[must_use]
    pub fn used_bytes(&self) -> u64 {
        self.used_bytes.load(Ordering::Relaxed)
    }

    /// Files that exist now.
    #[must_use]
    pub fn files(&self) -> u64 {
        self.files.load(Ordering::Relaxed)
    }

    /// Removes what a crash left behind. Only for a folder that no other engine uses.
    ///
    /// # Errors
    /// Whatever the system says.
    pub fn clear(&self) -> io::Result<()> {
        self.disk.clear(&self.directory())
    }

    pub(crate) fn is_enabled(&self) -> bool {
        self.limit_bytes() > 0
    }

    pub(crate) fn create(&self, directory: &Path) -> io::Result<Box<dyn SpillStorage>> {
        let storage = self.disk.create(directory)?;
        self.files.fetch_add(1, Ordering::Relaxed);
        Ok(storage)
    }

    /// Takes `bytes` of the limit, or tells how many all files would take with them.
    pub(crate) fn take(&self, bytes: u64) -> Result<(), u64> {
        let before = self.used_bytes.fetch_add(bytes, Ordering::Relaxed);
        let after = before.saturating_add(bytes);
        if after > self.limit_bytes() {
            self.used_bytes.fetch_sub(bytes, Ordering::Relaxed);
            return Err(after);
        }
        Ok(())
    }

    /// Gives a file and its bytes back.
    pub(crate) fn forget(&self, bytes: u64) {
        self.used_bytes.fetch_sub(bytes, Ordering::Relaxed);
        let files = self.files.fetch_sub(1, Ordering::Relaxed);
        if files == 1 && self.is_owned.load(Ordering::Relaxed) {
            // What cannot be removed now is removed when the database is opened again.
            let _ = self.clear();
        }
    }
}

impl fmt::Debug for SpillSpace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SpillSpace")
            .field("directory", &self.directory())
            .field("limit_bytes", &self.limit_bytes())
            .field("used_bytes", &self.used_bytes())
            .finish_non_exhaustive()
    }
}

/// The machine's file system.
#[derive(Debug, Clone, Copy, Default)]
pub struct LocalDisk;

/// What names of temporary files end with.
const EXTENSION: &str = "llkv-spill";

impl SpillDisk for LocalDisk {
    fn create(&self, directory: &Path) -> io::Result<Box<dyn SpillStorage>> {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        loop {
            fs::create_dir_all(directory)?;
            let number = NUMBER.fetch_add(1, Ordering::Relaxed);
            let name = format!("{}-{number}.{EXTENSION}", std::process::id());
            let path = directory.join(name);
            let mut options = OpenOptions::new();
            options.read(true).write(true).create_new(true);
            #[cfg(unix)]
            std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
            let file = match options.open(&path) {
                Ok(file) => file,
                // Left behind by a process of the same number.
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => continue,
                // The folder's last user removed it just now.
                Err(error) if error.kind() == io::ErrorKind::NotFound && !directory.is_dir() => {
                    continue;
                }
                Err(error) => return Err(error),
            };
            // Without a name the system frees the file however the process ends. Where that is not allowed, the
            // name goes with the file.
            let remaining = fs::remove_file(&path).is_err().then_some(path);
            return Ok(Box::new(LocalFile {
                file: Some(file),
                remaining,
                #[cfg(not(unix))]
                position: parking_lot::Mutex::new(()),
            }));
        }
    }

    fn clear(&self, directory: &Path) -> io::Result<()> {
        let entries = match fs::read_dir(directory) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(error),
        };
        for entry in entries {
            let path = entry?.path();
            if path.extension().is_some_and(|e| e == EXTENSION) {
                match fs::remove_file(path) {
                    Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                    _ => {}
                }
            }
        }
        // A folder with anything else in it stays.
        let _ = fs::remove_dir(directory);
        Ok(())
    }
}

struct LocalFile {
    /// Taken when it is dropped.
    file: Option<File>,
    /// A name to be removed.
    remaining: Option<PathBuf>,
    /// Held while the file's position is where it must be.
    #[cfg(not(unix))]
    position: parking_lot::Mutex<()>,
}

impl LocalFile {
    fn file(&self) -> io::Result<&File> {
        let closed = || io::Error::other("the file is closed");
        self.file.as_ref().ok_or_else(closed)
    }
}

#[cfg(unix)]
impl SpillStorage for LocalFile {
    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        std::os::unix::fs::FileExt::write_all_at(self.file()?, bytes, offset)
    }

    fn read_at(&self, offset: u64, into: &mut [u8]) -> io::Result<()> {
        std::os::unix::fs::FileExt::read_exact_at(self.file()?, into, offset)
    }
}

#[cfg(not(unix))]
impl SpillStorage for LocalFile {
    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        use std::io::{Seek, SeekFrom, Write};
        let _held = self.position.lock();
        let mut file = self.file()?;
        file.seek(SeekFrom::Start(offset))?;
        file.write_all(bytes)
    }

    fn read_at(&self, offset: u64, into: &mut [u8]) -> io::Result<()> {
        use std::io::{Read, Seek, SeekFrom};
        let _held = self.position.lock();
        let mut file = self.file()?;
        file.seek(SeekFrom::Start(offset))?;
        file.read_exact(into)
    }
}

impl Drop for LocalFile {
    fn drop(&mut self) {
        drop(self.file.take());
        if let Some(path) = self.remaining.take() {
            // Nobody is left to tell; the next opening of the database clears the folder.
            let _ = fs::remove_file(path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_have_no_name_and_their_folder_goes_with_the_last() {
        let beside = tempfile::tempdir().unwrap();
        let directory = beside.path().join("db.llkv-tmp");
        let space = SpillSpace::new(&directory);
        space.set_owned(true);
        let (one, two) = (
            space.create(&directory).unwrap(),
            space.create(&directory).unwrap(),
        );
        one.write_at(3, b"abc").unwrap();
        let mut read = [0; 2];
        one.read_at(4, &mut read).unwrap();
        assert_eq!(&read, b"bc");
        assert!(one.read_at(5, &mut read).is_err());
        assert_eq!(fs::read_dir(&directory).unwrap().count(), 0);
        drop(one);
        space.forget(0);
        assert!(directory.is_dir());
        drop(two);
        space.forget(0);
        assert!(!directory.exists());
        assert_eq!(space.files(), 0);
    }

    #[test]
    fn what_a_crash_left_is_cleared_and_what_is_foreign_stays() {
        let beside = tempfile::tempdir().unwrap();
        let directory = beside.path().join("db.llkv-tmp");
        fs::create_dir(&directory).unwrap();
        fs::write(directory.join("77-0.llkv-spill"), b"rows").unwrap();
        let space = SpillSpace::new(&directory);
        space.clear().unwrap();
        assert!(!directory.exists());
        space.clear().unwrap();
        fs::create_dir(&directory).unwrap();
        fs::write(directory.join("notes"), b"mine").unwrap();
        space.clear().unwrap();
        assert!(directory.join("notes").exists());
    }
}
