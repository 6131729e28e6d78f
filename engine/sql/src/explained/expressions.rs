//! Expressions that have no value.

use super::{Explained, explained};

pub(super) const EXPLAINED: &[Explained] = &[
    explained(
        "E0240",
        "A value of another type is needed here: CAST it.",
        "SELECT item * 2 FROM orders EMIT CHANGES;",
        "SELECT CAST(item AS INT) * 2 FROM orders EMIT CHANGES;",
    ),
    explained(
        "E0241",
        "The two sides are of types that cannot be compared: CAST one of them.",
        "SELECT id FROM orders WHERE id = TRUE EMIT CHANGES;",
        "SELECT id FROM orders WHERE id = 1 EMIT CHANGES;",
    ),
    explained(
        "E0242",
        "Aggregates are of groups, so they belong into SELECT and HAVING; table functions make rows and belong into SELECT.",
        "SELECT item, COUNT(*) FROM orders WHERE COUNT(*) > 1 GROUP BY item EMIT CHANGES;",
        "SELECT item, COUNT(*) FROM orders GROUP BY item HAVING COUNT(*) > 1 EMIT CHANGES;",
    ),
    explained(
        "E0243",
        "There are no columns here, only constants; texts stand in single quotes.",
        "INSERT INTO orders (id, item) VALUES (1, tea);",
        "INSERT INTO orders (id, item) VALUES (1, 'tea');",
    ),
    explained(
        "E0244",
        "DISTINCT is for COUNT only.",
        "SELECT item, SUM(DISTINCT amount) FROM orders GROUP BY item EMIT CHANGES;",
        "SELECT item, COUNT(DISTINCT amount) FROM orders GROUP BY item EMIT CHANGES;",
    ),
    explained(
        "E0245",
        "This argument must be known before there are rows: a literal, and if it counts something a whole number from 1 on.",
        "SELECT item, TOPK(amount, 0) FROM orders GROUP BY item EMIT CHANGES;",
        "SELECT item, TOPK(amount, 3) FROM orders GROUP BY item EMIT CHANGES;",
    ),
    explained(
        "E0246",
        "A group has many rows: say which value of them is meant, or group by the column as well.",
        "SELECT item, amount, COUNT(*) FROM orders GROUP BY item EMIT CHANGES;",
        "SELECT item, LATEST_BY_OFFSET(amount), COUNT(*) FROM orders GROUP BY item EMIT CHANGES;",
    ),
    explained(
        "E0247",
        "A table of aggregates has a row for each group, so that it needs GROUP BY; only SELECT … EMIT CHANGES can do without.",
        "CREATE TABLE t AS SELECT COUNT(*) AS n FROM orders;",
        "CREATE TABLE t AS SELECT item, COUNT(*) AS n FROM orders GROUP BY item;",
    ),
    explained(
        "E0248",
        "* stands for all columns, of which only some are grouped by.",
        "SELECT *, COUNT(*) FROM orders GROUP BY item EMIT CHANGES;",
        "SELECT item, COUNT(*) FROM orders GROUP BY item EMIT CHANGES;",
    ),
    explained(
        "E0249",
        "Rows of a table are replaced: they lie in no window, and only aggregates that can take a row back can be used.",
        "SELECT city, MAX(name) FROM users GROUP BY city EMIT CHANGES;",
        "SELECT city, COUNT(*) FROM users GROUP BY city EMIT CHANGES;",
    ),
    explained(
        "E0270",
        "Arithmetic with NULL is always NULL, which millstream.dialect.strict refuses as ksqlDB does.",
        "SET 'millstream.dialect.strict' = 'true'; CREATE STREAM s AS SELECT id, amount + NULL AS n FROM orders;",
        "SET 'millstream.dialect.strict' = 'true'; \
         CREATE STREAM s AS SELECT id, amount + CAST(NULL AS DOUBLE) AS n FROM orders;",
    ),
];
