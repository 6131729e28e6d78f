"""The first program of everybody who meets Kafka: one record there and back, printed with its place."""

from kafka import KafkaConsumer, KafkaProducer

producer = KafkaProducer(bootstrap_servers='localhost:9092')
producer.send('my_topic', key=b'key', value=b'Hello, Kafka!')
producer.flush()

consumer = KafkaConsumer(
    'my_topic',
    bootstrap_servers='localhost:9092',
    auto_offset_reset='earliest',
    consumer_timeout_ms=5000,
)
for message in consumer:
    print(f'{message.topic}:{message.partition}:{message.offset}: key={message.key} value={message.value}')
    break
