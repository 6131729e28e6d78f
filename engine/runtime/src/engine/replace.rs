//! What `CREATE OR REPLACE` may change of a source.

use millstream_plan::{Column, Source};
use millstream_sql::{Diagnostic, Span};

use crate::Result;

/// Refuses a change that rows which are there already, or queries that read them, would not survive: columns may be
/// added to the value and nothing else.
pub(super) fn check(old: &Source, new: &Source, place: Span) -> Result<()> {
    let refuse = |why: String, help: &str| {
        let message = format!("{} \"{}\" cannot be replaced: {why}", old.noun(), old.name);
        Err(Diagnostic::new("E0323", message).at(place, "").help(help).into())
    };
    let drop_first = "DROP it and create it anew, or choose another name";
    if old.read_only || new.read_only {
        let why = if old.read_only { "it is read only" } else { "it can be written, a SOURCE cannot" };
        return refuse(why.to_owned(), drop_first);
    }
    if old.kind != new.kind {
        return refuse(format!("it would become a {}", new.noun()), drop_first);
    }
    if old.topic != new.topic {
        return refuse(format!("its topic is \"{}\", not \"{}\"", old.topic, new.topic), drop_first);
    }
    let formats =
        [("key", old.key_format.kind, new.key_format.kind), ("value", old.value_format.kind, new.value_format.kind)];
    if let Some((part, old, new)) = formats.into_iter().find(|(_, old, new)| old != new) {
        return refuse(format!("its {part} format is {old}, not {new}"), drop_first);
    }
    if old.window != new.window {
        return refuse("its windows would be others".to_owned(), drop_first);
    }
    if old.key != new.key {
        return refuse(format!("its key is {}, not {}", list(&old.key), list(&new.key)), drop_first);
    }
    if !new.value.starts_with(&old.value) {
        let why = format!("its columns {} are changed, missing or in another order", list(&old.value));
        return refuse(why, "keep them as they are and add new columns behind them");
    }
    Ok(())
}

fn list(columns: &[Column]) -> String {
    let columns: Vec<String> = columns.iter().map(|column| format!("{} {}", column.name, column.ty)).collect();
    if columns.is_empty() { "nothing".to_owned() } else { columns.join(", ") }
}
