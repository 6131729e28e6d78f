//! What the tests of the shell start from.

use crate::support;
use crate::terminal::{CTRL_U, TAB, Terminal, User};

const ORDERS: &str = "\
CREATE STREAM orders (id BIGINT KEY, item STRING, address STRUCT<city STRING>)
  WITH (KAFKA_TOPIC='orders', VALUE_FORMAT='JSON', PARTITIONS=1);
INSERT INTO orders (id, item) VALUES (1, 'tea'), (2, 'milk'), (3, 'tea');";

/// A user who has the stream `orders` of three rows.
pub(super) fn with_orders() -> User {
    let user = User::new();
    support::run(&user.data(), &["-e", ORDERS]);
    user
}

/// A user who has the stream `numbers` of 100 rows.
pub(super) fn with_numbers() -> User {
    let user = User::new();
    let values: Vec<String> = (0..100).map(|n| format!("({n})")).collect();
    let create = "CREATE STREAM numbers (n BIGINT) WITH (KAFKA_TOPIC='numbers', VALUE_FORMAT='JSON', PARTITIONS=1)";
    let insert = format!("INSERT INTO numbers VALUES {}", values.join(","));
    support::run(&user.data(), &["-e", create, "-e", &insert]);
    user
}

/// Types a part of a statement on a clear line and asks for its completion.
pub(super) fn complete(terminal: &mut Terminal, typed: &str) {
    terminal.press(CTRL_U);
    terminal.clear();
    terminal.press(typed);
    terminal.press(TAB);
}

/// The same; what is offered is listed at the second press.
pub(super) fn list_candidates(terminal: &mut Terminal, typed: &str) {
    complete(terminal, typed);
    terminal.press(TAB);
}
