-- PRINT: show a topic's records
--
--   PRINT topic [FROM BEGINNING | FROM OFFSET n] [INTERVAL n] [LIMIT n];   OFFSET -n: the last n of each partition
--
-- see docs/sql.md#rows-and-queries

PRINT orders FROM BEGINNING LIMIT 3;
PRINT 'payments' FROM OFFSET -1 LIMIT 1;
