//! `ApiVersions`: what the broker understands.

use bytes::Bytes;
use kafka_protocol::ResponseError;
use kafka_protocol::messages::api_versions_response::{
    ApiVersion, ApiVersionsResponse, FinalizedFeatureKey, SupportedFeatureKey,
};
use kafka_protocol::messages::{ApiKey, ApiVersionsRequest};

use crate::api::{self, Api};
use crate::call::{Call, Pending};
use crate::code::NONE;
use crate::text::text;

const FEATURES_SINCE: i16 = 3;
/// Names and levels: consumer groups of KIP-848, transactions of KIP-890.
const FEATURES: &[(&str, i16)] = &[("group.version", 1), ("transaction.version", 2)];

pub(super) fn run(call: Call, body: Bytes) -> Pending {
    let reply = if call.api.understands(call.version) {
        call.decode(body).and_then(|_: ApiVersionsRequest| {
            let response = response(NONE, api::all().iter());
            call.reply(&if call.version >= FEATURES_SINCE { with_features(response) } else { response })
        })
    } else {
        // The client learns which versions of this request there are and asks again (KIP-511).
        let code = ResponseError::UnsupportedVersion.code();
        call.reply_in(&response(code, api::all().iter().filter(|api| api.key == ApiKey::ApiVersions)), 0)
    };
    Box::pin(std::future::ready(reply))
}

/// Says which protocols that are more than versions of requests are in use (KIP-584).
fn with_features(response: ApiVersionsResponse) -> ApiVersionsResponse {
    let supported = FEATURES.iter().map(|(name, max)| {
        SupportedFeatureKey::default().with_name(text(*name)).with_min_version(0).with_max_version(*max)
    });
    let finalized = FEATURES.iter().map(|(name, level)| {
        FinalizedFeatureKey::default()
            .with_name(text(*name))
            .with_max_version_level(*level)
            .with_min_version_level(*level)
    });
    response
        .with_supported_features(supported.collect())
        .with_finalized_features(finalized.collect())
        .with_finalized_features_epoch(0)
}

fn response<'a>(error_code: i16, apis: impl Iterator<Item = &'a Api>) -> ApiVersionsResponse {
    let version = |api: &Api| {
        ApiVersion::default()
            .with_api_key(api.key as i16)
            .with_min_version(api.advertised_min)
            .with_max_version(api.max)
    };
    ApiVersionsResponse::default().with_error_code(error_code).with_api_keys(apis.map(version).collect())
}
