// kafkajs: administration, producing, a group, and transactions.
const { Kafka, logLevel } = require('kafkajs')

const address = process.argv[2] || 'localhost:9092'
const run = Date.now().toString()
const kafka = new Kafka({ brokers: [address], logLevel: logLevel.ERROR, retry: { retries: 3 } })

function check (condition, what) {
  if (!condition) {
    console.log(`FAILED: ${what}`)
    process.exit(1)
  }
  console.log(`ok: ${what}`)
}

async function main () {
  const topic = 'js' + run
  const admin = kafka.admin()
  await admin.connect()
  await admin.createTopics({ topics: [{ topic, numPartitions: 3 }] })
  check((await admin.listTopics()).includes(topic), 'kafkajs creates a topic')
  const producer = kafka.producer({ transactionalId: 'js' + run, idempotent: true, maxInFlightRequests: 1 })
  await producer.connect()
  const transaction = await producer.transaction()
  await transaction.send({ topic, messages: [1, 2, 3, 4].map(n => ({ key: `k${n}`, value: `v${n}` })) })
  await transaction.commit()
  const dropped = await producer.transaction()
  await dropped.send({ topic, messages: [{ key: 'k', value: 'dropped' }] })
  await dropped.abort()
  const consumer = kafka.consumer({ groupId: 'js' + run })
  await consumer.connect()
  await consumer.subscribe({ topics: [topic], fromBeginning: true })
  const values = []
  await new Promise((resolve, reject) => {
    const tooLong = setTimeout(() => reject(new Error(`only ${values}`)), 20000)
    consumer.run({
      eachMessage: async ({ message }) => {
        values.push(message.value.toString())
        if (values.length === 4) {
          clearTimeout(tooLong)
          setTimeout(resolve, 500)
        }
      }
    })
  })
  check(values.sort().join() === 'v1,v2,v3,v4', `kafkajs reads what was committed: ${values}`)
  await consumer.disconnect()
  const offsets = await admin.fetchOffsets({ groupId: 'js' + run, topics: [topic] })
  check(offsets[0].partitions.length === 3, 'kafkajs fetches offsets of a group')
  await admin.deleteTopics({ topics: [topic] })
  await admin.disconnect()
  await producer.disconnect()
}

main().catch(error => { console.log('FAILED:', error); process.exit(1) })
