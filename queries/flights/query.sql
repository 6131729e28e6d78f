-- Departures from New York: delays per carrier and day, traffic per airport, how long planes stay
-- busy, and delays per manufacturer.
--
-- GRACE PERIOD is longer than the year that the whole data set covers. A query reads its four
-- partitions side by side, and behind a repartition their rows come in any order: one partition may be
-- in December while another is in January. With a shorter grace it would depend on the machine's speed
-- which rows are too late; with this one none is.

SET 'auto.offset.reset' = 'earliest';

-- The key is the tail number as well, but a key and a value column cannot have the same name. A
-- flight without a tail number has no key.
CREATE STREAM IF NOT EXISTS flights (
    plane STRING KEY,
    time_hour STRING,
    carrier STRING,
    flight INT,
    tailnum STRING,
    origin STRING,
    dest STRING,
    dep_delay DOUBLE,
    arr_delay DOUBLE,
    distance DOUBLE
) WITH (KAFKA_TOPIC = 'flights', VALUE_FORMAT = 'JSON', PARTITIONS = 4);

CREATE TABLE IF NOT EXISTS planes (
    tailnum_key STRING PRIMARY KEY,
    manufacturer STRING,
    model STRING,
    year INT,
    seats INT
) WITH (KAFKA_TOPIC = 'planes', VALUE_FORMAT = 'JSON', PARTITIONS = 4);

CREATE TABLE IF NOT EXISTS delay_per_carrier AS
    SELECT carrier, COUNT(*) AS flights, AVG(dep_delay) AS mean_delay
    FROM flights
    WINDOW TUMBLING (SIZE 1 DAY, GRACE PERIOD 400 DAYS)
    GROUP BY carrier
    EMIT CHANGES;

CREATE TABLE IF NOT EXISTS per_origin AS
    SELECT origin, COUNT(*) AS flights
    FROM flights
    WINDOW HOPPING (SIZE 6 HOURS, ADVANCE BY 1 HOUR, GRACE PERIOD 400 DAYS)
    GROUP BY origin
    EMIT CHANGES;

CREATE TABLE IF NOT EXISTS tail_sessions AS
    SELECT tailnum, COUNT(*) AS flights
    FROM flights
    WINDOW SESSION (12 HOURS, GRACE PERIOD 400 DAYS)
    GROUP BY tailnum
    EMIT CHANGES;

CREATE STREAM IF NOT EXISTS flights_with_planes AS
    SELECT flights.plane AS plane, time_hour, carrier, flight, manufacturer, dep_delay
    FROM flights
    JOIN planes ON flights.plane = planes.tailnum_key
    EMIT CHANGES;

CREATE TABLE IF NOT EXISTS delay_per_manufacturer AS
    SELECT manufacturer, COUNT(*) AS flights, AVG(dep_delay) AS mean_delay
    FROM flights_with_planes
    GROUP BY manufacturer
    EMIT CHANGES;
