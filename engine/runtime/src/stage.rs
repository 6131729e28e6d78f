//! The parts of a plan that run as tasks of their own.

use millstream_plan::{Node, Op};

use crate::lanes::Lanes;

/// A sub-topology: a plan down to its leaves, and where its rows go.
pub(crate) struct Stage<'a> {
    pub(crate) root: &'a Node,
    /// The repartition that the rows go through; `None`: the query's sink.
    pub(crate) repartition: Option<&'a Node>,
}

impl Stage<'_> {
    /// Whether rows go to or come from this stage through the internal topic of a node.
    pub(crate) fn passes_through(&self, node: &Node) -> bool {
        let reads = self.root.inputs().into_iter().any(|input| std::ptr::eq(input, node));
        self.repartition.is_some_and(|own| std::ptr::eq(own, node))
            || matches!(node.op, Op::Subscriptions { .. }) && reads
    }
}

/// Cuts a plan at its repartitions, the sink's part first.
pub(crate) fn stages(root: &Node) -> Vec<Stage<'_>> {
    fn below<'a>(node: &'a Node, stages: &mut Vec<Stage<'a>>) {
        for input in node.inputs() {
            if let Op::Repartition { input: source, .. } = &input.op {
                stages.push(Stage { root: source, repartition: Some(input) });
            }
            below(input, stages);
        }
    }
    let mut stages = vec![Stage { root, repartition: None }];
    below(root, &mut stages);
    stages
}

/// Whether rows only go through a repartition, and nothing comes back.
pub(crate) fn is_one_way(node: &Node) -> bool {
    matches!(node.op, Op::Repartition { to: None, .. })
}

/// How many tasks a stage has that ends in this node.
pub(crate) fn width(node: &Node) -> i32 {
    match node.op {
        Op::Scan { .. } | Op::Repartition { .. } | Op::Subscriptions { .. } => node.layout().0,
        _ => node.inputs().into_iter().map(width).max().unwrap_or(1),
    }
}

/// The lanes of an internal topic.
pub(crate) fn lanes_of(node: &Node) -> Lanes {
    match &node.op {
        Op::Repartition { input, partitions, .. } if is_one_way(node) => Lanes::between(width(input), *partitions),
        _ => Lanes::ONE,
    }
}
