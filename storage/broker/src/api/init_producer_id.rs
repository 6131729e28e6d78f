//! `InitProducerId`: an id for a producer that is to write each record once.

use kafka_protocol::ResponseError;
use kafka_protocol::messages::{InitProducerIdRequest, InitProducerIdResponse, ProducerId};
use millstream_log::{Error, Producer, Result};
use tokio::task::block_in_place;

use super::transaction_room::check_id;
use crate::call::Call;
use crate::code::code_of;

/// Before, clients know only of an epoch that is not valid.
const PRODUCER_FENCED_SINCE: i16 = 4;

pub(super) fn answer(call: &Call, request: InitProducerIdRequest) -> InitProducerIdResponse {
    let failed = |code: i16| {
        InitProducerIdResponse::default().with_error_code(code).with_producer_id(ProducerId(-1)).with_producer_epoch(-1)
    };
    let made = |made: Result<Producer>| match made {
        Ok(producer) => InitProducerIdResponse::default()
            .with_producer_id(ProducerId(producer.id))
            .with_producer_epoch(producer.epoch),
        Err(error) => failed(code_of(&error)),
    };
    let log = &call.broker.log;
    let Some(transactional_id) = request.transactional_id else {
        return made(block_in_place(|| log.init_idempotent_producer()));
    };
    if transactional_id.is_empty() {
        return failed(ResponseError::InvalidRequest.code());
    }
    if !(1..=call.broker.options.transaction_timeout_ms_max).contains(&request.transaction_timeout_ms) {
        return failed(ResponseError::InvalidTransactionTimeout.code());
    }
    if let Err(error) = check_id(call, &transactional_id) {
        return failed(error.code());
    }
    // A producer that says who it was keeps its id if nobody has taken over (KIP-360).
    let current =
        (request.producer_id.0 >= 0).then_some(Producer { id: request.producer_id.0, epoch: request.producer_epoch });
    let timeout_ms = request.transaction_timeout_ms.into();
    match block_in_place(|| log.init_transactional_producer(&transactional_id, timeout_ms, current)) {
        Err(Error::Fenced { .. }) if call.version >= PRODUCER_FENCED_SINCE => {
            failed(ResponseError::ProducerFenced.code())
        }
        outcome => made(outcome),
    }
}
