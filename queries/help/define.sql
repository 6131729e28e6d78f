-- DEFINE: name a text that statements can use
-- also: UNDEFINE, VARIABLES
--
--   DEFINE name = 'value';   then ${name} stands for value
--   UNDEFINE name;
--
-- see docs/sql.md#rows-and-queries

DEFINE what = 'tea';
SELECT id, amount FROM orders WHERE item = '${what}';
UNDEFINE what;
