-- SHOW: list what there is
-- also: LIST
--
--   SHOW STREAMS | TABLES | TOPICS | QUERIES | FUNCTIONS | PROPERTIES | TYPES | VARIABLES;
--
-- see docs/sql.md#rows-and-queries

SHOW STREAMS;
SHOW TOPICS;
