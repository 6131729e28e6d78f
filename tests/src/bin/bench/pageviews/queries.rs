//! The queries, and the sources that they read.

/// A query over page views.
pub(crate) struct Query {
    pub(crate) name: &'static str,
    /// What makes its result, stream by stream; the last one is `r`.
    pub(crate) statements: &'static [&'static str],
    /// The same work for DataFusion in batch.
    pub(crate) batch: &'static str,
}

pub(crate) const QUERIES: [Query; 5] = [
    Query {
        name: "filter",
        statements: &[
            "CREATE STREAM r AS SELECT user_key, userid, pageid, viewtime, duration FROM pageviews WHERE duration > 300 EMIT CHANGES",
        ],
        batch: "SELECT userid, pageid, viewtime, duration FROM pageviews WHERE duration > 300",
    },
    Query {
        name: "count_per_page",
        statements: &[
            "CREATE TABLE r AS SELECT pageid, COUNT(*) AS n, SUM(duration) AS total FROM pageviews WINDOW TUMBLING (SIZE 1 MINUTE) GROUP BY pageid EMIT CHANGES",
        ],
        batch: "SELECT pageid, viewtime - viewtime % 60000 AS w, COUNT(*) AS n, SUM(duration) AS total FROM pageviews GROUP BY 1, 2",
    },
    Query {
        name: "count_per_user",
        statements: &[
            "CREATE TABLE r AS SELECT userid, COUNT(*) AS n, SUM(duration) AS total FROM pageviews WINDOW TUMBLING (SIZE 1 MINUTE) GROUP BY userid EMIT CHANGES",
        ],
        batch: "SELECT userid, viewtime - viewtime % 60000 AS w, COUNT(*) AS n, SUM(duration) AS total FROM pageviews GROUP BY 1, 2",
    },
    Query {
        name: "join",
        statements: &[
            "CREATE STREAM r AS SELECT p.user_key AS user_key, p.pageid AS pageid, p.duration AS duration, u.city AS city FROM pageviews p JOIN users u ON p.user_key = u.id EMIT CHANGES",
        ],
        batch: "SELECT userid, pageid, duration, city FROM pageviews JOIN users ON userid = id",
    },
    Query {
        name: "chained",
        statements: &[
            "CREATE STREAM long_views AS SELECT user_key, pageid, duration FROM pageviews WHERE duration > 300 EMIT CHANGES",
            "CREATE STREAM with_city AS SELECT p.user_key AS user_key, p.duration AS duration, u.city AS city FROM long_views p JOIN users u ON p.user_key = u.id EMIT CHANGES",
            "CREATE TABLE r AS SELECT city, COUNT(*) AS n, SUM(duration) AS total FROM with_city WINDOW TUMBLING (SIZE 1 MINUTE) GROUP BY city EMIT CHANGES",
        ],
        batch: "SELECT city, viewtime - viewtime % 60000 AS w, COUNT(*) AS n, SUM(duration) AS total FROM pageviews JOIN users ON userid = id WHERE duration > 300 GROUP BY 1, 2",
    },
];

/// The statements that declare the topics of so many partitions ([`super::topics`]).
pub(crate) fn sources(partitions: i32) -> [String; 2] {
    [
        format!(
            "CREATE STREAM pageviews (user_key STRING KEY, viewtime BIGINT, userid STRING, pageid STRING, url STRING, client_ip STRING, \
             duration BIGINT, from_url STRING, agent STRING) WITH (KAFKA_TOPIC='pageviews_{partitions}', VALUE_FORMAT='JSON')"
        ),
        format!(
            "CREATE TABLE users (id STRING PRIMARY KEY, city STRING) WITH (KAFKA_TOPIC='users_{partitions}', VALUE_FORMAT='JSON')"
        ),
    ]
}
