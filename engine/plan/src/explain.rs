//! A plan as a tree of text.

use std::fmt::Write;

use crate::node::{Node, Op};
use crate::{ROWTIME, ScanRole};

/// The plan, an operator a line, inputs below and indented.
#[must_use]
pub fn explain(root: &Node) -> String {
    let mut out = String::new();
    write_node(root, "", "", &mut out);
    out
}

fn write_node(node: &Node, lead: &str, below: &str, out: &mut String) {
    let _ = writeln!(out, "{lead}{}", describe(node));
    let inputs = node.inputs();
    for (at, input) in inputs.iter().enumerate() {
        let last = at + 1 == inputs.len();
        let (branch, trunk) = if last { ("└─ ", "   ") } else { ("├─ ", "│  ") };
        write_node(input, &format!("{below}{branch}"), &format!("{below}{trunk}"), out);
    }
}

fn key_names(node: &Node) -> String {
    let fields = node.keys.iter().filter_map(|at| node.schema.fields().get(*at));
    fields.map(|field| field.name().as_str()).collect::<Vec<_>>().join(", ")
}

fn describe(node: &Node) -> String {
    let names = || {
        let names = node.schema.fields().iter().map(|field| field.name().as_str()).filter(|name| *name != ROWTIME);
        names.collect::<Vec<_>>().join(", ")
    };
    match &node.op {
        Op::Scan { source, columns } => {
            let read: Vec<&str> = columns
                .iter()
                .filter(|column| matches!(column.role, ScanRole::Key(_) | ScanRole::Value(_) | ScanRole::Header(_)))
                .map(|column| column.name.split_once('.').map_or(column.name.as_str(), |(_, name)| name))
                .collect();
            let all = source.readable().count();
            format!(
                "Scan {} {} (topic {}, {} partitions, {}), reads {} of {all} columns: {}",
                source.noun(),
                source.name,
                source.topic,
                source.partitions,
                source.value_format.kind,
                read.len(),
                read.join(", ")
            )
        }
        Op::Materialize { .. } => "Materialize, with the rows that are replaced".to_owned(),
        Op::Explode { calls, .. } => {
            let calls = calls.iter().map(|call| {
                let args: Vec<String> = call.args.iter().map(ToString::to_string).collect();
                format!("{}({})", call.function, args.join(", "))
            });
            format!("Explode {}", calls.collect::<Vec<_>>().join(", "))
        }
        Op::Regroup { .. } => format!("Regroup by {}", key_names(node)),
        Op::Filter { predicate, .. } => format!("Filter {predicate}"),
        Op::Project { exprs, .. } => {
            let columns = exprs.iter().zip(node.schema.fields());
            let columns: Vec<String> = columns
                .map(|(expr, field)| {
                    let text = expr.to_string();
                    if text == *field.name() { text } else { format!("{text} AS {}", field.name()) }
                })
                .collect();
            format!("Project {}", columns.join(", "))
        }
        Op::Repartition { partitions, .. } => format!("Repartition by key into {partitions} partitions: {}", names()),
        Op::Aggregate { window, calls, emit_final, .. } => {
            let calls: Vec<&str> = calls.iter().map(|call| call.function.as_str()).collect();
            let window =
                window.map_or(String::new(), |window| format!(", {:?}, grace {} ms", window.kind, window.grace_ms));
            let when = if *emit_final { ", final results only" } else { "" };
            format!("Aggregate {}{window}{when}", calls.join(", "))
        }
        Op::StreamTableJoin { kind, .. } => format!("Stream-table join ({kind:?})"),
        Op::StreamStreamJoin { kind, before_ms, after_ms, .. } => {
            format!("Stream-stream join ({kind:?}), within {before_ms} ms before and {after_ms} ms after")
        }
        Op::TableTableJoin { kind, .. } => format!("Table-table join ({kind:?})"),
        Op::ForeignKeyJoin { kind, foreign_key, left, .. } => {
            format!("Foreign-key join ({kind:?}) on {}", left.input.schema.field(*foreign_key).name())
        }
        Op::ForeignKeyLookup { .. } => "Look-up of foreign keys".to_owned(),
        Op::Subscriptions { partitions, .. } => format!("Rows that refer, by foreign key in {partitions} partitions"),
    }
}
