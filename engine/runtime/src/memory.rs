//! The memory that states and results draw from.

use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::Arc;

use datafusion::error::DataFusionError;
use datafusion::execution::memory_pool::{
    GreedyMemoryPool, MemoryConsumer, MemoryPool, MemoryReservation, TrackConsumersPool,
};
use datafusion::execution::runtime_env::{RuntimeEnv, RuntimeEnvBuilder};

use crate::{Error, Result};

/// So many of the greatest users of memory are known when it runs out.
const CONSUMERS_TOLD: NonZeroUsize = NonZeroUsize::MIN;

/// One pool for all: what queries keep, tables that were read for pull queries, and what batch queries gather.
///
/// States are accounted by their size after each epoch, so that one epoch's growth may be over the limit.
#[derive(Clone)]
pub(crate) struct Memory {
    pool: Arc<dyn MemoryPool>,
    environment: Arc<RuntimeEnv>,
    bytes_max: Option<usize>,
}

impl Memory {
    /// A pool of so many bytes; batch queries that gather more write to files in `spill_directory`, or in the
    /// system's own for such files.
    pub(crate) fn new(bytes_max: Option<usize>, spill_directory: Option<&Path>) -> Result<Self> {
        let pool = GreedyMemoryPool::new(bytes_max.unwrap_or(usize::MAX));
        let pool: Arc<dyn MemoryPool> = Arc::new(TrackConsumersPool::new(pool, CONSUMERS_TOLD));
        let mut builder = RuntimeEnvBuilder::new().with_memory_pool(Arc::clone(&pool));
        if let Some(directory) = spill_directory {
            builder = builder.with_temp_file_path(directory);
        }
        Ok(Self { pool, environment: builder.build_arc()?, bytes_max })
    }

    /// What batch queries run in.
    pub(crate) fn environment(&self) -> &Arc<RuntimeEnv> {
        &self.environment
    }

    /// An account of nothing yet, under this name.
    pub(crate) fn account(&self, what: &str) -> Account {
        Account { memory: self.clone(), reservation: MemoryConsumer::new(what).register(&self.pool) }
    }

    /// An error of a batch query: our own as it was, and what is said when memory runs out is the same for all.
    pub(crate) fn explain(&self, error: DataFusionError) -> Error {
        match error {
            DataFusionError::ResourcesExhausted(_) => self.exhausted("a batch query".to_owned(), None),
            DataFusionError::Context(_, inner) => self.explain(*inner),
            DataFusionError::External(inner) => match inner.downcast::<Error>() {
                Ok(own) => *own,
                Err(inner) => DataFusionError::External(inner).into(),
            },
            _ => error.into(),
        }
    }

    /// How much a sort keeps free for the merging of what it has written to files: DataFusion's own default, but no
    /// more than a part of a small limit.
    pub(crate) fn sort_reservation_bytes(&self) -> usize {
        const DEFAULT_BYTES: usize = 10 << 20;
        self.bytes_max.map_or(DEFAULT_BYTES, |max| DEFAULT_BYTES.min(max / 8))
    }

    fn exhausted(&self, what: String, wanted: Option<usize>) -> Error {
        let (bytes_max, used) = (self.bytes_max.unwrap_or(usize::MAX), self.pool.reserved());
        Error::Memory { what, wanted, used, bytes_max }
    }
}

/// What somebody uses of the memory, given back with the account.
pub(crate) struct Account {
    memory: Memory,
    reservation: MemoryReservation,
}

impl Account {
    /// Takes note of how much is used now.
    ///
    /// # Errors
    /// [`Error::Memory`] if there is not so much; then the account is as before.
    pub(crate) fn set(&self, bytes: usize) -> Result<()> {
        let exhausted = |_| self.memory.exhausted(self.reservation.consumer().name().to_owned(), Some(bytes));
        self.reservation.try_resize(bytes).map_err(exhausted)
    }
}
