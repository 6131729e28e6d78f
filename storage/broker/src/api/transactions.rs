//! `AddOffsetsToTxn` and `EndTxn`: the frame of a transaction.

use kafka_protocol::ResponseError;
use kafka_protocol::messages::{
    AddOffsetsToTxnRequest, AddOffsetsToTxnResponse, EndTxnRequest, EndTxnResponse, ProducerId,
};
use millstream_log::{Error, Producer};

use crate::broker::settled;
use crate::call::Call;
use crate::code::{NONE, code_of};

/// In the versions before, the epoch of a fenced producer is called invalid.
const END_FENCED_SINCE: i16 = 2;
const OFFSETS_FENCED_SINCE: i16 = 2;
/// From then on the producer gets a new epoch for each transaction (KIP-890).
const BUMP_SINCE: i16 = 5;

/// Whether the producer is the one that may use the transactional id now.
pub(super) fn check(call: &Call, transactional_id: &str, producer: Producer) -> Result<(), ResponseError> {
    let known = call.broker.log.transaction(transactional_id).ok_or(ResponseError::InvalidProducerIdMapping)?;
    if known.producer.id != producer.id {
        Err(ResponseError::InvalidProducerIdMapping)
    } else if known.producer.epoch != producer.epoch {
        Err(ResponseError::ProducerFenced)
    } else {
        Ok(())
    }
}

/// The code of an error in a transaction, for a client that knows or does not know of fencing.
pub(super) fn code(error: ResponseError, knows_fencing: bool) -> i16 {
    match error {
        ResponseError::ProducerFenced if !knows_fencing => ResponseError::InvalidProducerEpoch.code(),
        error => error.code(),
    }
}

/// The group's offsets come later, with `TxnOffsetCommit`.
pub(super) async fn add_offsets(call: Call, request: AddOffsetsToTxnRequest) -> AddOffsetsToTxnResponse {
    let producer = Producer { id: request.producer_id.0, epoch: request.producer_epoch };
    let knows_fencing = call.version >= OFFSETS_FENCED_SINCE;
    let error_code = match check(&call, &request.transactional_id, producer) {
        Err(error) => code(error, knows_fencing),
        Ok(()) => {
            let announced = match call.broker.log.announce_offsets(producer) {
                Ok(ticket) => settled(ticket).await,
                Err(error) => Err(error),
            };
            match announced {
                Ok(()) => NONE,
                Err(Error::Fenced { .. }) => code(ResponseError::ProducerFenced, knows_fencing),
                Err(error) => code_of(&error),
            }
        }
    };
    AddOffsetsToTxnResponse::default().with_error_code(error_code)
}

pub(super) async fn end(call: Call, request: EndTxnRequest) -> EndTxnResponse {
    let log = &call.broker.log;
    let producer = Producer { id: request.producer_id.0, epoch: request.producer_epoch };
    let bumps = call.version >= BUMP_SINCE;
    let failed = |code: i16| EndTxnResponse::default().with_error_code(code);
    let ended = match log.transaction(&request.transactional_id) {
        Some(known) if known.is_of(producer.id) => {
            // Whether the epoch may still end it is the log's to say: an end can come twice.
            if bumps {
                log.end_transaction_and_bump(producer, request.committed)
            } else {
                log.end_transaction(producer, request.committed, &[]).map(|ticket| (ticket, producer))
            }
        }
        _ => return failed(ResponseError::InvalidProducerIdMapping.code()),
    };
    let outcome = match ended {
        Ok((ticket, next)) => settled(ticket).await.map(|()| next),
        Err(error) => Err(error),
    };
    match outcome {
        Ok(next) if bumps => {
            EndTxnResponse::default().with_producer_id(ProducerId(next.id)).with_producer_epoch(next.epoch)
        }
        Ok(_) => EndTxnResponse::default(),
        Err(Error::Fenced { .. }) => failed(code(ResponseError::ProducerFenced, call.version >= END_FENCED_SINCE)),
        Err(error) => failed(code_of(&error)),
    }
}
