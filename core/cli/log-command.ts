/** `edgetape log cat` and `log topics`: what stands in the log, as JSON lines. */
import { decodeControl, isControl } from '#shared/control.ts';
import { decodeFrame } from '#shared/frame.ts';
import { TOPICS, aggregatesTopic } from '#shared/topics.ts';
import { TIMEFRAMES } from '#shared/timeframes.ts';
import { Unpackr } from 'msgpackr';
import type { Config } from '../config.ts';
import { openDataDir } from '../dev/data-dir.ts';
import type { Log, LogRecord, TopicSpec } from '../log/log.ts';
import { openSqliteLog } from '../log/sqlite.ts';
import { silentLogger } from '../ops/logger.ts';
import { openLog } from '../run/kafka.ts';
import { barView, profileView, quoteViews, statsView, tradeViews } from '../query/views.ts';
import { decodeBars, decodeProfiles, decodeStats } from '../windows/records.ts';
import { CliError, type CliIo } from './io.ts';
import { tableWriter } from './table.ts';

export interface CatOptions {
  topic: string | undefined;
  partition: number | undefined;
  from: number;
  limit: number;
}

const READ = { maxRecords: 256, maxBytes: 4_194_304 };

/** The log on Kafka where brokers are named, else that of the data folder; closed again afterwards. */
export async function withLog<T>(config: Config, io: CliIo, work: (log: Log) => Promise<T>): Promise<T> {
  if (config.brokers.length > 0) {
    const log = await openLog(config, { clock: io.clock, logger: silentLogger });
    try {
      return await work(log);
    } finally {
      await log.close();
    }
  }
  const dir = openDataDir(config.dataDir, { command: 'log', mustExist: true });
  try {
    const log = await openSqliteLog({ path: dir.logPath, clock: io.clock, logger: silentLogger });
    try {
      return await work(log);
    } finally {
      await log.close();
    }
  } finally {
    dir.release();
  }
}

/** Topics with their partitions, first offset and end. */
export function logTopicsCommand(config: Config, io: CliIo): Promise<number> {
  return withLog(config, io, async (log) => {
    const rows: { topic: string; partition: number; start: number; end: number }[] = [];
    for (const { name, partitions } of await sortedTopics(log))
      for (let partition = 0; partition < partitions; partition++)
        rows.push({ topic: name, partition, ...(await log.bounds(name, partition)) });
    const lines = tableWriter<(typeof rows)[number]>([
      { title: 'topic', text: (row) => row.topic },
      { title: 'partition', right: true, text: (row) => String(row.partition) },
      { title: 'first', right: true, text: (row) => String(row.start) },
      { title: 'end', right: true, text: (row) => String(row.end) },
      { title: 'records', right: true, text: (row) => String(row.end - row.start) },
    ])(rows);
    await io.stdout.write(`${lines.join('\n')}\n`);
    return 0;
  });
}

/** One JSON object a record: where it stands, and what is in it. */
export function logCatCommand(config: Config, options: CatOptions, io: CliIo): Promise<number> {
  return withLog(config, io, async (log) => {
    const topics = (await sortedTopics(log)).filter(
      ({ name }) => options.topic === undefined || name === options.topic,
    );
    if (topics.length === 0)
      throw new CliError(`There is no topic "${options.topic}". "edgetape log topics" lists those there are.`);
    let left = options.limit;
    for (const { name, partitions } of topics) {
      for (let partition = 0; partition < partitions; partition++) {
        if (options.partition !== undefined && options.partition !== partition) continue;
        const { start, end } = await log.bounds(name, partition);
        for (let offset = Math.max(start, options.from); offset < end && left > 0 && !io.stdout.closed;) {
          const records = await log.read(name, partition, offset, {
            ...READ,
            maxRecords: Math.min(READ.maxRecords, left),
          });
          if (records.length === 0) break;
          await io.stdout.write(
            records.map((record) => `${JSON.stringify(describeRecord(name, partition, record), readable)}\n`).join(''),
          );
          left -= records.length;
          offset = (records.at(-1)?.offset ?? end) + 1;
        }
      }
    }
    return 0;
  });
}

export async function sortedTopics(log: Log): Promise<TopicSpec[]> {
  return (await log.topics()).sort((a, b) => (a.name < b.name ? -1 : 1));
}

const unpackr = new Unpackr({ useRecords: false });
const BAR_TOPICS = new Set(TIMEFRAMES.map(aggregatesTopic));

/** A record as JSON. What cannot be decoded is shown in hexadecimal with the reason. */
export function describeRecord(topic: string, partition: number, record: LogRecord): Record<string, unknown> {
  const place = {
    topic,
    partition,
    offset: record.offset,
    timestampMs: record.timestampMs,
    bytes: record.value.length,
  };
  return { ...place, ...describeValue(topic, record.value) };
}

function describeValue(topic: string, value: Uint8Array): Record<string, unknown> {
  if (isControl(value)) {
    const control = decodeControl(value);
    return control === undefined ? undecodable('control', value) : { kind: 'control', control };
  }
  if (topic === TOPICS.trades || topic === TOPICS.quotes) {
    const frame = decodeFrame(value);
    if (!frame.ok) return undecodable(frame.fault, value);
    return frame.kind === 'trades'
      ? { kind: 'trades', trades: [...tradeViews(frame.trades)] }
      : { kind: 'quotes', quotes: [...quoteViews(frame.quotes)] };
  }
  if (BAR_TOPICS.has(topic)) return list('bars', decodeBars(value)?.map(barView), value);
  if (topic === TOPICS.volumeProfile) return list('profiles', decodeProfiles(value)?.map(profileView), value);
  if (topic === TOPICS.statistics) return list('statistics', decodeStats(value)?.map(statsView), value);
  try {
    return { kind: 'message', message: unpackr.unpack(value) as unknown };
  } catch {
    return undecodable('no message', value);
  }
}

function list(kind: string, values: unknown[] | undefined, value: Uint8Array): Record<string, unknown> {
  return values === undefined ? undecodable('bad_layout', value) : { kind, [kind]: values };
}

const HEX_BYTES = 64;

function undecodable(fault: string, value: Uint8Array): Record<string, unknown> {
  return { kind: 'undecodable', fault, hex: Buffer.from(value.subarray(0, HEX_BYTES)).toString('hex') };
}

function readable(_: string, value: unknown): unknown {
  return typeof value === 'bigint' ? value.toString() : value;
}
