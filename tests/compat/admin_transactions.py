"""Administration and transactions with librdkafka and kafka-python."""

import sys
import time

from confluent_kafka import Consumer, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import (AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource, NewPartitions,
                                   NewTopic, OffsetSpec, ResourceType)

ADDRESS = sys.argv[1] if len(sys.argv) > 1 else 'localhost:9092'
RUN = str(int(time.time()))


def check(condition, what):
    if not condition:
        raise SystemExit(f'FAILED: {what}')
    print(f'ok: {what}')


def read(topic, isolation, count, group):
    consumer = Consumer({'bootstrap.servers': ADDRESS, 'group.id': group + RUN, 'auto.offset.reset': 'earliest',
                         'isolation.level': isolation, 'enable.partition.eof': True})
    consumer.subscribe([topic])
    values, deadline = [], time.time() + 15
    while time.time() < deadline:
        message = consumer.poll(0.5)
        if message is None:
            continue
        if message.error():
            if len(values) >= count:
                break
            continue
        values.append(message.value().decode())
    consumer.close()
    return values


def administration():
    admin = AdminClient({'bootstrap.servers': ADDRESS})
    topic = 'admin' + RUN
    new = NewTopic(topic, num_partitions=2, replication_factor=-1, config={'retention.ms': '12345'})
    admin.create_topics([new])[topic].result(10)
    try:
        admin.create_topics([new])[topic].result(10)
        check(False, 'a topic cannot be created twice')
    except KafkaException as error:
        check(error.args[0].name() == 'TOPIC_ALREADY_EXISTS', 'a topic cannot be created twice')
    resource = ConfigResource(ResourceType.TOPIC, topic)
    configs = admin.describe_configs([resource])[resource].result(10)
    check(configs['retention.ms'].value == '12345', 'settings of CreateTopics are kept')
    check(configs['cleanup.policy'].value == 'delete' and len(configs) >= 25, f'all {len(configs)} settings are shown')
    change = ConfigResource(ResourceType.TOPIC, topic, incremental_configs=[
        ConfigEntry('max.message.bytes', '2000', incremental_operation=AlterConfigOpType.SET),
        ConfigEntry('cleanup.policy', 'compact', incremental_operation=AlterConfigOpType.APPEND),
        ConfigEntry('retention.ms', None, incremental_operation=AlterConfigOpType.DELETE)])
    admin.incremental_alter_configs([change])[change].result(10)
    configs = admin.describe_configs([resource])[resource].result(10)
    found = (configs['max.message.bytes'].value, configs['retention.ms'].value, set(configs['cleanup.policy'].value.split(',')))
    check(found == ('2000', '604800000', {'compact', 'delete'}), f'settings are set, reset and appended to: {found}')
    admin.create_partitions([NewPartitions(topic, 4)])[topic].result(10)
    check(len(admin.list_topics(topic, timeout=10).topics[topic].partitions) == 4, 'partitions are added')
    failures = []
    producer = Producer({'bootstrap.servers': ADDRESS, 'message.max.bytes': 10000000})
    producer.produce(topic, key='k', value=b'x' * 5000, on_delivery=lambda error, _: failures.append(error))
    producer.flush(10)
    check(failures[0] is not None and failures[0].name() == 'MSG_SIZE_TOO_LARGE', f'a large batch is refused: {failures}')
    cluster = admin.describe_cluster().result(10)
    check(len(cluster.nodes) == 1 and cluster.controller.id == 1, 'the cluster is described')
    records = 'records' + RUN
    admin.create_topics([NewTopic(records, 1, 1)])[records].result(10)
    for number in range(10):
        producer.produce(records, value=str(number), timestamp=1000 + number)
    producer.flush(10)
    partition = TopicPartition(records, 0)
    for spec, expected in [(OffsetSpec.earliest(), 0), (OffsetSpec.latest(), 10), (OffsetSpec.for_timestamp(1004), 4),
                           (OffsetSpec.max_timestamp(), 9)]:
        offset = admin.list_offsets({partition: spec})[partition].result(10).offset
        check(offset == expected, f'offset of {spec._value} is {offset}')
    admin.delete_records([TopicPartition(records, 0, 6)])[TopicPartition(records, 0, 6)].result(10)
    offset = admin.list_offsets({partition: OffsetSpec.earliest()})[partition].result(10).offset
    check(offset == 6, 'records are deleted')
    described = admin.describe_topics(__import__('confluent_kafka').TopicCollection([records]))[records].result(10)
    check(len(described.partitions) == 1, 'a topic is described')
    admin.delete_topics([records])[records].result(10)
    check(records not in admin.list_topics(timeout=10).topics, 'a topic is deleted')


def transactions():
    topic, source = 'txn' + RUN, 'source' + RUN
    producer = Producer({'bootstrap.servers': ADDRESS, 'transactional.id': 't' + RUN, 'transaction.timeout.ms': 60000})
    producer.init_transactions(10)
    producer.begin_transaction()
    producer.produce(topic, value='kept')
    producer.commit_transaction(10)
    producer.begin_transaction()
    producer.produce(topic, value='dropped')
    producer.flush(10)
    producer.abort_transaction(10)
    producer.begin_transaction()
    producer.commit_transaction(10)
    check(read(topic, 'read_committed', 1, 'rc') == ['kept'], 'read_committed skips what was aborted')
    check(read(topic, 'read_uncommitted', 2, 'ru') == ['kept', 'dropped'], 'read_uncommitted sees all')
    plain = Producer({'bootstrap.servers': ADDRESS})
    for number in range(5):
        plain.produce(source, value=str(number))
    plain.flush(10)
    consumer = Consumer({'bootstrap.servers': ADDRESS, 'group.id': 'eos' + RUN, 'auto.offset.reset': 'earliest',
                         'enable.auto.commit': False, 'isolation.level': 'read_committed'})
    consumer.subscribe([source])
    got = []
    while len(got) < 5:
        message = consumer.poll(5)
        if message is not None and message.error() is None:
            got.append(message)
    for commit in (False, True):
        producer.begin_transaction()
        for message in got:
            producer.produce(topic, value=b'copy ' + message.value())
        producer.send_offsets_to_transaction(consumer.position(consumer.assignment()), consumer.consumer_group_metadata(), 10)
        if commit:
            producer.commit_transaction(10)
        else:
            producer.abort_transaction(10)
        offset = consumer.committed([TopicPartition(source, 0)], timeout=10)[0].offset
        check(offset == (5 if commit else -1001), f'offsets in a transaction, committed {commit}: {offset}')
    consumer.close()
    copies = read(topic, 'read_committed', 6, 'rc2')
    check(copies == ['kept'] + [f'copy {n}' for n in range(5)], f'each input has one result: {copies}')
    fenced = Producer({'bootstrap.servers': ADDRESS, 'transactional.id': 't' + RUN})
    fenced.init_transactions(10)
    producer.begin_transaction()
    producer.produce(topic, value='zombie')
    try:
        producer.commit_transaction(10)
        check(False, 'an older producer is fenced')
    except KafkaException as error:
        check(error.args[0].name() in ('_FENCED', 'PRODUCER_FENCED', 'INVALID_PRODUCER_EPOCH'), f'an older producer is fenced: {error.args[0].name()}')


def kafka_python():
    from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer
    topic = 'kptxn' + RUN
    producer = KafkaProducer(bootstrap_servers=ADDRESS, transactional_id='kp' + RUN)
    producer.init_transactions()
    producer.begin_transaction()
    producer.send(topic, b'kept')
    producer.commit_transaction()
    producer.begin_transaction()
    producer.send(topic, b'dropped')
    producer.flush()
    producer.abort_transaction()
    producer.close()
    consumer = KafkaConsumer(topic, bootstrap_servers=ADDRESS, auto_offset_reset='earliest', isolation_level='read_committed', consumer_timeout_ms=3000)
    values = [record.value for record in consumer]
    check(values == [b'kept'], f'kafka-python: transactions: {values}')
    admin = KafkaAdminClient(bootstrap_servers=ADDRESS)
    check(topic in admin.list_topics(), 'kafka-python lists topics')
    check(len(admin.describe_cluster()['cluster_id']) == 22, 'kafka-python describes the cluster')
    for call in ('list_transactions', 'describe_transactions', 'describe_producers'):
        if not hasattr(admin, call):
            print(f'skip: kafka-python has no {call}')
            continue
    if hasattr(admin, 'list_transactions'):
        check('kp' + RUN in str(admin.list_transactions()), 'kafka-python lists transactions')
    if hasattr(admin, 'describe_transactions'):
        check('CompleteAbort' in str(admin.describe_transactions(['kp' + RUN])), 'kafka-python describes transactions')


administration()
transactions()
kafka_python()
