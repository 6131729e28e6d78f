//! Joins whose rows would not meet.

use super::{Explained, explained};

pub(super) const EXPLAINED: &[Explained] = &[
    explained(
        "E0260",
        "A join compares one expression of each of its two sides for equality; other conditions belong into WHERE.",
        "SELECT o.id, name FROM orders o JOIN users u ON o.user_id > u.id EMIT CHANGES;",
        "SELECT o.id, name FROM orders o JOIN users u ON o.user_id = u.id EMIT CHANGES;",
    ),
    explained(
        "E0261",
        "The two sides of the join are of types that cannot be equal, or that no key has: CAST one of them.",
        "SELECT o.id, name FROM orders o JOIN users u ON o.item = u.id EMIT CHANGES;",
        "SELECT o.id, name FROM orders o JOIN users u ON CAST(o.item AS BIGINT) = u.id EMIT CHANGES;",
    ),
    explained(
        "E0262",
        "This join cannot be made as it is written; the message says what is missing.",
        "SELECT o.id, paid FROM orders o JOIN payments p ON o.id = p.order_id EMIT CHANGES;",
        "SELECT o.id, paid FROM orders o JOIN payments p WITHIN 1 HOUR ON o.id = p.order_id EMIT CHANGES;",
    ),
    explained(
        "E0263",
        "WITHIN says how far apart rows of two streams may be; of a table the row that is there is joined.",
        "SELECT o.id, name FROM orders o JOIN users u WITHIN 1 HOUR ON o.user_id = u.id EMIT CHANGES;",
        "SELECT o.id, name FROM orders o JOIN users u ON o.user_id = u.id EMIT CHANGES;",
    ),
    explained(
        "E0264",
        "Rows are joined in the partitions in which they lie by their keys, so there must be equally many on both sides.",
        "CREATE TABLE wide (id BIGINT PRIMARY KEY, v INT) WITH (KAFKA_TOPIC='wide', VALUE_FORMAT='JSON', PARTITIONS=4); \
         SELECT o.id, v FROM orders o JOIN wide w ON o.id = w.id EMIT CHANGES;",
        "CREATE TABLE wide (id BIGINT PRIMARY KEY, v INT) WITH (KAFKA_TOPIC='wide', VALUE_FORMAT='JSON', PARTITIONS=4); \
         CREATE STREAM orders4 WITH (PARTITIONS=4) AS SELECT * FROM orders; \
         SELECT o.id, v FROM orders4 o JOIN wide w ON o.id = w.id EMIT CHANGES;",
    ),
    explained(
        "E0265",
        "Keys with windows are equal only if their windows are.",
        "CREATE STREAM hourly (id INT KEY, n INT) \
         WITH (KAFKA_TOPIC='hourly', VALUE_FORMAT='JSON', PARTITIONS=1, WINDOW_TYPE='TUMBLING', WINDOW_SIZE='1 HOUR'); \
         CREATE STREAM daily (id INT KEY, n INT) \
         WITH (KAFKA_TOPIC='daily', VALUE_FORMAT='JSON', PARTITIONS=1, WINDOW_TYPE='TUMBLING', WINDOW_SIZE='1 DAY'); \
         SELECT h.id, d.n FROM hourly h JOIN daily d WITHIN 1 DAY ON h.id = d.id EMIT CHANGES;",
        "CREATE STREAM hourly (id INT KEY, n INT) \
         WITH (KAFKA_TOPIC='hourly', VALUE_FORMAT='JSON', PARTITIONS=1, WINDOW_TYPE='TUMBLING', WINDOW_SIZE='1 HOUR'); \
         CREATE STREAM other (id INT KEY, n INT) \
         WITH (KAFKA_TOPIC='other', VALUE_FORMAT='JSON', PARTITIONS=1, WINDOW_TYPE='TUMBLING', WINDOW_SIZE='1 HOUR'); \
         SELECT h.id, o.n FROM hourly h JOIN other o WITHIN 1 DAY ON h.id = o.id EMIT CHANGES;",
    ),
];
