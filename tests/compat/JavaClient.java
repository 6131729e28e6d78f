// Kafka's own client, of release 3.9 as of 4.1: the newest version of every request that it knows. Run as
// `java -cp … JavaClient.java [HOST:PORT]`.

import java.time.Duration;
import java.util.*;
import java.util.concurrent.TimeUnit;
import org.apache.kafka.clients.admin.*;
import org.apache.kafka.clients.consumer.*;
import org.apache.kafka.clients.producer.*;
import org.apache.kafka.common.*;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.errors.ProducerFencedException;
import org.apache.kafka.common.header.internals.RecordHeader;
import org.apache.kafka.common.serialization.*;
import org.apache.kafka.common.utils.AppInfoParser;

public class JavaClient {
    static String address;
    static final String RUN = Long.toString(System.currentTimeMillis());

    static void check(boolean condition, String what) {
        if (!condition) {
            System.out.println("FAILED: " + what);
            System.exit(1);
        }
        System.out.println("ok: " + what);
    }

    static Properties properties(String... pairs) {
        Properties properties = new Properties();
        properties.put("bootstrap.servers", address);
        for (int i = 0; i < pairs.length; i += 2) properties.put(pairs[i], pairs[i + 1]);
        return properties;
    }

    static KafkaProducer<String, String> producer(String... pairs) {
        return new KafkaProducer<>(properties(pairs), new StringSerializer(), new StringSerializer());
    }

    static KafkaConsumer<String, String> consumer(String... pairs) {
        return new KafkaConsumer<>(properties(pairs), new StringDeserializer(), new StringDeserializer());
    }

    static List<String> read(KafkaConsumer<String, String> consumer, int count) {
        List<String> values = new ArrayList<>();
        long deadline = System.currentTimeMillis() + 20000;
        while (values.size() < count && System.currentTimeMillis() < deadline)
            for (ConsumerRecord<String, String> record : consumer.poll(Duration.ofMillis(300))) values.add(record.value());
        return values;
    }

    public static void main(String[] arguments) throws Exception {
        address = arguments.length > 0 ? arguments[0] : "localhost:9092";
        Admin admin = Admin.create(properties());
        String topic = "java" + RUN, output = "out" + RUN;
        admin.createTopics(List.of(new NewTopic(topic, Optional.of(3), Optional.empty())
            .configs(Map.of("retention.ms", "99999")), new NewTopic(output, 1, (short) 1))).all().get(10, TimeUnit.SECONDS);
        check(admin.listTopics().names().get().contains(topic), "topics are created and listed");
        TopicDescription description = admin.describeTopics(List.of(topic)).allTopicNames().get().get(topic);
        check(description.partitions().size() == 3, "a topic is described");
        ConfigResource resource = new ConfigResource(ConfigResource.Type.TOPIC, topic);
        admin.incrementalAlterConfigs(Map.of(resource, List.of(
            new AlterConfigOp(new ConfigEntry("segment.bytes", "1048576"), AlterConfigOp.OpType.SET)))).all().get();
        Config config = admin.describeConfigs(List.of(resource)).all().get().get(resource);
        check(config.get("retention.ms").value().equals("99999") && config.get("segment.bytes").value().equals("1048576"),
            "settings are described and altered");
        check(admin.describeCluster().nodes().get().size() == 1, "the cluster is described");
        check(admin.listPartitionReassignments().reassignments().get().isEmpty(), "no partition moves");

        try (KafkaProducer<String, String> producer = producer("compression.type", "zstd", "linger.ms", "5")) {
            for (int i = 0; i < 300; i++) {
                ProducerRecord<String, String> record = new ProducerRecord<>(topic, "k" + i, "v" + i);
                record.headers().add(new RecordHeader("h", new byte[] {1})).add(new RecordHeader("h", new byte[] {2}));
                producer.send(record);
            }
            producer.flush();
        }
        String[] group = {"group.id", "g" + RUN, "auto.offset.reset", "earliest", "isolation.level", "read_committed",
            "enable.auto.commit", "false"};
        KafkaConsumer<String, String> first = consumer(group), second = consumer(group);
        first.subscribe(List.of(topic));
        second.subscribe(List.of(topic));
        List<String> values = new ArrayList<>();
        long deadline = System.currentTimeMillis() + 30000;
        boolean shared = false;
        int headers = 0;
        while ((values.size() < 300 || !shared) && System.currentTimeMillis() < deadline) {
            for (KafkaConsumer<String, String> member : List.of(first, second)) {
                for (ConsumerRecord<String, String> record : member.poll(Duration.ofMillis(100))) {
                    values.add(record.value());
                    for (var header : record.headers().headers("h")) headers++;
                }
                member.commitSync();
            }
            shared = first.assignment().size() + second.assignment().size() == 3
                && !first.assignment().isEmpty() && !second.assignment().isEmpty();
        }
        check(shared, "two members share three partitions");
        check(values.size() == 300 && new HashSet<>(values).size() == 300, "each record is read once: " + values.size());
        check(headers == 600, "headers of one name are kept");
        ConsumerGroupDescription described = admin.describeConsumerGroups(List.of("g" + RUN)).all().get().get("g" + RUN);
        check(described.members().size() == 2 && described.state() == ConsumerGroupState.STABLE, "the group is described");
        var committed = admin.listConsumerGroupOffsets("g" + RUN).partitionsToOffsetAndMetadata().get();
        check(committed.values().stream().mapToLong(OffsetAndMetadata::offset).sum() == 300, "its offsets are listed");
        first.close();
        second.close();
        check(admin.listConsumerGroups().all().get().stream().anyMatch(g -> g.groupId().equals("g" + RUN)), "the group is listed");
        admin.deleteConsumerGroups(List.of("g" + RUN)).all().get();

        KafkaProducer<String, String> writer = producer("transactional.id", "t" + RUN);
        writer.initTransactions();
        KafkaConsumer<String, String> input = consumer("group.id", "eos" + RUN, "auto.offset.reset", "earliest",
            "isolation.level", "read_committed", "enable.auto.commit", "false");
        input.subscribe(List.of(topic));
        int copied = 0;
        boolean abort = true;
        deadline = System.currentTimeMillis() + 30000;
        while (copied < 300 && System.currentTimeMillis() < deadline) {
            ConsumerRecords<String, String> records = input.poll(Duration.ofMillis(300));
            if (records.isEmpty()) continue;
            for (boolean commit : abort ? new boolean[] {false, true} : new boolean[] {true}) {
                writer.beginTransaction();
                Map<TopicPartition, OffsetAndMetadata> offsets = new HashMap<>();
                for (ConsumerRecord<String, String> record : records) {
                    writer.send(new ProducerRecord<>(output, record.key(), "copy " + record.value()));
                    offsets.merge(new TopicPartition(record.topic(), record.partition()),
                        new OffsetAndMetadata(record.offset() + 1), (a, b) -> a.offset() > b.offset() ? a : b);
                }
                writer.sendOffsetsToTransaction(offsets, input.groupMetadata());
                if (commit) writer.commitTransaction(); else { writer.flush(); writer.abortTransaction(); }
            }
            abort = false;
            copied += records.count();
        }
        input.close();
        KafkaConsumer<String, String> reader = consumer("group.id", "r" + RUN, "auto.offset.reset", "earliest",
            "isolation.level", "read_committed");
        reader.subscribe(List.of(output));
        List<String> copies = read(reader, 300);
        copies.addAll(read(reader, 0));
        check(copies.size() == 300 && new HashSet<>(copies).size() == 300, "exactly once: " + copies.size() + " copies");
        reader.close();
        check(admin.listTransactions().all().get().stream().anyMatch(t -> t.transactionalId().equals("t" + RUN)),
            "transactions are listed");
        check(admin.describeTransactions(List.of("t" + RUN)).all().get().get("t" + RUN).state()
            == TransactionState.COMPLETE_COMMIT, "a transaction is described");
        check(admin.describeTransactions(List.of("t" + RUN)).all().get().get("t" + RUN).producerEpoch() > 1
            || AppInfoParser.getVersion().startsWith("3."), "each transaction has an epoch of its own (version 2, since 4.0)");
        TopicPartition partition = new TopicPartition(output, 0);
        check(!admin.describeProducers(List.of(partition)).all().get().get(partition).activeProducers().isEmpty(),
            "producers are described");
        KafkaProducer<String, String> newer = producer("transactional.id", "t" + RUN);
        newer.initTransactions();
        try {
            writer.beginTransaction();
            writer.send(new ProducerRecord<>(output, "k", "zombie"));
            writer.commitTransaction();
            check(false, "an older producer is fenced");
        } catch (KafkaException error) {
            check(error instanceof ProducerFencedException || error.getCause() instanceof ProducerFencedException
                || error.toString().contains("epoch"), "an older producer is fenced: " + error.getClass().getSimpleName());
        }
        for (OffsetSpec spec : List.of(OffsetSpec.earliest(), OffsetSpec.latest(), OffsetSpec.maxTimestamp(),
                OffsetSpec.forTimestamp(0), OffsetSpec.earliestLocal(), OffsetSpec.latestTiered()))
            admin.listOffsets(Map.of(partition, spec)).all().get();
        check(true, "offsets of every kind are listed");
        admin.deleteRecords(Map.of(partition, RecordsToDelete.beforeOffset(5))).all().get();
        admin.createPartitions(Map.of(output, NewPartitions.increaseTo(2))).all().get();
        admin.deleteTopics(List.of(topic, output)).all().get();
        check(!admin.listTopics().names().get().contains(topic), "topics are deleted");
        System.exit(0);
    }
}
