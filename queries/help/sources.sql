CREATE STREAM IF NOT EXISTS orders (id BIGINT KEY, item STRING, amount DOUBLE, user_id BIGINT, tags ARRAY<STRING>, address STRUCT<city STRING>)
  WITH (KAFKA_TOPIC='orders', VALUE_FORMAT='JSON', PARTITIONS=1);
CREATE STREAM IF NOT EXISTS payments (id BIGINT KEY, order_id BIGINT, paid DOUBLE)
  WITH (KAFKA_TOPIC='payments', VALUE_FORMAT='JSON', PARTITIONS=1);
CREATE TABLE IF NOT EXISTS users (id BIGINT PRIMARY KEY, name STRING, city STRING)
  WITH (KAFKA_TOPIC='users', VALUE_FORMAT='JSON', PARTITIONS=1);
INSERT INTO users VALUES (1, 'Ada', 'London'), (2, 'Bob', 'Lima');
INSERT INTO orders (id, item, amount, user_id) VALUES (1, 'tea', 4.5, 1), (2, 'milk', 1.2, 2), (3, 'tea', 9.0, 1);
INSERT INTO payments VALUES (10, 1, 4.5), (11, 3, 9.0);
