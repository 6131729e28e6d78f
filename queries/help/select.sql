-- SELECT: read a stream or table, once or for ever
-- also: EMIT CHANGES, FROM, WHERE, LIMIT, ORDER BY, PUSH QUERY, PULL QUERY
--
--   SELECT … FROM name [JOIN …] [WINDOW …] [WHERE …] [GROUP BY …] EMIT CHANGES [LIMIT n];   rows as they come, until q or Ctrl-C
--   SELECT … FROM name [any SQL];                                                          what is there now
--
-- see docs/sql.md#query-for-ever and docs/sql.md#ask-once

SELECT id, item, amount FROM orders WHERE amount > 2 EMIT CHANGES;
SELECT item, SUM(amount) AS total FROM orders GROUP BY item ORDER BY total DESC LIMIT 10;
