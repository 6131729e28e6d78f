//! Every request that is advertised is answered in every version.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use bytes::{Buf, Bytes, BytesMut};
use kafka_protocol::messages::{ProduceRequest, RequestKind, ResponseKind};
use kafka_protocol::protocol::Encodable;
use millstream_log::{EmbeddedLog, LogOptions};
use tokio::runtime::Runtime;

use super::*;
use crate::BrokerOptions;
use crate::broker::Broker;
use crate::call::Peer;

fn broker() -> Arc<Broker> {
    let log = Arc::new(EmbeddedLog::open(LogOptions::in_memory()).unwrap());
    Arc::new(Broker::new(log, BrokerOptions::default()))
}

/// Sends a request and reads the answer, which must be complete and nothing more.
fn exchange(runtime: &Runtime, broker: &Arc<Broker>, api: &'static Api, version: i16, body: Bytes) -> ResponseKind {
    let local = SocketAddr::from((Ipv4Addr::LOCALHOST, 9092));
    let call = Call {
        broker: Arc::clone(broker),
        api,
        version,
        correlation_id: 7,
        client_id: None,
        peer: Peer { remote: local, local },
    };
    let answer = async move { tokio::spawn(async move { run(call, body).await }).await.unwrap() };
    let reply = runtime.block_on(answer).unwrap_or_else(|_| panic!("{:?} {version} is not answered", api.key));
    let mut frame = reply.frame.freeze();
    assert_eq!(frame.get_i32() as usize, frame.len());
    assert_eq!(frame.get_i32(), 7);
    if api.key.response_header_version(version) == 1 {
        assert_eq!(frame.get_u8(), 0);
    }
    let response = ResponseKind::decode(api.key, &mut frame, version).unwrap();
    assert!(frame.is_empty(), "{:?} {version}: {} bytes are left", api.key, frame.len());
    response
}

/// A request with every field at its default.
fn plain(key: ApiKey, version: i16) -> Bytes {
    let mut body = BytesMut::new();
    if key == ApiKey::Produce {
        // With no acknowledgement asked for there would be no answer.
        ProduceRequest::default().with_acks(-1).encode(&mut body, version).unwrap();
        return body.freeze();
    }
    macro_rules! encode {
        ($($kind:ident),*) => {
            match key {
                $(ApiKey::$kind => RequestKind::$kind(Default::default()).encode(&mut body, version).unwrap(),)*
                other => panic!("{other:?} is not in this test"),
            }
        };
    }
    encode!(
        Fetch,
        ListOffsets,
        Metadata,
        OffsetCommit,
        OffsetFetch,
        FindCoordinator,
        JoinGroup,
        Heartbeat,
        LeaveGroup,
        SyncGroup,
        DescribeGroups,
        ListGroups,
        ApiVersions,
        CreateTopics,
        DeleteTopics,
        DeleteRecords,
        InitProducerId,
        OffsetForLeaderEpoch,
        AddPartitionsToTxn,
        AddOffsetsToTxn,
        EndTxn,
        TxnOffsetCommit,
        DescribeConfigs,
        AlterConfigs,
        IncrementalAlterConfigs,
        CreatePartitions,
        DeleteGroups,
        OffsetDelete,
        DescribeCluster,
        DescribeProducers,
        DescribeTransactions,
        ListTransactions,
        DescribeTopicPartitions,
        ListPartitionReassignments,
        ListConfigResources,
        DescribeLogDirs
    );
    body.freeze()
}

#[test]
fn every_request_is_answered_in_every_version() {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let broker = broker();
    for api in all() {
        for version in api.min..=api.max {
            exchange(&runtime, &broker, api, version, plain(api.key, version));
        }
    }
}
