-- DESCRIBE: show what a stream, table or function is
--
--   DESCRIBE name [EXTENDED];
--   DESCRIBE STREAMS | TABLES;
--   DESCRIBE FUNCTION name;
--
-- see docs/sql.md#rows-and-queries

DESCRIBE orders EXTENDED;
DESCRIBE FUNCTION SUBSTRING;
