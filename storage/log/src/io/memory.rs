//! Files in memory: for fast tests, and as a disk that loses what was not synced.

use std::collections::BTreeMap;
use std::io::{Error, ErrorKind, Result};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use super::{BLOCK_BYTES, File, Io};

/// The bytes in which a torn write is torn.
const SECTOR_BYTES: usize = 512;

/// A file system in memory. Clones share the files.
#[derive(Debug, Clone, Default)]
pub struct Memory {
    state: Arc<Mutex<State>>,
    faults: Arc<Mutex<Faults>>,
    /// Whether to remember what a crash would lose; costs a copy of every write.
    crashes: bool,
    /// Whether it has a page cache that writes can go past.
    has_direct: bool,
    /// How far its clock is ahead.
    ahead_ms: Arc<AtomicI64>,
}

#[derive(Debug, Default)]
struct State {
    names: BTreeMap<PathBuf, Arc<MemoryFile>>,
    /// The names as of the last sync of their folder.
    durable_names: BTreeMap<PathBuf, Arc<MemoryFile>>,
}

#[derive(Debug, Default)]
struct Faults {
    /// Fail every operation once this many more writes and syncs have been done.
    operations_left: Option<u64>,
    /// Fail only one.
    once: bool,
    operations: u64,
}

fn count(faults: &Mutex<Faults>) -> Result<()> {
    let mut faults = locked(faults);
    faults.operations += 1;
    match &mut faults.operations_left {
        Some(0) => {
            if faults.once {
                faults.operations_left = None;
            }
            Err(Error::other("simulated disk failure"))
        }
        Some(left) => {
            *left -= 1;
            Ok(())
        }
        None => Ok(()),
    }
}

#[derive(Debug)]
struct MemoryFile {
    content: Mutex<Content>,
    faults: Arc<Mutex<Faults>>,
    crashes: bool,
}

#[derive(Debug, Default)]
struct Content {
    live: Vec<u8>,
    durable: Vec<u8>,
    /// What was done since the last sync, in order.
    unsynced: Vec<Change>,
}

#[derive(Debug, Clone)]
enum Change {
    Write(u64, Vec<u8>),
    SetLen(u64),
}

fn apply(content: &mut Vec<u8>, change: &Change) {
    match change {
        Change::Write(position, bytes) => {
            let start = *position as usize;
            let end = start + bytes.len();
            if content.len() < end {
                content.resize(end, 0);
            }
            if let Some(place) = content.get_mut(start..end) {
                place.copy_from_slice(bytes);
            }
        }
        Change::SetLen(length) => content.resize(*length as usize, 0),
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Memory {
    /// An empty file system that never fails.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// An empty file system that knows what is durable, for [`Memory::crash`].
    #[must_use]
    pub fn with_crashes() -> Self {
        Self { crashes: true, ..Self::default() }
    }

    /// The same, with [`Io::open_direct`].
    #[must_use]
    pub fn with_direct(self) -> Self {
        Self { has_direct: true, ..self }
    }

    /// Lets all writes, syncs and renames fail after `count` more of them.
    pub fn fail_after(&self, count: u64) {
        locked(&self.faults).operations_left = Some(count);
    }

    /// Lets one write, sync or rename fail after `count` more of them.
    pub fn fail_once_after(&self, count: u64) {
        let mut faults = locked(&self.faults);
        faults.operations_left = Some(count);
        faults.once = true;
    }

    /// Lets so much time pass at once.
    pub fn advance_clock(&self, by_ms: i64) {
        self.ahead_ms.fetch_add(by_ms, Ordering::Relaxed);
    }

    /// The number of writes, syncs and renames so far.
    #[must_use]
    pub fn operations(&self) -> u64 {
        locked(&self.faults).operations
    }

    /// What a power failure at this moment may leave: of everything that was not synced, `choose`
    /// says what survives. It is given the number of possibilities and returns one of them.
    #[must_use]
    pub fn crash(&self, mut choose: impl FnMut(usize) -> usize) -> Self {
        let ahead_ms = Arc::clone(&self.ahead_ms);
        let after = Self { ahead_ms, has_direct: self.has_direct, ..Self::with_crashes() };
        let state = locked(&self.state);
        let mut names = BTreeMap::new();
        let unsynced_names = state
            .names
            .iter()
            .filter(|(path, file)| !state.durable_names.get(*path).is_some_and(|durable| Arc::ptr_eq(durable, file)));
        let surviving: Vec<_> = unsynced_names.filter(|_| choose(2) == 1).collect();
        let removed = |path: &Path| !state.names.contains_key(path);
        let durable: Vec<_> = state.durable_names.iter().filter(|(path, _)| !removed(path) || choose(2) == 1).collect();
        for (path, file) in durable.into_iter().chain(surviving) {
            let content = locked(&file.content);
            let mut image = content.durable.clone();
            for change in &content.unsynced {
                match (choose(3), change) {
                    (0, _) => {}
                    (1, Change::Write(position, bytes)) => {
                        let sectors = choose(bytes.len() / SECTOR_BYTES + 1) * SECTOR_BYTES;
                        let torn = bytes.get(..sectors).unwrap_or(bytes).to_vec();
                        apply(&mut image, &Change::Write(*position, torn));
                    }
                    _ => apply(&mut image, change),
                }
            }
            let content = Content { live: image.clone(), durable: image, unsynced: Vec::new() };
            names.insert(path.clone(), after.file(content));
        }
        drop(state);
        let mut fresh = locked(&after.state);
        fresh.durable_names.clone_from(&names);
        fresh.names = names;
        drop(fresh);
        after
    }

    /// Every file's path and length, for tests that damage each byte.
    #[must_use]
    pub fn files(&self) -> Vec<(PathBuf, usize)> {
        let state = locked(&self.state);
        state.names.iter().map(|(path, file)| (path.clone(), locked(&file.content).live.len())).collect()
    }

    /// Flips the bits of `mask` in one byte of a file.
    pub fn flip(&self, path: &Path, position: usize, mask: u8) {
        if let Some(file) = locked(&self.state).names.get(path) {
            let mut content = locked(&file.content);
            if let Some(byte) = content.live.get_mut(position) {
                *byte ^= mask;
            }
            content.durable = content.live.clone();
        }
    }

    /// A copy that shares nothing with this one.
    #[must_use]
    pub fn deep_clone(&self) -> Self {
        let copy = Self { crashes: self.crashes, has_direct: self.has_direct, ..Self::default() };
        let names: BTreeMap<_, _> = locked(&self.state)
            .names
            .iter()
            .map(|(path, file)| {
                let live = locked(&file.content).live.clone();
                let content = Content { durable: live.clone(), live, unsynced: Vec::new() };
                (path.clone(), copy.file(content))
            })
            .collect();
        let mut state = locked(&copy.state);
        state.durable_names.clone_from(&names);
        state.names = names;
        drop(state);
        copy
    }

    fn file(&self, content: Content) -> Arc<MemoryFile> {
        let content = Mutex::new(content);
        Arc::new(MemoryFile { content, faults: Arc::clone(&self.faults), crashes: self.crashes })
    }
}

impl Io for Memory {
    fn open(&self, path: &Path) -> Result<Arc<dyn File>> {
        let mut state = locked(&self.state);
        let file = state.names.entry(path.to_owned()).or_insert_with(|| self.file(Content::default()));
        Ok(Arc::<MemoryFile>::clone(file))
    }

    fn open_direct(&self, path: &Path) -> Result<Option<Arc<dyn File>>> {
        let file = self.open(path)?;
        Ok(self.has_direct.then(|| Arc::new(DirectFile(file)) as Arc<dyn File>))
    }

    fn read(&self, path: &Path) -> Result<Option<Vec<u8>>> {
        Ok(locked(&self.state).names.get(path).map(|file| locked(&file.content).live.clone()))
    }

    fn list(&self, dir: &Path) -> Result<Vec<String>> {
        let state = locked(&self.state);
        let mut names: Vec<String> = state
            .names
            .keys()
            .filter_map(|path| path.strip_prefix(dir).ok()?.components().next())
            .map(|name| name.as_os_str().to_string_lossy().into_owned())
            .collect();
        names.dedup();
        Ok(names)
    }

    fn create_dir(&self, _dir: &Path) -> Result<()> {
        Ok(())
    }

    fn remove(&self, path: &Path) -> Result<()> {
        count(&self.faults)?;
        locked(&self.state).names.remove(path);
        Ok(())
    }

    fn remove_dir(&self, dir: &Path) -> Result<()> {
        count(&self.faults)?;
        locked(&self.state).names.retain(|path, _| !path.starts_with(dir));
        Ok(())
    }

    fn rename(&self, from: &Path, to: &Path) -> Result<()> {
        count(&self.faults)?;
        let mut state = locked(&self.state);
        if let Some(file) = state.names.remove(from) {
            state.names.insert(to.to_owned(), file);
        }
        Ok(())
    }

    fn sync_dir(&self, dir: &Path) -> Result<()> {
        count(&self.faults)?;
        if self.crashes {
            let mut state = locked(&self.state);
            let in_dir = |path: &Path| path.parent() == Some(dir);
            state.durable_names.retain(|path, _| !in_dir(path));
            let now: Vec<_> = state
                .names
                .iter()
                .filter(|(path, _)| in_dir(path))
                .map(|(path, file)| (path.clone(), Arc::clone(file)))
                .collect();
            state.durable_names.extend(now);
        }
        Ok(())
    }

    fn lock(&self, _path: &Path) -> Result<std::result::Result<Box<dyn Send + Sync>, String>> {
        Ok(Ok(Box::new(())))
    }

    fn now_ms(&self) -> i64 {
        let now_ms = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as i64);
        now_ms + self.ahead_ms.load(Ordering::Relaxed)
    }

    fn random(&self) -> u128 {
        // The same for all, so that what happens once happens again.
        0x6d69_6c6c_7374_7265_616d_2069_6e20_6d65
    }
}

impl MemoryFile {
    fn change(&self, change: Change) -> Result<()> {
        count(&self.faults)?;
        let mut content = locked(&self.content);
        apply(&mut content.live, &change);
        if self.crashes {
            content.unsynced.push(change);
        }
        Ok(())
    }
}

/// Takes what a disk takes directly.
#[derive(Debug)]
struct DirectFile(Arc<dyn File>);

impl File for DirectFile {
    fn read_at(&self, buffer: &mut [u8], position: u64) -> Result<usize> {
        self.0.read_at(buffer, position)
    }

    fn write_at(&self, bytes: &[u8], position: u64) -> Result<()> {
        let is_aligned = bytes.as_ptr().align_offset(BLOCK_BYTES) == 0;
        if !is_aligned || !bytes.len().is_multiple_of(BLOCK_BYTES) || !position.is_multiple_of(BLOCK_BYTES as u64) {
            return Err(ErrorKind::InvalidInput.into());
        }
        self.0.write_at(bytes, position)
    }

    fn len(&self) -> Result<u64> {
        self.0.len()
    }

    fn set_len(&self, length: u64) -> Result<()> {
        self.0.set_len(length)
    }

    fn sync(&self) -> Result<()> {
        self.0.sync()
    }
}

impl File for MemoryFile {
    fn read_at(&self, buffer: &mut [u8], position: u64) -> Result<usize> {
        let content = locked(&self.content);
        let available = content.live.get(position as usize..).unwrap_or_default();
        let read = available.len().min(buffer.len());
        if let (Some(target), Some(source)) = (buffer.get_mut(..read), available.get(..read)) {
            target.copy_from_slice(source);
        }
        Ok(read)
    }

    fn write_at(&self, bytes: &[u8], position: u64) -> Result<()> {
        if self.crashes {
            return self.change(Change::Write(position, bytes.to_vec()));
        }
        count(&self.faults)?;
        let mut content = locked(&self.content);
        let start = position as usize;
        if content.live.len() == start {
            content.live.extend_from_slice(bytes);
        } else {
            apply(&mut content.live, &Change::Write(position, bytes.to_vec()));
        }
        Ok(())
    }

    fn len(&self) -> Result<u64> {
        Ok(locked(&self.content).live.len() as u64)
    }

    fn set_len(&self, length: u64) -> Result<()> {
        self.change(Change::SetLen(length))
    }

    fn sync(&self) -> Result<()> {
        count(&self.faults)?;
        if self.crashes {
            let mut content = locked(&self.content);
            content.durable = content.live.clone();
            content.unsynced.clear();
        }
        Ok(())
    }
}
