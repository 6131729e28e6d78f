-- TERMINATE: end, pause or resume a persistent query
-- also: PAUSE, RESUME
--
--   TERMINATE query_id | ALL;   for good; what it has written stays
--   PAUSE query_id | ALL;
--   RESUME query_id | ALL;      goes on where it stopped
--   SHOW QUERIES tells the ids.
--
-- see docs/sql.md#rows-and-queries

PAUSE ALL;
RESUME ALL;
TERMINATE ALL;
