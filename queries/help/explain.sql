-- EXPLAIN: show how a query is run
--
--   EXPLAIN query_id;   SHOW QUERIES tells the ids
--   EXPLAIN SELECT …;
--
-- see docs/sql.md#rows-and-queries

EXPLAIN SELECT item, COUNT(*) AS n FROM orders GROUP BY item EMIT CHANGES;
EXPLAIN SELECT o.user_id, u.name FROM orders o JOIN users u ON o.user_id = u.id EMIT CHANGES;
