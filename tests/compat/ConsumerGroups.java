// Members of consumer groups by the newer protocol (KIP-848, group.protocol=consumer), of Kafka's own client: they come,
// go and come back, also from the classic protocol and to it, and each record is read once. Run as `java -cp … ConsumerGroups.java [HOST:PORT]`.

import java.time.Duration;
import java.util.*;
import java.util.concurrent.*;
import java.util.concurrent.atomic.AtomicBoolean;
import org.apache.kafka.clients.admin.*;
import org.apache.kafka.clients.consumer.*;
import org.apache.kafka.clients.producer.*;
import org.apache.kafka.common.*;
import org.apache.kafka.common.errors.RebalanceInProgressException;
import org.apache.kafka.common.serialization.*;

public class ConsumerGroups {
    static String address;
    static final String RUN = Long.toString(System.currentTimeMillis());
    static final Queue<String> read = new ConcurrentLinkedQueue<>();
    static final Map<String, Set<TopicPartition>> owned = new ConcurrentHashMap<>();
    static final Set<String> twice = ConcurrentHashMap.newKeySet();

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

    /** A member on a thread of its own. */
    static class Member extends Thread {
        final AtomicBoolean stopped = new AtomicBoolean();
        final String name;
        final String[] settings;
        final Object topics;

        Member(String name, Object topics, String... settings) {
            this.name = name;
            this.topics = topics;
            this.settings = settings;
            start();
        }

        // Who takes a partition on that another one has not let go has broken the promise.
        final ConsumerRebalanceListener listener = new ConsumerRebalanceListener() {
            public void onPartitionsRevoked(Collection<TopicPartition> partitions) {
                commit();
                owned.get(name).removeAll(partitions);
            }

            public void onPartitionsAssigned(Collection<TopicPartition> partitions) {
                for (var other : owned.entrySet())
                    for (TopicPartition partition : partitions)
                        if (!other.getKey().equals(name) && other.getValue().contains(partition))
                            twice.add(partition + " of " + other.getKey() + " and " + name);
                owned.get(name).addAll(partitions);
            }
        };

        KafkaConsumer<String, String> consumer;

        // By the classic protocol nothing can be committed between the generations; then it is after the next poll.
        void commit() {
            try {
                consumer.commitSync();
            } catch (RebalanceInProgressException later) {
                // It is.
            }
        }

        public void run() {
            owned.put(name, ConcurrentHashMap.newKeySet());
            Properties properties = properties("group.protocol", "consumer", "auto.offset.reset", "earliest", "enable.auto.commit", "false");
            properties.putAll(properties(settings));
            try (var own = new KafkaConsumer<>(properties, new StringDeserializer(), new StringDeserializer())) {
                consumer = own;
                if (topics instanceof SubscriptionPattern pattern) consumer.subscribe(pattern, listener);
                else consumer.subscribe(List.of((String) topics), listener);
                while (!stopped.get()) {
                    for (ConsumerRecord<String, String> record : consumer.poll(Duration.ofMillis(100))) read.add(record.value());
                    commit();
                }
            } catch (Exception error) {
                error.printStackTrace();
                twice.add(name + ": " + error);
            }
        }

        void end() throws InterruptedException {
            stopped.set(true);
            join();
            owned.remove(name);
        }
    }

    static void await(String what, Callable<Boolean> condition) throws Exception {
        long deadline = System.currentTimeMillis() + 40000;
        while (!condition.call() && System.currentTimeMillis() < deadline) Thread.sleep(50);
        check(condition.call(), what);
    }

    static boolean shared(int members, int partitions) {
        return owned.size() == members && owned.values().stream().mapToInt(Set::size).sum() == partitions
            && owned.values().stream().allMatch(own -> own.size() >= partitions / members);
    }

    static int sent = 0;

    static void send(KafkaProducer<String, String> producer, String topic, int count) {
        for (int i = 0; i < count; i++) producer.send(new ProducerRecord<>(topic, "k" + sent, topic + " " + sent++));
        producer.flush();
    }

    /** An application goes over from the classic protocol to the newer one, a member after the other, and back. */
    static void moves(Admin admin, KafkaProducer<String, String> producer, String assignor) throws Exception {
        String topic = "move" + assignor + RUN, group = "mg" + assignor + RUN;
        String[] newer = {"group.id", group};
        String[] classic = {"group.id", group, "group.protocol", "classic", "heartbeat.interval.ms", "500",
            "partition.assignment.strategy", "org.apache.kafka.clients.consumer." + assignor};
        admin.createTopics(List.of(new NewTopic(topic, 6, (short) 1))).all().get(10, TimeUnit.SECONDS);
        read.clear();
        send(producer, topic, 100);
        Member k1 = new Member("k1", topic, classic), k2 = new Member("k2", topic, classic);
        await(assignor + ": two classic members share six partitions", () -> shared(2, 6));
        check(type(admin, group) == GroupType.CLASSIC, "they are a classic group");

        Member n1 = new Member("n1", topic, newer);
        send(producer, topic, 100);
        await("a newer one joins them", () -> shared(3, 6));
        check(type(admin, group) == GroupType.CONSUMER, "they are a consumer group now");
        await("all have arrived", () -> admin.describeConsumerGroups(List.of(group)).all().get().get(group).groupState() == GroupState.STABLE);
        var described = admin.describeConsumerGroups(List.of(group)).all().get().get(group);
        check(described.members().stream().filter(m -> m.upgraded().get()).count() == 1, "one of them by the newer protocol: " + described);
        k1.end();
        Member n2 = new Member("n2", topic, newer);
        await("another one takes a classic one's place", () -> shared(3, 6));
        k2.end();
        await("all speak the newer protocol", () -> shared(2, 6));

        send(producer, topic, 100);
        Member k3 = new Member("k3", topic, classic);
        await("a classic one joins them", () -> shared(3, 6));
        n1.end();
        await("two are left", () -> shared(2, 6));
        n2.end();
        await("the classic one reads all", () -> shared(1, 6));
        check(type(admin, group) == GroupType.CLASSIC, "it is a classic group again");
        send(producer, topic, 100);
        await("all records are read", () -> read.size() >= 400);
        k3.end();
        check(read.size() == 400 && new HashSet<>(read).size() == 400, "each is read once: " + read.size());
        admin.deleteConsumerGroups(List.of(group)).all().get();
    }

    static GroupType type(Admin admin, String group) throws Exception {
        return admin.listGroups().all().get().stream().filter(g -> g.groupId().equals(group)).findFirst().get().type().get();
    }

    public static void main(String[] arguments) throws Exception {
        address = arguments.length > 0 ? arguments[0] : "localhost:9092";
        Admin admin = Admin.create(properties());
        check(admin.describeFeatures().featureMetadata().get().finalizedFeatures().get("group.version").maxVersionLevel() == 1,
            "the protocol is advertised");
        String topic = "new" + RUN, group = "ng" + RUN;
        admin.createTopics(List.of(new NewTopic(topic, 6, (short) 1))).all().get(10, TimeUnit.SECONDS);
        var producer = new KafkaProducer<>(properties(), new StringSerializer(), new StringSerializer());
        send(producer, topic, 200);

        Member a = new Member("a", topic, "group.id", group);
        await("one member owns everything", () -> shared(1, 6));
        Member b = new Member("b", topic, "group.id", group);
        await("two members share six partitions", () -> shared(2, 6));
        send(producer, topic, 200);
        Member c = new Member("c", topic, "group.id", group, "group.remote.assignor", "range");
        await("three members share six partitions", () -> shared(3, 6));
        send(producer, topic, 200);
        await("all records are read", () -> read.size() >= 600);

        var described = admin.describeConsumerGroups(List.of(group)).all().get().get(group);
        check(described.type() == GroupType.CONSUMER && described.groupState() == GroupState.STABLE
            && described.members().size() == 3 && described.partitionAssignor().equals("range"), "the group is described: " + described);
        check(described.members().stream().allMatch(m -> m.assignment().equals(m.targetAssignment().get())
            && m.memberEpoch().get() > 0), "its members have arrived");
        check(admin.listGroups(ListGroupsOptions.forConsumerGroups()).all().get().stream()
            .anyMatch(g -> g.groupId().equals(group) && g.type().get() == GroupType.CONSUMER), "the group is listed by its type");

        b.end();
        await("who goes leaves its share to the others", () -> shared(2, 6));
        admin.createPartitions(Map.of(topic, NewPartitions.increaseTo(8))).all().get();
        await("partitions that are added are shared", () -> shared(2, 8));
        send(producer, topic, 100);
        await("their records are read", () -> read.size() >= 700);
        a.end();
        c.end();
        var offsets = admin.listConsumerGroupOffsets(group).partitionsToOffsetAndMetadata().get();
        check(offsets.values().stream().mapToLong(OffsetAndMetadata::offset).sum() == 700, "offsets are committed");
        check(read.size() == 700 && new HashSet<>(read).size() == 700, "each record is read once: " + read.size());

        // Static members, by an expression.
        read.clear();
        String fixed = "sg" + RUN;
        SubscriptionPattern pattern = new SubscriptionPattern("exp" + RUN + "-.*");
        admin.createTopics(List.of(new NewTopic("exp" + RUN + "-1", 2, (short) 1))).all().get();
        Member first = new Member("first", pattern, "group.id", fixed, "group.instance.id", "i1");
        // One after the other: while a client looks up the topic of its first partitions it says that it owns nothing, so one
        // that joins meanwhile gets its share of them at once, and for a moment both have it. (So it is with Apache Kafka.)
        await("a static member finds a topic by an expression", () -> shared(1, 2));
        Member second = new Member("second", pattern, "group.id", fixed, "group.instance.id", "i2");
        await("two static members share it", () -> shared(2, 2));
        admin.createTopics(List.of(new NewTopic("exp" + RUN + "-2", 2, (short) 1))).all().get();
        await("and one that is created later", () -> shared(2, 4));
        Set<TopicPartition> before = Set.copyOf(owned.get("first"));
        first.end();
        Thread.sleep(6000);
        check(owned.get("second").size() == 2, "the place of a static member is kept");
        first = new Member("first", pattern, "group.id", fixed, "group.instance.id", "i1");
        await("it comes back to what it had", () -> owned.containsKey("first") && before.equals(owned.get("first")));
        send(producer, "exp" + RUN + "-1", 50);
        send(producer, "exp" + RUN + "-2", 50);
        await("records of topics by expression are read", () -> read.size() >= 100);
        first.end();
        second.end();

        // A transaction that carries the offsets of a member.
        String output = "newout" + RUN;
        var writer = new KafkaProducer<>(properties("transactional.id", "nt" + RUN), new StringSerializer(), new StringSerializer());
        writer.initTransactions();
        try (var input = new KafkaConsumer<>(properties("group.id", "nx" + RUN, "group.protocol", "consumer",
                "auto.offset.reset", "earliest", "enable.auto.commit", "false"), new StringDeserializer(), new StringDeserializer())) {
            input.subscribe(List.of(topic));
            int copied = 0;
            long deadline = System.currentTimeMillis() + 30000;
            while (copied < 700 && System.currentTimeMillis() < deadline) {
                var records = input.poll(Duration.ofMillis(300));
                if (records.isEmpty()) continue;
                writer.beginTransaction();
                Map<TopicPartition, OffsetAndMetadata> next = new HashMap<>();
                for (var record : records) {
                    writer.send(new ProducerRecord<>(output, record.value()));
                    next.merge(new TopicPartition(record.topic(), record.partition()), new OffsetAndMetadata(record.offset() + 1),
                        (x, y) -> x.offset() > y.offset() ? x : y);
                }
                writer.sendOffsetsToTransaction(next, input.groupMetadata());
                writer.commitTransaction();
                copied += records.count();
            }
            check(copied == 700, "transactions carry the offsets of a member: " + copied);
        }
        admin.removeMembersFromConsumerGroup(fixed, new RemoveMembersFromConsumerGroupOptions(
            List.of(new MemberToRemove("i1"), new MemberToRemove("i2")))).all().get();
        admin.deleteConsumerGroups(List.of(group, fixed)).all().get();
        check(true, "static members are taken out, and groups deleted");
        moves(admin, producer, "CooperativeStickyAssignor");
        moves(admin, producer, "RangeAssignor");
        check(twice.isEmpty(), "no partition has two owners: " + twice);
        System.exit(0);
    }
}
