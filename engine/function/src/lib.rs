//! The functions of the dialect, in one registry with their documentation.
//!
//! It is: scalar functions as vectorised kernels that are also DataFusion UDFs, and aggregate
//! functions as columns of group states that can be updated, retracted, merged, read and restored. It
//! is not: a planner; choosing an overload is all that it does with types.

pub mod aggregate;
mod documentation;
pub mod lambda;
mod overload;
mod pattern;
mod registry;
mod row_error;
mod scalar;
mod table;
mod zone;

pub use aggregate::{AggregateFunction, GroupStates, Literal, Parameters};
pub use documentation::{Documentation, Example, Kind};
pub use overload::{Coercion, Overload, Param, Returns};
pub use pattern::{Pattern, PatternError, parse_time};
pub use registry::{Registry, registry};
pub use row_error::{RowErrors, take_row_errors};
pub use scalar::{ScalarFunction, can_cast, like_pattern, own_cast, time_unit};
pub use table::TableFunction;
pub use zone::Zone;
