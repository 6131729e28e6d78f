//! The requests that are understood, field by field, as Kafka 4.1's message definitions have them.

use super::{Shape, bytes, fixed, optional, scalars, string, structs};

const NEVER: i16 = i16::MAX;

pub(crate) static PRODUCE: Shape = Shape::new(
    9,
    &[string(), fixed(2), fixed(4), structs(&[string().until(12), fixed(16).since(13), structs(&[fixed(4), bytes()])])],
);
pub(crate) static FETCH: Shape = Shape::new(
    12,
    &[
        fixed(4).until(14),
        fixed(4),
        fixed(4),
        fixed(4),
        fixed(1),
        fixed(4).since(7),
        fixed(4).since(7),
        structs(&[
            string().until(12),
            fixed(16).since(13),
            structs(&[fixed(4), fixed(4).since(9), fixed(8), fixed(4).since(12), fixed(8).since(5), fixed(4)]),
        ]),
        structs(&[string().until(12).since(7), fixed(16).since(13), scalars(&fixed(4)).since(7)]).since(7),
        string().since(11),
    ],
)
.with_reserved_tags(2);
pub(crate) static LIST_OFFSETS: Shape = Shape::new(
    6,
    &[
        fixed(4),
        fixed(1).since(2),
        structs(&[string(), structs(&[fixed(4), fixed(4).since(4), fixed(8)])]),
        fixed(4).since(10),
    ],
);
pub(crate) static METADATA: Shape = Shape::new(
    9,
    &[structs(&[fixed(16).since(10), string()]), fixed(1).since(4), fixed(1).until(10).since(8), fixed(1).since(8)],
);
pub(crate) static OFFSET_COMMIT: Shape = Shape::new(
    8,
    &[
        string(),
        fixed(4),
        string(),
        string().since(7),
        fixed(8).until(4),
        structs(&[string(), structs(&[fixed(4), fixed(8), fixed(4).since(6), string()])]),
    ],
);
pub(crate) static OFFSET_FETCH: Shape = Shape::new(
    6,
    &[
        string().until(7),
        structs(&[string().until(7), scalars(&fixed(4)).until(7)]).until(7),
        structs(&[
            string().since(8),
            string().since(9),
            fixed(4).since(9),
            structs(&[string().since(8), scalars(&fixed(4)).since(8)]).since(8),
        ])
        .since(8),
        fixed(1).since(7),
    ],
);
pub(crate) static FIND_COORDINATOR: Shape =
    Shape::new(3, &[string().until(3), fixed(1).since(1), scalars(&string()).since(4)]);
pub(crate) static JOIN_GROUP: Shape = Shape::new(
    6,
    &[
        string(),
        fixed(4),
        fixed(4).since(1),
        string(),
        string().since(5),
        string(),
        structs(&[string(), bytes()]),
        string().since(8),
    ],
);
pub(crate) static HEARTBEAT: Shape = Shape::new(4, &[string(), fixed(4), string(), string().since(3)]);
pub(crate) static LEAVE_GROUP: Shape = Shape::new(
    4,
    &[string(), string().until(2), structs(&[string().since(3), string().since(3), string().since(5)]).since(3)],
);
pub(crate) static SYNC_GROUP: Shape = Shape::new(
    4,
    &[
        string(),
        fixed(4),
        string(),
        string().since(3),
        string().since(5),
        string().since(5),
        structs(&[string(), bytes()]),
    ],
);
pub(crate) static DESCRIBE_GROUPS: Shape = Shape::new(5, &[scalars(&string()), fixed(1).since(3)]);
pub(crate) static LIST_GROUPS: Shape = Shape::new(3, &[scalars(&string()).since(4), scalars(&string()).since(5)]);
pub(crate) static API_VERSIONS: Shape = Shape::new(3, &[string().since(3), string().since(3)]);
pub(crate) static CREATE_TOPICS: Shape = Shape::new(
    5,
    &[
        structs(&[
            string(),
            fixed(4),
            fixed(2),
            structs(&[fixed(4), scalars(&fixed(4))]),
            structs(&[string(), string()]),
        ]),
        fixed(4),
        fixed(1),
    ],
);
pub(crate) static DELETE_TOPICS: Shape =
    Shape::new(4, &[structs(&[string().since(6), fixed(16).since(6)]).since(6), scalars(&string()).until(5), fixed(4)]);
pub(crate) static DELETE_RECORDS: Shape =
    Shape::new(2, &[structs(&[string(), structs(&[fixed(4), fixed(8)])]), fixed(4)]);
pub(crate) static INIT_PRODUCER_ID: Shape = Shape::new(2, &[string(), fixed(4), fixed(8).since(3), fixed(2).since(3)]);
pub(crate) static OFFSET_FOR_LEADER_EPOCH: Shape =
    Shape::new(4, &[fixed(4).since(3), structs(&[string(), structs(&[fixed(4), fixed(4), fixed(4)])])]);
pub(crate) static ADD_PARTITIONS_TO_TXN: Shape = Shape::new(
    3,
    &[
        structs(&[
            string().since(4),
            fixed(8).since(4),
            fixed(2).since(4),
            fixed(1).since(4),
            structs(&[string(), scalars(&fixed(4))]).since(4),
        ])
        .since(4),
        string().until(3),
        fixed(8).until(3),
        fixed(2).until(3),
        structs(&[string(), scalars(&fixed(4))]).until(3),
    ],
);
pub(crate) static ADD_OFFSETS_TO_TXN: Shape = Shape::new(3, &[string(), fixed(8), fixed(2), string()]);
pub(crate) static END_TXN: Shape = Shape::new(3, &[string(), fixed(8), fixed(2), fixed(1)]);
pub(crate) static WRITE_TXN_MARKERS: Shape =
    Shape::new(1, &[structs(&[fixed(8), fixed(2), fixed(1), structs(&[string(), scalars(&fixed(4))]), fixed(4)])]);
pub(crate) static TXN_OFFSET_COMMIT: Shape = Shape::new(
    3,
    &[
        string(),
        string(),
        fixed(8),
        fixed(2),
        fixed(4).since(3),
        string().since(3),
        string().since(3),
        structs(&[string(), structs(&[fixed(4), fixed(8), fixed(4).since(2), string()])]),
    ],
);
pub(crate) static DESCRIBE_CONFIGS: Shape =
    Shape::new(4, &[structs(&[fixed(1), string(), scalars(&string())]), fixed(1), fixed(1).since(3)]);
pub(crate) static ALTER_CONFIGS: Shape =
    Shape::new(2, &[structs(&[fixed(1), string(), structs(&[string(), string()])]), fixed(1)]);
pub(crate) static INCREMENTAL_ALTER_CONFIGS: Shape =
    Shape::new(1, &[structs(&[fixed(1), string(), structs(&[string(), fixed(1), string()])]), fixed(1)]);
pub(crate) static CREATE_PARTITIONS: Shape =
    Shape::new(2, &[structs(&[string(), fixed(4), structs(&[scalars(&fixed(4))])]), fixed(4), fixed(1)]);
pub(crate) static DELETE_GROUPS: Shape = Shape::new(2, &[scalars(&string())]);
pub(crate) static OFFSET_DELETE: Shape = Shape::new(NEVER, &[string(), structs(&[string(), structs(&[fixed(4)])])]);
pub(crate) static DESCRIBE_CLUSTER: Shape = Shape::new(0, &[fixed(1), fixed(1).since(1), fixed(1).since(2)]);
pub(crate) static DESCRIBE_LOG_DIRS: Shape = Shape::new(2, &[structs(&[string(), scalars(&fixed(4))])]);
pub(crate) static DESCRIBE_PRODUCERS: Shape = Shape::new(0, &[structs(&[string(), scalars(&fixed(4))])]);
pub(crate) static DESCRIBE_TRANSACTIONS: Shape = Shape::new(0, &[scalars(&string())]);
pub(crate) static LIST_TRANSACTIONS: Shape =
    Shape::new(0, &[scalars(&string()), scalars(&fixed(8)), fixed(8).since(1), string().since(2)]);
pub(crate) static LIST_PARTITION_REASSIGNMENTS: Shape =
    Shape::new(0, &[fixed(4), structs(&[string(), scalars(&fixed(4))])]);
pub(crate) static LIST_CONFIG_RESOURCES: Shape = Shape::new(0, &[scalars(&fixed(1)).since(1)]);
pub(crate) static DESCRIBE_TOPIC_PARTITIONS: Shape =
    Shape::new(0, &[structs(&[string()]), fixed(4), optional(&[string(), fixed(4)])]);
pub(crate) static CONSUMER_GROUP_HEARTBEAT: Shape = Shape::new(
    0,
    &[
        string(),
        string(),
        fixed(4),
        string(),
        string(),
        fixed(4),
        scalars(&string()),
        string().since(1),
        string(),
        structs(&[fixed(16), scalars(&fixed(4))]),
    ],
);
pub(crate) static CONSUMER_GROUP_DESCRIBE: Shape = Shape::new(0, &[scalars(&string()), fixed(1)]);
pub(crate) static SASL_HANDSHAKE: Shape = Shape::new(NEVER, &[string()]);
pub(crate) static SASL_AUTHENTICATE: Shape = Shape::new(2, &[bytes()]);
pub(crate) static DESCRIBE_ACLS: Shape =
    Shape::new(2, &[fixed(1), string(), fixed(1).since(1), string(), string(), fixed(1), fixed(1)]);
pub(crate) static CREATE_ACLS: Shape =
    Shape::new(2, &[structs(&[fixed(1), string(), fixed(1).since(1), string(), string(), fixed(1), fixed(1)])]);
pub(crate) static DELETE_ACLS: Shape =
    Shape::new(2, &[structs(&[fixed(1), string(), fixed(1).since(1), string(), string(), fixed(1), fixed(1)])]);
