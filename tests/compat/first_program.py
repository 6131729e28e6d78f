"""The first program of everybody who meets Kafka: one record there and back, printed with its place."""

import sys

from kafka import KafkaConsumer, KafkaProducer

ADDRESS = sys.argv[1] if len(sys.argv) > 1 else 'localhost:9092'

producer = KafkaProducer(bootstrap_servers=ADDRESS)
producer.send('my_topic', key=b'key', value=b'Hello, Kafka!')
producer.flush()

consumer = KafkaConsumer(
    'my_topic',
    bootstrap_servers=ADDRESS,
    auto_offset_reset='earliest',
    consumer_timeout_ms=5000,
)
for message in consumer:
    print(f'{message.topic}:{message.partition}:{message.offset}: key={message.key} value={message.value}')
    break
