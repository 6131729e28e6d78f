//! Aggregates by key, and by key and window of fixed length.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, Int64Array, RecordBatch, UInt32Array};
use arrow::buffer::{BooleanBuffer, NullBuffer};
use arrow::datatypes::{DataType, Int64Type, SchemaRef};
use millstream_function::{GroupStates, registry};
use millstream_plan::sql::ast::WindowKind;
use millstream_plan::{AggregateCall, WindowSpec};

use super::{Operator, State, StateChange};
use crate::codec::RowWriter;
use crate::column::ColumnBuilder;
use crate::groups::Groups;
use crate::{Batch, Context, Error, OldRows, Result, codec};

/// Makes the group states of the calls over an input's columns.
pub(super) fn make_states(calls: &[AggregateCall], input: &SchemaRef) -> Result<Vec<Box<dyn GroupStates>>> {
    let missing = || Error::Internal("an aggregate's argument is missing".to_owned());
    let states = calls.iter().map(|call| {
        let function = registry().aggregate(&call.function);
        let function = function.ok_or_else(|| Error::Internal(format!("no aggregate {}", call.function)))?;
        let types = call.args.iter().map(|at| input.fields().get(*at).map(|field| field.data_type().clone()));
        let types: Vec<DataType> = types.collect::<Option<_>>().ok_or_else(missing)?;
        Ok(function.states(&types, &call.parameters)?)
    });
    states.collect()
}

/// Which rows of a batch can be grouped: those with a value and no null in their key.
pub(super) fn groupable(batch: &Batch, keys: usize) -> Option<BooleanArray> {
    let mut valid: Option<NullBuffer> = batch.live.clone().map(NullBuffer::new);
    for key in batch.rows.columns().iter().take(keys) {
        valid = NullBuffer::union(valid.as_ref(), key.logical_nulls().as_ref());
    }
    valid.filter(|valid| valid.null_count() > 0).map(|valid| BooleanArray::new(valid.inner().clone(), None))
}

/// Groups rows and keeps each group's aggregates, a changelog of which it hands on.
///
/// ```text
/// COUNT(*) by k, windows of 10 ms
///   (k=a, t=3)  (k=a, t=7)  (k=b, t=12)   →   (a, [0,10), 2)  (b, [10,20), 1)
///   (k=a, t=4)                            →   (a, [0,10), 3)      late, but within grace
/// ```
///
/// The rows of a table come with those that they replace, which are taken out of their groups again; a group that
/// has become empty stays.
///
/// Of the rows of an epoch each group that changed is handed on once. With `emit_final` a window is
/// handed on once, when the stream's time passes its end and grace.
///
/// State: a slot a group. A window's slots go when the stream's time passes its end and grace; the
/// stream's time is part of the state, or rows once late would be taken after a restart.
pub(crate) struct WindowedAggregate {
    keys: usize,
    window: Option<FixedWindow>,
    calls: Vec<AggregateCall>,
    emit_final: bool,
    schema: SchemaRef,
    /// The group's key columns and, with windows, the window's start.
    groups: Groups,
    states: Vec<Box<dyn GroupStates>>,
    /// Of each slot: the greatest ROWTIME, whether it is listed in `dirty`, and whether it lives.
    rowtimes: Vec<i64>,
    is_dirty: Vec<bool>,
    is_live: Vec<bool>,
    /// The slots that changed in this epoch, and those since the last drain.
    dirty: Vec<u32>,
    undrained: Vec<u32>,
    /// The slots of each window that is not closed, by its start.
    open: BTreeMap<i64, Vec<u32>>,
    /// Slots whose windows are closed, and their keys in the changelog.
    dead: usize,
    expired: Vec<Vec<u8>>,
    stream_time: i64,
    stream_time_drained: i64,
    fingerprint: u32,
    slots: Vec<u32>,
}

#[derive(Debug, Clone, Copy)]
struct FixedWindow {
    size_ms: i64,
    advance_ms: i64,
    grace_ms: i64,
}

impl FixedWindow {
    fn closes_at(self, start: i64) -> i64 {
        start.saturating_add(self.size_ms).saturating_add(self.grace_ms)
    }
}

impl WindowedAggregate {
    pub(crate) fn new(
        input: &SchemaRef,
        keys: usize,
        window: Option<WindowSpec>,
        calls: &[AggregateCall],
        emit_final: bool,
        schema: SchemaRef,
    ) -> Result<Self> {
        let window = match window {
            Some(WindowSpec { kind: WindowKind::Tumbling { size_ms }, grace_ms, .. }) => {
                Some(FixedWindow { size_ms, advance_ms: size_ms, grace_ms })
            }
            Some(WindowSpec { kind: WindowKind::Hopping { size_ms, advance_ms }, grace_ms, .. }) => {
                Some(FixedWindow { size_ms, advance_ms, grace_ms })
            }
            Some(_) => return Err(Error::Internal("sessions have an operator of their own".to_owned())),
            None => None,
        };
        let mut key_types: Vec<DataType> =
            input.fields().iter().take(keys).map(|field| field.data_type().clone()).collect();
        if window.is_some() {
            key_types.push(DataType::Int64);
        }
        let states = make_states(calls, input)?;
        let state_types: Vec<DataType> = states.iter().flat_map(|state| state.state_types()).collect();
        Ok(Self {
            keys,
            window,
            calls: calls.to_vec(),
            emit_final,
            schema,
            groups: Groups::new(&key_types)?,
            states,
            rowtimes: Vec::new(),
            is_dirty: Vec::new(),
            is_live: Vec::new(),
            dirty: Vec::new(),
            undrained: Vec::new(),
            open: BTreeMap::new(),
            dead: 0,
            expired: Vec::new(),
            stream_time: -1,
            stream_time_drained: -1,
            fingerprint: codec::fingerprint(key_types.iter().chain(&state_types)),
            slots: Vec::new(),
        })
    }

    /// For each pair of a row and one of its windows: the row and the window's start.
    fn windows(&mut self, rowtimes: &Int64Array, window: FixedWindow, context: &mut Context) -> (Vec<u32>, Vec<i64>) {
        let (mut rows, mut starts) = (Vec::with_capacity(rowtimes.len()), Vec::with_capacity(rowtimes.len()));
        for (row, &time) in rowtimes.values().iter().enumerate() {
            self.stream_time = self.stream_time.max(time);
            // Windows are at multiples of the advance; the first one that still holds the time comes first.
            let earliest = time.saturating_sub(window.size_ms).saturating_add(1).max(0);
            let mut start = earliest.div_euclid(window.advance_ms) * window.advance_ms;
            if start < earliest {
                start += window.advance_ms;
            }
            let mut taken = false;
            while start <= time {
                if window.closes_at(start) > self.stream_time {
                    rows.push(row as u32);
                    starts.push(start);
                    taken = true;
                }
                start += window.advance_ms;
            }
            context.late_count += u64::from(!taken);
        }
        (rows, starts)
    }

    /// The slots of keys, with room for those that are new.
    fn intern(&mut self, keys: &[ArrayRef], slots: &mut Vec<u32>) -> Result<()> {
        let before = self.groups.len();
        self.groups.intern(keys, slots)?;
        let count = self.groups.len();
        if count > before {
            self.states.iter_mut().for_each(|state| state.resize(count));
            self.rowtimes.resize(count, i64::MIN);
            self.is_dirty.resize(count, false);
            self.is_live.resize(count, true);
        }
        Ok(())
    }

    fn add(&mut self, batch: &Batch, keys: &[ArrayRef], starts: &[i64]) -> Result<()> {
        let mut slots = std::mem::take(&mut self.slots);
        self.intern(keys, &mut slots)?;
        for (state, call) in self.states.iter_mut().zip(&self.calls) {
            let args: Vec<ArrayRef> = call.args.iter().map(|at| batch.column(*at).cloned()).collect::<Result<_>>()?;
            state.update(&slots, &args)?;
        }
        self.touch(&slots, batch, starts)?;
        self.slots = slots;
        Ok(())
    }

    /// Takes the old row of each change out of its group and puts the new one in, change by change.
    fn change(&mut self, batch: &Batch, old: &OldRows) -> Result<()> {
        let keys: Vec<ArrayRef> = batch.rows.columns().iter().take(self.keys).cloned().collect();
        let mut slots = std::mem::take(&mut self.slots);
        self.intern(&keys, &mut slots)?;
        let (mut places, mut change_slots, mut added) = (Vec::new(), Vec::new(), Vec::new());
        for (row, slot) in slots.iter().enumerate() {
            for (from, is_live) in [(1, old.is_live(row)), (0, batch.is_live(row))] {
                if is_live {
                    places.push((from, row));
                    change_slots.push(*slot);
                    added.push(from == 0);
                }
            }
        }
        let added = BooleanBuffer::from(added);
        for (state, call) in self.states.iter_mut().zip(&self.calls) {
            let arg = |at: &usize| -> Result<ArrayRef> {
                let (new, old) = (batch.column(*at)?, old.rows.column(*at));
                Ok(arrow::compute::interleave(&[new.as_ref(), old.as_ref()], &places)?)
            };
            let args: Vec<ArrayRef> = call.args.iter().map(arg).collect::<Result<_>>()?;
            state.change(&change_slots, &args, &added)?;
        }
        self.touch(&slots, batch, &[])?;
        self.slots = slots;
        Ok(())
    }

    /// Takes note of slots that have changed.
    fn touch(&mut self, slots: &[u32], batch: &Batch, starts: &[i64]) -> Result<()> {
        let times = batch.rowtimes()?.values();
        for (row, (&slot, &time)) in slots.iter().zip(times.iter()).enumerate() {
            let at = slot as usize;
            if let (Some(rowtime), Some(is_dirty)) = (self.rowtimes.get_mut(at), self.is_dirty.get_mut(at)) {
                if *rowtime == i64::MIN
                    && let Some(start) = starts.get(row)
                {
                    self.open.entry(*start).or_default().push(slot);
                }
                *rowtime = time.max(*rowtime);
                if !std::mem::replace(is_dirty, true) {
                    self.dirty.push(slot);
                }
            }
        }
        Ok(())
    }

    /// The current results of slots, as a changelog.
    fn results(&self, slots: &[u32]) -> Result<Batch> {
        let mut columns = self.groups.keys(slots)?;
        let mut bounds = None;
        if let Some(window) = self.window {
            let start = columns.pop().ok_or_else(|| Error::Internal("a group has no window".to_owned()))?;
            let end =
                start.as_primitive::<Int64Type>().unary::<_, Int64Type>(|start| start.saturating_add(window.size_ms));
            let end: ArrayRef = Arc::new(end);
            columns.extend([Arc::clone(&start), Arc::clone(&end)]);
            bounds = Some([start, end]);
        }
        for state in &self.states {
            columns.push(state.evaluate(slots)?);
        }
        let rowtime = |slot: &u32| self.rowtimes.get(*slot as usize).copied();
        columns.push(Arc::new(slots.iter().map(rowtime).collect::<Int64Array>()));
        Ok(Batch {
            rows: RecordBatch::try_new(Arc::clone(&self.schema), columns)?,
            live: None,
            window: bounds,
            headers: None,
            old: None,
        })
    }

    /// Takes the windows that are closed by now out of `open`.
    fn close(&mut self) -> Vec<u32> {
        let Some(window) = self.window else { return Vec::new() };
        let mut closed = Vec::new();
        while let Some(entry) = self.open.first_entry() {
            if window.closes_at(*entry.key()) > self.stream_time {
                break;
            }
            closed.extend(entry.remove());
        }
        closed
    }

    /// Frees the slots of closed windows; once half of all slots are free, the others move together.
    fn expire(&mut self, closed: &[u32]) -> Result<()> {
        if closed.is_empty() {
            return Ok(());
        }
        let keys = self.groups.keys(closed)?;
        let key_rows = RowWriter::new(&keys);
        for (row, &slot) in closed.iter().enumerate() {
            let mut key = Vec::new();
            key_rows.write(row, &mut key)?;
            self.expired.push(key);
            if let Some(is_live) = self.is_live.get_mut(slot as usize) {
                *is_live = false;
            }
            self.states.iter_mut().for_each(|state| state.clear(slot));
        }
        self.dead += closed.len();
        Ok(())
    }

    fn compact(&mut self) -> Result<()> {
        if self.dead < 1024 || self.dead * 2 < self.groups.len() {
            return Ok(());
        }
        let keep: Vec<u32> =
            (0..self.groups.len() as u32).filter(|slot| self.is_live.get(*slot as usize) == Some(&true)).collect();
        let new: Vec<u32> = (0..keep.len() as u32).collect();
        for state in &mut self.states {
            let kept = state.state(&keep)?;
            // Shrinking to nothing and growing again empties every slot.
            state.resize(0);
            state.resize(keep.len());
            state.restore(&new, &kept)?;
        }
        self.groups.retain(&keep);
        self.rowtimes = keep.iter().filter_map(|slot| self.rowtimes.get(*slot as usize).copied()).collect();
        self.is_dirty = vec![false; keep.len()];
        self.is_live = vec![true; keep.len()];
        let moved: std::collections::HashMap<u32, u32> = keep.into_iter().zip(new).collect();
        for slots in self.open.values_mut() {
            slots.iter_mut().for_each(|slot| *slot = moved.get(slot).copied().unwrap_or(*slot));
        }
        self.dead = 0;
        Ok(())
    }
}

impl Operator for WindowedAggregate {
    fn process(&mut self, _: usize, batch: Batch, context: &mut Context, _: &mut Vec<Batch>) -> Result<()> {
        if let Some(old) = &batch.old {
            return self.change(&batch, old);
        }
        let batch = match groupable(&batch, self.keys) {
            Some(keep) => batch.filter(&keep)?,
            None => batch,
        };
        let Some(window) = self.window else {
            let keys: Vec<ArrayRef> = batch.rows.columns().iter().take(self.keys).cloned().collect();
            return self.add(&batch, &keys, &[]);
        };
        let (rows, starts) = self.windows(batch.rowtimes()?, window, context);
        // Most batches of tumbling windows have every row in one window: then nothing need be copied.
        let as_it_is = rows.len() == batch.len() && rows.iter().zip(0..).all(|(row, at)| *row == at);
        let batch = if as_it_is { batch } else { batch.take(&UInt32Array::from(rows))? };
        let mut keys: Vec<ArrayRef> = batch.rows.columns().iter().take(self.keys).cloned().collect();
        keys.push(Arc::new(Int64Array::from(starts.clone())));
        self.add(&batch, &keys, &starts)
    }

    fn flush(&mut self, _: &mut Context, out: &mut Vec<Batch>) -> Result<()> {
        let dirty = std::mem::take(&mut self.dirty);
        let closed = self.close();
        let emitted = if self.emit_final { &closed } else { &dirty };
        if !emitted.is_empty() {
            out.push(self.results(emitted)?);
        }
        for slot in &dirty {
            if let Some(is_dirty) = self.is_dirty.get_mut(*slot as usize) {
                *is_dirty = false;
            }
        }
        self.undrained.extend(dirty);
        self.expire(&closed)
    }

    fn size_bytes(&self) -> usize {
        let states: usize = self.states.iter().map(|state| state.size_bytes()).sum();
        // Of each slot: the greatest ROWTIME, two flags, and its place among the slots of its window.
        let slot = size_of::<i64>() + 2 + size_of::<u32>();
        self.groups.size_bytes() + states + self.rowtimes.capacity() * slot
    }

    fn state(&mut self) -> Option<&mut dyn State> {
        Some(self)
    }
}

/// The key of the entry that holds the stream's time: no group's key is empty.
const STREAM_TIME_KEY: &[u8] = &[];

impl State for WindowedAggregate {
    fn drain(&mut self, write: &mut dyn FnMut(StateChange<'_>)) -> Result<()> {
        let mut slots = std::mem::take(&mut self.undrained);
        // A slot is listed once for every flush that changed it.
        slots.sort_unstable();
        slots.dedup();
        slots.retain(|slot| self.is_live.get(*slot as usize) == Some(&true));
        let keys = self.groups.keys(&slots)?;
        let mut states = Vec::new();
        for state in &self.states {
            states.extend(state.state(&slots)?);
        }
        let (mut key, mut value) = (Vec::new(), Vec::new());
        let (key_rows, state_rows) = (RowWriter::new(&keys), RowWriter::new(&states));
        for (row, slot) in slots.iter().enumerate() {
            key.clear();
            key_rows.write(row, &mut key)?;
            value.clear();
            codec::write_header(self.fingerprint, &mut value);
            let rowtime = self.rowtimes.get(*slot as usize).copied().unwrap_or_default();
            value.extend_from_slice(&rowtime.to_le_bytes());
            state_rows.write(row, &mut value)?;
            write((&key, Some(&value)));
        }
        for key in self.expired.drain(..) {
            write((&key, None));
        }
        if self.stream_time != self.stream_time_drained {
            self.stream_time_drained = self.stream_time;
            write((STREAM_TIME_KEY, Some(&self.stream_time.to_le_bytes())));
        }
        self.compact()
    }

    fn restore(&mut self, entries: &[StateChange<'_>]) -> Result<()> {
        for run in entries.chunk_by(|a, b| a.1.is_some() == b.1.is_some()) {
            match run.first() {
                Some((_, Some(_))) => self.restore_groups(run)?,
                _ => self.restore_deletions(run)?,
            }
        }
        Ok(())
    }
}

impl WindowedAggregate {
    fn unreadable(&self, reason: impl Into<String>) -> Error {
        Error::State { operator: "aggregate".to_owned(), reason: reason.into() }
    }

    fn key_columns(&self) -> Result<Vec<ColumnBuilder>> {
        let fields = self.schema.fields().iter().take(self.keys).map(|field| field.data_type().clone());
        let start = self.window.map(|_| DataType::Int64);
        fields.chain(start).map(|ty| ColumnBuilder::new(&ty)).collect()
    }

    fn restore_groups(&mut self, entries: &[StateChange<'_>]) -> Result<()> {
        let mut keys = self.key_columns()?;
        let types: Vec<DataType> = self.states.iter().flat_map(|state| state.state_types()).collect();
        let mut values = types.iter().map(ColumnBuilder::new).collect::<Result<Vec<_>>>()?;
        let mut rowtimes = Vec::new();
        for (mut key, value) in entries.iter().copied() {
            let value = value.unwrap_or_default();
            if key == STREAM_TIME_KEY {
                let time = value.try_into().map_err(|_| self.unreadable("the stream time has another length"))?;
                self.stream_time = i64::from_le_bytes(time);
                self.stream_time_drained = self.stream_time;
                continue;
            }
            let rest = codec::read_header(value, self.fingerprint).map_err(|reason| self.unreadable(reason))?;
            let cut_off = || self.unreadable("an entry is cut off");
            let (rowtime, mut rest) = rest.split_first_chunk::<8>().ok_or_else(cut_off)?;
            rowtimes.push(i64::from_le_bytes(*rowtime));
            codec::read_row(&mut key, &mut keys).ok_or_else(cut_off)?;
            codec::read_row(&mut rest, &mut values).ok_or_else(cut_off)?;
        }
        let keys = keys.iter_mut().map(ColumnBuilder::finish).collect::<Result<Vec<_>>>()?;
        let values = values.iter_mut().map(ColumnBuilder::finish).collect::<Result<Vec<_>>>()?;
        let mut slots = Vec::new();
        self.groups.intern(&keys, &mut slots)?;
        let count = self.groups.len();
        self.rowtimes.resize(count, i64::MIN);
        self.is_dirty.resize(count, false);
        self.is_live.resize(count, true);
        let mut rest = values.as_slice();
        for state in &mut self.states {
            state.resize(count);
            let (own, tail) = rest.split_at_checked(state.state_types().len()).unwrap_or((rest, &[]));
            state.restore(&slots, own)?;
            rest = tail;
        }
        let starts = self.window.and_then(|_| keys.last()).map(|starts| starts.as_primitive::<Int64Type>().clone());
        for (row, (&slot, time)) in slots.iter().zip(rowtimes).enumerate() {
            let Some(rowtime) = self.rowtimes.get_mut(slot as usize) else { continue };
            let is_new = std::mem::replace(rowtime, time) == i64::MIN;
            if let (true, Some(starts)) = (is_new, &starts) {
                self.open.entry(starts.value(row)).or_default().push(slot);
            }
        }
        Ok(())
    }

    fn restore_deletions(&mut self, entries: &[StateChange<'_>]) -> Result<()> {
        let mut keys = self.key_columns()?;
        for (mut key, _) in entries.iter().copied() {
            codec::read_row(&mut key, &mut keys).ok_or_else(|| self.unreadable("a key is cut off"))?;
        }
        let keys = keys.iter_mut().map(ColumnBuilder::finish).collect::<Result<Vec<_>>>()?;
        let closed: Vec<u32> = self.groups.find(&keys)?.into_iter().flatten().collect();
        let gone: std::collections::HashSet<u32> = closed.iter().copied().collect();
        self.open.retain(|_, slots| {
            slots.retain(|slot| !gone.contains(slot));
            !slots.is_empty()
        });
        self.expire(&closed)?;
        self.expired.clear();
        self.compact()
    }
}
