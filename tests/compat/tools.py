"""Kafka's own command-line tools, and what they print: tools.py CLASSPATH ADDRESS TOOL. Without arguments, their names."""

import json
import os
import re
import subprocess
import sys
import tempfile
import time

CLASSPATH, ADDRESS, TOOL = sys.argv[1:4] or [''] * 3
RUN = str(int(time.time()))
CLASSES = {
    'kafka-broker-api-versions': 'org.apache.kafka.tools.BrokerApiVersionsCommand',
    'kafka-cluster': 'org.apache.kafka.tools.ClusterTool',
    'kafka-configs': 'kafka.admin.ConfigCommand',
    'kafka-console-consumer': 'org.apache.kafka.tools.consumer.ConsoleConsumer',
    'kafka-console-producer': 'org.apache.kafka.tools.ConsoleProducer',
    'kafka-consumer-groups': 'org.apache.kafka.tools.consumer.group.ConsumerGroupCommand',
    'kafka-consumer-perf-test': 'org.apache.kafka.tools.ConsumerPerformance',
    'kafka-delete-records': 'org.apache.kafka.tools.DeleteRecordsCommand',
    'kafka-e2e-latency': 'org.apache.kafka.tools.EndToEndLatency',
    'kafka-get-offsets': 'org.apache.kafka.tools.GetOffsetShell',
    'kafka-groups': 'org.apache.kafka.tools.GroupsCommand',
    'kafka-log-dirs': 'org.apache.kafka.tools.LogDirsCommand',
    'kafka-producer-perf-test': 'org.apache.kafka.tools.ProducerPerformance',
    'kafka-reassign-partitions': 'org.apache.kafka.tools.reassign.ReassignPartitionsCommand',
    'kafka-topics': 'org.apache.kafka.tools.TopicCommand',
    'kafka-transactions': 'org.apache.kafka.tools.TransactionsCommand',
    'kafka-verifiable-consumer': 'org.apache.kafka.tools.VerifiableConsumer',
    'kafka-verifiable-producer': 'org.apache.kafka.tools.VerifiableProducer',
}


def check(condition, what, output=''):
    if not condition:
        raise SystemExit(f'FAILED: {what}\n{output}')
    print(f'ok: {what}', flush=True)


def command(tool, *arguments):
    # Most tools live for less than a second: what matters is how fast their JVM starts.
    java = ['java', '-Xmx256m', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1', '-cp', CLASSPATH, CLASSES[tool]]
    return java + list(arguments)


def bare(tool, *arguments, text=None):
    """What a tool prints, and its exit status."""
    done = subprocess.run(command(tool, *arguments), input=text, capture_output=True, text=True, timeout=60)
    return done.stdout + done.stderr, done.returncode


def run(tool, *arguments, text=None):
    """What a tool prints that is given the address and has to succeed."""
    output, status = bare(tool, '--bootstrap-server', ADDRESS, *arguments, text=text)
    if status != 0:
        raise SystemExit(f'FAILED: {tool} {" ".join(arguments)} ends with {status}\n{output}')
    return output


def refused(tool, *arguments):
    output, status = bare(tool, '--bootstrap-server', ADDRESS, *arguments)
    if status == 0:
        raise SystemExit(f'FAILED: {tool} {" ".join(arguments)} is not refused\n{output}')
    return output


def rows(output):
    """The rows of a table, each as its cells."""
    return [line.split() for line in output.splitlines() if line.strip()]


def has(output, pattern):
    return re.search(pattern, output, re.MULTILINE) is not None


def create(name, partitions=1, *arguments):
    topic = f'{name}{RUN}'
    run('kafka-topics', '--create', '--topic', topic, '--partitions', str(partitions), *arguments)
    return topic


def produce(topic, lines, *arguments):
    run('kafka-console-producer', '--topic', topic, *arguments, text=''.join(f'{line}\n' for line in lines))


def topics():
    tool, topic = 'kafka-topics', f'topics{RUN}'
    output = run(tool, '--create', '--topic', topic, '--partitions', '3', '--replication-factor', '1',
                 '--config', 'retention.ms=12345', '--config', 'cleanup.policy=compact')
    check(output == f'Created topic {topic}.\n', 'a topic is created', output)
    check(topic in run(tool, '--list').splitlines(), 'it is listed')
    output = run(tool, '--describe', '--topic', topic)
    found = re.findall(r'^\tTopic: \S+\tPartition: (\d)\tLeader: 1\tReplicas: 1\tIsr: 1\t', output, re.MULTILINE)
    check(found == ['0', '1', '2'], 'its partitions are described', output)
    check(has(output, r'PartitionCount: 3\tReplicationFactor: 1\tConfigs: .*cleanup.policy=compact.*retention.ms=12345'),
          'with the settings it was created with', output)
    run(tool, '--alter', '--topic', topic, '--partitions', '5')
    check(has(run(tool, '--describe', '--topic', topic), 'PartitionCount: 5'), 'it gets partitions')
    check('partitions can only be added' in refused(tool, '--alter', '--topic', topic, '--partitions', '2'),
          'partitions cannot be taken away')
    check('exists' in refused(tool, '--create', '--topic', topic), 'a topic is not created twice')
    run(tool, '--create', '--topic', topic, '--if-not-exists')
    other = topic + 'x'
    check('nonsense' in refused(tool, '--create', '--topic', other, '--config', 'nonsense=1'), 'unknown settings are refused')
    check('eplication factor' in refused(tool, '--create', '--topic', other, '--replication-factor', '3'),
          'more replicas than brokers are refused')
    check('name' in refused(tool, '--create', '--topic', 'a/b'), 'names with other characters are refused')
    check(other not in run(tool, '--list').splitlines(), 'what is refused is not created')
    output = run(tool, '--create', '--topic', other, '--replica-assignment', '1,1')
    check(has(run(tool, '--describe', '--topic', other), 'PartitionCount: 2'), 'replicas can be assigned', output)
    check(run(tool, '--describe', '--unavailable-partitions').strip() == '', 'all partitions are available')
    check('does not exist' in refused(tool, '--describe', '--topic', 'nowhere'), 'an unknown topic is not described')
    before = run(tool, '--describe', '--topic', other)
    run(tool, '--delete', '--topic', topic)
    run(tool, '--delete', '--topic', other)
    listed = run(tool, '--list').splitlines()
    check(topic not in listed and other not in listed, 'topics are deleted')
    check('does not exist' in refused(tool, '--delete', '--topic', topic), 'but not twice')
    run(tool, '--create', '--topic', other)
    identity = re.compile(r'TopicId: (\S+)')
    check(identity.findall(before) != identity.findall(run(tool, '--describe', '--topic', other)),
          'a topic of the same name has another id')


def configs():
    tool, topic = 'kafka-configs', create('configs')
    of_topic = ['--entity-type', 'topics', '--entity-name', topic]
    output = run(tool, '--alter', *of_topic, '--add-config', 'retention.ms=777,cleanup.policy=[compact,delete]')
    check(output == f'Completed updating config for topic {topic}.\n', 'settings are changed', output)
    output = run(tool, '--describe', *of_topic)
    check(has(output, r'^  retention.ms=777 sensitive=false synonyms={DYNAMIC_TOPIC_CONFIG:retention.ms=777')
          and has(output, r'^  cleanup.policy=compact,delete '), 'changed settings are described', output)
    check(len(output.splitlines()) == 3, 'and no others', output)
    output = run(tool, '--describe', *of_topic, '--all')
    check(len(output.splitlines()) > 25 and has(output, r'^  max.message.bytes=1048588 '), 'all are, if asked for', output)
    run(tool, '--alter', *of_topic, '--delete-config', 'retention.ms')
    output = run(tool, '--describe', *of_topic)
    check('retention.ms' not in output and 'cleanup.policy' in output, 'a setting is reset', output)
    output = refused(tool, '--alter', *of_topic, '--add-config', 'nonsense=1')
    check('InvalidConfigurationException' in output and 'nonsense' in output, 'an unknown setting is refused', output)
    output = refused(tool, '--alter', *of_topic, '--add-config', 'retention.ms=abc')
    check('InvalidConfigurationException' in output and 'retention.ms' in output, 'a wrong value is refused', output)
    refused(tool, '--alter', *of_topic, '--add-config', 'retention.ms=5,segment.bytes=-7')
    output = run(tool, '--describe', *of_topic)
    check('retention.ms' not in output, 'of several settings all are changed or none', output)
    output = run(tool, '--describe', '--entity-type', 'brokers', '--entity-name', '1', '--all')
    check(has(output, '^  num.partitions=1 '), 'settings of the broker are described', output)
    refused(tool, '--alter', '--entity-type', 'brokers', '--entity-name', '1', '--add-config', 'num.partitions=2')
    check("doesn't exist" in run(tool, '--describe', '--topic', 'nowhere'), 'an unknown topic has no settings')


def console():
    topic = create('console', 2)
    produce(topic, ['h1:a,h2:b\tk1\tone', 'h1:c,h1:d\tk2\ttwo', 'h3:e\tk3\tthree'],
            '--property', 'parse.key=true', '--property', 'parse.headers=true', '--compression-codec', 'zstd')
    everything = [argument for what in ['key', 'headers', 'partition', 'offset', 'timestamp']
                  for argument in ['--property', f'print.{what}=true']]
    consumer = 'kafka-console-consumer'
    in_group = ['--topic', topic, '--group', f'console{RUN}']
    output = run(consumer, *in_group, '--from-beginning', '--max-messages', '3', '--timeout-ms', '15000', *everything)
    lines = sorted(re.findall(r'^CreateTime:\d+\tPartition:\d\tOffset:\d\t(.*)$', output, re.MULTILINE))
    check(lines == ['h1:a,h2:b\tk1\tone', 'h1:c,h1:d\tk2\ttwo', 'h3:e\tk3\tthree'],
          'records come with keys, headers, places and times', output)
    check('Processed a total of 3 messages' in output, 'as many as were asked for', output)
    produce(topic, ['four'])
    output = run(consumer, *in_group, '--max-messages', '1', '--timeout-ms', '15000')
    check('four' in output.splitlines(), 'the group goes on where it left off', output)
    output = run(consumer, '--topic', topic, '--partition', '0', '--offset', '0', '--timeout-ms', '2000')
    rest = run(consumer, '--topic', topic, '--partition', '1', '--offset', '1', '--timeout-ms', '2000')
    check(len(output.splitlines()) + len(rest.splitlines()) == 5, 'partitions can be read by offset', output + rest)
    output = run(consumer, '--include', f'console{RUN[:-1]}.', '--from-beginning', '--max-messages', '4', '--timeout-ms', '15000')
    check('Processed a total of 4 messages' in output, 'topics can be chosen by pattern', output)
    isolation(topic)


def isolation(topic):
    from confluent_kafka import Producer

    producer = Producer({'bootstrap.servers': ADDRESS, 'transactional.id': f'console{RUN}'})
    producer.init_transactions()
    for word, commits in [('aborted', False), ('committed', True)]:
        producer.begin_transaction()
        producer.produce(topic, value=word)
        producer.flush()
        if commits:
            producer.commit_transaction()
        else:
            producer.abort_transaction()
    producer.begin_transaction()
    producer.produce(topic, value='open')
    producer.flush()
    found = {}
    for level in ['read_committed', 'read_uncommitted']:
        output = run('kafka-console-consumer', '--topic', topic, '--from-beginning', '--timeout-ms', '3000',
                     '--isolation-level', level)
        found[level] = {'aborted', 'committed', 'open'} & set(output.splitlines())
    producer.abort_transaction()
    check(found == {'read_committed': {'committed'}, 'read_uncommitted': {'aborted', 'committed', 'open'}},
          f'what is not committed is hidden from who asks for that: {found}')


def groups():
    tool, topic, group = 'kafka-consumer-groups', create('groups', 2), f'groups{RUN}'
    produce(topic, [f'k{i}\tv{i}' for i in range(10)], '--property', 'parse.key=true')
    member = subprocess.Popen(command('kafka-console-consumer', '--bootstrap-server', ADDRESS, '--topic', topic,
                                      '--group', group, '--from-beginning', '--consumer-property', 'client.id=reader'),
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        lines = [member.stdout.readline() for _ in range(10)]
        check(sorted(lines) == [f'v{i}\n' for i in range(10)], 'a member reads', lines)
        output = run(tool, '--describe', '--group', group, '--state')
        check(rows(output)[-1][:1] + rows(output)[-1][-3:] == [group, 'range', 'Stable', '1'], 'a group is stable', output)
        output = run(tool, '--describe', '--group', group, '--members', '--verbose')
        found = rows(output)[-1]
        check(found[0] == group and found[2:5] == ['/127.0.0.1', 'reader', '2'] and f'{topic}:0,1' in output,
              'its members are described', output)
        output = run(tool, '--delete', '--group', group)
        check('GroupNotEmptyException' in output, 'a group with members is not deleted', output)
        output = run(tool, '--reset-offsets', '--group', group, '--topic', topic, '--to-earliest', '--execute')
        check('inactive' in output, 'nor are its offsets reset', output)
        output = run(tool, '--delete-offsets', '--group', group, '--topic', topic)
        check('GroupSubscribedToTopicException' in output, 'nor those of its topics deleted', output)
    finally:
        member.terminate()
        member.wait()
    check(group in run(tool, '--list').splitlines(), 'groups are listed')
    check([group, 'Empty'] in rows(run(tool, '--list', '--state')), 'with their states')
    check([group, 'Classic', 'consumer'] in rows(run('kafka-groups', '--list')), 'and with their kinds')
    check(lags(group) == [('10', '10', '0')], 'the group has read everything')
    offsets_of_groups(tool, topic, group)


def lags(group):
    """The sums of positions, ends and lags of a group."""
    found = [row for row in rows(run('kafka-consumer-groups', '--describe', '--group', group)) if row[0] == group]
    return [tuple(str(sum(int(row[column]) for row in found)) for column in [3, 4, 5])] if found else []


def offsets_of_groups(tool, topic, group):
    reset = [tool, '--reset-offsets', '--group', group, '--topic', topic]
    output = run(*reset, '--to-earliest', '--dry-run')
    check(sorted(row[1:] for row in rows(output)[1:]) == [[topic, '0', '0'], [topic, '1', '0']], 'a reset is tried', output)
    check(lags(group) == [('10', '10', '0')], 'and changes nothing')
    run(*reset, '--to-earliest', '--execute')
    check(lags(group) == [('0', '10', '10')], 'offsets are reset to the earliest')
    run(*reset, '--to-latest', '--execute')
    check(lags(group) == [('10', '10', '0')], 'to the latest')
    run(*reset, '--by-duration', 'PT1H', '--execute')
    check(lags(group) == [('0', '10', '10')], 'to an hour ago')
    run(*reset, '--to-datetime', '2100-01-01T00:00:00.000', '--execute')
    check(lags(group) == [('10', '10', '0')], 'to a time to come')
    run(tool, '--reset-offsets', '--group', group, '--topic', f'{topic}:0', '--shift-by', '-1', '--execute')
    check(lags(group) == [('9', '10', '1')], 'by a number of records')
    with tempfile.NamedTemporaryFile('w', suffix='.csv') as file:
        file.write(f'{topic},0,2\n')
        file.flush()
        run(tool, '--reset-offsets', '--group', group, '--from-file', file.name, '--execute')
    output = run(tool, '--reset-offsets', '--group', group, '--all-topics', '--to-current', '--export', '--dry-run')
    check(f'{topic},0,2' in output.splitlines(), 'and to those in a file', output)
    output = run(tool, '--delete-offsets', '--group', group, '--topic', topic)
    check(output.count('Successful') == 2 and lags(group) == [], 'offsets are deleted', output)
    output = run(tool, '--delete', '--group', group)
    check('was successful' in output and group not in run(tool, '--list').splitlines(), 'a group is deleted', output)
    check('GroupIdNotFoundException' in run(tool, '--delete', '--group', group), 'but not twice')


def transactions():
    from confluent_kafka import KafkaException, Producer

    tool, topic, identity = 'kafka-transactions', create('transactions'), f'transactions{RUN}'
    producer = Producer({'bootstrap.servers': ADDRESS, 'transactional.id': identity})
    producer.init_transactions()
    producer.begin_transaction()
    producer.produce(topic, value='one')
    producer.flush()
    output = run(tool, 'list')
    listed = [row for row in rows(output) if row[0] == identity]
    check(len(listed) == 1 and listed[0][1] == '1' and listed[0][3] == 'Ongoing', 'an open transaction is listed', output)
    output = run(tool, 'describe', '--transactional-id', identity)
    found = rows(output)[-1]
    check(found[:4] == ['1', identity, listed[0][2], '0'] and found[4:6] == ['Ongoing', '60000'] and found[-1] == f'{topic}-0',
          'and described', output)
    output = run(tool, 'describe-producers', '--topic', topic, '--partition', '0')
    check([row[0] for row in rows(output)[1:]] == [listed[0][2]] and rows(output)[1][-1] == '0',
          'its producer is described, with the first offset', output)
    output = run(tool, 'find-hanging', '--topic', topic, '--max-transaction-timeout', '0')
    check(len(rows(output)) == 1, 'a transaction that its coordinator knows does not hang', output)
    producer.commit_transaction()
    output = run(tool, 'list')
    check([identity, '1', listed[0][2], 'CompleteCommit'] in rows(output), 'a committed transaction is listed', output)
    producer.begin_transaction()
    producer.produce(topic, value='two')
    producer.flush()
    start = rows(run(tool, 'describe-producers', '--topic', topic, '--partition', '0'))[1][-1]
    check(start == '2', 'the next one starts behind the marker')
    run(tool, 'abort', '--topic', topic, '--partition', '0', '--start-offset', start)
    output = run(tool, 'describe-producers', '--topic', topic, '--partition', '0')
    check(rows(output)[1][-1] == 'None', 'an open transaction is aborted from outside', output)
    try:
        producer.commit_transaction(10)
        check(False, 'and its producer cannot commit it')
    except KafkaException as error:
        check(True, f'and its producer cannot commit it: {error.args[0].name()}')
    output = run('kafka-console-consumer', '--topic', topic, '--from-beginning', '--timeout-ms', '3000',
                 '--isolation-level', 'read_committed')
    check('one' in output.splitlines() and 'two' not in output.splitlines(), 'so that nobody reads it', output)


def offsets():
    topic = create('offsets', 2)
    produce(topic, [f'k{i}\tv{i}' for i in range(20)], '--property', 'parse.key=true')
    def of(time):
        return {int(line.split(':')[1]): int(line.split(':')[2])
                for line in run('kafka-get-offsets', '--topic', topic, '--time', time).splitlines() if line.strip()}
    latest = of('latest')
    check(sum(latest.values()) == 20 and all(latest.values()), f'latest offsets: {latest}')
    check(of('-1') == latest and of('-2') == of('earliest') == of('earliest-local') == {0: 0, 1: 0}, 'earliest offsets')
    found = of('max-timestamp')
    check(all(found[index] < latest[index] for index in latest), f'offsets of the greatest times: {found}')
    check(of('0') == {0: 0, 1: 0} and of('4102444800000') == {}, 'offsets by time')
    check(of('latest-tiered') == {}, 'nothing is in another tier')
    with tempfile.NamedTemporaryFile('w', suffix='.json') as file:
        json.dump({'version': 1, 'partitions': [{'topic': topic, 'partition': 0, 'offset': 2},
                                                {'topic': topic, 'partition': 1, 'offset': 999}]}, file)
        file.flush()
        output = run('kafka-delete-records', '--offset-json-file', file.name)
    check(f'partition: {topic}-0\tlow_watermark: 2' in output, 'records are deleted', output)
    check(has(output, f'partition: {topic}-1\terror: .*OffsetOutOfRangeException'), 'but none that are not there', output)
    check(of('earliest') == {0: 2, 1: 0}, 'the log starts behind them')


def performance():
    topic = create('performance', 2)
    output, status = bare('kafka-producer-perf-test', '--topic', topic, '--num-records', '50000', '--record-size', '100',
                          '--throughput', '-1', '--producer-props', f'bootstrap.servers={ADDRESS}', 'acks=all')
    check(status == 0 and has(output, r'^50000 records sent, [\d.]+ records/sec'), output.splitlines()[-1], output)
    output, status = bare('kafka-producer-perf-test', '--topic', topic, '--num-records', '5000', '--record-size', '1000',
                          '--throughput', '-1', '--producer-props', f'bootstrap.servers={ADDRESS}',
                          '--transactional-id', f'performance{RUN}', '--transaction-duration-ms', '50')
    check(status == 0 and has(output, r'^5000 records sent, '), f'in transactions: {output.splitlines()[-1]}', output)
    output = run('kafka-consumer-perf-test', '--topic', topic, '--messages', '55000', '--timeout', '20000')
    cells = rows(output)[-1]
    read = int(output.splitlines()[-1].split(', ')[4])
    check(read == 55000, f'as many records are read: {" ".join(cells)}', output)
    output, status = bare('kafka-e2e-latency', ADDRESS, f'latency{RUN}', '20', 'all', '100')
    check(status == 0 and has(output, r'^Percentiles: 50th = \d+'), f'end to end: {output.splitlines()[-1]}', output)


def versions():
    output = run('kafka-broker-api-versions')
    found = dict(re.findall(r'^\t(\w+)\(\d+\): (.*?),?$', output, re.MULTILINE))
    promised = documented()
    for name, last in promised.items():
        check(name in found and found[name].endswith(f'[usable: {last}]'), f'{name} up to {last}', output)
    extra = {name for name, usable in found.items() if usable != 'UNSUPPORTED'} - promised.keys()
    check(not extra, f'what is understood is documented {extra or ""}')


def documented():
    """The requests in the table of docs/kafka.md, with their last versions."""
    page = os.path.join(os.path.dirname(os.path.abspath(__file__)), '../../docs/kafka.md')
    found = {}
    with open(page) as lines:
        for line in lines:
            cells = [cell.strip() for cell in line.strip().strip('|').split('|')]
            if len(cells) == 4 and re.fullmatch(r'\d[\d, -]*', cells[2]):
                names, ranges = cells[0].split(', '), cells[2].split(', ')
                for index, name in enumerate(names):
                    found[name] = ranges[index if len(ranges) > 1 else 0].split('-')[-1]
    return found


def cluster():
    output, _ = bare('kafka-cluster', 'cluster-id', '--bootstrap-server', ADDRESS)
    check(has(output, r'^Cluster ID: [A-Za-z0-9_][A-Za-z0-9_-]{21}$'), 'the cluster has an id', output)
    output, _ = bare('kafka-cluster', 'list-endpoints', '--bootstrap-server', ADDRESS)
    host, port = ADDRESS.rsplit(':', 1)
    check([row[0] for row in rows(output)[1:]] == ['1'] and port in rows(output)[1], 'and one broker', output)
    check('No partition reassignments found' in run('kafka-reassign-partitions', '--list'), 'no partition moves')
    topic = create('cluster', 2)
    produce(topic, ['x' * 1000] * 5)
    output = run('kafka-log-dirs', '--describe', '--topic-list', topic)
    found = json.loads(output.splitlines()[-1])['brokers'][0]['logDirs'][0]
    sizes = {part['partition']: part['size'] for part in found['partitions']}
    check(sizes.keys() == {f'{topic}-0', f'{topic}-1'} and 5000 < sum(sizes.values()) < 10000,
          f'the sizes of partitions: {sizes}', output)
    check(found['error'] is None, 'the log directory is well', output)


def verifiable():
    topic = f'verifiable{RUN}'
    output = run('kafka-verifiable-producer', '--topic', topic, '--max-messages', '100')
    check(output.count('producer_send_success') == 100, 'a hundred records are acknowledged', output)
    output = run('kafka-verifiable-consumer', '--topic', topic, '--group-id', topic, '--max-messages', '100',
                 '--reset-policy', 'earliest')
    events = [json.loads(line) for line in output.splitlines() if line.startswith('{')]
    read = sum(event['count'] for event in events if event['name'] == 'records_consumed')
    check(read == 100 and any(event['name'] == 'offsets_committed' and event['success'] for event in events),
          'read and committed', output)


TOOLS = {'kafka-topics': topics, 'kafka-configs': configs, 'kafka-console': console, 'kafka-consumer-groups': groups,
         'kafka-transactions': transactions, 'kafka-get-offsets': offsets, 'kafka-perf-test': performance,
         'kafka-broker-api-versions': versions, 'kafka-cluster': cluster, 'kafka-verifiable': verifiable}

if __name__ == '__main__':
    TOOLS[TOOL]() if TOOL else print(*TOOLS)
