-- JOIN: bring sources together
-- also: INNER JOIN, LEFT JOIN, RIGHT JOIN, FULL JOIN, WITHIN
--
--   stream [INNER | LEFT] JOIN table ON stream.column = table.key
--   stream [INNER | LEFT | RIGHT | FULL] JOIN stream WITHIN 1 HOUR [GRACE PERIOD 5 MINUTES] ON a.column = b.column
--   table [INNER | LEFT | RIGHT | FULL] JOIN table ON table.key = table.key
--   table [INNER | LEFT] JOIN table ON table.column = table.key
--
-- see docs/sql.md#query-for-ever

SELECT o.user_id, o.item, u.name FROM orders o LEFT JOIN users u ON o.user_id = u.id EMIT CHANGES;
SELECT o.id, o.item, p.paid FROM orders o JOIN payments p WITHIN 1 HOUR ON o.id = p.order_id EMIT CHANGES;
