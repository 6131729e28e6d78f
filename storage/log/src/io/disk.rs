//! Real files.

use std::fs::{self, OpenOptions};
use std::hash::{BuildHasher, RandomState};
use std::io::{Error, ErrorKind, Result, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::{File, Io};

/// The file system of the machine.
#[derive(Debug, Clone, Default)]
pub struct Disk {
    /// Added to every fsync, to see how the log does on a slower disk.
    sync_delay: Duration,
}

impl Disk {
    /// The file system as it is.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The file system with every fsync slowed down by `delay`: cloud disks take about 2 ms.
    #[must_use]
    pub fn with_sync_delay(delay: Duration) -> Self {
        Self { sync_delay: delay }
    }

    fn file(&self, file: fs::File) -> Arc<dyn File> {
        Arc::new(DiskFile { file, sync_delay: self.sync_delay, has_failed: Mutex::default() })
    }
}

#[derive(Debug)]
struct DiskFile {
    file: fs::File,
    sync_delay: Duration,
    /// Whether a sync has failed. The system tells that only one of those who sync at a time, and takes the bytes for
    /// written from then on, so whoever comes next must hear of it from here.
    has_failed: Mutex<bool>,
}

impl Io for Disk {
    fn open(&self, path: &Path) -> Result<Arc<dyn File>> {
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)?;
        Ok(self.file(file))
    }

    #[cfg(target_os = "linux")]
    fn open_direct(&self, path: &Path) -> Result<Option<Arc<dyn File>>> {
        use std::os::unix::fs::OpenOptionsExt;

        let flags = rustix::fs::OFlags::DIRECT.bits().cast_signed();
        match OpenOptions::new().write(true).custom_flags(flags).open(path) {
            Ok(file) => Ok(Some(self.file(file))),
            // As of a file system that is in memory.
            Err(error) if error.kind() == ErrorKind::InvalidInput => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn read(&self, path: &Path) -> Result<Option<Vec<u8>>> {
        match fs::read(path) {
            Ok(content) => Ok(Some(content)),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn list(&self, dir: &Path) -> Result<Vec<String>> {
        let entries = match fs::read_dir(dir) {
            Ok(entries) => entries,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(error),
        };
        let mut names =
            entries.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned())).collect::<Result<Vec<_>>>()?;
        names.sort();
        Ok(names)
    }

    fn create_dir(&self, dir: &Path) -> Result<()> {
        fs::create_dir_all(dir)
    }

    fn remove(&self, path: &Path) -> Result<()> {
        missing_is_fine(fs::remove_file(path))
    }

    fn remove_dir(&self, dir: &Path) -> Result<()> {
        missing_is_fine(fs::remove_dir_all(dir))
    }

    fn rename(&self, from: &Path, to: &Path) -> Result<()> {
        fs::rename(from, to)
    }

    fn sync_dir(&self, dir: &Path) -> Result<()> {
        fs::File::open(dir)?.sync_all()
    }

    fn lock(&self, path: &Path) -> Result<std::result::Result<Box<dyn Send + Sync>, String>> {
        let mut file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)?;
        match file.try_lock() {
            Ok(()) => {
                file.set_len(0)?;
                write!(file, "process {}", std::process::id())?;
                Ok(Ok(Box::new(file)))
            }
            Err(fs::TryLockError::WouldBlock) => Ok(Err(owner(path))),
            Err(fs::TryLockError::Error(error)) => Err(error),
        }
    }

    fn now_ms(&self) -> i64 {
        SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as i64)
    }

    fn random(&self) -> u128 {
        // The keys of the hash are the system's random numbers.
        let keys = RandomState::new();
        u128::from(keys.hash_one(0)) << 64 | u128::from(keys.hash_one(1))
    }
}

fn owner(lock: &Path) -> String {
    let name = fs::read_to_string(PathBuf::from(lock)).unwrap_or_default();
    if name.is_empty() { "another process".to_owned() } else { name }
}

fn missing_is_fine(result: Result<()>) -> Result<()> {
    match result {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

impl File for DiskFile {
    fn read_at(&self, buffer: &mut [u8], position: u64) -> Result<usize> {
        let mut read = 0;
        while let Some(rest) = buffer.get_mut(read..).filter(|rest| !rest.is_empty()) {
            match self.file.read_at(rest, position + read as u64) {
                Ok(0) => break,
                Ok(n) => read += n,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(read)
    }

    fn write_at(&self, bytes: &[u8], position: u64) -> Result<()> {
        self.file.write_all_at(bytes, position)
    }

    fn len(&self) -> Result<u64> {
        Ok(self.file.metadata()?.len())
    }

    fn set_len(&self, length: u64) -> Result<()> {
        self.file.set_len(length)
    }

    #[cfg(target_os = "linux")]
    fn reserve(&self, range: std::ops::Range<u64>) {
        use rustix::fs::{FallocateFlags, fallocate};

        // Not every file system can do it, and none needs to.
        let _ = fallocate(&self.file, FallocateFlags::KEEP_SIZE, range.start, range.end - range.start);
    }

    fn descriptor(&self) -> Option<BorrowedFd<'_>> {
        Some(self.file.as_fd())
    }

    fn sync(&self) -> Result<()> {
        if !self.sync_delay.is_zero() {
            thread::sleep(self.sync_delay);
        }
        let mut has_failed = self.has_failed.lock().unwrap_or_else(PoisonError::into_inner);
        if *has_failed {
            return Err(Error::other("an earlier sync of the file has failed"));
        }
        self.file.sync_data().inspect_err(|_| *has_failed = true)
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::os::unix::fs::MetadataExt;

    use super::*;

    #[test]
    fn space_that_was_reserved_is_no_content_and_is_given_back() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        let file = Disk::new().open(&path).unwrap();
        file.write_at(b"content", 0).unwrap();
        file.reserve(7..1 << 20);
        let on_disk_bytes = || fs::metadata(&path).unwrap().blocks() * 512;
        assert_eq!(file.len().unwrap(), 7);
        let another = fs::File::create(dir.path().join("another")).unwrap();
        let is_possible = rustix::fs::fallocate(&another, rustix::fs::FallocateFlags::KEEP_SIZE, 0, 1 << 20).is_ok()
            && another.metadata().unwrap().blocks() > 0;
        assert_eq!(on_disk_bytes() >= 1 << 20, is_possible);
        file.set_len(7).unwrap();
        assert!(on_disk_bytes() < 64 << 10, "{}", on_disk_bytes());
        assert_eq!(fs::read(&path).unwrap(), b"content");
    }
}
