//! `InitProducerId`: an id for a producer that is to write each record once.

use kafka_protocol::ResponseError;
use kafka_protocol::messages::{InitProducerIdRequest, InitProducerIdResponse, ProducerId};
use tokio::task::block_in_place;
use uuid::Uuid;

use crate::call::Call;
use crate::code::code_of;

/// The ids of producers without a transactional id are drawn at random from those above this; the log counts the others
/// up from 0.
const RANDOM_IDS_FROM: u64 = 1 << 40;

pub(super) fn answer(call: &Call, request: InitProducerIdRequest) -> InitProducerIdResponse {
    let Some(transactional_id) = request.transactional_id else {
        let id = random_id();
        return InitProducerIdResponse::default().with_producer_id(ProducerId(id)).with_producer_epoch(0);
    };
    let failed = |code: i16| {
        InitProducerIdResponse::default()
            .with_error_code(code)
            .with_producer_id(ProducerId(-1))
            .with_producer_epoch(-1)
    };
    if transactional_id.is_empty() {
        return failed(ResponseError::InvalidRequest.code());
    }
    if !(1..=call.broker.options.transaction_timeout_ms_max).contains(&request.transaction_timeout_ms) {
        return failed(ResponseError::InvalidTransactionTimeout.code());
    }
    match block_in_place(|| call.broker.log.init_producer(&transactional_id)) {
        Ok(producer) => InitProducerIdResponse::default()
            .with_producer_id(ProducerId(producer.id))
            .with_producer_epoch(producer.epoch),
        Err(error) => failed(code_of(&error)),
    }
}

/// 62 random bits: two producers that are given the same id would take each other's records for repeats.
fn random_id() -> i64 {
    let (high, _) = Uuid::new_v4().as_u64_pair();
    let (_, low) = Uuid::new_v4().as_u64_pair();
    // The version's and the variant's bits are fixed, each in another half.
    let bits = (high ^ low.rotate_left(16)) >> 2;
    i64::try_from(bits.max(RANDOM_IDS_FROM)).unwrap_or(i64::MAX)
}
