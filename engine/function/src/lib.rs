//! The functions of the dialect, in one registry with their documentation.
//!
//! It is: scalar functions as vectorised kernels that are also DataFusion UDFs, and aggregate
//! functions as columns of group states that can be updated, retracted, merged, read and restored. It
//! is not: a planner; choosing an overload is all that it does with types.

pub mod aggregate;
mod documentation;
mod overload;
mod pattern;
mod registry;
mod scalar;
mod table;

pub use aggregate::{AggregateFunction, GroupStates, Literal, Parameters};
pub use documentation::{Documentation, Example, Kind};
pub use overload::{Coercion, Overload, Param, Returns};
pub use pattern::{Pattern, PatternError};
pub use registry::{Registry, registry};
pub use scalar::ScalarFunction;
pub use table::TableFunction;
