-- DROP: remove a stream, table or type
-- also: DROP STREAM, DROP TABLE, DROP TYPE, DELETE TOPIC
--
--   DROP STREAM | TABLE | TYPE [IF EXISTS] name [DELETE TOPIC];
--   The query that writes it ends; others that read it have to be ended before.
--
-- see docs/sql.md#declare

DROP STREAM payments;
DROP TABLE IF EXISTS users DELETE TOPIC;
