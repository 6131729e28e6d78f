-- ASSERT: wait until a topic is there, or fail
-- also: ASSERT TOPIC, ASSERT SCHEMA
--
--   ASSERT [NOT EXISTS] TOPIC name [WITH (PARTITIONS=n)] [TIMEOUT n SECONDS];
--
-- see docs/sql.md#what-ksqldb-has-besides

ASSERT TOPIC orders WITH (PARTITIONS=1) TIMEOUT 5 SECONDS;
ASSERT NOT EXISTS TOPIC nothing;
