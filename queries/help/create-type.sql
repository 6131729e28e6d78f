-- CREATE TYPE: name a type
--
--   CREATE TYPE [IF NOT EXISTS] name AS TYPE;
--   DROP TYPE [IF EXISTS] name;
--
-- see docs/sql.md#declare

CREATE TYPE place AS STRUCT<city STRING, zip STRING>;
CREATE STREAM visits (id INT KEY, at place) WITH (KAFKA_TOPIC='visits', VALUE_FORMAT='JSON', PARTITIONS=1);
