// A Kafka Streams application with exactly_once_v2: it counts the visits of each user per minute, through a repartition
// topic and a windowed store with its changelog, is killed in the middle of transactions, loses its local state, and must
// still count each visit once. Run as `java -cp … StreamsApplication.java [HOST:PORT]`; it starts the application as
// processes of its own.

import java.nio.file.*;
import java.time.Duration;
import java.util.*;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.*;
import org.apache.kafka.clients.admin.*;
import org.apache.kafka.clients.consumer.*;
import org.apache.kafka.clients.producer.*;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.serialization.*;
import org.apache.kafka.streams.*;
import org.apache.kafka.streams.kstream.*;
import org.apache.kafka.streams.processor.StateRestoreListener;

public class StreamsApplication {
    static final int USERS = 7, MINUTES = 5, PARTITIONS = 3, KILLED = 99;
    static final long START_MS = System.currentTimeMillis() / 3600000 * 3600000 - 3600000;
    static final String RUN = Long.toString(System.currentTimeMillis());
    static String address;

    static void check(boolean condition, String what) {
        System.out.println((condition ? "ok: " : "FAILED: ") + what);
        if (!condition) System.exit(1);
    }

    // The application: `application ADDRESS RUN DIRECTORY KILL_AFTER`. It ends when its standard input does, or dies after so
    // many results without telling anybody.
    static void application(String[] arguments) throws Exception {
        String run = arguments[2];
        long killAfter = Long.parseLong(arguments[4]);
        Properties properties = new Properties();
        properties.put("bootstrap.servers", arguments[1]);
        properties.put("application.id", "visits" + run);
        properties.put("state.dir", arguments[3]);
        properties.put("processing.guarantee", "exactly_once_v2");
        properties.put("num.stream.threads", "2");
        properties.put("commit.interval.ms", "100");
        properties.put("repartition.purge.interval.ms", "500");
        // Without the cache each visit has its own result.
        properties.put("statestore.cache.max.bytes", "0");
        properties.put("consumer.session.timeout.ms", "6000");
        properties.put("consumer.heartbeat.interval.ms", "1000");
        properties.put("consumer.auto.offset.reset", "earliest");
        properties.put("producer.transaction.timeout.ms", "8000");
        // What is written reaches the log before it is committed.
        properties.put("producer.linger.ms", "0");

        AtomicLong results = new AtomicLong(), restored = new AtomicLong();
        StreamsBuilder builder = new StreamsBuilder();
        builder.stream("in" + run, Consumed.with(Serdes.String(), Serdes.String()))
            .selectKey((page, user) -> user)
            .groupByKey(Grouped.with("by-user", Serdes.String(), Serdes.String()))
            .windowedBy(TimeWindows.ofSizeAndGrace(Duration.ofMinutes(1), Duration.ofHours(24)))
            .count(Materialized.as("counts"))
            .toStream((window, count) -> window.key() + "@" + window.window().start())
            .peek((key, count) -> {
                if (results.incrementAndGet() == killAfter) Runtime.getRuntime().halt(KILLED);
                try { Thread.sleep(1); } catch (InterruptedException stopped) { Thread.currentThread().interrupt(); }
            })
            .to("out" + run, Produced.with(Serdes.String(), Serdes.Long()));
        KafkaStreams streams = new KafkaStreams(builder.build(), properties);
        streams.setGlobalStateRestoreListener(new StateRestoreListener() {
            public void onRestoreStart(TopicPartition partition, String store, long first, long last) { }
            public void onBatchRestored(TopicPartition partition, String store, long last, long count) { }
            public void onRestoreEnd(TopicPartition partition, String store, long total) { restored.addAndGet(total); }
        });
        streams.setUncaughtExceptionHandler(error -> {
            error.printStackTrace();
            Runtime.getRuntime().halt(1);
            return null;
        });
        streams.start();
        while (System.in.read() >= 0) { }
        boolean closed = streams.close(Duration.ofSeconds(20));
        System.out.println("restored " + restored.get());
        System.exit(closed ? 0 : 1);
    }

    static Process launch(Path directory, long killAfter) throws Exception {
        List<String> command = List.of(ProcessHandle.current().info().command().orElse("java"), "-XX:+UseSerialGC",
            "-Djava.io.tmpdir=" + System.getProperty("java.io.tmpdir"), "-cp", System.getProperty("java.class.path"),
            "StreamsApplication.java", "application", address, RUN, directory.toString(), Long.toString(killAfter));
        Process process = new ProcessBuilder(command).redirectError(ProcessBuilder.Redirect.INHERIT).start();
        Runtime.getRuntime().addShutdownHook(new Thread(process::destroyForcibly));
        return process;
    }

    static void kill(Path directory, long after, String what) throws Exception {
        Process process = launch(directory, after);
        boolean ended = process.waitFor(60, TimeUnit.SECONDS);
        check(ended && process.exitValue() == KILLED, what);
    }

    // Runs the application until so many results are there, and ends it in peace. Returns the number of restored records.
    static long complete(Path directory, Results results, int count) throws Exception {
        Process process = launch(directory, 0);
        results.await(count, process);
        process.getOutputStream().close();
        String output = new String(process.getInputStream().readAllBytes());
        check(process.waitFor() == 0, "the application ends in peace");
        return Long.parseLong(output.trim().replaceFirst("(?s).*restored ", ""));
    }

    static void delete(Path directory) throws Exception {
        try (var files = Files.walk(directory)) {
            for (Path path : files.sorted(Comparator.reverseOrder()).toList()) Files.delete(path);
        }
    }

    static Properties properties(String... pairs) {
        Properties properties = new Properties();
        properties.put("bootstrap.servers", address);
        for (int i = 0; i < pairs.length; i += 2) properties.put(pairs[i], pairs[i + 1]);
        return properties;
    }

    // Visits with numbers from `first`, in no order of time. Adds to the counts that are expected.
    static void produce(int first, int count, Map<String, Integer> expected) throws Exception {
        try (var producer = new KafkaProducer<>(properties("linger.ms", "5"), new StringSerializer(), new StringSerializer())) {
            Random random = new Random(first);
            for (int i = first; i < first + count; i++) {
                String user = "u" + random.nextInt(USERS);
                long start = START_MS + random.nextInt(MINUTES) * 60000L;
                producer.send(new ProducerRecord<>("in" + RUN, null, start + random.nextInt(60000), "page" + i, user));
                expected.merge(user + "@" + start, 1, Integer::sum);
            }
        }
    }

    // What a reader sees in the output.
    static class Results {
        final Map<String, List<Long>> counts = new TreeMap<>();
        final KafkaConsumer<String, Long> consumer;
        int total = 0;

        Results(String isolation) {
            consumer = new KafkaConsumer<>(properties("isolation.level", isolation), new StringDeserializer(), new LongDeserializer());
            List<TopicPartition> partitions = new ArrayList<>();
            for (int i = 0; i < PARTITIONS; i++) partitions.add(new TopicPartition("out" + RUN, i));
            consumer.assign(partitions);
            consumer.seekToBeginning(partitions);
        }

        // Whether there was anything.
        boolean poll() {
            ConsumerRecords<String, Long> records = consumer.poll(Duration.ofMillis(500));
            for (ConsumerRecord<String, Long> record : records) {
                counts.computeIfAbsent(record.key(), key -> new ArrayList<>()).add(record.value());
                total++;
            }
            return !records.isEmpty();
        }

        void await(int count, Process process) {
            long deadline = System.currentTimeMillis() + 90000;
            while (total < count && process.isAlive() && System.currentTimeMillis() < deadline) poll();
            // Whoever counts twice has more to come.
            while (poll()) { }
            check(total == count, "as many results as visits: " + total + " of " + count);
        }

        // The results of one user and minute are 1, 2, 3, … up to the number of visits, in this order.
        void compare(Map<String, Integer> expected, String what) {
            boolean same = counts.keySet().equals(expected.keySet());
            for (Map.Entry<String, Integer> entry : expected.entrySet()) {
                List<Long> found = counts.getOrDefault(entry.getKey(), List.of());
                for (int i = 0; i < entry.getValue(); i++) same &= i < found.size() && found.get(i) == i + 1;
                same &= found.size() == entry.getValue();
            }
            check(same, what + ": " + counts.size() + " windows");
        }
    }

    static void internalTopics(Admin admin) throws Exception {
        String prefix = "visits" + RUN + "-", changelog = prefix + "counts-changelog", repartition = prefix + "by-user-repartition";
        Set<String> names = admin.listTopics().names().get();
        check(names.contains(changelog) && names.contains(repartition), "the application has made its topics");
        ConfigResource resource = new ConfigResource(ConfigResource.Type.TOPIC, changelog);
        Config config = admin.describeConfigs(List.of(resource)).all().get().get(resource);
        Set<String> policy = Set.of(config.get("cleanup.policy").value().split(","));
        check(policy.equals(Set.of("compact", "delete")), "the changelog of windows is compacted and expires: " + policy);
        Map<TopicPartition, OffsetSpec> first = new HashMap<>();
        for (int i = 0; i < PARTITIONS; i++) first.put(new TopicPartition(repartition, i), OffsetSpec.earliest());
        long deleted = 0;
        for (var info : admin.listOffsets(first).all().get().values()) deleted += info.offset();
        check(deleted > 0, "what was repartitioned is deleted once it is processed: " + deleted);
    }

    public static void main(String[] arguments) throws Exception {
        if (arguments.length > 0 && arguments[0].equals("application")) {
            application(arguments);
            return;
        }
        address = arguments.length > 0 ? arguments[0] : "localhost:9092";
        Admin admin = Admin.create(properties());
        admin.createTopics(List.of(new NewTopic("in" + RUN, PARTITIONS, (short) 1), new NewTopic("out" + RUN, PARTITIONS, (short) 1)))
            .all().get(10, TimeUnit.SECONDS);
        Map<String, Integer> expected = new TreeMap<>();
        Path directory = Files.createTempDirectory("streams");
        produce(0, 3000, expected);
        Results results = new Results("read_committed");
        kill(directory, 1000, "the application is killed");
        kill(directory, 1000, "it goes on with its own producers, and is killed again");
        // A new identity: the transaction that is open belongs to nobody and has to time out.
        delete(directory);
        long restored = complete(directory, results, 3000);
        check(restored > 0, "its state is restored from the changelog: " + restored + " records");
        results.compare(expected, "each visit is counted once");
        delete(directory);
        produce(3000, 500, expected);
        restored = complete(directory, results, 3500);
        check(restored >= expected.size(), "without local state all windows are restored: " + restored + " records");
        results.compare(expected, "counting goes on where it stopped");
        Results all = new Results("read_uncommitted");
        while (all.total < results.total || all.poll()) all.poll();
        check(all.total > results.total, "the kills left results that do not count: " + (all.total - results.total));
        internalTopics(admin);
        delete(directory);
        System.exit(0);
    }
}
