//! `SHOW` and `LIST`.

use millstream_function::registry;
use millstream_sql::ast::Show;

use super::Engine;
use crate::names;
use crate::query::QueryStatus;
use crate::{Result, RowSet, Settings};

impl Engine {
    pub(super) fn show(&self, what: &Show, settings: &Settings) -> Result<RowSet> {
        Ok(match what {
            Show::Streams { .. } => self.show_sources(false),
            Show::Tables { .. } => self.show_sources(true),
            Show::Topics { all } => self.show_topics(*all)?,
            Show::Queries { .. } => self.show_queries(),
            Show::Functions => show_functions(),
            Show::Properties | Show::Variables => {
                let row = |(name, value, set, what): (&str, &str, bool, &str)| {
                    let origin = if set { "set" } else { "default" };
                    vec![name.to_owned(), value.to_owned(), origin.to_owned(), what.to_owned()]
                };
                RowSet::of_text(&["property", "value", "origin", "meaning"], settings.all().map(row).collect())
            }
            Show::Types => {
                let state = self.state();
                let rows = state.catalog.named_types().map(|(name, ty)| vec![name.clone(), ty.to_string()]);
                RowSet::of_text(&["name", "type"], rows.collect())
            }
        })
    }

    fn show_sources(&self, tables: bool) -> RowSet {
        let state = self.state();
        let row = |source: &std::sync::Arc<millstream_plan::Source>| {
            vec![
                source.name.clone(),
                source.topic.clone(),
                source.key_format.kind.to_string(),
                source.value_format.kind.to_string(),
                source.window.is_some().to_string(),
            ]
        };
        let rows = state.catalog.sources().filter(|source| source.is_table() == tables).map(row).collect();
        RowSet::of_text(&["name", "topic", "key format", "value format", "windowed"], rows)
    }

    fn show_topics(&self, all: bool) -> Result<RowSet> {
        let mut rows = Vec::new();
        for topic in self.log.topics()? {
            if all || !names::is_internal(&topic.name) {
                let mut records = 0;
                for partition in topic.topic_partitions() {
                    let (start, end) = self.log.offsets(&partition)?;
                    records += end - start;
                }
                rows.push(vec![topic.name.to_string(), topic.partitions.to_string(), records.to_string()]);
            }
        }
        Ok(RowSet::of_text(&["topic", "partitions", "records"], rows))
    }

    fn show_queries(&self) -> RowSet {
        let row = |query: super::QueryInfo| {
            let status = match query.status {
                QueryStatus::Running => "RUNNING".to_owned(),
                QueryStatus::Paused => "PAUSED".to_owned(),
                QueryStatus::Error(reason) => format!("ERROR: {reason}"),
            };
            vec![query.id, status, query.sink, query.lag.to_string(), query.statement]
        };
        let rows = self.queries().into_iter().map(row).collect();
        RowSet::of_text(&["query id", "status", "sink", "records behind", "statement"], rows)
    }
}

fn show_functions() -> RowSet {
    let row = |function: millstream_function::Documentation<'_>| {
        vec![function.name.to_owned(), function.kind.to_string(), function.description.to_owned()]
    };
    let rows = registry().documentation().into_iter().map(row).collect();
    RowSet::of_text(&["function", "kind", "what it does"], rows)
}
