//! Statements as trees. Every node that a message may have to point at carries its span, which
//! equality ignores nowhere: compare printed forms to compare meaning.
#![expect(missing_docs, reason = "the fields are the clauses of the grammar and named after them")]

mod expr;
mod print;
mod query;
mod statement;

pub use expr::{BinaryOp, Expr, ExprKind, Ident, UnaryOp};
pub use print::quote_if_needed;
pub use query::{Emit, Join, JoinKind, Query, Relation, SelectItem, Window, WindowKind, Within};
pub use statement::{
    AlterSource, Assert, Asserted, ColumnDef, ColumnRole, CreateAs, CreateSource, Describe, Drop, Explain, InsertInto,
    InsertValues, Print, PrintFrom, Properties, Property, QuerySelection, Show, SourceKind, Statement,
};
