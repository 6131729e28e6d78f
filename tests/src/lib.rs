//! What the benchmarks share: generated page views and the machine's own counters.

pub mod counters;
pub mod page_views;
