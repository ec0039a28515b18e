/**
 * Questions: how many ticks a second go Kafka → windows → Kafka, exactly once, on one core of ours? How long is a tick on its way
 * through the broker? How soon is a windows process that was killed with a backlog before it back?
 * Method: a real broker beside us; the windows run in a process of their own whose processor time is what counts (the broker has its
 * own). Figures are from 0 to all that was preloaded, start of the engine and JIT included. Beside it in the same run: one JSON object
 * a message through the same client and the same engine. Ticks of the backlog: EDGETAPE_BENCH_TICKS, 10 million by default.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import kafkajs from 'kafkajs';
import { encodeTrades } from '#shared/frame.ts';
import { TOPICS } from '#shared/topics.ts';
import { openKafkaLog, type KafkaLog } from '../../core/log/kafka.ts';
import { systemClock } from '../../core/ops/system-clock.ts';
import { backlogFrames, preload } from '../support/backlog.ts';
import type { JsonTrade } from '../support/json-windows-process.ts';
import { kafkaMissing, TestBroker } from '../support/kafka.ts';
import type { CaughtUp } from '../support/windows-process.ts';

const PARTITIONS = 4;
const TICKS = Number(process.env['EDGETAPE_BENCH_TICKS'] ?? 10_000_000);
const JSON_TICKS = 1_000_000;
const LATENCY_TICKS = 1_000;
const TICK_EVERY_MS = 5;
const COMMIT_INTERVALS_MS = [0, 20, 100];
const SUPPORT = new URL('../support/', import.meta.url).pathname;

export async function run(): Promise<void> {
  if (kafkaMissing !== undefined) {
    console.log(`not run: ${kafkaMissing}`);
    return;
  }
  const broker = await TestBroker.start();
  const logs: KafkaLog[] = [];
  const open = async (prefix: string): Promise<KafkaLog> => {
    const log = await openKafkaLog({ brokers: [broker.address], clientId: 'bench', clock: systemClock(), prefix });
    logs.push(log);
    return log;
  };
  try {
    await throughput(broker, open);
    await latency(broker, open);
    await recovery(broker, open);
  } finally {
    await Promise.all(logs.map((log) => log.close()));
    await broker.stop();
  }
}

type Open = (prefix: string) => Promise<KafkaLog>;

async function throughput(broker: TestBroker, open: Open): Promise<void> {
  const log = await open('b.');
  await preload(log, { ticks: TICKS, partitions: PARTITIONS });
  const frames = await caughtUp(start('windows-process.ts', broker.address, 'b.', String(PARTITIONS)));
  await preloadJson(broker);
  const json = await caughtUp(start('json-windows-process.ts', broker.address, 'json', String(JSON_TICKS)));
  console.log(
    `\nKafka → windows → Kafka, exactly once, ${PARTITIONS} partitions, transaction every 100 ms a partition`,
  );
  report('frames', frames);
  report('JSON a tick', json);
  const ratio = frames.ticks / frames.cpuMs / (json.ticks / json.cpuMs);
  console.log(
    `ratio        ${ratio.toFixed(1)} times as many ticks a processor second as with one JSON object a message`,
  );
  console.log(`memory       ${Math.round(frames.maxRssMb)} MB at most; goal ≥ 3.0 M ticks/s a core`);
  if (frames.ticks !== TICKS) throw new Error(`${frames.ticks} of ${TICKS} ticks were counted`);
}

function report(name: string, { ticks, cpuMs, wallMs }: Pick<CaughtUp, 'ticks' | 'cpuMs' | 'wallMs'>): void {
  const millions = (ms: number): string => `${(ticks / ms / 1_000).toFixed(3)} M/s`;
  console.log(
    `${name.padEnd(12)} ${millions(cpuMs)} a processor second, ${millions(wallMs)} by the wall (${(ticks / 1e6).toFixed(1)} M ticks, ${(cpuMs / 1000).toFixed(2)} s of processor, ${(wallMs / 1000).toFixed(2)} s)`,
  );
}

async function preloadJson(broker: TestBroker): Promise<void> {
  const client = new kafkajs.Kafka({
    brokers: [broker.address],
    clientId: 'bench',
    logLevel: kafkajs.logLevel.NOTHING,
  });
  const admin = client.admin();
  await admin.connect();
  await admin.createTopics({
    waitForLeaders: true,
    topics: ['json', 'json-bars'].map((topic) => ({ topic, numPartitions: PARTITIONS, replicationFactor: 1 })),
  });
  await admin.disconnect();
  const producer = client.producer({ createPartitioner: kafkajs.Partitioners.DefaultPartitioner });
  await producer.connect();
  for (const { partition, trades } of backlogFrames({ ticks: JSON_TICKS, partitions: PARTITIONS })) {
    const messages = Array.from({ length: trades.length }, (_, i) => {
      const trade: JsonTrade = {
        instrument: trades.instruments.values[trades.instrument[i] as number] as string,
        eventMs: trades.eventMs[i] as number,
        recvMs: trades.recvMs[i] as number,
        price: trades.price[i] as number,
        priceDecimals: trades.priceDecimals[i] as number,
        size: trades.size[i] as number,
        side: trades.side[i] as number,
        tradeId: trades.tradeId[i] as number,
        arrival: trades.arrival[i] as number,
      };
      return { partition, value: JSON.stringify(trade) };
    });
    await producer.send({ topic: 'json', messages });
  }
  await producer.disconnect();
}

function start(script: string, ...args: string[]): ChildProcess {
  return spawn(process.execPath, [`${SUPPORT}${script}`, ...args], { stdio: ['ignore', 'pipe', 'inherit'] });
}

/** What the process says when it is through; the process is ended then. */
async function caughtUp(child: ChildProcess): Promise<CaughtUp> {
  try {
    for await (const line of createInterface({ input: child.stdout as NodeJS.ReadableStream })) {
      if (line.startsWith('caught up ')) return JSON.parse(line.slice('caught up '.length)) as CaughtUp;
    }
    throw new Error('the process ended before it had caught up');
  } finally {
    child.kill('SIGKILL');
  }
}

/** A process with state is killed with the whole backlog before it; another one takes over from its last commit. */
async function recovery(broker: TestBroker, open: Open): Promise<void> {
  const log = await open('r.');
  const args = [broker.address, 'r.', String(PARTITIONS)];
  // Gives the process something to have state of, before the backlog comes.
  await preload(log, { ticks: TICKS / 10, partitions: PARTITIONS, seed: 2 });
  const first = start('windows-process.ts', ...args);
  await said(first, 'caught up');
  first.kill('SIGSTOP');
  await preloadBehind(log);
  const ends = await barEnds(log);
  first.kill('SIGKILL');
  const startedMs = performance.now();
  const second = start('windows-process.ts', ...args);
  const done = caughtUp(second).then((result) => ({ result, ms: performance.now() - startedMs }));
  const stop = new AbortController();
  const firstBar = Promise.race(ends.map((end, p) => log.wait('aggregates-1m', p, end, stop.signal))).then(
    () => performance.now() - startedMs,
  );
  const [{ result, ms }, barMs] = await Promise.all([done, firstBar]);
  stop.abort();
  console.log(
    `\nkill -9 of the windows with a backlog of ${(TICKS / 1e6).toFixed(1)} M ticks, another process started at once`,
  );
  console.log(`first new bar ${(barMs / 1000).toFixed(2)} s (goal < 2 s)`);
  console.log(
    `caught up     ${(ms / 1000).toFixed(2)} s (goal < 10 s), ${(result.processCpuMs / 1000).toFixed(2)} s of processor`,
  );
}

/** The backlog proper, an hour of event time behind what is there. */
async function preloadBehind(log: KafkaLog): Promise<void> {
  let transaction = await log.transaction('preload');
  let frames = 0;
  const shiftMs = TICKS / 10 + 3_600_000;
  for (const { partition, trades } of backlogFrames({ ticks: TICKS, partitions: PARTITIONS, seed: 3 })) {
    for (let i = 0; i < trades.length; i++) {
      trades.eventMs[i] = (trades.eventMs[i] as number) + shiftMs;
      trades.tradeId[i] = (trades.tradeId[i] as number) + 1e9;
      trades.arrival[i] = (trades.arrival[i] as number) + 1e9;
    }
    transaction.append(TOPICS.trades, partition, encodeTrades(trades));
    if (++frames % 400 > 0) continue;
    await transaction.commit();
    transaction = await log.transaction('preload');
  }
  await transaction.commit();
}

async function barEnds(log: KafkaLog): Promise<number[]> {
  return Promise.all(
    Array.from({ length: PARTITIONS }, async (_, partition) => (await log.bounds('aggregates-1m', partition)).end),
  );
}

async function said(child: ChildProcess, words: string): Promise<void> {
  const lines = createInterface({ input: child.stdout as NodeJS.ReadableStream });
  await new Promise<void>((resolve, reject) => {
    lines.on('line', (line) => {
      if (line.startsWith(words)) resolve();
    });
    child.once('exit', () => reject(new Error(`the process ended before it said "${words}"`)));
  });
}

/** From the moment a tick is there to the moment a waiting reader has its bytes. */
async function latency(broker: TestBroker, open: Open): Promise<void> {
  console.log(`\none tick every ${TICK_EVERY_MS} ms through the broker, ${LATENCY_TICKS} ticks, one waiting reader`);
  const log = await open('l.');
  await log.ensureTopics([{ name: 'plain', partitions: 1 }]);
  const client = new kafkajs.Kafka({
    brokers: [broker.address],
    clientId: 'bench',
    logLevel: kafkajs.logLevel.NOTHING,
  });
  const producer = client.producer({ createPartitioner: kafkajs.Partitioners.DefaultPartitioner });
  await producer.connect();
  const plain = await measured(log, 'plain', (value) =>
    producer.send({ topic: 'l.plain', acks: 1, messages: [{ partition: 0, value: Buffer.from(value) }] }),
  );
  await producer.disconnect();
  show('without transactions (kafkajs)', plain, 'goal p50 < 3, p99 < 10');
  for (const intervalMs of COMMIT_INTERVALS_MS) {
    const topic = `every-${intervalMs}`;
    await log.ensureTopics([{ name: topic, partitions: 1 }]);
    const writer = new IntervalWriter(log, topic, intervalMs);
    const times = await measured(log, topic, (value) => writer.write(value));
    await writer.close();
    show(`a transaction every ${intervalMs} ms`, times, `goal p99 < ${intervalMs + 10}`);
  }
}

function show(name: string, times: number[], goal: string): void {
  times.sort((a, b) => a - b);
  const at = (share: number): string =>
    (times[Math.min(times.length - 1, Math.floor(times.length * share))] as number).toFixed(1);
  console.log(`${name.padEnd(31)} p50 ${at(0.5)} ms, p99 ${at(0.99)} ms, max ${at(1)} ms (${goal})`);
}

/** Gathers ticks and commits them when the interval has passed since the commit before, as the collector does. */
class IntervalWriter {
  readonly #log: KafkaLog;
  readonly #topic: string;
  readonly #intervalMs: number;
  #waiting: Uint8Array[] = [];
  #running: Promise<void> | undefined;

  constructor(log: KafkaLog, topic: string, intervalMs: number) {
    this.#log = log;
    this.#topic = topic;
    this.#intervalMs = intervalMs;
  }

  async write(value: Uint8Array): Promise<void> {
    this.#waiting.push(value);
    this.#running ??= this.#work();
  }

  async close(): Promise<void> {
    await this.#running;
  }

  async #work(): Promise<void> {
    while (this.#waiting.length > 0) {
      const values = this.#waiting;
      this.#waiting = [];
      const startedMs = performance.now();
      const transaction = await this.#log.transaction(`writer-${this.#topic}`);
      for (const value of values) transaction.append(this.#topic, 0, value);
      await transaction.commit();
      const restMs = this.#intervalMs - (performance.now() - startedMs);
      if (restMs > 0) await delay(restMs);
    }
    this.#running = undefined;
  }
}

async function measured(
  log: KafkaLog,
  topic: string,
  write: (value: Uint8Array) => Promise<unknown>,
): Promise<number[]> {
  const warmUp = 100;
  const made: number[] = [];
  const times: number[] = [];
  const stop = new AbortController();
  const reader = (async () => {
    for (let next = 0, seen = 0; seen < LATENCY_TICKS + warmUp;) {
      const records = await log.read(topic, 0, next, { maxRecords: 1_000, maxBytes: 1_000_000 });
      if (records.length === 0) await log.wait(topic, 0, next, stop.signal);
      const nowMs = performance.now();
      for (const { offset, value } of records) {
        const tick = new DataView(value.buffer, value.byteOffset).getUint32(0);
        if (tick >= warmUp) times.push(nowMs - (made[tick] as number));
        next = offset + 1;
        seen++;
      }
    }
  })();
  const pending: Promise<unknown>[] = [];
  const startedMs = performance.now();
  for (let tick = 0; tick < LATENCY_TICKS + warmUp; tick++) {
    const dueMs = startedMs + tick * TICK_EVERY_MS - performance.now();
    if (dueMs > 0) await delay(dueMs);
    const value = new Uint8Array(120);
    new DataView(value.buffer).setUint32(0, tick);
    made[tick] = performance.now();
    pending.push(write(value));
  }
  await Promise.all(pending);
  await reader;
  stop.abort();
  return times;
}
