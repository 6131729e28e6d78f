//! What the programs of this package share: the conformance cases, generated page views and the
//! machine's own counters.

pub mod conformance;
pub mod counters;
pub mod page_views;
