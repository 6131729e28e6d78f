-- ALTER: add columns
-- also: ALTER STREAM, ALTER TABLE, ADD COLUMN
--
--   ALTER STREAM | TABLE name ADD COLUMN column TYPE [, ADD COLUMN …];
--
-- see docs/sql.md#declare

ALTER STREAM orders ADD COLUMN agent STRING;
ALTER TABLE users ADD COLUMN zip STRING, ADD COLUMN country STRING;
