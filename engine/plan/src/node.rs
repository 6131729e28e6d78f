//! The plan of a streaming query: a tree of operators.
//!
//! Columns are positions in the batches that an operator hands on; their names are unique within a
//! batch (`SOURCE.COLUMN` behind a scan), and the last column of every batch is ROWTIME.

use std::sync::Arc;

use arrow::datatypes::{DataType, SchemaRef};
use datafusion::logical_expr::Expr;
use millstream_function::Parameters;
use millstream_sql::ast::{JoinKind, WindowKind};

use crate::{Format, FormatKind, Source, SourceWindow};

/// Whether rows stand for themselves or for the latest value of their key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Relation {
    /// Every row counts.
    Stream,
    /// A row replaces the earlier one of its key.
    Table,
}

/// An operator with its inputs.
#[derive(Debug, Clone)]
pub struct Node {
    /// What it does.
    pub op: Op,
    /// Its output columns; the last one is ROWTIME.
    pub schema: SchemaRef,
    /// The positions of the key columns in its output.
    pub keys: Vec<usize>,
    /// What its rows mean.
    pub relation: Relation,
}

/// What an operator does.
#[derive(Debug, Clone)]
pub enum Op {
    /// Reads and decodes a source's topic.
    Scan {
        /// The source.
        source: Arc<Source>,
        /// The columns that somebody reads, and no others: nothing else is decoded.
        columns: Vec<ScanColumn>,
    },
    /// Keeps rows for which the predicate is true.
    Filter {
        /// The rows.
        input: Box<Node>,
        /// The condition.
        predicate: Expr,
    },
    /// Puts beside each row of a table the row that it replaces.
    Materialize {
        /// The table's scan.
        input: Box<Node>,
    },
    /// Computes new columns.
    Project {
        /// The rows.
        input: Box<Node>,
        /// One expression a column, without ROWTIME.
        exprs: Vec<Expr>,
    },
    /// Makes of each change of a table the changes of its groups.
    Regroup {
        /// The table's rows with those that they replace; their first columns are the group's key.
        input: Box<Node>,
    },
    /// Sends rows to the partition of a new key, through an internal topic.
    Repartition {
        /// The rows; their key is the new one.
        input: Box<Node>,
        /// The number of partitions to spread over.
        partitions: i32,
        /// How the new key is written: what is joined must lie in the same partition, so keys of both
        /// sides must have the same bytes.
        key_format: Format,
        /// The column with the number of a row's new partition; none: the key decides.
        to: Option<usize>,
    },
    /// Makes of each row as many as its table functions have results.
    Explode {
        /// The rows.
        input: Box<Node>,
        /// The functions; each makes a column behind those of the input.
        calls: Vec<TableCall>,
    },
    /// Aggregates by the input's key columns, and by window.
    Aggregate {
        /// The rows.
        input: Box<Node>,
        /// The windows, if there are any.
        window: Option<WindowSpec>,
        /// What to compute.
        calls: Vec<AggregateCall>,
        /// Whether only closed windows are handed on.
        emit_final: bool,
    },
    /// Looks each row of a stream up in a table.
    StreamTableJoin {
        /// The stream.
        left: JoinSide,
        /// The table.
        right: JoinSide,
        /// Inner or left.
        kind: JoinKind,
    },
    /// Joins rows of two streams that are close in time.
    StreamStreamJoin {
        /// One stream.
        left: JoinSide,
        /// The other.
        right: JoinSide,
        /// Which rows without a partner are handed on.
        kind: JoinKind,
        /// How much earlier than a left row a right row may be.
        before_ms: i64,
        /// How much later.
        after_ms: i64,
        /// How long windows stay open; `None`: 24 h, and rows without a partner come at once.
        grace_ms: Option<i64>,
    },
    /// Joins two tables on their primary keys. The result of a full join has the key as its last column.
    TableTableJoin {
        /// One table.
        left: JoinSide,
        /// The other.
        right: JoinSide,
        /// Which rows without a partner are handed on.
        kind: JoinKind,
    },
    /// Joins a table with the one that it refers to.
    ForeignKeyJoin {
        /// The table that refers.
        left: JoinSide,
        /// Answers of the look-up at the other table, through an internal topic.
        answers: Box<Node>,
        /// The place of the column that holds the other table's key.
        foreign_key: usize,
        /// Inner or left.
        kind: JoinKind,
    },
    /// Answers rows that refer to a table's rows.
    ForeignKeyLookup {
        /// Who refers to what.
        subscriptions: Box<Node>,
        /// The table that is referred to.
        right: JoinSide,
        /// How the keys of the table that refers are written.
        key_format: Format,
    },
    /// Reads the internal topic that a foreign-key join writes its subscriptions to.
    Subscriptions {
        /// Its number of partitions.
        partitions: i32,
        /// How its keys are written: as those of the table that is referred to.
        key_format: Format,
    },
}

/// One input of a join; its key columns are what the join compares.
#[derive(Debug, Clone)]
pub struct JoinSide {
    /// The rows.
    pub input: Box<Node>,
}

/// A column that a scan reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScanColumn {
    /// Its name in the batch.
    pub name: String,
    /// Its type.
    pub ty: DataType,
    /// Where it comes from.
    pub role: ScanRole,
}

/// Where a scanned column comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ScanRole {
    /// The key's column at this place.
    Key(usize),
    /// The value's column at this place.
    Value(usize),
    /// The source's column of headers at this place.
    Header(usize),
    /// The record's time.
    RowTime,
    /// The record's partition.
    RowPartition,
    /// The record's offset.
    RowOffset,
    /// The start of the key's window.
    WindowStart,
    /// The end of the key's window.
    WindowEnd,
}

/// The windows of an aggregate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WindowSpec {
    /// Which windows.
    pub kind: WindowKind,
    /// How long after its end a window still takes rows.
    pub grace_ms: i64,
}

/// An aggregate function applied to columns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AggregateCall {
    /// The function's upper-case name.
    pub function: String,
    /// The positions of its arguments in the input.
    pub args: Vec<usize>,
    /// Its literal arguments and its limit.
    pub parameters: Parameters,
    /// The type of its result.
    pub returns: DataType,
}

/// A table function applied to expressions.
#[derive(Debug, Clone, PartialEq)]
pub struct TableCall {
    /// The function's upper-case name.
    pub function: String,
    /// Its arguments over the input.
    pub args: Vec<Expr>,
    /// The type of its column.
    pub returns: DataType,
}

impl Op {
    fn inputs_mut(&mut self) -> Vec<&mut Node> {
        match self {
            Self::Scan { .. } | Self::Subscriptions { .. } => Vec::new(),
            Self::Explode { input, .. }
            | Self::Filter { input, .. }
            | Self::Materialize { input }
            | Self::Project { input, .. }
            | Self::Regroup { input }
            | Self::Repartition { input, .. }
            | Self::Aggregate { input, .. } => vec![input],
            Self::StreamTableJoin { left, right, .. }
            | Self::StreamStreamJoin { left, right, .. }
            | Self::TableTableJoin { left, right, .. } => vec![&mut left.input, &mut right.input],
            Self::ForeignKeyJoin { left, answers, .. } => vec![&mut left.input, answers],
            Self::ForeignKeyLookup { subscriptions, right, .. } => vec![subscriptions, &mut right.input],
        }
    }
}

impl Node {
    /// All aggregates that are computed.
    pub fn calls_mut(&mut self) -> Vec<&mut AggregateCall> {
        match &mut self.op {
            Op::Aggregate { input, calls, .. } => calls.iter_mut().chain(input.calls_mut()).collect(),
            op => op.inputs_mut().into_iter().flat_map(Self::calls_mut).collect(),
        }
    }

    /// The operators that feed this one.
    #[must_use]
    pub fn inputs(&self) -> Vec<&Node> {
        match &self.op {
            Op::Scan { .. } | Op::Subscriptions { .. } => Vec::new(),
            Op::Explode { input, .. }
            | Op::Filter { input, .. }
            | Op::Materialize { input }
            | Op::Project { input, .. }
            | Op::Regroup { input }
            | Op::Repartition { input, .. }
            | Op::Aggregate { input, .. } => vec![input],
            Op::StreamTableJoin { left, right, .. }
            | Op::StreamStreamJoin { left, right, .. }
            | Op::TableTableJoin { left, right, .. } => vec![&left.input, &right.input],
            Op::ForeignKeyJoin { left, answers, .. } => vec![&left.input, answers],
            Op::ForeignKeyLookup { subscriptions, right, .. } => vec![subscriptions, &right.input],
        }
    }

    /// The sources that are read, in the order of the statement.
    #[must_use]
    pub fn sources(&self) -> Vec<&Arc<Source>> {
        match &self.op {
            Op::Scan { source, .. } => vec![source],
            _ => self.inputs().into_iter().flat_map(Node::sources).collect(),
        }
    }

    /// The internal topics that operators of this sub-topology write beside its result, in the order of the
    /// operators.
    #[must_use]
    pub fn outlets(&self) -> Vec<&Node> {
        let mut outlets = Vec::new();
        if let Op::ForeignKeyJoin { answers, .. } = &self.op {
            let lookup = answers.inputs().into_iter().flat_map(Node::inputs);
            outlets.extend(lookup.filter(|node| matches!(node.op, Op::Subscriptions { .. })));
        }
        if !matches!(self.op, Op::Repartition { .. }) {
            outlets.extend(self.inputs().into_iter().flat_map(Node::outlets));
        }
        outlets
    }

    /// The windows that the rows' keys carry from the topics that they are read from.
    #[must_use]
    pub fn source_window(&self) -> Option<SourceWindow> {
        match &self.op {
            Op::Scan { source, .. } => source.window,
            Op::Aggregate { .. } | Op::Repartition { .. } => None,
            _ => self.inputs().first().and_then(|input| input.source_window()),
        }
    }

    /// Over how many partitions the rows are spread by their keys, and how these are written.
    #[must_use]
    pub fn layout(&self) -> (i32, Format) {
        match &self.op {
            Op::Scan { source, .. } => (source.partitions, source.key_format),
            Op::Repartition { partitions, key_format, .. } | Op::Subscriptions { partitions, key_format } => {
                (*partitions, *key_format)
            }
            _ => self.inputs().first().map_or((1, Format::new(FormatKind::Json)), |input| input.layout()),
        }
    }

    /// The windows of the rows' keys.
    #[must_use]
    pub fn window(&self) -> Option<WindowSpec> {
        match &self.op {
            Op::Aggregate { window, .. } => *window,
            Op::Explode { input, .. }
            | Op::Filter { input, .. }
            | Op::Materialize { input }
            | Op::Project { input, .. } => input.window(),
            _ => None,
        }
    }
}
