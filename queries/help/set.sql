-- SET: change a setting of the session
-- also: UNSET, SETTINGS, PROPERTIES
--
--   SET 'setting' = 'value';
--   UNSET 'setting';
--   SHOW PROPERTIES lists them. A persistent query keeps those that it was made under.
--
-- see docs/configuration.md#settings

SET 'auto.offset.reset' = 'earliest';
SELECT id, item FROM orders EMIT CHANGES;
UNSET 'auto.offset.reset';
