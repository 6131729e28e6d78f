//! Queries driven by hand, for tests that must know what has been processed and what has not.
//!
//! An engine of no threads ([`crate::EngineOptions`]) runs no task by itself: records lie in their
//! topics until somebody calls [`Engine::run_until_idle`].

use millstream_plan::Catalog;

use super::Engine;
use crate::query::QueryStatus;

impl Engine {
    /// Runs a query's tasks in the calling thread until each has read all that it can, also what they
    /// send each other through internal topics. Gives the status that the query is in then, and `None` if
    /// there is no query of this id.
    ///
    /// An engine that has threads runs its queries itself; this call then only gives the status.
    #[must_use]
    pub fn run_until_idle(&self, query_id: &str) -> Option<QueryStatus> {
        let (shared, handles) = {
            let state = self.state();
            let query = state.queries.get(query_id)?;
            (std::sync::Arc::clone(&query.shared), query.handles.clone())
        };
        self.pool.run_until_idle(&handles);
        Some(shared.status())
    }

    /// The topics that a query reads, in the order of its statement.
    #[must_use]
    pub fn topics_read(&self, query_id: &str) -> Vec<String> {
        let state = self.state();
        let sources = state.queries.get(query_id).map(|query| query.plan.root.sources()).unwrap_or_default();
        sources.iter().map(|source| source.topic.clone()).collect()
    }

    /// The streams, tables and types as they are now.
    #[must_use]
    pub fn catalog(&self) -> Catalog {
        self.state().catalog.clone()
    }
}
