//! Names that stand for nothing, or for several things.

use super::{Explained, explained};

pub(super) const EXPLAINED: &[Explained] = &[
    explained(
        "E0201",
        "There is no stream or table of this name. SHOW STREAMS and SHOW TABLES list what there is.",
        "SELECT * FROM odrers;",
        "SELECT * FROM orders;",
    ),
    explained(
        "E0202",
        "What stands before the point is no source of the query; once a source has an alias, only the alias names it.",
        "SELECT orders.id FROM orders o EMIT CHANGES;",
        "SELECT o.id FROM orders o EMIT CHANGES;",
    ),
    explained(
        "E0203",
        "The sources of the query have no column of this name. DESCRIBE lists a source's columns.",
        "SELECT itme FROM orders;",
        "SELECT item FROM orders;",
    ),
    explained(
        "E0204",
        "Several sources of the query have a column of this name: say which one.",
        "SELECT id FROM orders o JOIN users u ON o.user_id = u.id EMIT CHANGES;",
        "SELECT o.id FROM orders o JOIN users u ON o.user_id = u.id EMIT CHANGES;",
    ),
    explained(
        "E0205",
        "The struct has no field of this name.",
        "SELECT address->citty FROM orders EMIT CHANGES;",
        "SELECT address->city FROM orders EMIT CHANGES;",
    ),
    explained(
        "E0206",
        "There is no function of this name. SHOW FUNCTIONS lists them.",
        "SELECT substrng(item, 1) FROM orders;",
        "SELECT SUBSTRING(item, 1) FROM orders;",
    ),
    explained(
        "E0207",
        "The function exists, but not for arguments of these types. DESCRIBE FUNCTION lists its signatures.",
        "SELECT LCASE(id) FROM orders EMIT CHANGES;",
        "SELECT LCASE(CAST(id AS STRING)) FROM orders EMIT CHANGES;",
    ),
    explained(
        "E0230",
        "Two sources of the query have the same name: give each an alias of its own.",
        "SELECT o.item FROM orders o JOIN users o ON o.user_id = o.id EMIT CHANGES;",
        "SELECT o.item FROM orders o JOIN users u ON o.user_id = u.id EMIT CHANGES;",
    ),
    explained(
        "E0231",
        "A query reads each topic once: to join a stream with itself, copy it to another topic first.",
        "SELECT a.item FROM orders a JOIN orders b WITHIN 1 HOUR ON a.id = b.id EMIT CHANGES;",
        "CREATE STREAM again AS SELECT * FROM orders EMIT CHANGES; \
         SELECT a.item FROM orders a JOIN again b WITHIN 1 HOUR ON a.id = b.id EMIT CHANGES;",
    ),
];
