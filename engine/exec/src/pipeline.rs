//! The operators of one sub-topology, chained.

use arrow::datatypes::SchemaRef;
use datafusion::logical_expr::Expr;
use millstream_plan::sql::ast::{JoinKind, WindowKind};
use millstream_plan::{Node, Op, Relation};

use crate::kept_table::KeptTable;
use crate::operator::{
    Bounds, Explode, Filter, ForeignKeyJoin, ForeignKeyLookup, ForeignKeyShape, Materialize, Operator, Project,
    Regroup, SessionAggregate, StateChange, StreamStreamJoin, StreamTableJoin, TableFilter, TableTableJoin,
    WindowedAggregate,
};
use crate::{Batch, Context, Error, Evaluator, Result, SourceDecoder};

/// Operators from the leaves of a plan to its root. A leaf is a scan, or a repartition whose topic is
/// read; what writes that topic is a pipeline of its own.
pub struct Pipeline {
    operators: Vec<Stage>,
    inputs: Vec<Input>,
    /// What operators have sent to their own internal topics, with the topics' numbers.
    sent: Vec<(usize, Batch)>,
    outlets: usize,
}

struct Stage {
    operator: Box<dyn Operator>,
    /// The operator and its input that take what this one hands on; `None`: the result.
    next: Option<(usize, usize)>,
    outlet: Outlet,
    name: String,
}

/// Where the rows go that an operator sends elsewhere.
#[derive(Clone, Copy)]
enum Outlet {
    None,
    /// To the topic of this number ([`Node::outlets`]).
    Topic(usize),
    /// To this operator and input.
    Operator(usize, usize),
}

/// A leaf.
struct Input {
    next: Option<(usize, usize)>,
    /// The operator that keeps its rows as a table, which is read again from its topic after a restart.
    table: Option<usize>,
    /// Whether its rows make up a table, which is all of them.
    is_whole: bool,
}

/// A leaf of a plan as the runtime sees it.
pub enum Leaf<'a> {
    /// A source's topic.
    Scan(&'a Node),
    /// An internal topic, written by the node's input.
    Repartition(&'a Node),
}

impl Leaf<'_> {
    /// A decoder of the leaf's topic.
    ///
    /// # Errors
    /// If a column is of a type that no column can have.
    pub fn decoder(&self) -> Result<SourceDecoder> {
        match self {
            Self::Scan(node) => match &node.op {
                Op::Scan { source, columns } => SourceDecoder::new(source, columns, SchemaRef::clone(&node.schema)),
                _ => Err(Error::Internal("a leaf is no scan".to_owned())),
            },
            Self::Repartition(node) => {
                let is_table = node.relation == Relation::Table;
                SourceDecoder::internal(SchemaRef::clone(&node.schema), is_table)
            }
        }
    }
}

impl Pipeline {
    /// Builds the operators of a plan down to its leaves, which are returned in the order of the inputs.
    ///
    /// # Errors
    /// If an expression cannot be compiled.
    pub fn new(root: &Node) -> Result<(Self, Vec<Leaf<'_>>)> {
        Self::build(root, false)
    }

    /// Builds the operators of a plan down to its scans: for a pipeline that reads all partitions itself,
    /// so that no row need be sent anywhere.
    ///
    /// # Errors
    /// If an expression cannot be compiled.
    pub fn whole(root: &Node) -> Result<(Self, Vec<Leaf<'_>>)> {
        Self::build(root, true)
    }

    fn build(root: &Node, whole: bool) -> Result<(Self, Vec<Leaf<'_>>)> {
        let mut pipeline = Self { operators: Vec::new(), inputs: Vec::new(), sent: Vec::new(), outlets: 0 };
        let mut leaves = Vec::new();
        pipeline.add(root, None, whole, &mut leaves)?;
        Ok((pipeline, leaves))
    }

    fn add<'a>(
        &mut self,
        node: &'a Node,
        next: Option<(usize, usize)>,
        whole: bool,
        leaves: &mut Vec<Leaf<'a>>,
    ) -> Result<()> {
        if let (Op::Repartition { input, .. }, true) = (&node.op, whole) {
            return self.add(input, next, whole, leaves);
        }
        if let (Op::Subscriptions { .. }, true) = (&node.op, whole) {
            return Ok(());
        }
        if let Op::Scan { .. } | Op::Repartition { .. } | Op::Subscriptions { .. } = &node.op {
            let is_scan = matches!(node.op, Op::Scan { .. });
            leaves.push(if is_scan { Leaf::Scan(node) } else { Leaf::Repartition(node) });
            self.inputs.push(Input { next, table: None, is_whole: false });
            return Ok(());
        }
        let at = self.operators.len();
        let (operator, name) = operator(node)?;
        self.operators.push(Stage { operator, next, outlet: Outlet::None, name: format!("{name}-{at}") });
        if let (Op::ForeignKeyJoin { .. }, false) = (&node.op, whole) {
            self.set_outlet(at, Outlet::Topic(self.outlets));
            self.outlets += 1;
        }
        for (input, child) in node.inputs().into_iter().enumerate() {
            let leaf = self.inputs.len();
            if let (Op::ForeignKeyJoin { .. }, 1, true) = (&node.op, input, whole) {
                // The look-up comes next.
                self.set_outlet(at, Outlet::Operator(self.operators.len(), 0));
            }
            self.add(child, Some((at, input)), whole, leaves)?;
            match (&node.op, input) {
                (Op::StreamTableJoin { .. } | Op::ForeignKeyLookup { .. }, 1) => {
                    self.inputs.iter_mut().skip(leaf).for_each(|input| input.table = Some(at));
                }
                (Op::Materialize { .. } | Op::TableTableJoin { .. }, _) | (Op::ForeignKeyJoin { .. }, 0) => {
                    self.inputs.iter_mut().skip(leaf).for_each(|input| input.is_whole = true);
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn set_outlet(&mut self, operator: usize, outlet: Outlet) {
        if let Some(stage) = self.operators.get_mut(operator) {
            stage.outlet = outlet;
        }
    }

    /// Takes what operators have sent to the topics of [`Node::outlets`], by the topics' places there.
    pub fn take_sent(&mut self) -> Vec<(usize, Batch)> {
        std::mem::take(&mut self.sent)
    }

    /// Whether an input is read from its beginning, wherever a query starts: a table is all its rows.
    #[must_use]
    pub fn reads_whole(&self, input: usize) -> bool {
        self.inputs.get(input).is_some_and(|input| input.is_whole || input.table.is_some())
    }

    /// Whether an input fills a table that is read again from its topic after a restart.
    #[must_use]
    pub fn fills_table(&self, input: usize) -> bool {
        self.inputs.get(input).is_some_and(|input| input.table.is_some())
    }

    /// Fills the table of an input again: the batch goes up to the operator that keeps the table, and nothing
    /// comes out of that.
    ///
    /// # Errors
    /// What stops the query.
    pub fn refill(&mut self, input: usize, batch: Batch, context: &mut Context) -> Result<()> {
        let Some(Input { next, table: Some(table), .. }) = self.inputs.get(input) else { return Ok(()) };
        let (next, table) = (*next, *table);
        self.push_until(next, Some(table), batch, context, &mut Vec::new())
    }

    /// Takes a batch of an input; `out` gets what comes out at the end.
    ///
    /// # Errors
    /// What stops the query.
    pub fn process(&mut self, input: usize, batch: Batch, context: &mut Context, out: &mut Vec<Batch>) -> Result<()> {
        let next = self.inputs.get(input).and_then(|input| input.next);
        self.push(next, batch, context, out)
    }

    /// Takes a batch row by row, each an epoch of its own, so that each row's update is handed on.
    ///
    /// # Errors
    /// What stops the query.
    pub fn process_each(
        &mut self,
        input: usize,
        batch: &Batch,
        context: &mut Context,
        out: &mut Vec<Batch>,
    ) -> Result<()> {
        for row in 0..batch.len() {
            let one = batch.take(&arrow::array::UInt32Array::from(vec![row as u32]))?;
            let headers = one.headers.clone();
            let (from, sent) = (out.len(), self.sent.len());
            self.process(input, one, context, out)?;
            self.flush(context, out)?;
            // What follows from a record has its headers.
            if let Some(headers) = headers {
                let sent = self.sent.iter_mut().skip(sent).map(|(_, batch)| batch);
                for batch in out.iter_mut().skip(from).chain(sent).filter(|batch| batch.headers.is_none()) {
                    let places = arrow::array::UInt32Array::from(vec![0; batch.len()]);
                    batch.headers = Some(arrow::compute::take(&headers, &places, None)?);
                }
            }
        }
        Ok(())
    }

    fn push(
        &mut self,
        next: Option<(usize, usize)>,
        batch: Batch,
        context: &mut Context,
        out: &mut Vec<Batch>,
    ) -> Result<()> {
        self.push_until(next, None, batch, context, out)
    }

    /// Gives a batch to an operator, and what comes out of that to the next, up to the operator `last`.
    fn push_until(
        &mut self,
        next: Option<(usize, usize)>,
        last: Option<usize>,
        batch: Batch,
        context: &mut Context,
        out: &mut Vec<Batch>,
    ) -> Result<()> {
        let Some((at, input)) = next else {
            out.push(batch);
            return Ok(());
        };
        let Some(stage) = self.operators.get_mut(at) else { return Ok(()) };
        let (next, outlet) = (stage.next, stage.outlet);
        let mut results = Vec::new();
        stage.operator.process(input, batch, context, &mut results)?;
        let sent = stage.operator.take_sent();
        if last == Some(at) {
            return Ok(());
        }
        results.into_iter().try_for_each(|batch| self.push_until(next, last, batch, context, out))?;
        match outlet {
            Outlet::None => Ok(()),
            Outlet::Topic(number) => {
                self.sent.extend(sent.into_iter().map(|batch| (number, batch)));
                Ok(())
            }
            Outlet::Operator(at, input) => {
                sent.into_iter().try_for_each(|batch| self.push_until(Some((at, input)), last, batch, context, out))
            }
        }
    }

    /// Ends an epoch: every operator hands on what it has, from the leaves to the root.
    ///
    /// # Errors
    /// What stops the query.
    pub fn flush(&mut self, context: &mut Context, out: &mut Vec<Batch>) -> Result<()> {
        // Operators stand behind those they feed.
        for at in (0..self.operators.len()).rev() {
            let Some(stage) = self.operators.get_mut(at) else { continue };
            let next = stage.next;
            let mut results = Vec::new();
            stage.operator.flush(context, &mut results)?;
            results.into_iter().try_for_each(|batch| self.push(next, batch, context, out))?;
        }
        Ok(())
    }

    /// How much memory the operators' states take, about.
    #[must_use]
    pub fn size_bytes(&self) -> usize {
        self.operators.iter().map(|stage| stage.operator.size_bytes()).sum()
    }

    /// The names of the operators that keep a state, by their place.
    pub fn stateful(&mut self) -> Vec<(usize, String)> {
        let stages = self.operators.iter_mut().enumerate();
        stages.filter_map(|(at, stage)| stage.operator.state().map(|_| (at, stage.name.clone()))).collect()
    }

    /// Hands out what has changed in an operator's state since the last call.
    ///
    /// # Errors
    /// What stops the query.
    pub fn drain_state(&mut self, operator: usize, write: &mut dyn FnMut(StateChange<'_>)) -> Result<()> {
        match self.operators.get_mut(operator).and_then(|stage| stage.operator.state()) {
            Some(state) => state.drain(write),
            None => Ok(()),
        }
    }

    /// Gives entries of an operator's changelog back to it.
    ///
    /// # Errors
    /// If they are of another form than this version writes.
    pub fn restore_state(&mut self, operator: usize, entries: &[StateChange<'_>]) -> Result<()> {
        match self.operators.get_mut(operator).and_then(|stage| stage.operator.state()) {
            Some(state) => state.restore(entries),
            None => Ok(()),
        }
    }
}

/// The key columns that a projection of a stream makes of more than the key that the rows had.
fn keys_of_value(node: &Node, input: &Node, exprs: &[Expr]) -> Vec<usize> {
    let is_of_value = |expr: &Expr| {
        let is_key = |name: &str| input.keys.iter().any(|at| input.schema.field(*at).name() == name);
        expr.column_refs().into_iter().any(|column| !is_key(&column.name))
    };
    let keys = node.keys.iter().copied().filter(|_| node.relation == Relation::Stream);
    keys.filter(|at| exprs.get(*at).is_some_and(is_of_value)).collect()
}

/// The table that an operator keeps of an input. It has a changelog where it must know what a row replaces: the
/// topics that it came from are compacted and may have lost that row.
fn kept_table(input: &Node, logged: bool) -> Result<KeptTable> {
    KeptTable::new(&input.schema, &input.keys, input.source_window().is_some(), logged)
}

fn operator(node: &Node) -> Result<(Box<dyn Operator>, &'static str)> {
    let schema = SchemaRef::clone(&node.schema);
    Ok(match &node.op {
        Op::Filter { input, predicate } => {
            let predicate = Evaluator::new(predicate, &input.schema)?;
            if node.relation == Relation::Table {
                (Box::new(TableFilter::new(predicate, node.keys.clone(), input.window())), "TableFilter")
            } else {
                (Box::new(Filter::new(predicate)), "Filter")
            }
        }
        Op::Materialize { input } => (Box::new(Materialize::new(kept_table(input, true)?)), "Materialize"),
        Op::Explode { input, calls } => (Box::new(Explode::new(calls, &input.schema, schema)?), "Explode"),
        Op::Regroup { .. } => (Box::new(Regroup::new(node.keys.len(), schema)?), "Regroup"),
        Op::Project { input, exprs } => {
            let columns = exprs.iter().map(|expr| Evaluator::new(expr, &input.schema)).collect::<Result<_>>()?;
            (Box::new(Project::new(columns, keys_of_value(node, input, exprs), schema)), "Project")
        }
        Op::Aggregate { input, window, calls, emit_final } => match window {
            Some(spec) if matches!(spec.kind, WindowKind::Session { .. }) => {
                let WindowKind::Session { gap_ms } = spec.kind else {
                    return Err(Error::Internal("no session".to_owned()));
                };
                let times = (gap_ms, spec.grace_ms);
                let keys = node.keys.len();
                let operator = SessionAggregate::new(&input.schema, keys, times, calls, *emit_final, schema)?;
                (Box::new(operator), "Aggregate")
            }
            _ => {
                let keys = node.keys.len();
                let operator = WindowedAggregate::new(&input.schema, keys, *window, calls, *emit_final, schema)?;
                (Box::new(operator), "Aggregate")
            }
        },
        Op::StreamTableJoin { left, right, kind } => {
            let key = |node: &Node| node.keys.first().copied().unwrap_or(0);
            let (left_key, right_key) = (key(&left.input), key(&right.input));
            let inner = *kind == JoinKind::Inner;
            let operator = StreamTableJoin::new(left_key, &right.input.schema, right_key, inner, schema)?;
            (Box::new(operator), "Join")
        }
        Op::StreamStreamJoin { left, right, kind, before_ms, after_ms, grace_ms } => {
            let side = |node: &Node| node.keys.first().copied().unwrap_or(0);
            let inputs = [(&left.input.schema, side(&left.input)), (&right.input.schema, side(&right.input))];
            let bounds = Bounds { before_ms: *before_ms, after_ms: *after_ms, grace_ms: *grace_ms };
            let windowed = node.source_window().is_some();
            (Box::new(StreamStreamJoin::new(inputs, *kind, bounds, windowed, schema)), "Join")
        }
        Op::TableTableJoin { left, right, kind } => {
            let tables = [kept_table(&left.input, true)?, kept_table(&right.input, true)?];
            (Box::new(TableTableJoin::new(tables, *kind, schema)?), "Join")
        }
        Op::ForeignKeyJoin { left, foreign_key, kind, .. } => {
            let subscriptions = node.outlets().first().map(|outlet| SchemaRef::clone(&outlet.schema));
            let missing = || Error::Internal("a foreign-key join has no look-up".to_owned());
            let shape = ForeignKeyShape {
                foreign_key: *foreign_key,
                primary_key: left.input.keys.clone(),
                is_outer: *kind == JoinKind::Left,
                subscriptions: subscriptions.ok_or_else(missing)?,
                schema,
            };
            (Box::new(ForeignKeyJoin::new(kept_table(&left.input, true)?, shape)?), "ForeignKeyJoin")
        }
        Op::ForeignKeyLookup { right, key_format, .. } => {
            let lookup = ForeignKeyLookup::new(kept_table(&right.input, false)?, node.keys.len(), *key_format, schema)?;
            (Box::new(lookup), "ForeignKeyLookup")
        }
        Op::Scan { .. } | Op::Repartition { .. } | Op::Subscriptions { .. } => {
            return Err(Error::Internal("a leaf is no operator".to_owned()));
        }
    })
}
