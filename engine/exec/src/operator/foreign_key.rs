//! A table joined with the table that it refers to: the side that refers.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, Int32Array, Int64Array, RecordBatch, UInt32Array, new_null_array,
};
use arrow::buffer::BooleanBuffer;
use arrow::compute::{interleave, take};
use arrow::datatypes::{Int64Type, SchemaRef};

use super::latest::Latest;
use super::subscription::{Instruction, row_hash, same_value};
use super::{Operator, State, StateChange};
use crate::kept_table::KeptTable;
use crate::{Batch, Context, Error, Result};

/// The input of answers.
const ANSWERS: usize = 1;

/// Joins each row of a table with the row of another table whose key it holds in a column.
///
/// The other row lies in another partition. So the join takes two steps, through two internal topics, as
/// Kafka Streams does it (KIP-213):
///
/// ```text
/// left (1, fk=a)  → subscription (a, 1, hash)  → ForeignKeyLookup, at the right table
///                 ← answer (1, hash, m=7)      ←
/// (1, fk=a, m=7)  ←
/// ```
///
/// An answer that was given for an earlier row of its key, by its hash, is dropped: another one is on its
/// way. ROWTIME is the later of both rows'. What needs no answer, a deletion and a row that refers to nothing, is
/// handed on without one. Of several updates of a key in one epoch the last is handed on.
///
/// State: the left table.
#[derive(Debug)]
pub(crate) struct ForeignKeyJoin {
    left: KeptTable,
    shape: ForeignKeyShape,
    sent: Vec<Batch>,
    buffer: Vec<u8>,
    /// The joined rows of the epoch.
    latest: Latest,
}

/// What the columns of a foreign-key join are.
#[derive(Debug)]
pub(crate) struct ForeignKeyShape {
    /// The place of the foreign key among the left columns.
    pub(crate) foreign_key: usize,
    /// The places of the primary key among them.
    pub(crate) primary_key: Vec<usize>,
    /// Whether rows are handed on to which there is none.
    pub(crate) is_outer: bool,
    /// The rows that are sent.
    pub(crate) subscriptions: SchemaRef,
    /// The joined rows.
    pub(crate) schema: SchemaRef,
}

/// The subscriptions of a batch: whether each is about the foreign key of the row that was replaced, the row's place, and
/// what it asks.
#[derive(Default)]
struct Subscriptions {
    foreign_keys: Vec<(usize, usize)>,
    places: Vec<u32>,
    instructions: Vec<i32>,
}

impl Subscriptions {
    fn push(&mut self, is_old: bool, row: usize, instruction: Instruction) {
        self.foreign_keys.push((usize::from(is_old), row));
        self.places.push(row as u32);
        self.instructions.push(instruction.code());
    }
}

impl ForeignKeyJoin {
    pub(crate) fn new(left: KeptTable, shape: ForeignKeyShape) -> Result<Self> {
        let latest = Latest::new(left.key_types())?;
        Ok(Self { left, shape, sent: Vec::new(), buffer: Vec::new(), latest })
    }

    /// Keeps joined rows until the end of the epoch.
    fn hand_on(&mut self, joined: Batch) -> Result<()> {
        let keys = self.shape.primary_key.iter().map(|at| joined.column(*at).cloned()).collect::<Result<_>>()?;
        self.latest.push(joined, keys, None);
        Ok(())
    }

    fn refer(&mut self, batch: Batch, partition: i32) -> Result<()> {
        let (batch, keys) = self.left.keyed(batch)?;
        let old = self.left.replace(&batch, &keys)?;
        let foreign_key = batch.column(self.shape.foreign_key)?;
        let missing = || Error::Internal("a foreign key is missing".to_owned());
        let old_foreign_key = old.rows.columns().get(self.shape.foreign_key).ok_or_else(missing)?;
        let is_outer = self.shape.is_outer;
        let mut subscriptions = Subscriptions::default();
        // What is known without an answer: the rows, and whether they live.
        let (mut known, mut live): (Vec<u32>, Vec<bool>) = (Vec::new(), Vec::new());
        for row in 0..batch.len() {
            let (is, was) = (batch.is_live(row), old.is_live(row));
            let (refers, referred) = (is && foreign_key.is_valid(row), was && old_foreign_key.is_valid(row));
            if refers {
                if referred && !same_value(foreign_key, old_foreign_key, row)? {
                    subscriptions.push(true, row, Instruction::Forget);
                }
                // What an earlier reference has brought about must go even if the new one finds nothing.
                let answers = is_outer || referred;
                let instruction = if answers { Instruction::Answer } else { Instruction::AnswerIfThere };
                subscriptions.push(false, row, instruction);
            } else if is {
                if referred {
                    subscriptions.push(true, row, Instruction::Forget);
                }
                if is_outer || referred {
                    known.push(row as u32);
                    live.push(is_outer);
                }
            } else if was {
                // It is told at once: an answer might come when there is a row again, and be dropped.
                if referred {
                    subscriptions.push(true, row, Instruction::Forget);
                }
                if is_outer || referred {
                    known.push(row as u32);
                    live.push(false);
                }
            }
        }
        if !subscriptions.places.is_empty() {
            let foreign_keys = interleave(&[foreign_key, old_foreign_key], &subscriptions.foreign_keys)?;
            let subscriptions = self.subscriptions(&batch, &keys, foreign_keys, subscriptions, partition)?;
            self.sent.push(subscriptions);
        }
        if !known.is_empty() {
            let rows = Batch { live: Some(BooleanBuffer::from(vec![true; batch.len()])), ..batch.clone() };
            let mut columns = rows.take(&UInt32Array::from(known))?.rows.columns().to_vec();
            let times = columns.pop();
            let fields = self.shape.schema.fields();
            let right = fields.iter().take(fields.len().saturating_sub(1)).skip(columns.len());
            let nulls: Vec<ArrayRef> = right.map(|field| new_null_array(field.data_type(), live.len())).collect();
            columns.extend(nulls.into_iter().chain(times));
            let rows = RecordBatch::try_new(Arc::clone(&self.shape.schema), columns)?;
            self.hand_on(Batch { live: Some(BooleanBuffer::from(live)), ..Batch::new(rows) })?;
        }
        Ok(())
    }

    fn subscriptions(
        &mut self,
        batch: &Batch,
        keys: &[ArrayRef],
        foreign_keys: ArrayRef,
        subscriptions: Subscriptions,
        partition: i32,
    ) -> Result<Batch> {
        let Subscriptions { places, instructions, .. } = subscriptions;
        let columns = without_rowtime(&batch.rows);
        let mut hash = |row: &u32| match batch.is_live(*row as usize) {
            true => row_hash(columns, *row as usize, &mut self.buffer).map(Some),
            false => Ok(None),
        };
        let hashes = places.iter().map(&mut hash).collect::<Result<Int64Array>>()?;
        let count = places.len();
        let places = UInt32Array::from(places);
        let mut sent = vec![foreign_keys];
        for key in keys {
            sent.push(take(key, &places, None)?);
        }
        sent.push(Arc::new(hashes));
        sent.push(Arc::new(Int32Array::from(vec![partition; count])));
        sent.push(Arc::new(Int32Array::from(instructions)));
        sent.push(take(batch.rowtimes()?, &places, None)?);
        Ok(Batch::new(RecordBatch::try_new(Arc::clone(&self.shape.subscriptions), sent)?))
    }

    fn answered(&mut self, answers: &Batch) -> Result<()> {
        let count = self.shape.primary_key.len();
        let missing = || Error::Internal("an answer of a foreign-key join lacks columns".to_owned());
        let keys = answers.rows.columns().get(..count).ok_or_else(missing)?;
        let hashes = answers.column(count)?.as_primitive_opt::<Int64Type>().ok_or_else(missing)?;
        let (current, found) = self.left.get(keys)?;
        let left = without_rowtime(&current);
        let (mut keep, mut live) = (Vec::with_capacity(answers.len()), Vec::with_capacity(answers.len()));
        for (row, found) in found.into_iter().enumerate() {
            let hash = if found { Some(row_hash(left, row, &mut self.buffer)?) } else { None };
            keep.push(hash == hashes.is_valid(row).then(|| hashes.value(row)));
            live.push(found && (self.shape.is_outer || answers.is_live(row)));
        }
        let mut columns = left.to_vec();
        // A row that is gone still has its key.
        for (at, key) in self.shape.primary_key.iter().zip(keys) {
            *columns.get_mut(*at).ok_or_else(missing)? = Arc::clone(key);
        }
        columns.extend(without_rowtime(&answers.rows).iter().skip(count + 2).cloned());
        let times = |rows: &RecordBatch| rows.columns().last().cloned().ok_or_else(missing);
        columns.push(super::later(&times(&answers.rows)?, &times(&current)?)?);
        let rows = RecordBatch::try_new(Arc::clone(&self.shape.schema), columns)?;
        let joined = Batch { live: Some(BooleanBuffer::from(live)), ..Batch::new(rows) };
        let joined = joined.filter(&BooleanArray::from(keep))?;
        if joined.is_empty() { Ok(()) } else { self.hand_on(joined) }
    }
}

fn without_rowtime(rows: &RecordBatch) -> &[ArrayRef] {
    let columns = rows.columns();
    columns.get(..columns.len().saturating_sub(1)).unwrap_or_default()
}

impl Operator for ForeignKeyJoin {
    fn process(&mut self, input: usize, batch: Batch, context: &mut Context, _: &mut Vec<Batch>) -> Result<()> {
        if input == ANSWERS { self.answered(&batch) } else { self.refer(batch, context.partition) }
    }

    fn flush(&mut self, _: &mut Context, out: &mut Vec<Batch>) -> Result<()> {
        self.latest.drain(out)
    }

    fn take_sent(&mut self) -> Vec<Batch> {
        std::mem::take(&mut self.sent)
    }

    fn size_bytes(&self) -> usize {
        self.left.size_bytes()
    }

    fn state(&mut self) -> Option<&mut dyn State> {
        Some(self)
    }
}

impl State for ForeignKeyJoin {
    fn drain(&mut self, write: &mut dyn FnMut(StateChange<'_>)) -> Result<()> {
        self.left.drain(0, write);
        Ok(())
    }

    fn restore(&mut self, entries: &[StateChange<'_>]) -> Result<()> {
        self.left.restore(0, entries)
    }
}
