//! `AlterConfigs`, which replaces all settings of a topic, and `IncrementalAlterConfigs`, which changes some.

use kafka_protocol::ResponseError;
use kafka_protocol::messages::incremental_alter_configs_request::AlterableConfig;
use kafka_protocol::messages::{
    AlterConfigsRequest, AlterConfigsResponse, IncrementalAlterConfigsRequest, IncrementalAlterConfigsResponse,
    alter_configs_response, incremental_alter_configs_response,
};
use kafka_protocol::protocol::StrBytes;
use millstream_log::{Error, Log, Result, SettingType, TopicConfig, TopicSetting};
use tokio::task::block_in_place;

use super::configs::TOPIC;
use crate::call::Call;
use crate::code::{NONE, code_of};
use crate::text::text;

pub(super) fn replace(call: &Call, request: AlterConfigsRequest) -> AlterConfigsResponse {
    let validate_only = request.validate_only;
    let responses = request.resources.into_iter().map(|resource| {
        let apply = |config: &mut TopicConfig| {
            *config = TopicConfig::default();
            for setting in &resource.configs {
                if let Some(value) = &setting.value {
                    config.set(&setting.name, value)?;
                }
            }
            Ok(())
        };
        let (code, message) = match resource.configs.iter().find(|setting| setting.value.is_none()) {
            Some(setting) => no_value(&setting.name),
            None => alter(call, resource.resource_type, &resource.resource_name, validate_only, apply),
        };
        alter_configs_response::AlterConfigsResourceResponse::default()
            .with_error_code(code)
            .with_error_message(message)
            .with_resource_type(resource.resource_type)
            .with_resource_name(resource.resource_name)
    });
    AlterConfigsResponse::default().with_responses(responses.collect())
}

pub(super) fn change(call: &Call, request: IncrementalAlterConfigsRequest) -> IncrementalAlterConfigsResponse {
    let validate_only = request.validate_only;
    let responses = request.resources.into_iter().map(|resource| {
        let apply = |config: &mut TopicConfig| {
            for setting in &resource.configs {
                apply_one(config, &setting.name, setting.config_operation, setting.value.as_deref())?;
            }
            Ok(())
        };
        let lacks = |setting: &&AlterableConfig| setting.config_operation != DELETE && setting.value.is_none();
        let (code, message) = match resource.configs.iter().find(lacks) {
            Some(setting) => no_value(&setting.name),
            None => alter(call, resource.resource_type, &resource.resource_name, validate_only, apply),
        };
        incremental_alter_configs_response::AlterConfigsResourceResponse::default()
            .with_error_code(code)
            .with_error_message(message)
            .with_resource_type(resource.resource_type)
            .with_resource_name(resource.resource_name)
    });
    IncrementalAlterConfigsResponse::default().with_responses(responses.collect())
}

fn no_value(name: &str) -> (i16, Option<StrBytes>) {
    let message = format!("{name} has no value; to reset it, delete it or leave it out");
    (ResponseError::InvalidRequest.code(), Some(text(message)))
}

/// Applies a change to a topic, or only sees whether it could be.
fn alter(
    call: &Call,
    resource_type: i8,
    name: &str,
    validate_only: bool,
    apply: impl FnOnce(&mut TopicConfig) -> Result<()>,
) -> (i16, Option<StrBytes>) {
    if resource_type != TOPIC {
        let message = "only topics have settings that can be changed while the broker runs";
        return (ResponseError::InvalidRequest.code(), Some(text(message)));
    }
    if name.is_empty() {
        let message = "there are no settings for all topics; name a topic";
        return (ResponseError::InvalidRequest.code(), Some(text(message)));
    }
    let log = &call.broker.log;
    let altered = if validate_only {
        let info = log.topic(name).and_then(|info| info.ok_or_else(|| Error::UnknownTopic(name.to_owned())));
        info.and_then(|mut info| apply(&mut info.config).and_then(|()| info.config.check()))
    } else {
        block_in_place(|| log.alter_topic(name, apply)).map(drop)
    };
    match altered {
        Ok(()) => (NONE, None),
        Err(error) => (code_of(&error), Some(text(error.to_string()))),
    }
}

/// What to do with a value (KIP-339).
const SET: i8 = 0;
const DELETE: i8 = 1;
const APPEND: i8 = 2;
const SUBTRACT: i8 = 3;

fn apply_one(config: &mut TopicConfig, name: &str, operation: i8, value: Option<&str>) -> Result<()> {
    let refuse = |reason: &str| {
        let value = value.unwrap_or("null").to_owned();
        Err(Error::InvalidSetting { name: name.to_owned(), value, reason: reason.to_owned() })
    };
    let setting = match TopicSetting::find(name) {
        // It is not set, then; Kafka does not ask whether it could be.
        None if operation == DELETE => return Ok(()),
        found => found.ok_or_else(|| Error::UnknownSetting(name.to_owned()))?,
    };
    match (operation, value) {
        (DELETE, _) => config.reset(name),
        (SET, Some(value)) => config.set(name, value),
        (APPEND | SUBTRACT, Some(value)) if setting.ty == SettingType::List => {
            let now = setting.get(config);
            let split = |text: &str| -> Vec<String> {
                text.split(',').map(|word| word.trim().to_owned()).filter(|word| !word.is_empty()).collect()
            };
            let (mut words, named) = (split(&now), split(value));
            if operation == APPEND {
                for word in named {
                    if !words.contains(&word) {
                        words.push(word);
                    }
                }
            } else {
                words.retain(|word| !named.contains(word));
            }
            config.set(name, &words.join(","))
        }
        (APPEND | SUBTRACT, Some(_)) => refuse("only a list can be added to or taken from"),
        (SET | APPEND | SUBTRACT, None) => refuse("a value is expected"),
        _ => refuse("expected to set, delete, append or subtract"),
    }
}
