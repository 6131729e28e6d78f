//! `ApiVersions`: what the broker understands.

use bytes::Bytes;
use kafka_protocol::ResponseError;
use kafka_protocol::messages::api_versions_response::{ApiVersion, ApiVersionsResponse};
use kafka_protocol::messages::{ApiKey, ApiVersionsRequest};

use crate::api::{self, Api};
use crate::call::{Call, Pending};
use crate::code::NONE;

pub(super) fn run(call: Call, body: Bytes) -> Pending {
    let reply = if call.api.understands(call.version) {
        call.decode(body).and_then(|_: ApiVersionsRequest| call.reply(&response(NONE, api::all().iter())))
    } else {
        // The client learns which versions of this request there are and asks again (KIP-511).
        let code = ResponseError::UnsupportedVersion.code();
        call.reply_in(&response(code, api::all().iter().filter(|api| api.key == ApiKey::ApiVersions)), 0)
    };
    Box::pin(std::future::ready(reply))
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
