"""Consumer groups with three clients: members share partitions, positions survive, static members keep their place."""

import asyncio
import sys
import threading
import time

ADDRESS = sys.argv[1] if len(sys.argv) > 1 else 'localhost:9092'


def check(condition, what):
    if not condition:
        raise SystemExit(f'FAILED: {what}')
    print(f'ok: {what}')


def kafka_python():
    from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, TopicPartition

    producer = KafkaProducer(bootstrap_servers=ADDRESS)
    for number in range(20):
        producer.send('groups_kp', key=b'%d' % number, value=b'%d' % number)
    producer.flush()
    options = dict(bootstrap_servers=ADDRESS, group_id='kp', auto_offset_reset='earliest', consumer_timeout_ms=4000)
    first = KafkaConsumer('groups_kp', enable_auto_commit=False, **options)
    values = []
    for record in first:
        values.append(int(record.value))
        if len(values) == 10:
            break
    first.commit()
    first.close()
    second = KafkaConsumer('groups_kp', **options)
    for record in second:
        values.append(int(record.value))
        if len(values) == 20:
            break
    second.close()
    check(values == list(range(20)), 'kafka-python goes on where its group left off')
    admin = KafkaAdminClient(bootstrap_servers=ADDRESS)
    offsets = admin.list_group_offsets('kp')
    found = str(offsets)
    check('20' in found, f'kafka-python lists the offsets of a group: {found[:150]}')
    admin.close()


def confluent():
    from confluent_kafka import Consumer, Producer, TopicPartition
    from confluent_kafka.admin import AdminClient, NewTopic

    admin = AdminClient({'bootstrap.servers': ADDRESS})
    admin.create_topics([NewTopic('groups_cf', 3, 1)])['groups_cf'].result(10)
    producer = Producer({'bootstrap.servers': ADDRESS, 'enable.idempotence': True})
    for number in range(100):
        producer.produce('groups_cf', key=str(number), value=str(number))
    check(producer.flush(20) == 0, 'librdkafka produces with idempotence')
    seen = []
    lock = threading.Lock()

    def run(name, strategy, instance, stop):
        settings = {'bootstrap.servers': ADDRESS, 'group.id': f'cf-{strategy}', 'auto.offset.reset': 'earliest',
                    'partition.assignment.strategy': strategy, 'session.timeout.ms': 6000}
        if instance:
            settings['group.instance.id'] = name
        consumer = Consumer(settings)
        consumer.subscribe(['groups_cf'])
        while not stop.is_set():
            message = consumer.poll(0.2)
            if message is not None and message.error() is None:
                with lock:
                    seen.append((strategy, int(message.value())))
        consumer.close()

    for strategy, instance in [('range', False), ('cooperative-sticky', False), ('roundrobin', True)]:
        stop = threading.Event()
        members = [threading.Thread(target=run, args=(f'm{i}', strategy, instance, stop)) for i in range(3)]
        for member in members:
            member.start()
        deadline = time.time() + 30
        def count():
            with lock:
                return len([s for s, _ in seen if s == strategy])
        while count() < 100 and time.time() < deadline:
            time.sleep(0.1)
        stop.set()
        for member in members:
            member.join()
        values = sorted(v for s, v in seen if s == strategy)
        check(values == list(range(100)), f'librdkafka: three members by {strategy} read each record once ({len(values)})')
    consumer = Consumer({'bootstrap.servers': ADDRESS, 'group.id': 'cf-meta'})
    consumer.commit(offsets=[TopicPartition('groups_cf', 0, 7, metadata='a note')], asynchronous=False)
    committed = consumer.committed([TopicPartition('groups_cf', 0)], timeout=10)[0]
    check((committed.offset, committed.metadata) == (7, 'a note'), 'librdkafka: metadata of a commit comes back')
    consumer.close()
    listed = {group.group_id for group in admin.list_consumer_groups().result(10).valid}
    check({'cf-range', 'cf-meta'} <= listed, f'librdkafka lists groups: {sorted(listed)}')
    described = admin.describe_consumer_groups(['cf-range'])['cf-range'].result(10)
    check(described.state.name == 'EMPTY', f'librdkafka describes a group: {described.state}')
    admin.delete_consumer_groups(['cf-range'])['cf-range'].result(10)
    check(True, 'librdkafka deletes a group')


async def aio():
    from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

    producer = AIOKafkaProducer(bootstrap_servers=ADDRESS, enable_idempotence=True)
    await producer.start()
    for number in range(20):
        await producer.send_and_wait('groups_aio', b'%d' % number)
    await producer.stop()
    consumer = AIOKafkaConsumer('groups_aio', bootstrap_servers=ADDRESS, group_id='aio', auto_offset_reset='earliest')
    await consumer.start()
    values = []
    while len(values) < 20:
        values.append(int((await asyncio.wait_for(consumer.getone(), 10)).value))
    await consumer.stop()
    check(values == list(range(20)), 'aiokafka produces and consumes in a group')


kafka_python()
confluent()
asyncio.run(aio())
