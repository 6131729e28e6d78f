//! Two streams joined by key and closeness in time.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use arrow::array::{Array, ArrayRef};
use arrow::datatypes::{DataType, SchemaRef};
use millstream_plan::sql::ast::JoinKind;

use super::joined_rows::{JoinedRows, Shape};
use super::{Operator, State, StateChange};
use crate::{Batch, Context, Error, Result, codec};

/// Without GRACE PERIOD late rows are taken for a day.
const DEFAULT_GRACE_MS: i64 = 24 * 3_600_000;

/// How close in time rows must be, in ms.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bounds {
    /// How much earlier than a left row a right row may be.
    pub(crate) before_ms: i64,
    /// How much later.
    pub(crate) after_ms: i64,
    /// How long a side waits for late rows; none: a day, and rows without a partner are handed on at once.
    pub(crate) grace_ms: Option<i64>,
}

/// Joins each row with those rows of the other stream that have its key and lie within the bounds.
///
/// ```text
/// WITHIN 10 ms
///   left  (a, t=0)   →                     with LEFT JOIN and GRACE: (a, null) once no partner can come
///   right (a, t=7)   →  (a, 0, 7)          ROWTIME is the later of both
///   right (a, t=11)  →
/// ```
///
/// Every row counts on its own: before it is joined, the rows that have waited in vain until its time are
/// handed on, so that neither batches nor epochs show in the result.
///
/// State: the rows of both sides, each until its own side's time has passed window and grace, and
/// whether a row still waits for its first partner.
pub(crate) struct StreamStreamJoin {
    sides: [Side; 2],
    bounds: Bounds,
    shape: Shape,
    schema: SchemaRef,
    /// The rows that are to be handed on alone if no partner comes, by the last time at which one may.
    waiting: BTreeMap<Place, Waiting>,
    next_number: u64,
    /// Entries of the changelog since the last drain: the newest of each key counts.
    changed: BTreeMap<Vec<u8>, Option<Vec<u8>>>,
    stream_time_drained: [i64; 2],
}

struct Side {
    key: usize,
    types: Vec<DataType>,
    fingerprint: u32,
    /// Whether rows without a partner are handed on.
    is_outer: bool,
    /// A row's partners lie from so much before to so much after it.
    reach_back_ms: i64,
    reach_ahead_ms: i64,
    rows: HashMap<Vec<u8>, BTreeMap<Place, Stored>>,
    by_time: BTreeMap<Place, Vec<u8>>,
    /// What the rows take.
    size_bytes: usize,
    stream_time: i64,
}

/// A row's time and number.
type Place = (i64, u64);

/// Where a row lies that waits for its first partner.
struct Waiting {
    side: usize,
    place: Place,
    key: Vec<u8>,
}

#[derive(Clone)]
struct Stored {
    row: Vec<u8>,
    /// Whether it is to be handed on alone if no partner comes.
    waits: bool,
}

impl StreamStreamJoin {
    /// `windowed`: whether the rows' keys carry windows, which are then part of them.
    pub(crate) fn new(
        inputs: [(&SchemaRef, usize); 2],
        kind: JoinKind,
        bounds: Bounds,
        windowed: bool,
        schema: SchemaRef,
    ) -> Self {
        let Bounds { before_ms, after_ms, .. } = bounds;
        let side = |at: usize, is_outer: bool, back: i64, ahead: i64| {
            let [left, right] = inputs;
            let (schema, key) = if at == 0 { left } else { right };
            let count = schema.fields().len().saturating_sub(1);
            let types: Vec<DataType> =
                schema.fields().iter().take(count).map(|field| field.data_type().clone()).collect();
            Side {
                key,
                fingerprint: codec::fingerprint(&types),
                types,
                is_outer,
                reach_back_ms: back,
                reach_ahead_ms: ahead,
                rows: HashMap::new(),
                by_time: BTreeMap::new(),
                size_bytes: 0,
                stream_time: -1,
            }
        };
        let [(left, left_key), _] = inputs;
        let mut key_types: Vec<DataType> =
            left.fields().get(left_key).iter().map(|field| field.data_type().clone()).collect();
        if windowed {
            key_types.extend([DataType::Int64, DataType::Int64]);
        }
        let left_outer = matches!(kind, JoinKind::Left | JoinKind::Full);
        let right_outer = matches!(kind, JoinKind::Right | JoinKind::Full);
        Self {
            sides: [side(0, left_outer, before_ms, after_ms), side(1, right_outer, after_ms, before_ms)],
            bounds,
            shape: Shape { key_types, has_key_column: kind == JoinKind::Full, windowed },
            schema,
            waiting: BTreeMap::new(),
            next_number: 0,
            changed: BTreeMap::new(),
            stream_time_drained: [-1, -1],
        }
    }

    fn grace_ms(&self) -> i64 {
        self.bounds.grace_ms.unwrap_or(DEFAULT_GRACE_MS)
    }

    fn output(&self) -> Result<JoinedRows> {
        let [left, right] = &self.sides;
        JoinedRows::new([&left.types, &right.types], &self.shape)
    }

    /// Joins one row and keeps it.
    fn add(&mut self, at: usize, key: Vec<u8>, time: i64, row: Vec<u8>, output: &mut JoinedRows) -> Result<()> {
        let grace_ms = self.grace_ms();
        let at_once = self.bounds.grace_ms.is_none();
        if let Some(own) = self.sides.get_mut(at) {
            own.stream_time = own.stream_time.max(time);
        }
        let latest = self.sides.iter().map(|side| side.stream_time).max().unwrap_or(time);
        self.close(latest, output)?;
        let [left, right] = &mut self.sides;
        let (own, other) = if at == 0 { (left, right) } else { (right, left) };
        let range = (time.saturating_sub(own.reach_back_ms), 0)..=(time.saturating_add(own.reach_ahead_ms), u64::MAX);
        let (reach_ahead_ms, fingerprint) = (other.reach_ahead_ms, other.fingerprint);
        let mut joined = false;
        for (place, partner) in other.rows.get_mut(&key).into_iter().flat_map(|rows| rows.range_mut(range.clone())) {
            joined = true;
            output.push(at, &key, &row, Some(&partner.row), time.max(place.0))?;
            if std::mem::take(&mut partner.waits) {
                self.waiting.remove(&(closes_at(place.0, reach_ahead_ms, grace_ms), place.1));
                self.changed.insert(entry_key(1 - at, &key, *place), Some(entry_value(fingerprint, partner)));
            }
        }
        let alone = own.is_outer && !joined;
        let closes_at = closes_at(time, own.reach_ahead_ms, grace_ms);
        let waits = alone && !at_once && closes_at >= latest;
        if alone && !waits {
            output.push(at, &key, &row, None, time)?;
        }
        // A row that comes after its side has passed its window has been joined and need not be kept.
        if own.expires_at(time, grace_ms) >= own.stream_time {
            let place = (time, self.next_number);
            self.next_number += 1;
            let stored = Stored { row, waits };
            self.changed.insert(entry_key(at, &key, place), Some(entry_value(own.fingerprint, &stored)));
            if waits {
                self.waiting.insert((closes_at, place.1), Waiting { side: at, place, key: key.clone() });
            }
            own.keep(place, key, stored);
        }
        while let Some((place, key)) = own.pop_expired(grace_ms) {
            self.changed.insert(entry_key(at, &key, place), None);
        }
        Ok(())
    }

    /// A row without a key has no partner, nor will it have one (KIP-962).
    fn add_keyless(&self, at: usize, key: &[u8], row: &[u8], time: i64, output: &mut JoinedRows) -> Result<()> {
        if self.sides.get(at).is_some_and(|side| side.is_outer) {
            output.push(at, key, row, None, time)
        } else {
            Ok(())
        }
    }

    /// Hands on the rows for which no partner can come any more.
    fn close(&mut self, latest: i64, output: &mut JoinedRows) -> Result<()> {
        while let Some(entry) = self.waiting.first_entry().filter(|entry| entry.key().0 < latest) {
            let Waiting { side: at, place, key } = entry.remove();
            let Some(side) = self.sides.get_mut(at) else { continue };
            let Some(stored) = side.rows.get_mut(&key).and_then(|rows| rows.get_mut(&place)) else { continue };
            stored.waits = false;
            output.push(at, &key, &stored.row, None, place.0)?;
            self.changed.insert(entry_key(at, &key, place), Some(entry_value(side.fingerprint, stored)));
        }
        Ok(())
    }
}

/// The last time at which a partner of a row may come: the end of its window and grace.
fn closes_at(time: i64, reach_ahead_ms: i64, grace_ms: i64) -> i64 {
    time.saturating_add(reach_ahead_ms).saturating_add(grace_ms)
}

impl Side {
    /// The last time of its own side at which a row is kept: as long as Kafka Streams retains its window.
    fn expires_at(&self, time: i64, grace_ms: i64) -> i64 {
        closes_at(time, self.reach_ahead_ms, grace_ms).saturating_add(self.reach_back_ms)
    }

    /// What a row takes: itself, its key in two places, and what the maps that hold them need.
    fn row_bytes(key_bytes: usize, stored: &Stored) -> usize {
        const MAPS_BYTES: usize = 160;
        stored.row.capacity() + 2 * key_bytes + MAPS_BYTES
    }

    fn keep(&mut self, place: Place, key: Vec<u8>, stored: Stored) {
        let key_bytes = key.len();
        self.size_bytes += Self::row_bytes(key_bytes, &stored);
        self.by_time.insert(place, key.clone());
        if let Some(old) = self.rows.entry(key).or_default().insert(place, stored) {
            self.size_bytes -= Self::row_bytes(key_bytes, &old);
        }
    }

    fn forget(&mut self, place: Place, key: &[u8]) {
        self.by_time.remove(&place);
        if let Some(rows) = self.rows.get_mut(key) {
            if let Some(old) = rows.remove(&place) {
                self.size_bytes -= Self::row_bytes(key.len(), &old);
            }
            if rows.is_empty() {
                self.rows.remove(key);
            }
        }
    }

    /// Forgets the oldest row if the side's time has passed all that could join it.
    fn pop_expired(&mut self, grace_ms: i64) -> Option<(Place, Vec<u8>)> {
        let (place, _) = self.by_time.first_key_value()?;
        if self.expires_at(place.0, grace_ms) >= self.stream_time {
            return None;
        }
        let (place, key) = self.by_time.pop_first()?;
        self.forget(place, &key);
        Some((place, key))
    }
}

/// The changelog's key of a row: side, time, number, key.
fn entry_key(side: usize, key: &[u8], (time, number): Place) -> Vec<u8> {
    let mut out = vec![side as u8];
    out.extend_from_slice(&time.to_be_bytes());
    out.extend_from_slice(&number.to_be_bytes());
    out.extend_from_slice(key);
    out
}

fn entry_value(fingerprint: u32, stored: &Stored) -> Vec<u8> {
    let mut out = Vec::with_capacity(stored.row.len() + 6);
    codec::write_header(fingerprint, &mut out);
    out.push(u8::from(stored.waits));
    out.extend_from_slice(&stored.row);
    out
}

impl Operator for StreamStreamJoin {
    fn process(&mut self, input: usize, batch: Batch, _: &mut Context, out: &mut Vec<Batch>) -> Result<()> {
        let mut output = self.output()?;
        let side = self.sides.get(input).ok_or_else(|| Error::Internal("a join has two inputs".to_owned()))?;
        let mut keys: Vec<ArrayRef> = vec![Arc::clone(batch.column(side.key)?)];
        keys.extend(batch.window.iter().flatten().cloned());
        let columns = batch.rows.columns();
        let columns = columns.get(..columns.len().saturating_sub(1)).unwrap_or_default();
        let times = batch.rowtimes()?;
        for at in 0..batch.len() {
            if !batch.is_live(at) {
                continue;
            }
            let (mut key, mut row) = (Vec::new(), Vec::new());
            codec::write_row(&keys, at, &mut key)?;
            codec::write_row(columns, at, &mut row)?;
            if keys.iter().any(|key| key.is_null(at)) {
                self.add_keyless(input, &key, &row, times.value(at), &mut output)?;
            } else {
                self.add(input, key, times.value(at), row, &mut output)?;
            }
        }
        output.emit(&self.schema, out)
    }

    fn size_bytes(&self) -> usize {
        self.sides.iter().map(|side| side.size_bytes).sum()
    }

    fn state(&mut self) -> Option<&mut dyn State> {
        Some(self)
    }
}

impl State for StreamStreamJoin {
    fn drain(&mut self, write: &mut dyn FnMut(StateChange<'_>)) -> Result<()> {
        for (key, value) in std::mem::take(&mut self.changed) {
            write((&key, value.as_deref()));
        }
        let times = [0, 1].map(|at: usize| self.sides.get(at).map_or(-1, |side| side.stream_time));
        if times != self.stream_time_drained {
            self.stream_time_drained = times;
            let mut value = self.next_number.to_be_bytes().to_vec();
            times.iter().for_each(|time| value.extend_from_slice(&time.to_be_bytes()));
            write((&[], Some(&value)));
        }
        Ok(())
    }

    fn restore(&mut self, entries: &[StateChange<'_>]) -> Result<()> {
        let unreadable = |reason: &str| Error::State { operator: "join".to_owned(), reason: reason.to_owned() };
        let grace_ms = self.grace_ms();
        for (key, value) in entries.iter().copied() {
            let Some((side_number, rest)) = key.split_first() else {
                let numbers = value.unwrap_or_default().as_chunks::<8>().0;
                let [next, left, right] = numbers else { return Err(unreadable("the stream times are damaged")) };
                self.next_number = self.next_number.max(u64::from_be_bytes(*next));
                for (side, time) in self.sides.iter_mut().zip([left, right]) {
                    side.stream_time = i64::from_be_bytes(*time);
                }
                continue;
            };
            let cut_off = || unreadable("an entry is cut off");
            let (time, rest) = rest.split_first_chunk::<8>().ok_or_else(cut_off)?;
            let (number, inner) = rest.split_first_chunk::<8>().ok_or_else(cut_off)?;
            let place = (i64::from_be_bytes(*time), u64::from_be_bytes(*number));
            self.next_number = self.next_number.max(place.1 + 1);
            let side = self.sides.get_mut(usize::from(*side_number)).ok_or_else(cut_off)?;
            match value {
                Some(value) => {
                    let value = codec::read_header(value, side.fingerprint).map_err(|reason| unreadable(&reason))?;
                    let (waits, row) = value.split_first().ok_or_else(cut_off)?;
                    let stored = Stored { row: row.to_vec(), waits: *waits != 0 };
                    let waiting = (closes_at(place.0, side.reach_ahead_ms, grace_ms), place.1);
                    if stored.waits {
                        let key = inner.to_vec();
                        self.waiting.insert(waiting, Waiting { side: usize::from(*side_number), place, key });
                    } else {
                        self.waiting.remove(&waiting);
                    }
                    side.keep(place, inner.to_vec(), stored);
                }
                None => {
                    self.waiting.remove(&(closes_at(place.0, side.reach_ahead_ms, grace_ms), place.1));
                    side.forget(place, inner);
                }
            }
        }
        Ok(())
    }
}
