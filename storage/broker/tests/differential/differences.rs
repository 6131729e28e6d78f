//! What may differ between Millstream and Kafka, and why.

/// A field that may differ.
#[derive(Debug)]
pub(crate) struct Difference {
    /// The request's name, or `*`.
    pub(crate) api: &'static str,
    /// The field's path; `*` before a name is any path.
    pub(crate) field: &'static str,
    pub(crate) rule: Accepts,
    pub(crate) reason: &'static str,
}

#[derive(Debug, Clone, Copy)]
pub(crate) enum Accepts {
    /// Any two values; they are not looked at.
    Any,
    /// The same items in any order.
    AnyOrder,
    /// Just these: Kafka's, ours.
    Just(&'static str, &'static str),
}

/// What is done to a value before it is compared.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Rule {
    Masked,
    Unordered,
}

const fn any(api: &'static str, field: &'static str, reason: &'static str) -> Difference {
    Difference { api, field, rule: Accepts::Any, reason }
}

const fn any_order(api: &'static str, field: &'static str, reason: &'static str) -> Difference {
    Difference { api, field, rule: Accepts::AnyOrder, reason }
}

const fn just(
    api: &'static str,
    field: &'static str,
    kafka: &'static str,
    ours: &'static str,
    reason: &'static str,
) -> Difference {
    Difference { api, field, rule: Accepts::Just(kafka, ours), reason }
}

pub(crate) static DIFFERENCES: &[Difference] = &[
    any("*", "*error_message", "messages for people are our own"),
    any("*", "*batch_index_error_message", "messages for people are our own"),
    any("*", "*port", "two brokers listen on two ports"),
    any("*", "*cluster_id", "two clusters"),
];

fn matches(difference: &Difference, api: &str, path: &str) -> bool {
    let is_field = match difference.field.strip_prefix('*') {
        Some(name) => path == name || path.ends_with(&format!(".{name}")),
        None => path == difference.field,
    };
    is_field && (difference.api == "*" || difference.api == api)
}

pub(crate) fn rules<'a>(api: &'a str, path: &'a str, _version: i16) -> impl Iterator<Item = Rule> + 'a {
    DIFFERENCES.iter().filter(move |difference| matches(difference, api, path)).filter_map(
        |difference| match difference.rule {
            Accepts::Any => Some(Rule::Masked),
            Accepts::AnyOrder => Some(Rule::Unordered),
            Accepts::Just(..) => None,
        },
    )
}

/// The declaration by which these two values may stand beside each other.
pub(crate) fn accepted(api: &str, path: &str, kafka: &str, ours: &str) -> Option<&'static Difference> {
    let fits = |difference: &&Difference| {
        matches(difference, api, path)
            && matches!(difference.rule, Accepts::Just(theirs, own) if is_like(theirs, kafka) && is_like(own, ours))
    };
    DIFFERENCES.iter().find(fits)
}

/// `*` at the end stands for anything.
fn is_like(pattern: &str, text: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(begin) => text.starts_with(begin),
        None => pattern == text,
    }
}
