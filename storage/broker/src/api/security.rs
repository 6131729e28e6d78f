//! SASL and access control lists, which are not there: the answers are those of a Kafka that has no authorizer and whose
//! listener wants no authentication, so that clients say what is the matter instead of finding no common version.

use kafka_protocol::ResponseError;
use kafka_protocol::messages::create_acls_response::AclCreationResult;
use kafka_protocol::messages::delete_acls_response::DeleteAclsFilterResult;
use kafka_protocol::messages::{
    CreateAclsRequest, CreateAclsResponse, DeleteAclsRequest, DeleteAclsResponse, DescribeAclsRequest,
    DescribeAclsResponse, SaslAuthenticateRequest, SaslAuthenticateResponse, SaslHandshakeRequest,
    SaslHandshakeResponse,
};
use kafka_protocol::protocol::StrBytes;

use crate::call::Call;
use crate::text::text;

const DISABLED: i16 = ResponseError::SecurityDisabled.code();

fn everybody_may() -> Option<StrBytes> {
    Some(text("there is no access control: whoever reaches the listener may do everything"))
}

pub(super) fn handshake(_call: &Call, _request: SaslHandshakeRequest) -> SaslHandshakeResponse {
    SaslHandshakeResponse::default().with_error_code(ResponseError::IllegalSaslState.code())
}

pub(super) fn authenticate(_call: &Call, _request: SaslAuthenticateRequest) -> SaslAuthenticateResponse {
    let message = "this listener wants no authentication: use security.protocol=PLAINTEXT";
    SaslAuthenticateResponse::default()
        .with_error_code(ResponseError::IllegalSaslState.code())
        .with_error_message(Some(text(message)))
}

pub(super) fn describe(_call: &Call, _request: DescribeAclsRequest) -> DescribeAclsResponse {
    DescribeAclsResponse::default().with_error_code(DISABLED).with_error_message(everybody_may())
}

pub(super) fn create(_call: &Call, request: CreateAclsRequest) -> CreateAclsResponse {
    let refused = AclCreationResult::default().with_error_code(DISABLED).with_error_message(everybody_may());
    CreateAclsResponse::default().with_results(vec![refused; request.creations.len()])
}

pub(super) fn delete(_call: &Call, request: DeleteAclsRequest) -> DeleteAclsResponse {
    let refused = DeleteAclsFilterResult::default().with_error_code(DISABLED).with_error_message(everybody_may());
    DeleteAclsResponse::default().with_filter_results(vec![refused; request.filters.len()])
}
