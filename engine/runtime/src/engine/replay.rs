//! The catalog from the command log.

use millstream_exec::{Context, RowError};
use millstream_log::WriteBatch;
use millstream_sql::parse_statement;

use super::Engine;
use super::change::Deletions;
use crate::Result;
use crate::query::PersistentQuery;

impl Engine {
    /// Carries every command out again, then starts the queries that are left.
    pub(super) fn replay(&self) -> Result<()> {
        let mut state = self.state();
        let carried_out = self.commands.carried_out()?;
        let mut next_offset = 0;
        for (offset, command) in self.commands.read()? {
            next_offset = offset + 1;
            let unfinished = carried_out.is_some_and(|carried_out| offset >= carried_out);
            let statement = parse_statement(&command.statement)?;
            // What was planned once is planned again against the same catalog, except for what the log has lost
            // since, such as a topic that was deleted.
            let change = match self.plan_change(&state, &statement, &command.statement, &command.settings) {
                Ok(change) => change,
                Err(error) => {
                    self.report_skipped(&command.statement, &error.to_string())?;
                    continue;
                }
            };
            let deletions = if unfinished { Deletions::Unfinished } else { Deletions::Done };
            self.carry_out(&mut state, change, &command.statement, &command.settings, offset, deletions)?;
        }
        if carried_out != Some(next_offset) {
            self.commands.note_carried_out(next_offset)?;
        }
        let dormant: Vec<String> = state.queries.keys().cloned().collect();
        for id in dormant {
            if let Some(query) = state.queries.remove(&id) {
                let (plan, statement, settings) = (query.plan.clone(), query.statement.clone(), query.settings.clone());
                // A query that cannot be started is there and says why; the others go on.
                let query = self.awaken(query).unwrap_or_else(|error| {
                    let query = PersistentQuery::dormant(&id, &statement, plan, &settings, &self.service_id);
                    query.shared.fail(&error.to_string());
                    query
                });
                state.queries.insert(id, query);
            }
        }
        Ok(())
    }

    /// Tells of a command that cannot be carried out again, in the processing log.
    fn report_skipped(&self, statement: &str, reason: &str) -> Result<()> {
        let mut context = Context::default();
        context.report(|| RowError { what: statement.to_owned(), reason: reason.to_owned(), place: None });
        if let Some(batch) = self.processing_log.batch("command log", &context, self.log.now_ms())? {
            self.log.write(WriteBatch { batches: vec![batch], offsets: Vec::new() })?.wait()?;
        }
        Ok(())
    }

    fn awaken(&self, query: PersistentQuery) -> Result<PersistentQuery> {
        let Some(sink) = query.plan.sink.clone() else { return Ok(query) };
        let was = query.shared.status();
        let launch = self.launch(&query.settings);
        launch.start(&query.shared.id, &query.statement, query.plan.clone(), &sink, was)
    }
}
