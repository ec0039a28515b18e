/**
 * What the log bench is held against: one JSON object a message, read and written through kafkajs as its manual shows, the same
 * window engine, outputs and offsets in one transaction every 100 ms. It keeps no state, which the product does.
 * `json-windows-process.ts BROKER TOPIC MESSAGES`; says `caught up {json}` behind the last message.
 */
import kafkajs from 'kafkajs';
import { tradeColumns } from '#shared/ticks.ts';
import { createWindowEngine } from '../../core/windows/engine.ts';
import type { WindowEngine } from '../../core/windows/window-engine.ts';

export interface JsonTrade {
  instrument: string;
  eventMs: number;
  recvMs: number;
  price: number;
  priceDecimals: number;
  size: number;
  side: number;
  tradeId: number;
  arrival: number;
}

const BATCH = 500;
const COMMIT_MS = 100;
const [broker = '', topic = '', messages = '0'] = process.argv.slice(2);
const wanted = Number(messages);
const client = new kafkajs.Kafka({ brokers: [broker], clientId: 'json', logLevel: kafkajs.logLevel.NOTHING });
const producer = client.producer({
  transactionalId: `json-${topic}`,
  idempotent: true,
  maxInFlightRequests: 1,
  createPartitioner: kafkajs.Partitioners.DefaultPartitioner,
  retry: { initialRetryTime: 5 },
});
const groupId = `json-${topic}`;
const consumer = client.consumer({ groupId, readUncommitted: false });
await producer.connect();
await consumer.connect();
await consumer.subscribe({ topic, fromBeginning: true });
const engines = new Map<number, WindowEngine>();
const offsets = new Map<number, string>();
let outbox: { partition: number; value: string }[] = [];
let read = 0;
let startedMs = 0;
let lastCommitMs = 0;
let cpu = process.cpuUsage();

function bigAsText(_: string, value: unknown): unknown {
  return typeof value === 'bigint' ? String(value) : value;
}

function take(engine: WindowEngine, trades: readonly JsonTrade[], offset: number): void {
  const columns = tradeColumns(trades.length);
  columns.length = trades.length;
  trades.forEach((trade, i) => {
    columns.instrument[i] = columns.instruments.intern(trade.instrument);
    columns.side[i] = trade.side;
    columns.eventMs[i] = trade.eventMs;
    columns.recvMs[i] = trade.recvMs;
    columns.price[i] = trade.price;
    columns.priceDecimals[i] = trade.priceDecimals;
    columns.size[i] = trade.size;
    columns.tradeId[i] = trade.tradeId;
    columns.arrival[i] = trade.arrival;
  });
  engine.onTrades(columns, offset);
}

async function commit(): Promise<void> {
  const transaction = await producer.transaction();
  if (outbox.length > 0) await transaction.send({ topic: `${topic}-bars`, messages: outbox });
  outbox = [];
  await transaction.sendOffsets({
    consumerGroupId: groupId,
    topics: [{ topic, partitions: [...offsets].map(([partition, offset]) => ({ partition, offset })) }],
  });
  await transaction.commit();
  lastCommitMs = performance.now();
}

await consumer.run({
  autoCommit: false,
  eachBatchAutoResolve: true,
  eachBatch: async ({ batch }) => {
    if (read === 0) {
      startedMs = performance.now();
      cpu = process.cpuUsage();
    }
    const engine = engines.get(batch.partition) ?? createWindowEngine();
    engines.set(batch.partition, engine);
    for (let from = 0; from < batch.messages.length; from += BATCH) {
      const part = batch.messages.slice(from, from + BATCH);
      const trades = part.map(({ value }) => JSON.parse(value?.toString() ?? '') as JsonTrade);
      take(engine, trades, Number(part[0]?.offset));
    }
    read += batch.messages.length;
    offsets.set(batch.partition, String(Number(batch.lastOffset()) + 1));
    const { bars, profiles } = engine.drain({ provisional: false });
    for (const value of [...bars, ...profiles])
      outbox.push({ partition: batch.partition, value: JSON.stringify(value, bigAsText) });
    if (read >= wanted || performance.now() - lastCommitMs >= COMMIT_MS) await commit();
    if (read < wanted) return;
    const used = process.cpuUsage(cpu);
    const wallMs = performance.now() - startedMs;
    process.stdout.write(
      `caught up ${JSON.stringify({ ticks: read, wallMs, cpuMs: (used.user + used.system) / 1_000 })}\n`,
    );
    read = -Infinity;
  },
});
