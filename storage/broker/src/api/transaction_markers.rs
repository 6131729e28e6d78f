//! `WriteTxnMarkers`: by it `kafka-transactions abort` ends the transaction that holds up the readers of a partition (KIP-664).
//! Between Kafka's brokers it carries each end of a transaction; here nobody else coordinates any.

use kafka_protocol::ResponseError;
use kafka_protocol::messages::write_txn_markers_request::WritableTxnMarker;
use kafka_protocol::messages::write_txn_markers_response::{
    WritableTxnMarkerPartitionResult, WritableTxnMarkerResult, WritableTxnMarkerTopicResult,
};
use kafka_protocol::messages::{WriteTxnMarkersRequest, WriteTxnMarkersResponse};
use millstream_log::{Error, Producer};

use crate::broker::settled;
use crate::call::Call;
use crate::code::{NONE, code_of};

pub(super) async fn answer(call: Call, request: WriteTxnMarkersRequest) -> WriteTxnMarkersResponse {
    let mut markers = Vec::with_capacity(request.markers.len());
    for marker in request.markers {
        let code = abort(&call, &marker).await;
        let topics = marker.topics.into_iter().map(|topic| {
            let partition = |index: i32| {
                WritableTxnMarkerPartitionResult::default().with_partition_index(index).with_error_code(code)
            };
            let partitions = topic.partition_indexes.into_iter().map(partition).collect();
            WritableTxnMarkerTopicResult::default().with_name(topic.name).with_partitions(partitions)
        });
        let topics = topics.collect();
        markers.push(WritableTxnMarkerResult::default().with_producer_id(marker.producer_id).with_topics(topics));
    }
    WriteTxnMarkersResponse::default().with_markers(markers)
}

/// Aborts the whole transaction: one that is aborted in one partition must not be committed in another.
async fn abort(call: &Call, marker: &WritableTxnMarker) -> i16 {
    if marker.transaction_result {
        // What is committed is for its producer to say.
        return ResponseError::InvalidRequest.code();
    }
    let producer = Producer { id: marker.producer_id.0, epoch: marker.producer_epoch };
    let aborted = match call.broker.log.end_transaction(producer, false, &[]) {
        Ok(ticket) => settled(ticket).await,
        Err(error) => Err(error),
    };
    match aborted {
        Ok(()) => NONE,
        Err(Error::Fenced { .. }) => ResponseError::InvalidProducerEpoch.code(),
        Err(error) => code_of(&error),
    }
}
