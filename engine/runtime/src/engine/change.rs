//! Statements that change the catalog: planned, written to the command log, then carried out.

use std::sync::Arc;

use millstream_plan::{
    Column, Node, Op, Output, QueryPlan, Relation, Source, check_strict, column_type, plan_query, plan_source,
};
use millstream_sql::ast::{CreateAs, CreateSource, Drop, Ident, InsertInto, Properties, QuerySelection};
use millstream_sql::{Diagnostic, SqlType, Statement};

use super::{Engine, State, replace};
use crate::command::Command;
use crate::names;
use crate::query::{PersistentQuery, QueryStatus, delete_if_there};
use crate::{Result, Settings};

/// What is still to be done of what a command deletes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Deletions {
    /// All: the command was just given.
    Now,
    /// Perhaps some: the last process ended between the command and its effect.
    Unfinished,
    /// Nothing: it was carried out before.
    Done,
}

/// What a statement does, found out without doing it.
pub(super) enum Change {
    Nothing(String),
    Source { source: Box<Source>, message: String },
    Query { plan: Box<QueryPlan>, sink: Box<Source>, prefix: String, replaces: Option<String>, creates: bool },
    Terminate(Vec<String>),
    Pause(Vec<String>),
    Resume(Vec<String>),
    Drop { name: String, query: Option<String>, delete_topic: Option<String> },
    Type { name: String, ty: SqlType },
    DropType(String),
}

impl State {
    pub(super) fn query(&self, id: &Ident) -> Result<&PersistentQuery> {
        let found = self.queries.iter().find(|(known, _)| known.eq_ignore_ascii_case(&id.name));
        found.map(|(_, query)| query).ok_or_else(|| {
            let ids: Vec<String> = self.queries.keys().cloned().collect();
            let diagnostic = Diagnostic::new("E0310", format!("query \"{}\" does not exist", id.name));
            let mut diagnostic = diagnostic.at(id.span, "not found").suggest(&id.name, &ids);
            if diagnostic.help.is_none() {
                diagnostic.help = Some("SHOW QUERIES lists the queries there are".to_owned());
            }
            diagnostic.into()
        })
    }

    fn selected(&self, selection: &QuerySelection) -> Result<Vec<String>> {
        match selection {
            QuerySelection::All => Ok(self.queries.keys().cloned().collect()),
            QuerySelection::One(id) => Ok(vec![self.query(id)?.shared.id.clone()]),
        }
    }

    /// The queries that read a source.
    fn readers(&self, name: &str) -> Vec<String> {
        let reads = |query: &&PersistentQuery| query.plan.root.sources().iter().any(|source| source.name == name);
        self.queries.values().filter(reads).map(|query| query.shared.id.clone()).collect()
    }

    /// The queries that write a source.
    fn writers(&self, name: &str) -> Vec<String> {
        let writes = |query: &&PersistentQuery| query.plan.sink.as_ref().is_some_and(|sink| sink.name == name);
        self.queries.values().filter(writes).map(|query| query.shared.id.clone()).collect()
    }
}

impl Engine {
    /// Plans a statement, writes it to the command log and carries it out.
    pub(super) fn change(&self, statement: &Statement, text: &str, settings: &Settings) -> Result<String> {
        let mut state = self.state();
        let change = self.plan_change(&state, statement, text, settings)?;
        if let Change::Nothing(message) = change {
            return Ok(message);
        }
        // Topics first: a crash before the command leaves an empty topic, which the repeated statement takes.
        match &change {
            Change::Source { source, .. } => self.ensure_topic(source, with_of(statement))?,
            Change::Query { sink, creates: true, .. } => self.ensure_topic(sink, with_of(statement))?,
            _ => {}
        }
        let offset = self.commands.append(&Command { statement: text.to_owned(), settings: settings.clone() })?;
        let deletes = matches!(change, Change::Terminate(_) | Change::Drop { .. });
        let message = self.carry_out(&mut state, change, text, settings, offset, Deletions::Now)?;
        if deletes {
            self.commands.note_carried_out(offset + 1)?;
        }
        Ok(message)
    }

    /// Finds out what a statement does.
    pub(super) fn plan_change(
        &self,
        state: &State,
        statement: &Statement,
        text: &str,
        settings: &Settings,
    ) -> Result<Change> {
        match statement {
            Statement::CreateSource(create) => self.plan_create(state, create, text, settings),
            Statement::CreateAs(create) => self.plan_create_as(state, create, settings),
            Statement::InsertInto(insert) => plan_insert(state, insert, settings),
            Statement::Terminate(selection) => Ok(Change::Terminate(state.selected(selection)?)),
            Statement::Pause(selection) => Ok(Change::Pause(state.selected(selection)?)),
            Statement::Resume(selection) => Ok(Change::Resume(state.selected(selection)?)),
            Statement::Drop(drop) => plan_drop(state, drop),
            Statement::Alter(alter) => {
                let source = state.catalog.expect(&alter.name)?;
                if source.read_only {
                    let message = format!("{} \"{}\" is read only", source.noun(), source.name);
                    let diagnostic = Diagnostic::new("E0311", message).at(alter.name.span, "");
                    return Err(diagnostic.help("DROP it and create it with the new columns").into());
                }
                if source.kind != alter.kind {
                    return Err(wrong_kind(source, &alter.name, "ALTER").into());
                }
                if source.query.is_some() {
                    let message = format!("{} \"{}\" is written by a query", source.noun(), source.name);
                    let diagnostic = Diagnostic::new("E0311", message).at(alter.name.span, "");
                    return Err(diagnostic.help("change the query instead: CREATE OR REPLACE …").into());
                }
                let mut altered = Source::clone(source);
                for column in &alter.columns {
                    let name = column.name.name.clone();
                    if altered.column(&name).is_some() {
                        let message =
                            format!("{} \"{}\" has a column \"{name}\" already", altered.noun(), altered.name);
                        return Err(Diagnostic::new("E0312", message).at(column.name.span, "").into());
                    }
                    let ty = column_type(&column.ty, &state.catalog, &column.name)?;
                    altered.value.push(Column { name, ty });
                }
                let message = format!("{} {} altered", altered.noun(), altered.name);
                Ok(Change::Source { source: Box::new(altered), message })
            }
            Statement::CreateType { name, ty, if_not_exists } => {
                if state.catalog.named_type(&name.name).is_some() {
                    if *if_not_exists {
                        return Ok(Change::Nothing(format!("type {} exists already", name.name)));
                    }
                    let message = format!("type \"{}\" exists already", name.name);
                    return Err(Diagnostic::new("E0313", message).at(name.span, "").into());
                }
                let ty = column_type(ty, &state.catalog, name)?;
                Ok(Change::Type { name: name.name.clone(), ty })
            }
            Statement::DropType { name, if_exists } => match state.catalog.named_type(&name.name) {
                Some(_) => Ok(Change::DropType(name.name.clone())),
                None if *if_exists => Ok(Change::Nothing(format!("type {} does not exist", name.name))),
                None => {
                    let message = format!("type \"{}\" does not exist", name.name);
                    Err(Diagnostic::new("E0314", message).at(name.span, "not found").into())
                }
            },
            _ => Err(Diagnostic::new("E0303", "this statement changes nothing").into()),
        }
    }

    fn plan_create(&self, state: &State, create: &CreateSource, text: &str, settings: &Settings) -> Result<Change> {
        if let Some(change) = existing(state, &create.name, create.or_replace, create.if_not_exists)? {
            return Ok(change);
        }
        let mut source = plan_source(create, &state.catalog, &settings.defaults(), text)?;
        if let Some(old) = state.catalog.source(&create.name.name) {
            replace::check(old, &source, create.name.span)?;
        }
        source.partitions = self.partitions(&source, &create.with, create.name.span)?;
        let message = format!("{} {} created", source.noun(), source.name);
        Ok(Change::Source { source: Box::new(source), message })
    }

    fn plan_create_as(&self, state: &State, create: &CreateAs, settings: &Settings) -> Result<Change> {
        let mut replaces = None;
        if create.or_replace && state.catalog.source(&create.name.name).is_some() {
            let own = state.catalog.source(&create.name.name).and_then(|source| source.query.clone());
            replaces = own.filter(|id| state.queries.contains_key(id));
        } else if let Some(change) = existing(state, &create.name, create.or_replace, create.if_not_exists)? {
            return Ok(change);
        }
        let defaults = settings.defaults();
        let output = Output::Create {
            kind: create.kind,
            name: &create.name.name,
            with: &create.with,
            defaults: &defaults,
            place: create.name.span,
        };
        let mut plan = plan_query(&create.query, &state.catalog, output)?;
        if settings.is_strict() {
            check_strict(&create.query, &plan, &create.with)?;
        }
        let Some(mut sink) = plan.sink.take() else {
            return Err(millstream_exec::Error::Internal("a query without a sink".to_owned()).into());
        };
        if let Some(old) = state.catalog.source(&create.name.name) {
            replace::check(old, &sink, create.name.span)?;
        }
        if let Some(topic) = self.log.topic(&sink.topic)?
            && create.with.get("PARTITIONS").is_none()
        {
            sink.partitions = topic.partitions;
        }
        if let (true, true) = (replaces.is_some(), keeps_state(&plan.root)) {
            let message =
                format!("query {} keeps a state that the new query cannot take over", replaces.unwrap_or_default());
            let diagnostic = Diagnostic::new("E0317", message).at(create.name.span, "");
            return Err(diagnostic.help("DROP it and create it anew").into());
        }
        plan.sink = Some(sink.clone());
        let letter = if sink.is_table() { 'T' } else { 'S' };
        let prefix = format!("C{letter}AS_{}", sink.name);
        Ok(Change::Query { plan: Box::new(plan), prefix, sink: Box::new(sink), replaces, creates: true })
    }

    /// Does what was planned. While the command log is replayed, queries are noted but not started.
    pub(super) fn carry_out(
        &self,
        state: &mut State,
        change: Change,
        text: &str,
        settings: &Settings,
        offset: i64,
        deletions: Deletions,
    ) -> Result<String> {
        match change {
            Change::Nothing(message) => Ok(message),
            Change::Source { source, message } => {
                self.tables.forget(&source.name);
                state.catalog.insert(Arc::from(source));
                Ok(message)
            }
            Change::Query { plan, mut sink, prefix, replaces, creates } => {
                let id = replaces.clone().unwrap_or_else(|| format!("{prefix}_{offset}"));
                if let Some(old) = replaces.and_then(|id| state.queries.remove(&id)) {
                    old.stop();
                }
                if creates {
                    sink.query = Some(id.clone());
                    text.clone_into(&mut sink.statement);
                    self.tables.forget(&sink.name);
                    state.catalog.insert(Arc::new(Source::clone(&sink)));
                }
                let dormant = PersistentQuery::dormant(&id, text, QueryPlan::clone(&plan), settings, &self.service_id);
                let query = if deletions == Deletions::Now {
                    let started = self.launch(settings).start(&id, text, *plan, &sink, QueryStatus::Running);
                    // The command is written, so a query that cannot be started is there and says why.
                    started.unwrap_or_else(|error| {
                        dormant.shared.fail(&error.to_string());
                        dormant
                    })
                } else {
                    dormant
                };
                let status = query.shared.status();
                state.queries.insert(id.clone(), query);
                match status {
                    QueryStatus::Error(reason) => {
                        Err(Diagnostic::new("E0322", format!("query {id} cannot run: {reason}")).into())
                    }
                    _ => Ok(format!("query {id} runs")),
                }
            }
            Change::Terminate(ids) => {
                for id in &ids {
                    self.terminate(state, id, deletions)?;
                }
                Ok(format!("terminated: {}", list(&ids)))
            }
            Change::Pause(ids) => {
                ids.iter().filter_map(|id| state.queries.get(id)).for_each(PersistentQuery::pause);
                Ok(format!("paused: {}", list(&ids)))
            }
            Change::Resume(ids) => {
                ids.iter().filter_map(|id| state.queries.get(id)).for_each(PersistentQuery::resume);
                Ok(format!("resumed: {}", list(&ids)))
            }
            Change::Drop { name, query, delete_topic } => {
                if let Some(id) = &query {
                    self.terminate(state, id, deletions)?;
                }
                state.catalog.remove(&name);
                self.tables.forget(&name);
                if let Some(topic) = delete_topic.filter(|_| deletions != Deletions::Done) {
                    delete_if_there(&*self.log, &topic)?;
                }
                Ok(format!("{name} dropped"))
            }
            Change::Type { name, ty } => {
                let message = format!("type {name} created");
                state.catalog.insert_type(name, ty);
                Ok(message)
            }
            Change::DropType(name) => {
                state.catalog.remove_type(&name);
                Ok(format!("type {name} dropped"))
            }
        }
    }

    fn terminate(&self, state: &mut State, id: &str, deletions: Deletions) -> Result<()> {
        let Some(query) = state.queries.remove(id) else { return Ok(()) };
        query.stop();
        match deletions {
            Deletions::Now => query.clean_up(&*self.log),
            Deletions::Unfinished => query.clean_up_topics(&*self.log, &names::internal_prefix(&self.service_id, id)),
            Deletions::Done => Ok(()),
        }
    }
}

fn list(ids: &[String]) -> String {
    if ids.is_empty() { "no query".to_owned() } else { ids.join(", ") }
}

fn with_of(statement: &Statement) -> Option<&Properties> {
    match statement {
        Statement::CreateSource(create) => Some(&create.with),
        Statement::CreateAs(create) => Some(&create.with),
        _ => None,
    }
}

fn keeps_state(root: &Node) -> bool {
    let is_table_filter = matches!(root.op, Op::Filter { .. }) && root.relation == Relation::Table;
    !matches!(root.op, Op::Scan { .. } | Op::Filter { .. } | Op::Project { .. })
        || is_table_filter
        || root.inputs().into_iter().any(keeps_state)
}

/// What to do about a source that is there already; `None` if it is not or is to be replaced.
fn existing(state: &State, name: &Ident, or_replace: bool, if_not_exists: bool) -> Result<Option<Change>> {
    let Some(source) = state.catalog.source(&name.name) else { return Ok(None) };
    if if_not_exists {
        return Ok(Some(Change::Nothing(format!("{} {} exists already", source.noun(), source.name))));
    }
    if or_replace && source.query.is_none() {
        return Ok(None);
    }
    let message = format!("{} \"{}\" exists already", source.noun(), source.name);
    let help = "choose another name, DROP it first, or say CREATE OR REPLACE or IF NOT EXISTS";
    Err(Diagnostic::new("E0318", message).at(name.span, "taken").help(help).into())
}

fn plan_insert(state: &State, insert: &InsertInto, settings: &Settings) -> Result<Change> {
    let target = state.catalog.expect(&insert.target)?;
    let plan = plan_query(&insert.query, &state.catalog, Output::Insert { target, place: insert.target.span })?;
    if settings.is_strict() {
        check_strict(&insert.query, &plan, &insert.with)?;
    }
    let sink = Source::clone(target);
    let prefix = "INSERTQUERY".to_owned();
    Ok(Change::Query { plan: Box::new(plan), sink: Box::new(sink), prefix, replaces: None, creates: false })
}

/// Refuses to delete a topic that something else needs.
fn check_topic_is_own(state: &State, source: &Source, name: &Ident) -> Result<()> {
    let other = state.catalog.sources().find(|other| other.topic == source.topic && other.name != source.name);
    let why = match other {
        Some(other) => format!("{} \"{}\" is over it too", other.noun(), other.name),
        None if crate::names::is_internal(&source.topic) || source.topic == crate::processing_log::TOPIC => {
            "the engine keeps it for itself".to_owned()
        }
        None => return Ok(()),
    };
    let message = format!("topic \"{}\" cannot be deleted: {why}", source.topic);
    Err(Diagnostic::new("E0321", message).at(name.span, "").help("leave DELETE TOPIC out").into())
}

/// What to say of a stream that is called a table, or the other way round.
fn wrong_kind(source: &Source, name: &Ident, verb: &str) -> Diagnostic {
    let message = format!("\"{}\" is a {}", source.name, source.noun());
    let help = format!("{verb} {} {name}", source.noun().to_uppercase());
    Diagnostic::new("E0319", message).at(name.span, "").help(help)
}

fn plan_drop(state: &State, drop: &Drop) -> Result<Change> {
    if drop.if_exists && state.catalog.source(&drop.name.name).is_none() {
        return Ok(Change::Nothing(format!("{} does not exist", drop.name.name)));
    }
    let source = state.catalog.expect(&drop.name)?;
    if source.kind != drop.kind {
        return Err(wrong_kind(source, &drop.name, "DROP").into());
    }
    let own = source.query.clone().filter(|id| state.queries.contains_key(id));
    let mut users = state.readers(&source.name);
    users.extend(state.writers(&source.name).into_iter().filter(|id| Some(id) != own.as_ref()));
    if !users.is_empty() {
        let message = format!("{} \"{}\" is used by {}", source.noun(), source.name, users.join(", "));
        let help = format!("TERMINATE {} first", users.first().cloned().unwrap_or_default());
        return Err(Diagnostic::new("E0320", message).at(drop.name.span, "in use").help(help).into());
    }
    if drop.delete_topic {
        check_topic_is_own(state, source, &drop.name)?;
    }
    let delete_topic = drop.delete_topic.then(|| source.topic.clone());
    Ok(Change::Drop { name: source.name.clone(), query: own, delete_topic })
}
