/**
 * A live feed that goes on while the log takes nothing: what it brings waits in memory, then on disk up to a limit, in order. When the
 * limit is reached the feed is no longer read, and does what it does with a reader that has stopped. The file has no name: it goes
 * with the process, as everything does that was not acknowledged.
 */
import { closeSync, ftruncateSync, mkdirSync, openSync, readSync, rmSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import { deserialize, serialize } from 'node:v8';
import { StringTable, type QuoteColumns, type TradeColumns } from '#shared/ticks.ts';
import type { Logger } from '../ops/logger.ts';
import type { Source, SourceBatch } from './source.ts';

export interface SpoolOptions {
  /** Where the file is made, when it is needed. */
  path: string;
  maxBytes: number;
  logger: Logger;
  /** Batches that wait in memory before the disk is used. */
  memoryBatches?: number;
}

export interface SpooledSource extends Source {
  bufferedBytes(): number;
  /** Whether the limit is reached and the feed is held. */
  full(): boolean;
}

const MEMORY_BATCHES = 16;
const MOVE_BYTES = 1_048_576;

/** @param source has no end of its own */
export function spooled(source: Source, options: SpoolOptions): SpooledSource {
  const { logger, maxBytes, memoryBatches = MEMORY_BATCHES } = options;
  const file = new SpoolFile(options.path);
  let full = false;
  return {
    id: source.id,
    simulated: source.simulated,
    finite: source.finite,
    totalBytes: source.totalBytes,
    bytesRead: () => source.bytesRead(),
    bufferedBytes: () => file.bytes,
    full: () => full,
    async *batches(cursor, signal) {
      const memory: SourceBatch[] = [];
      let ended: { error?: unknown } | undefined;
      let wakeReader = (): void => {};
      let wakeFeed = (): void => {};

      const keep = async (batch: SourceBatch): Promise<void> => {
        if (file.count === 0 && memory.length < memoryBatches) {
          memory.push(batch);
          return;
        }
        const bytes = encodeBatch(batch);
        if (file.count === 0) logger.warn('the log takes nothing, ticks wait on disk', { source: source.id });
        if (file.bytes + bytes.length > maxBytes) file.compact(maxBytes / 2);
        while (file.bytes + bytes.length > maxBytes && file.count > 0) {
          if (!full) logger.error('no room on disk for more ticks, the feed is held', { source: source.id, maxBytes });
          full = true;
          await new Promise<void>((resolve) => (wakeFeed = resolve));
          file.compact(maxBytes / 2);
        }
        full = false;
        file.append(bytes);
      };
      const pump = async (): Promise<void> => {
        for await (const batch of source.batches(cursor, signal)) {
          await keep(batch);
          wakeReader();
        }
      };
      pump().then(
        () => ((ended = {}), wakeReader()),
        (error: unknown) => ((ended = { error }), wakeReader()),
      );

      try {
        for (;;) {
          const next = memory.shift();
          if (next !== undefined) yield next;
          else if (file.count > 0) {
            const batch = decodeBatch(file.shift());
            if (file.count === 0) logger.info('ticks no longer wait on disk', { source: source.id });
            wakeFeed();
            yield batch;
          } else if (ended !== undefined) {
            if ('error' in ended) throw ended.error;
            return;
          } else await new Promise<void>((resolve) => (wakeReader = resolve));
        }
      } finally {
        file.close();
        wakeFeed();
      }
    },
  };
}

/** First in, first out. Truncated whenever it is empty, and without a name from the moment it is open. */
class SpoolFile {
  readonly #path: string;
  readonly #sizes: number[] = [];
  #fd: number | undefined;
  #readAt = 0;
  #writeAt = 0;

  constructor(path: string) {
    this.#path = path;
  }

  get count(): number {
    return this.#sizes.length;
  }

  /** Bytes of the file, what was taken from it already included. */
  get bytes(): number {
    return this.#writeAt;
  }

  append(bytes: Uint8Array): void {
    this.#fd ??= this.#open();
    for (let done = 0; done < bytes.length;)
      done += writeSync(this.#fd, bytes, done, bytes.length - done, this.#writeAt + done);
    this.#writeAt += bytes.length;
    this.#sizes.push(bytes.length);
  }

  shift(): Uint8Array {
    const size = this.#sizes.shift();
    if (size === undefined || this.#fd === undefined) throw new Error('The spool is empty');
    const bytes = new Uint8Array(size);
    for (let done = 0; done < size;) {
      const read = readSync(this.#fd, bytes, done, size - done, this.#readAt + done);
      if (read === 0) throw new Error('The spool file has been cut short');
      done += read;
    }
    this.#readAt += size;
    if (this.#sizes.length === 0) {
      ftruncateSync(this.#fd, 0);
      this.#readAt = this.#writeAt = 0;
    }
    return bytes;
  }

  /** Moves what is left to the front, once at least `leastBytes` before it were taken: moving costs no more than writing did. */
  compact(leastBytes: number): void {
    if (this.#fd === undefined || this.#readAt < leastBytes) return;
    const chunk = new Uint8Array(MOVE_BYTES);
    const from = this.#readAt;
    const rest = this.#writeAt - from;
    for (let at = 0; at < rest;) {
      const read = readSync(this.#fd, chunk, 0, Math.min(MOVE_BYTES, rest - at), from + at);
      if (read === 0) throw new Error('The spool file has been cut short');
      for (let done = 0; done < read;) done += writeSync(this.#fd, chunk, done, read - done, at + done);
      at += read;
    }
    ftruncateSync(this.#fd, rest);
    this.#readAt = 0;
    this.#writeAt = rest;
  }

  close(): void {
    if (this.#fd !== undefined) closeSync(this.#fd);
    this.#fd = undefined;
    this.#sizes.length = 0;
    this.#readAt = this.#writeAt = 0;
  }

  #open(): number {
    mkdirSync(dirname(this.#path), { recursive: true });
    const fd = openSync(this.#path, 'w+');
    rmSync(this.#path);
    return fd;
  }
}

type Columns = TradeColumns | QuoteColumns;

function encodeBatch({ trades, quotes, ...rest }: SourceBatch): Uint8Array {
  return serialize({ ...rest, trades: plain(trades), quotes: plain(quotes) });
}

function decodeBatch(bytes: Uint8Array): SourceBatch {
  const batch = deserialize(bytes) as SourceBatch;
  return { ...batch, trades: columns(batch.trades), quotes: columns(batch.quotes) };
}

/** Columns without their spare room, tables as lists. */
function plain(from: Columns | undefined): Record<string, unknown> | undefined {
  if (from === undefined) return undefined;
  const fields = Object.entries(from).map(([name, value]: [string, unknown]) => {
    if (value instanceof StringTable) return [name, value.values];
    return [name, ArrayBuffer.isView(value) ? (value as Float64Array).slice(0, from.length) : value];
  });
  return Object.fromEntries(fields) as Record<string, unknown>;
}

function columns<T extends Columns>(from: T | undefined): T | undefined {
  if (from === undefined) return undefined;
  const fields = Object.entries(from).map(([name, value]: [string, unknown]) => [
    name,
    Array.isArray(value) ? new StringTable(value as string[]) : value,
  ]);
  return Object.fromEntries(fields) as T;
}
