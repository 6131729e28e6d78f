//! What counts as a refusal of a statement: a diagnostic that blames it, not one that says that the
//! engine cannot do it.

use millstream_runtime::Error;

/// Words by which an engine blames itself.
const OWN_FAULT: [&str; 7] =
    ["unsupported", "not supported", "not there yet", "not implemented", "internal", "panicked", "not yet"];

/// Formats that there are; refusing one says nothing of the statement.
const KNOWN_FORMATS: [&str; 4] = ["'AVRO'", "'PROTOBUF'", "'PROTOBUF_NOSR'", "'JSON_SR'"];

/// Checks that an error of a statement blames it.
pub(crate) fn check(error: &Error) -> Result<(), String> {
    match error {
        Error::Statement(diagnostic) => check_text(&diagnostic.to_string()),
        other => Err(format!("refused, but not by a diagnostic of the statement: {other}")),
    }
}

/// Checks that the reason why a statement or query was refused blames it.
pub(crate) fn check_text(reason: &str) -> Result<(), String> {
    let lower = reason.to_lowercase();
    let refuses_format =
        lower.contains("format cannot be") && KNOWN_FORMATS.iter().any(|format| reason.to_uppercase().contains(format));
    if refuses_format || OWN_FAULT.iter().any(|words| lower.contains(words)) {
        return Err(format!("refused for the engine's own fault: {reason}"));
    }
    Ok(())
}
