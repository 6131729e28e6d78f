//! Checksums that fit whatever they cover: the fuzzer would hardly ever find one, and what lies behind would stay
//! untried.

const BATCH_PREFIX_BYTES: usize = 12;
const BATCH_CRC_AT: usize = 17;
const BATCH_CRC_COVERS_FROM: usize = 21;
const FRAME_HEADER_BYTES: usize = 40;
const FRAME_CRC_AT: usize = 8;
const FRAME_CRC_COVERS_FROM: usize = 12;
const SEAL_CRC_AT: usize = 4;
const SEAL_CRC_COVERS_FROM: usize = 8;

fn u32_at(bytes: &[u8], at: usize) -> Option<usize> {
    Some(u32::from_be_bytes(bytes.get(at..at + 4)?.try_into().ok()?) as usize)
}

fn seal_part(part: &mut [u8], crc_at: usize, covers_from: usize) {
    if let Some(covered) = part.get(covers_from..) {
        let crc = crc_fast::crc32_iscsi(covered);
        part[crc_at..crc_at + 4].copy_from_slice(&crc.to_be_bytes());
    }
}

/// Record batches one after the other.
pub fn batches(mut bytes: &mut [u8]) {
    while let Some(length) = u32_at(bytes, 8) {
        let size = length.saturating_add(BATCH_PREFIX_BYTES).min(bytes.len());
        let (batch, rest) = bytes.split_at_mut(size);
        seal_part(batch, BATCH_CRC_AT, BATCH_CRC_COVERS_FROM);
        bytes = rest;
    }
}

/// The frames of a journal, and the batches in them.
pub fn journal(mut bytes: &mut [u8]) {
    while let Some(length) = u32_at(bytes, 4) {
        let size = length.saturating_add(FRAME_HEADER_BYTES).min(bytes.len());
        let (frame, rest) = bytes.split_at_mut(size);
        let mut body = frame.get_mut(FRAME_HEADER_BYTES..).unwrap_or_default();
        while let Some(length) = u32_at(body, 4) {
            let (_, entry) = body.split_at_mut(8);
            let (batch, rest) = entry.split_at_mut(length.min(entry.len()));
            batches(batch);
            body = rest;
        }
        seal_part(frame, FRAME_CRC_AT, FRAME_CRC_COVERS_FROM);
        bytes = rest;
    }
}

/// One of the log's small files, which is sealed as a whole.
pub fn sealed(bytes: &mut [u8]) {
    seal_part(bytes, SEAL_CRC_AT, SEAL_CRC_COVERS_FROM);
}
