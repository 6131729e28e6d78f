//! Aggregates by key and session.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch};
use arrow::buffer::BooleanBuffer;
use arrow::datatypes::{DataType, SchemaRef};
use millstream_function::GroupStates;
use millstream_plan::AggregateCall;

use super::aggregate::{groupable, make_states};
use super::{Operator, State, StateChange};
use crate::column::ColumnBuilder;
use crate::groups::Groups;
use crate::{Batch, Context, Error, Result, codec};

/// Groups the rows of a key that follow each other within a gap.
///
/// ```text
/// COUNT(*) by k, gap 10 ms
///   (a, t=0)   →  (a, [0,0], 1)
///   (a, t=30)  →  (a, [30,30], 1)
///   (a, t=8)   →  (a, [0,0], null)  (a, [0,8], 2)      a session that grows has a new key
///   (a, t=19)  →  …  (a, [0,30], 4)                    and one row can join two
/// ```
///
/// State: a slot a session. A session goes when the stream's time passes its end, the gap and grace.
pub(crate) struct SessionAggregate {
    keys: usize,
    gap_ms: i64,
    grace_ms: i64,
    calls: Vec<AggregateCall>,
    emit_final: bool,
    input: SchemaRef,
    schema: SchemaRef,
    groups: Groups,
    /// The sessions of each group, by start.
    sessions: Vec<Vec<Session>>,
    states: Vec<Box<dyn GroupStates>>,
    slot_count: usize,
    free: Vec<u32>,
    /// Sessions as they were before the epoch, of those that have changed since: by group, start and end.
    changed: BTreeMap<u64, Change>,
    change_of: HashMap<(u32, i64, i64), u64>,
    next_change: u64,
    /// Sessions by when they close, for expiry.
    closing: BTreeSet<Closing>,
    undrained: Vec<Vec<u8>>,
    /// Sessions that have changed since the last drain: group, start and end.
    undrained_set: BTreeSet<(u32, i64, i64)>,
    stream_time: i64,
    stream_time_drained: i64,
    fingerprint: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Session {
    start: i64,
    end: i64,
    slot: u32,
    rowtime: i64,
    /// Whether readers have seen it under these bounds.
    emitted: bool,
}

/// When a session closes, and which: group, start and end.
type Closing = (i64, u32, i64, i64);

#[derive(Debug, Clone, Copy)]
enum Change {
    Deleted { group: u32, start: i64, end: i64, rowtime: i64 },
    Set { group: u32, start: i64, end: i64 },
}

impl SessionAggregate {
    pub(crate) fn new(
        input: &SchemaRef,
        keys: usize,
        (gap_ms, grace_ms): (i64, i64),
        calls: &[AggregateCall],
        emit_final: bool,
        schema: SchemaRef,
    ) -> Result<Self> {
        let key_types: Vec<DataType> =
            input.fields().iter().take(keys).map(|field| field.data_type().clone()).collect();
        let states = make_states(calls, input)?;
        let state_types: Vec<DataType> = states.iter().flat_map(|state| state.state_types()).collect();
        Ok(Self {
            keys,
            gap_ms,
            grace_ms,
            calls: calls.to_vec(),
            emit_final,
            input: Arc::clone(input),
            schema,
            groups: Groups::new(&key_types)?,
            sessions: Vec::new(),
            states,
            slot_count: 0,
            free: Vec::new(),
            changed: BTreeMap::new(),
            change_of: HashMap::new(),
            next_change: 0,
            closing: BTreeSet::new(),
            undrained: Vec::new(),
            undrained_set: BTreeSet::new(),
            stream_time: -1,
            stream_time_drained: -1,
            fingerprint: codec::fingerprint(key_types.iter().chain(&state_types)),
        })
    }

    fn closes_at(&self, end: i64) -> i64 {
        // The gap belongs to the session, so it is closed from the millisecond after on.
        end.saturating_add(self.gap_ms).saturating_add(self.grace_ms).saturating_add(1)
    }

    fn new_slot(&mut self) -> u32 {
        if let Some(slot) = self.free.pop() {
            return slot;
        }
        self.slot_count += 1;
        self.states.iter_mut().for_each(|state| state.resize(self.slot_count));
        (self.slot_count - 1) as u32
    }

    fn release(&mut self, slot: u32) {
        self.states.iter_mut().for_each(|state| state.clear(slot));
        self.free.push(slot);
    }

    fn note(&mut self, key: (u32, i64, i64), change: Option<Change>) {
        if let Some(old) = self.change_of.remove(&key) {
            self.changed.remove(&old);
        }
        if let Some(change) = change {
            self.change_of.insert(key, self.next_change);
            self.changed.insert(self.next_change, change);
            self.next_change += 1;
        }
    }

    /// Puts one row into its session, joining those that it bridges; false if that session is closed.
    fn add(&mut self, group: u32, time: i64, row: usize, batch: &Batch) -> Result<bool> {
        self.sessions.resize_with(self.groups.len(), Vec::new);
        let sessions =
            self.sessions.get_mut(group as usize).ok_or_else(|| Error::Internal("no such group".to_owned()))?;
        let meets = |session: &Session| {
            session.start <= time.saturating_add(self.gap_ms) && session.end >= time.saturating_sub(self.gap_ms)
        };
        // A session that is closed but not yet expired takes no rows, wherever the epoch is cut.
        let closed_end = self.stream_time.saturating_sub(self.gap_ms).saturating_sub(self.grace_ms);
        let is_before = |session: &Session| session.end < time.saturating_sub(self.gap_ms) || session.end < closed_end;
        let first = sessions.partition_point(is_before);
        let count = sessions.iter().skip(first).take_while(|session| meets(session)).count();
        let end = sessions.iter().skip(first).take(count).map(|session| session.end).max().unwrap_or(time).max(time);
        if end < closed_end {
            return Ok(false);
        }
        let met: Vec<Session> = sessions.drain(first..first + count).collect();
        let mut joined = Session { start: time, end: time, slot: 0, rowtime: time, emitted: false };
        for session in &met {
            joined.start = joined.start.min(session.start);
            joined.end = joined.end.max(session.end);
            joined.rowtime = joined.rowtime.max(session.rowtime);
        }
        joined.slot = match met.first() {
            Some(session) => session.slot,
            None => self.new_slot(),
        };
        for other in met.iter().skip(1) {
            for state in &mut self.states {
                state.merge(joined.slot, other.slot)?;
            }
            self.release(other.slot);
        }
        for (state, call) in self.states.iter_mut().zip(&self.calls) {
            let args = call.args.iter().map(|at| Ok(batch.column(*at)?.slice(row, 1)));
            state.update(&[joined.slot], &args.collect::<Result<Vec<_>>>()?)?;
        }
        for old in &met {
            let same = (old.start, old.end) == (joined.start, joined.end);
            joined.emitted |= same && old.emitted;
            if !same {
                self.retire(group, *old)?;
            }
        }
        let key = (group, joined.start, joined.end);
        self.note(key, Some(Change::Set { group, start: joined.start, end: joined.end }));
        self.closing.insert((self.closes_at(joined.end), group, joined.start, joined.end));
        if let Some(sessions) = self.sessions.get_mut(group as usize) {
            sessions.insert(first, joined);
        }
        Ok(true)
    }

    /// A session that is gone because its bounds have changed.
    fn retire(&mut self, group: u32, old: Session) -> Result<()> {
        let key = (group, old.start, old.end);
        self.closing.remove(&(self.closes_at(old.end), group, old.start, old.end));
        let deletion = Change::Deleted { group, start: old.start, end: old.end, rowtime: old.rowtime };
        self.note(key, old.emitted.then_some(deletion));
        let encoded = self.encode_key(group, old.start, old.end)?;
        self.undrained.push(encoded);
        Ok(())
    }

    fn encode_key(&self, group: u32, start: i64, end: i64) -> Result<Vec<u8>> {
        let mut key = Vec::new();
        codec::write_row(&self.groups.keys(&[group])?, 0, &mut key)?;
        key.extend_from_slice(&start.to_le_bytes());
        key.extend_from_slice(&end.to_le_bytes());
        Ok(key)
    }

    fn find(&mut self, group: u32, start: i64, end: i64) -> Option<&mut Session> {
        let sessions = self.sessions.get_mut(group as usize)?;
        sessions.iter_mut().find(|session| (session.start, session.end) == (start, end))
    }

    /// A changelog of sessions: group, session, and whether it lives.
    fn results(&self, rows: &[(u32, Session, bool)]) -> Result<Batch> {
        let groups: Vec<u32> = rows.iter().map(|(group, ..)| *group).collect();
        let slots: Vec<u32> = rows.iter().map(|(_, session, live)| if *live { session.slot } else { 0 }).collect();
        let column = |value: fn(&Session) -> i64| -> ArrayRef {
            Arc::new(rows.iter().map(|(_, session, _)| Some(value(session))).collect::<Int64Array>())
        };
        let (start, end) = (column(|session| session.start), column(|session| session.end));
        let mut columns = self.groups.keys(&groups)?;
        columns.extend([Arc::clone(&start), Arc::clone(&end)]);
        for state in &self.states {
            columns.push(state.evaluate(&slots)?);
        }
        columns.push(column(|session| session.rowtime));
        let live = BooleanBuffer::from_iter(rows.iter().map(|(.., live)| *live));
        let rows = RecordBatch::try_new(Arc::clone(&self.schema), columns)?;
        Ok(Batch { rows, live: Some(live), window: Some([start, end]), headers: None, old: None })
    }

    /// Takes the sessions that are closed by now.
    fn close(&mut self) -> Vec<(u32, Session)> {
        let mut closed = Vec::new();
        while let Some(first) = self.closing.first().copied().filter(|first| first.0 <= self.stream_time) {
            let (_, group, start, end) = first;
            self.closing.remove(&first);
            let Some(sessions) = self.sessions.get_mut(group as usize) else { continue };
            if let Some(at) = sessions.iter().position(|session| (session.start, session.end) == (start, end)) {
                closed.push((group, sessions.remove(at)));
            }
        }
        closed
    }
}

impl Operator for SessionAggregate {
    fn process(&mut self, _: usize, batch: Batch, context: &mut Context, _: &mut Vec<Batch>) -> Result<()> {
        let batch = match groupable(&batch, self.keys) {
            Some(keep) => batch.filter(&keep)?,
            None => batch,
        };
        let keys: Vec<ArrayRef> = batch.rows.columns().iter().take(self.keys).cloned().collect();
        let mut groups = Vec::new();
        self.groups.intern(&keys, &mut groups)?;
        let times = batch.rowtimes()?.values().to_vec();
        for (row, (group, time)) in groups.into_iter().zip(times).enumerate() {
            self.stream_time = self.stream_time.max(time);
            if !self.add(group, time, row, &batch)? {
                context.late_count += 1;
            }
        }
        Ok(())
    }

    fn flush(&mut self, _: &mut Context, out: &mut Vec<Batch>) -> Result<()> {
        let mut rows = Vec::new();
        self.change_of.clear();
        for change in std::mem::take(&mut self.changed).into_values() {
            match change {
                Change::Deleted { group, start, end, rowtime } => {
                    rows.push((group, Session { start, end, slot: 0, rowtime, emitted: false }, false));
                }
                Change::Set { group, start, end } => {
                    let emit = !self.emit_final;
                    if let Some(session) = self.find(group, start, end) {
                        session.emitted |= emit;
                        let session = *session;
                        self.undrained_set.insert((group, start, end));
                        if emit {
                            rows.push((group, session, true));
                        }
                    }
                }
            }
        }
        let closed = self.close();
        if self.emit_final {
            rows.extend(closed.iter().map(|(group, session)| (*group, *session, true)));
        }
        if !rows.is_empty() {
            // A deletion shows no aggregate, but its row needs some slot to be read.
            if self.slot_count == 0 {
                let slot = self.new_slot();
                self.release(slot);
            }
            out.push(self.results(&rows)?);
        }
        for (group, session) in closed {
            let key = self.encode_key(group, session.start, session.end)?;
            self.undrained.push(key);
            self.undrained_set.remove(&(group, session.start, session.end));
            self.release(session.slot);
        }
        Ok(())
    }

    fn size_bytes(&self) -> usize {
        let states: usize = self.states.iter().map(|state| state.size_bytes()).sum();
        let session = size_of::<Session>() + size_of::<Closing>();
        let lists = self.sessions.capacity() * size_of::<Vec<Session>>();
        self.groups.size_bytes() + states + lists + (self.slot_count - self.free.len()) * session
    }

    fn state(&mut self) -> Option<&mut dyn State> {
        Some(self)
    }
}

impl State for SessionAggregate {
    fn drain(&mut self, write: &mut dyn FnMut(StateChange<'_>)) -> Result<()> {
        for key in self.undrained.drain(..) {
            write((&key, None));
        }
        let mut set: Vec<(u32, Session)> = Vec::new();
        for (group, start, end) in std::mem::take(&mut self.undrained_set) {
            // What has been joined to another session since is deleted above.
            if let Some(session) = self.find(group, start, end) {
                set.push((group, *session));
            }
        }
        let slots: Vec<u32> = set.iter().map(|(_, session)| session.slot).collect();
        let mut states = Vec::new();
        for state in &self.states {
            states.extend(state.state(&slots)?);
        }
        let mut value = Vec::new();
        for (row, (group, session)) in set.iter().enumerate() {
            value.clear();
            codec::write_header(self.fingerprint, &mut value);
            value.extend_from_slice(&session.rowtime.to_le_bytes());
            codec::write_row(&states, row, &mut value)?;
            let key = self.encode_key(*group, session.start, session.end)?;
            write((&key, Some(&value)));
        }
        if self.stream_time != self.stream_time_drained {
            self.stream_time_drained = self.stream_time;
            write((&[], Some(&self.stream_time.to_le_bytes())));
        }
        Ok(())
    }

    fn restore(&mut self, entries: &[StateChange<'_>]) -> Result<()> {
        let unreadable = |reason: &str| Error::State { operator: "session".to_owned(), reason: reason.to_owned() };
        for (key, value) in entries.iter().copied() {
            if key.is_empty() {
                let time =
                    value.unwrap_or_default().try_into().map_err(|_| unreadable("the stream time is damaged"))?;
                self.stream_time = i64::from_le_bytes(time);
                self.stream_time_drained = self.stream_time;
                continue;
            }
            let (rest, end) = key.split_last_chunk::<8>().ok_or_else(|| unreadable("a key is cut off"))?;
            let (mut rest, start) = rest.split_last_chunk::<8>().ok_or_else(|| unreadable("a key is cut off"))?;
            let (start, end) = (i64::from_le_bytes(*start), i64::from_le_bytes(*end));
            let key_types = self.input.fields().iter().take(self.keys);
            let mut columns =
                key_types.map(|field| ColumnBuilder::new(field.data_type())).collect::<Result<Vec<_>>>()?;
            codec::read_row(&mut rest, &mut columns).ok_or_else(|| unreadable("a key is cut off"))?;
            let keys = columns.iter_mut().map(ColumnBuilder::finish).collect::<Result<Vec<_>>>()?;
            let mut groups = Vec::new();
            self.groups.intern(&keys, &mut groups)?;
            let group = groups.first().copied().unwrap_or_default();
            self.sessions.resize_with(self.groups.len(), Vec::new);
            self.restore_session(group, start, end, value)?;
        }
        Ok(())
    }
}

impl SessionAggregate {
    fn restore_session(&mut self, group: u32, start: i64, end: i64, value: Option<&[u8]>) -> Result<()> {
        let unreadable = |reason: String| Error::State { operator: "session".to_owned(), reason };
        let sessions =
            self.sessions.get_mut(group as usize).ok_or_else(|| Error::Internal("no such group".to_owned()))?;
        if let Some(at) = sessions.iter().position(|session| (session.start, session.end) == (start, end)) {
            let old = sessions.remove(at);
            self.closing.remove(&(self.closes_at(end), group, start, end));
            self.release(old.slot);
        }
        let Some(value) = value else { return Ok(()) };
        let rest = codec::read_header(value, self.fingerprint).map_err(unreadable)?;
        let (rowtime, mut rest) =
            rest.split_first_chunk::<8>().ok_or_else(|| unreadable("an entry is cut off".to_owned()))?;
        let rowtime = i64::from_le_bytes(*rowtime);
        let slot = self.new_slot();
        for state in &mut self.states {
            let types = state.state_types();
            let mut columns = types.iter().map(ColumnBuilder::new).collect::<Result<Vec<_>>>()?;
            codec::read_row(&mut rest, &mut columns).ok_or_else(|| unreadable("an entry is cut off".to_owned()))?;
            let columns = columns.iter_mut().map(ColumnBuilder::finish).collect::<Result<Vec<_>>>()?;
            state.restore(&[slot], &columns)?;
        }
        let emitted = !self.emit_final;
        let closes_at = self.closes_at(end);
        if let Some(sessions) = self.sessions.get_mut(group as usize) {
            let at = sessions.partition_point(|session| session.start < start);
            sessions.insert(at, Session { start, end, slot, rowtime, emitted });
        }
        self.closing.insert((closes_at, group, start, end));
        Ok(())
    }
}
