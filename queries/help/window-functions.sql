-- WINDOW FUNCTIONS: compare rows with those around them, in queries that end
-- also: OVER, LAG, LEAD, ROW_NUMBER, RANK, DENSE_RANK, PERCENT_RANK, CUME_DIST, NTILE, FIRST_VALUE, LAST_VALUE, NTH_VALUE
--
--   SELECT LAG(column [, n [, default]]) OVER ([PARTITION BY …] ORDER BY …) FROM name;
--   Every aggregate can stand before OVER, too. They need all rows, and so are for queries without EMIT CHANGES.
--
-- see docs/sql.md#ask-once

SELECT id, amount, amount - LAG(amount) OVER (PARTITION BY user_id ORDER BY id) AS more_than_before FROM orders;
SELECT id, item, ROW_NUMBER() OVER (PARTITION BY item ORDER BY amount DESC) AS place FROM orders;
