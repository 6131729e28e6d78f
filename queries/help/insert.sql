-- INSERT: add rows
-- also: INSERT INTO, VALUES
--
--   INSERT INTO name [(column, …)] VALUES (value, …), …;
--   INSERT INTO stream SELECT … FROM other EMIT CHANGES;
--
-- see docs/sql.md#rows-and-queries

INSERT INTO orders (id, item, amount, user_id) VALUES (4, 'cake', 7.25, 2), (5, 'tea', 4.5, 1);
INSERT INTO payments SELECT id, AS_VALUE(id) AS order_id, amount AS paid FROM orders EMIT CHANGES;
