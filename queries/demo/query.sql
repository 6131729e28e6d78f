SELECT customer, item, amount FROM demo_orders WHERE amount > 5 EMIT CHANGES LIMIT 5;
SELECT item, orders, total FROM demo_totals ORDER BY total DESC LIMIT 5;
SELECT customer, COUNT(*) AS orders FROM demo_orders GROUP BY customer EMIT CHANGES;
