//! `DescribeConfigs` and `ListConfigResources`: every setting with its value, be it the default.

mod broker;

use kafka_protocol::ResponseError;
use kafka_protocol::messages::create_topics_request::CreatableTopicConfig;
use kafka_protocol::messages::create_topics_response::CreatableTopicConfigs;
use kafka_protocol::messages::describe_configs_request::DescribeConfigsResource;
use kafka_protocol::messages::describe_configs_response::{
    DescribeConfigsResourceResult, DescribeConfigsResult, DescribeConfigsSynonym,
};
use kafka_protocol::messages::list_config_resources_response::ConfigResource;
use kafka_protocol::messages::{
    DescribeConfigsRequest, DescribeConfigsResponse, ListConfigResourcesRequest, ListConfigResourcesResponse,
};
use millstream_log::{Log, SettingType, TopicConfig, TopicSetting, TopicSpec};

use super::distinct::distinct;
use crate::broker::NODE_ID;
use crate::call::Call;
use crate::code::code_of;
use crate::text::text;

pub(super) const TOPIC: i8 = 2;
pub(super) const BROKER: i8 = 4;

const TYPE_SINCE: i16 = 3;
const RESOURCE_TYPES_SINCE: i16 = 1;

/// Where a value comes from.
const SET_OF_TOPIC: i8 = 1;
const SET_OF_BROKER: i8 = 4;
const DEFAULT: i8 = 5;

const fn type_code(ty: SettingType) -> i8 {
    match ty {
        SettingType::Boolean => 1,
        SettingType::String => 2,
        SettingType::Int => 3,
        SettingType::Long => 5,
        SettingType::Double => 6,
        SettingType::List => 7,
    }
}

fn source(setting: &TopicSetting, config: &TopicConfig) -> i8 {
    if setting.is_set(config) { SET_OF_TOPIC } else { DEFAULT }
}

/// The settings of a topic that was just created: those that were given, as they were written.
pub(super) fn created_config(config: &TopicConfig, given: &[CreatableTopicConfig]) -> Vec<CreatableTopicConfigs> {
    let all = TopicSetting::all().iter().map(|setting| {
        let written = given.iter().rfind(|one| &*one.name == setting.name).and_then(|one| one.value.clone());
        CreatableTopicConfigs::default()
            .with_name(text(setting.name))
            .with_config_source(source(setting, config))
            .with_value(Some(written.unwrap_or_else(|| text(setting.get(config)))))
    });
    all.collect()
}

pub(super) fn describe(call: &Call, request: DescribeConfigsRequest) -> DescribeConfigsResponse {
    let (synonyms, documentation) = (request.include_synonyms, request.include_documentation);
    let resources = distinct(request.resources, |resource| (resource.resource_type, resource.resource_name.clone()));
    let results = resources.map(|resource| {
        let is_wanted = |name: &str| match &resource.configuration_keys {
            Some(keys) => keys.iter().any(|key| &**key == name),
            None => true,
        };
        let described = settings(call, &resource);
        let result = DescribeConfigsResult::default()
            .with_resource_type(resource.resource_type)
            .with_resource_name(resource.resource_name.clone());
        match described {
            Ok(settings) => {
                let wanted = settings.into_iter().filter(|setting| is_wanted(&setting.name));
                let shown = wanted.map(|setting| shown(call.version, synonyms, documentation, setting));
                result.with_error_message(None).with_configs(shown.collect())
            }
            Err((code, message)) => result.with_error_code(code).with_error_message(Some(text(message))),
        }
    });
    DescribeConfigsResponse::default().with_results(results.collect())
}

fn settings(
    call: &Call,
    resource: &DescribeConfigsResource,
) -> Result<Vec<DescribeConfigsResourceResult>, (i16, String)> {
    let name = &*resource.resource_name;
    match resource.resource_type {
        TOPIC => {
            let refusal = |error: &millstream_log::Error| (code_of(error), error.to_string());
            TopicSpec::new(name, 1).check().map_err(|error| refusal(&error))?;
            let info = call.broker.log.topic(name).map_err(|error| refusal(&error))?;
            let info = info.ok_or_else(|| refusal(&millstream_log::Error::UnknownTopic(name.to_owned())))?;
            Ok(TopicSetting::all().iter().map(|setting| of_topic(setting, &info.config)).collect())
        }
        BROKER if name.is_empty() => Ok(Vec::new()),
        BROKER if name == NODE_ID.to_string() => Ok(broker::settings(call)),
        BROKER => {
            let message = format!("the only broker is {NODE_ID}, found \"{name}\"");
            Err((ResponseError::InvalidRequest.code(), message))
        }
        // Groups and clients can have settings in a cluster; here they have none.
        _ => Ok(Vec::new()),
    }
}

fn of_topic(setting: &TopicSetting, config: &TopicConfig) -> DescribeConfigsResourceResult {
    let value = setting.get(config);
    let mut synonyms = Vec::new();
    if setting.is_set(config) {
        synonyms.push(synonym(setting.name, &value, SET_OF_TOPIC));
    }
    if let Some(name) = broker::default_name(setting) {
        synonyms.push(synonym(name, &setting.default_value(), DEFAULT));
    }
    DescribeConfigsResourceResult::default()
        .with_name(text(setting.name))
        .with_config_source(source(setting, config))
        .with_value(Some(text(value)))
        .with_synonyms(synonyms)
        .with_config_type(type_code(setting.ty))
        .with_documentation(Some(text(setting.effect)))
}

/// Under which other name the value could be given, or would be if it were not.
fn synonym(name: &'static str, value: &str, source: i8) -> DescribeConfigsSynonym {
    DescribeConfigsSynonym::default().with_name(text(name)).with_value(Some(text(value))).with_source(source)
}

/// The setting without what was not asked for.
fn shown(
    version: i16,
    synonyms: bool,
    documentation: bool,
    mut setting: DescribeConfigsResourceResult,
) -> DescribeConfigsResourceResult {
    if !synonyms {
        setting.synonyms = Vec::new();
    }
    if version < TYPE_SINCE {
        setting.config_type = 0;
    }
    if version < TYPE_SINCE || !documentation {
        setting.documentation = None;
    }
    setting
}

pub(super) fn list(call: &Call, request: ListConfigResourcesRequest) -> ListConfigResourcesResponse {
    // Version 0 asks for clients' metrics, of which there are none.
    if call.version < RESOURCE_TYPES_SINCE {
        return ListConfigResourcesResponse::default();
    }
    let is_wanted = |ty: i8| request.resource_types.is_empty() || request.resource_types.contains(&ty);
    let resource =
        |name: String, ty: i8| ConfigResource::default().with_resource_name(text(name)).with_resource_type(ty);
    let mut resources = Vec::new();
    if is_wanted(TOPIC) {
        let topics = call.broker.log.topics().unwrap_or_default();
        resources.extend(topics.iter().map(|topic| resource(topic.name.to_string(), TOPIC)));
    }
    if is_wanted(BROKER) {
        resources.push(resource(NODE_ID.to_string(), BROKER));
    }
    ListConfigResourcesResponse::default().with_config_resources(resources)
}
