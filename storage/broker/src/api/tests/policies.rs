//! What may become of records: `cleanup.policy`, changed a word at a time, and records that are deleted on request.

use kafka_protocol::messages::delete_records_request::{DeleteRecordsPartition, DeleteRecordsTopic};
use kafka_protocol::messages::incremental_alter_configs_request::{AlterConfigsResource, AlterableConfig};
use kafka_protocol::messages::{DeleteRecordsRequest, IncrementalAlterConfigsRequest};
use millstream_log::{Log, TopicSetting, TopicSpec};

use super::*;
use crate::text::text;

const DELETE: i8 = 1;
const APPEND: i8 = 2;
const SUBTRACT: i8 = 3;

#[test]
fn a_policy_keeps_its_order_and_may_be_empty_and_only_with_delete_are_records_deleted() {
    let (runtime, broker) = (runtime(), broker());
    broker.log.create_topic(&TopicSpec::new("t", 1)).unwrap();
    let alter = |name: &str, operation: i8, value: &str| {
        let config = AlterableConfig::default()
            .with_name(text(name))
            .with_config_operation(operation)
            .with_value(Some(text(value)));
        let resource = AlterConfigsResource::default()
            .with_resource_type(2)
            .with_resource_name(text("t"))
            .with_configs(vec![config]);
        let request = IncrementalAlterConfigsRequest::default().with_resources(vec![resource]);
        let api = find(ApiKey::IncrementalAlterConfigs as i16).unwrap();
        let answer = exchange(&runtime, &broker, api, 1, encoded(&request, 1));
        let ResponseKind::IncrementalAlterConfigs(response) = answer else { panic!() };
        response.responses[0].error_code
    };
    let delete_records = |offset: i64| {
        let partition = DeleteRecordsPartition::default().with_offset(offset);
        let topic = DeleteRecordsTopic::default().with_name(TopicName(text("t"))).with_partitions(vec![partition]);
        let request = DeleteRecordsRequest::default().with_topics(vec![topic]);
        let api = find(ApiKey::DeleteRecords as i16).unwrap();
        let answer = exchange(&runtime, &broker, api, 2, encoded(&request, 2));
        let ResponseKind::DeleteRecords(response) = answer else { panic!() };
        response.topics[0].partitions[0].error_code
    };
    let refused = ResponseError::PolicyViolation.code();
    let out_of_range = ResponseError::OffsetOutOfRange.code();
    for (operation, words, policy, deletes) in [
        (APPEND, "compact,delete", "delete,compact", true),
        (SUBTRACT, "delete", "compact", false),
        (APPEND, "delete", "compact,delete", true),
        (SUBTRACT, "compact,delete", "", false),
        (APPEND, "compact,compact", "compact", false),
        (DELETE, "", "delete", true),
    ] {
        assert_eq!(alter("cleanup.policy", operation, words), 0, "{words}");
        let config = broker.log.topic("t").unwrap().unwrap().config;
        assert_eq!(TopicSetting::find("cleanup.policy").unwrap().get(&config), policy);
        assert_eq!(delete_records(0), if deletes { 0 } else { refused }, "{policy}");
        assert_eq!(delete_records(-2), if deletes { out_of_range } else { refused }, "{policy}");
    }
    assert_eq!(alter("no.such.setting", DELETE, ""), 0, "it is not set");
    assert_eq!(alter("no.such.setting", 0, "1"), ResponseError::InvalidConfig.code());
}
