//! From statements to plans.
//!
//! It is: the catalog of streams, tables and types; the resolution of names, types and functions; and
//! the plan of a streaming query, a tree of operators with DataFusion expressions. It is not: an
//! executor; it touches no data.

mod catalog;
mod coercion;
mod create;
mod explain;
mod expression;
mod format;
mod node;
mod properties;
mod query;
mod scope;
mod source;
mod strict;
mod types;

pub use catalog::Catalog;
pub use create::{column_type, plan_source};
pub use explain::explain;
pub use expression::{ColumnName, bound, constant, lower_predicate};
pub use format::{Format, FormatKind};
pub use millstream_function::parse_time;
pub use node::{AggregateCall, JoinSide, Node, Op, Relation, ScanColumn, ScanRole, TableCall, WindowSpec};
pub use properties::{Defaults, retention_ms};
pub use query::{Output, QueryPlan, SinkFormats, plan_query};
pub use source::{Column, HeaderColumn, Source, SourceWindow, TimestampColumn};
pub use strict::{check_nulls, check_strict};
pub use types::{arrow_type, sql_type};

pub use millstream_sql as sql;

/// A refusal that points at the statement.
pub type Result<T> = std::result::Result<T, Box<sql::Diagnostic>>;

/// The name of the column that every batch of an operator ends with.
pub const ROWTIME: &str = "ROWTIME";
