-- TYPES: the types of columns
-- also: BOOLEAN, INT, INTEGER, BIGINT, DOUBLE, DECIMAL, STRING, VARCHAR, BYTES, DATE, TIME, TIMESTAMP, ARRAY, MAP, STRUCT, CAST
--
--   BOOLEAN, INT, BIGINT, DOUBLE, DECIMAL(precision, scale), STRING, BYTES, DATE, TIME, TIMESTAMP,
--   ARRAY<type>, MAP<STRING, type>, STRUCT<name type, …>
--
-- see docs/sql.md#expressions

SELECT ARRAY[1, 2][1], STRUCT(a := 1)->a, MAP('x' := 2)['x'], CAST('2024-01-01' AS DATE);
CREATE STREAM readings (sensor STRING KEY, at TIMESTAMP, value DECIMAL(9, 3), labels MAP<STRING, STRING>)
  WITH (KAFKA_TOPIC='readings', VALUE_FORMAT='JSON', PARTITIONS=1);
