//! A table joined with the table that it refers to: the side that is referred to.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Int32Array, Int64Array, RecordBatch, UInt32Array};
use arrow::buffer::BooleanBuffer;
use arrow::compute::take;
use arrow::datatypes::{DataType, Int32Type, Int64Type, SchemaRef};
use millstream_plan::Format;

use super::subscription::Instruction;
use super::{Operator, State, StateChange};
use crate::format::Encoder;
use crate::kept_table::KeptTable;
use crate::rows::RowsBuilder;
use crate::{Batch, Context, Error, Result, codec};

/// The input of subscriptions.
const SUBSCRIPTIONS: usize = 0;

/// Answers rows of another table that refer to this one: when they come, and again when the row that they
/// refer to changes.
///
/// ```text
/// subscription (a, 1)   →  answer (1, none)
/// right (a, m=7)        →  answer (1, m=7)
/// right (a, null)       →  answer (1, none)
/// ```
///
/// Those who refer to one row are answered in the order of their keys' bytes.
///
/// State: the right table, and who refers to which of its keys.
#[derive(Debug)]
pub(crate) struct ForeignKeyLookup {
    right: KeptTable,
    answers: SchemaRef,
    key_types: Vec<DataType>,
    /// How the left table's keys are written: the order of answers.
    key_encoder: Encoder,
    fingerprint: u32,
    /// By foreign key, then by the left key's bytes.
    subscribers: HashMap<Vec<u8>, BTreeMap<Vec<u8>, Subscriber>>,
    /// What they take.
    subscribers_bytes: usize,
    changed: HashMap<Vec<u8>, Option<Vec<u8>>>,
}

#[derive(Debug, Clone)]
struct Subscriber {
    /// Of its row, when it last asked.
    hash: Option<i64>,
    /// Where it lies.
    partition: i32,
    key: Vec<u8>,
}

impl ForeignKeyLookup {
    /// `answers`: the left table's key, hash and partition, then the right table's columns.
    pub(crate) fn new(right: KeptTable, key_count: usize, key_format: Format, answers: SchemaRef) -> Result<Self> {
        let keys = answers.fields().iter().take(key_count);
        let keys: Vec<(String, DataType)> = keys.map(|key| (key.name().clone(), key.data_type().clone())).collect();
        let key_encoder = Encoder::new(key_format, true, &keys)?;
        let key_types: Vec<DataType> = keys.into_iter().map(|(_, ty)| ty).collect();
        let fingerprint = codec::fingerprint(&key_types);
        let (subscribers, changed) = (HashMap::new(), HashMap::new());
        let subscribers_bytes = 0;
        Ok(Self { right, answers, key_types, key_encoder, fingerprint, subscribers, subscribers_bytes, changed })
    }

    fn subscribe(&mut self, batch: &Batch, out: &mut Vec<Batch>) -> Result<()> {
        let missing = || Error::Internal("a subscription of a foreign-key join lacks columns".to_owned());
        let count = self.key_types.len();
        let foreign_key = Arc::clone(batch.column(0)?);
        let keys = batch.rows.columns().get(1..=count).ok_or_else(missing)?;
        let hashes = batch.column(count + 1)?.as_primitive_opt::<Int64Type>().ok_or_else(missing)?;
        let partitions = batch.column(count + 2)?.as_primitive_opt::<Int32Type>().ok_or_else(missing)?;
        let instructions = batch.column(count + 3)?.as_primitive_opt::<Int32Type>().ok_or_else(missing)?;
        let (rows, found) = self.right.get(std::slice::from_ref(&foreign_key))?;
        let (mut places, mut right_places) = (Vec::new(), Vec::new());
        for (row, found) in found.into_iter().enumerate() {
            let instruction = Instruction::of(instructions.value(row)).ok_or_else(missing)?;
            let (mut to, mut order, mut key) = (Vec::new(), Vec::new(), Vec::new());
            codec::write_row(std::slice::from_ref(&foreign_key), row, &mut to)?;
            self.key_encoder.rows(keys).encode(row, &mut order)?;
            codec::write_row(keys, row, &mut key)?;
            let subscriber = (instruction != Instruction::Forget).then(|| Subscriber {
                hash: hashes.is_valid(row).then(|| hashes.value(row)),
                partition: partitions.value(row),
                key,
            });
            let entry = subscriber.as_ref().map(|subscriber| entry_value(self.fingerprint, subscriber));
            self.changed.insert(entry_key(&to, &order), entry);
            self.keep(to, order, subscriber);
            if instruction == Instruction::Answer || (instruction == Instruction::AnswerIfThere && found) {
                places.push(row as u32);
                right_places.push(found.then_some(row as u32));
            }
        }
        let places = UInt32Array::from(places);
        let mut columns = keys.iter().map(|key| take(key, &places, None)).collect::<Result<Vec<_>, _>>()?;
        columns.push(take(hashes, &places, None)?);
        columns.push(take(partitions, &places, None)?);
        let right_times = rows.columns().last().ok_or_else(missing)?;
        let times = super::later(&take(batch.rowtimes()?, &places, None)?, &take(right_times, &places, None)?)?;
        self.answer(columns, &rows, right_places, times, out)
    }

    fn keep(&mut self, to: Vec<u8>, order: Vec<u8>, subscriber: Option<Subscriber>) {
        match subscriber {
            Some(subscriber) => {
                self.subscribers_bytes += subscriber_bytes(&order, &subscriber);
                if let Some(old) = self.subscribers.entry(to).or_default().insert(order.clone(), subscriber) {
                    self.subscribers_bytes -= subscriber_bytes(&order, &old);
                }
            }
            None => {
                if let Some(subscribers) = self.subscribers.get_mut(&to) {
                    if let Some(old) = subscribers.remove(&order) {
                        self.subscribers_bytes -= subscriber_bytes(&order, &old);
                    }
                    if subscribers.is_empty() {
                        self.subscribers.remove(&to);
                    }
                }
            }
        }
    }

    fn change(&mut self, batch: Batch, out: &mut Vec<Batch>) -> Result<()> {
        let (batch, keys) = self.right.keyed(batch)?;
        self.right.put(&batch, &keys)?;
        let mut left_keys = RowsBuilder::new(&self.key_types)?;
        let (mut hashes, mut partitions) = (Vec::new(), Vec::new());
        let (mut places, mut right_places) = (Vec::new(), Vec::new());
        let mut to = Vec::new();
        for row in 0..batch.len() {
            to.clear();
            codec::write_row(&keys, row, &mut to)?;
            for subscriber in self.subscribers.get(&to).into_iter().flat_map(BTreeMap::values) {
                left_keys.read(&subscriber.key)?;
                hashes.push(subscriber.hash);
                partitions.push(subscriber.partition);
                places.push(row as u32);
                right_places.push(batch.is_live(row).then_some(row as u32));
            }
        }
        let mut columns = left_keys.finish()?;
        columns.push(Arc::new(Int64Array::from(hashes)));
        columns.push(Arc::new(Int32Array::from(partitions)));
        let times = take(batch.rowtimes()?, &UInt32Array::from(places), None)?;
        self.answer(columns, &batch.rows, right_places, times, out)
    }

    /// Hands on answers: to whom, and which row of the right table or none.
    fn answer(
        &self,
        mut columns: Vec<ArrayRef>,
        rows: &RecordBatch,
        places: Vec<Option<u32>>,
        times: ArrayRef,
        out: &mut Vec<Batch>,
    ) -> Result<()> {
        if places.is_empty() {
            return Ok(());
        }
        let live = places.iter().map(Option::is_some).collect();
        let places = UInt32Array::from(places);
        let width = rows.num_columns().saturating_sub(1);
        for column in rows.columns().iter().take(width) {
            columns.push(take(column, &places, None)?);
        }
        columns.push(times);
        let rows = RecordBatch::try_new(Arc::clone(&self.answers), columns)?;
        out.push(Batch { live: Some(BooleanBuffer::from_iter::<Vec<bool>>(live)), ..Batch::new(rows) });
        Ok(())
    }
}

/// What a subscriber takes: its keys, itself, and its place in the maps.
fn subscriber_bytes(order: &[u8], subscriber: &Subscriber) -> usize {
    const MAPS_BYTES: usize = 64;
    order.len() + subscriber.key.len() + size_of::<Subscriber>() + MAPS_BYTES
}

/// The changelog's key of a subscription: the foreign key behind its length, then the left key's bytes.
fn entry_key(to: &[u8], order: &[u8]) -> Vec<u8> {
    let mut key = (to.len() as u32).to_le_bytes().to_vec();
    key.extend_from_slice(to);
    key.extend_from_slice(order);
    key
}

fn entry_value(fingerprint: u32, subscriber: &Subscriber) -> Vec<u8> {
    let mut value = Vec::with_capacity(subscriber.key.len() + 18);
    codec::write_header(fingerprint, &mut value);
    value.push(u8::from(subscriber.hash.is_some()));
    value.extend_from_slice(&subscriber.hash.unwrap_or(0).to_le_bytes());
    value.extend_from_slice(&subscriber.partition.to_le_bytes());
    value.extend_from_slice(&subscriber.key);
    value
}

fn read_entry(value: &[u8], fingerprint: u32) -> Result<Subscriber, String> {
    let rest = codec::read_header(value, fingerprint)?;
    let cut_off = "a subscription is cut off";
    let (has_hash, rest) = rest.split_first().ok_or(cut_off)?;
    let (hash, rest) = rest.split_first_chunk::<8>().ok_or(cut_off)?;
    let (partition, key) = rest.split_first_chunk::<4>().ok_or(cut_off)?;
    let hash = (*has_hash != 0).then(|| i64::from_le_bytes(*hash));
    Ok(Subscriber { hash, partition: i32::from_le_bytes(*partition), key: key.to_vec() })
}

impl Operator for ForeignKeyLookup {
    fn process(&mut self, input: usize, batch: Batch, _: &mut Context, out: &mut Vec<Batch>) -> Result<()> {
        if input == SUBSCRIPTIONS { self.subscribe(&batch, out) } else { self.change(batch, out) }
    }

    fn size_bytes(&self) -> usize {
        self.right.size_bytes() + self.subscribers_bytes
    }

    fn state(&mut self) -> Option<&mut dyn State> {
        Some(self)
    }
}

impl State for ForeignKeyLookup {
    fn drain(&mut self, write: &mut dyn FnMut(StateChange<'_>)) -> Result<()> {
        for (key, value) in self.changed.drain() {
            write((&key, value.as_deref()));
        }
        Ok(())
    }

    fn restore(&mut self, entries: &[StateChange<'_>]) -> Result<()> {
        let unreadable = |reason: String| Error::State { operator: "ForeignKeyLookup".to_owned(), reason };
        for (key, value) in entries {
            let cut_off = || unreadable("a key is cut off".to_owned());
            let (length, rest) = key.split_first_chunk::<4>().ok_or_else(cut_off)?;
            let (to, order) = rest.split_at_checked(u32::from_le_bytes(*length) as usize).ok_or_else(cut_off)?;
            let subscriber = value.map(|value| read_entry(value, self.fingerprint)).transpose().map_err(unreadable)?;
            self.keep(to.to_vec(), order.to_vec(), subscriber);
        }
        Ok(())
    }
}
