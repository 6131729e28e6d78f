//! Record batches as text, so that what is fetched can be compared.

use std::fmt::Write;

use millstream_log::record::{BatchReader, split_batch};

use crate::side::Side;

/// Every batch and every record; producers by the script's names, and without their epochs, which differ.
pub(crate) fn described(bytes: &[u8], side: &Side) -> String {
    let (mut rest, mut out) = (bytes, String::new());
    while let Some((header, batch, tail)) = split_batch(rest).unwrap() {
        rest = tail;
        let control = header.is_control();
        let _ = write!(
            out,
            "{{{}-{} attributes {} producer {} {} of {}",
            header.base_offset,
            header.last_offset(),
            header.attributes,
            side.producer_name(header.producer_id),
            header.base_sequence,
            header.record_count,
        );
        // A marker has the broker's time, as has a batch of a topic that says so.
        if !control && !header.is_log_append_time() {
            let _ = write!(out, " times {}-{}", header.base_timestamp_ms, header.max_timestamp_ms);
        }
        for record in BatchReader::new(batch).unwrap().iter() {
            let record = record.unwrap();
            let value = if control { None } else { record.value };
            let _ = write!(out, " {:?}={:?}", record.key, value);
            for (name, value) in record.headers().map(Result::unwrap) {
                let _ = write!(out, " {name:?}:{value:?}");
            }
        }
        out.push('}');
    }
    // What follows is a part of a batch, which Kafka may send where the bound of bytes is: clients drop it.
    out
}
