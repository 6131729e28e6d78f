-- CREATE TABLE: declare a table over a topic, or make one from a query
-- also: CREATE TABLE AS SELECT, CTAS, GROUP BY, HAVING
--
--   CREATE [OR REPLACE] TABLE [IF NOT EXISTS] name (column TYPE PRIMARY KEY, …) WITH (KAFKA_TOPIC='topic', VALUE_FORMAT='JSON');
--   CREATE TABLE name [WITH (…)] AS SELECT key, COUNT(*) FROM stream [WINDOW …] GROUP BY key [HAVING …] EMIT CHANGES;
--   CREATE TABLE name [WITH (…)] AS SELECT … FROM table [WHERE …] EMIT CHANGES;
--
-- see docs/sql.md#declare

CREATE TABLE products (item STRING PRIMARY KEY, price DOUBLE) WITH (KAFKA_TOPIC='products', VALUE_FORMAT='JSON', PARTITIONS=1);
CREATE TABLE per_item AS SELECT item, COUNT(*) AS n, SUM(amount) AS total FROM orders GROUP BY item EMIT CHANGES;
