"""Members of a consumer group by the newer protocol (KIP-848) of librdkafka: they come and go, also from the classic protocol and to
it, and each record is read once."""

import sys
import threading
import time

from confluent_kafka import Consumer, Producer
from confluent_kafka.admin import AdminClient, NewTopic

ADDRESS = sys.argv[1] if len(sys.argv) > 1 else 'localhost:9092'
RUN = str(time.time_ns())


def check(condition, what):
    if not condition:
        raise SystemExit(f'FAILED: {what}')
    print(f'ok: {what}')


class Member(threading.Thread):
    def __init__(self, topic, **settings):
        super().__init__(daemon=True)
        self.stopped = threading.Event()
        self.owned = 0
        self.values = []
        self.errors = []
        self.topic = topic
        self.settings = {'bootstrap.servers': ADDRESS, 'group.id': 'ng' + RUN, 'group.protocol': 'consumer',
                         'auto.offset.reset': 'earliest', **settings}
        self.start()

    def run(self):
        consumer = Consumer(self.settings)
        consumer.subscribe([self.topic])
        while not self.stopped.is_set():
            message = consumer.poll(0.2)
            self.owned = len(consumer.assignment())
            if message is None:
                continue
            if message.error() is None:
                self.values.append(int(message.value()))
            else:
                self.errors.append(str(message.error()))
        consumer.close()

    def end(self):
        self.stopped.set()
        self.join()


def until(what, condition, seconds=40):
    deadline = time.time() + seconds
    while not condition() and time.time() < deadline:
        time.sleep(0.1)
    check(condition(), what)


admin = AdminClient({'bootstrap.servers': ADDRESS})
admin.create_topics([NewTopic('ncf' + RUN, 4, 1)])['ncf' + RUN].result(10)
producer = Producer({'bootstrap.servers': ADDRESS})


def send(numbers):
    for number in numbers:
        producer.produce('ncf' + RUN, key=str(number), value=str(number))
    check(producer.flush(20) == 0, f'{len(numbers)} records are sent')


send(range(100))
first = Member('ncf' + RUN)
until('one member owns everything', lambda: first.owned == 4)
second = Member('ncf' + RUN, **{'group.remote.assignor': 'range'})
until('two members share', lambda: first.owned == 2 and second.owned == 2)
send(range(100, 200))
until('all is read', lambda: len(first.values) + len(second.values) >= 200)
first.end()
until('who goes leaves its share', lambda: second.owned == 4)
send(range(200, 300))
until('all is read', lambda: len(first.values) + len(second.values) >= 300)
second.end()
check(sorted(first.values + second.values) == list(range(300)), 'each record is read once')
by_expression = Member('^ncf' + RUN[:-1] + '.*', **{'group.id': 'nx' + RUN, 'group.instance.id': 'i'})
until('a static member finds a topic by an expression', lambda: len(by_expression.values) == 300)
by_expression.end()
check(not (first.errors + second.errors + by_expression.errors), f'no errors: {first.errors + second.errors}')


def moves(strategy):
    """An application goes over from the classic protocol to the newer one, and back."""
    topic = f'ncm-{strategy}-{RUN}'
    newer = {'group.id': topic}
    classic = {**newer, 'group.protocol': 'classic', 'partition.assignment.strategy': strategy, 'heartbeat.interval.ms': 500}
    admin.create_topics([NewTopic(topic, 4, 1)])[topic].result(10)
    numbers = range(100)

    def send():
        nonlocal numbers
        for number in numbers:
            producer.produce(topic, key=str(number), value=str(number))
        check(producer.flush(20) == 0, f'{len(numbers)} records are sent')
        numbers = range(numbers.stop, numbers.stop + 100)

    send()
    old = Member(topic, **classic)
    until(f'{strategy}: a classic member owns everything', lambda: old.owned == 4)
    new = Member(topic, **newer)
    until('a newer one shares it', lambda: old.owned == 2 and new.owned == 2)
    send()
    old.end()
    until('the newer one owns everything', lambda: new.owned == 4)
    again = Member(topic, **classic)
    until('a classic one shares it', lambda: again.owned == 2 and new.owned == 2)
    send()
    new.end()
    until('the classic one owns everything', lambda: again.owned == 4)
    send()
    members = [old, new, again]
    until('all is read', lambda: sum(len(member.values) for member in members) >= numbers.start)
    again.end()
    check(sorted(sum((member.values for member in members), [])) == list(range(numbers.start)), 'each record is read once')
    check(not any(member.errors for member in members), f'no errors: {[member.errors for member in members]}')


moves('cooperative-sticky')
moves('range')
