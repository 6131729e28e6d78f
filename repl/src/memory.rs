//! How much memory the machine has.

use sysinfo::{MemoryRefreshKind, RefreshKind, System};

/// How much of the machine's memory queries may use unless told otherwise: three quarters, so that something is left
/// for the log's page cache and for others. A container's limit counts as the machine's.
pub(crate) fn default_bytes_max() -> Option<usize> {
    let ram = RefreshKind::nothing().with_memory(MemoryRefreshKind::nothing().with_ram());
    let system = System::new_with_specifics(ram);
    let limits = system.cgroup_limits().map(|limits| limits.total_memory);
    let total = limits.into_iter().chain([system.total_memory()]).filter(|bytes| *bytes > 0).min()?;
    usize::try_from(total / 4 * 3).ok()
}
