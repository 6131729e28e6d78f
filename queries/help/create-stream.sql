-- CREATE STREAM: declare a stream over a topic, or make one from a query
-- also: CREATE STREAM AS SELECT, CSAS, PARTITION BY
--
--   CREATE [OR REPLACE] STREAM [IF NOT EXISTS] name (column TYPE [KEY], …) WITH (KAFKA_TOPIC='topic', VALUE_FORMAT='JSON', PARTITIONS=4);
--   CREATE STREAM name [WITH (…)] AS SELECT … FROM stream [WHERE …] [PARTITION BY …] EMIT CHANGES;
--
-- see docs/sql.md#declare

CREATE STREAM clicks (user_id BIGINT KEY, page STRING) WITH (KAFKA_TOPIC='clicks', VALUE_FORMAT='JSON', PARTITIONS=1);
CREATE STREAM teas AS SELECT id, amount FROM orders WHERE item = 'tea' EMIT CHANGES;
