/** Recorded tapes as a source: CSV tapes and raw captures, plain or gzip, merged by time (SPEC MD-9..MD-11). */
import { createHash } from 'node:crypto';
import { stat } from 'node:fs/promises';
import { basename, resolve } from 'node:path';
import type { Clock } from '#shared/clock.ts';
import { Merge } from './merge.ts';
import { Normaliser, type NormaliserState } from './normaliser.ts';
import { Pacer, type PlaySpeed } from './pacing.ts';
import type { Source, SourceBatch } from './source.ts';
import { TapeFile } from './tape-file.ts';
import { TapeError } from './tape-schema.ts';

export interface TapeOptions {
  /** Files in the order in which ties are decided. */
  paths: readonly string[];
  speed: PlaySpeed;
  clock: Clock;
  /** Longest wait for the next row on the clock, ms. */
  maxPauseMs?: number;
}

/** What a cursor says: data lines that are behind, per file, and the scales of the instruments. */
interface TapeCursor {
  lines: number[];
  scales: NormaliserState;
}

/** Opens the files and checks their headers. Throws TapeError when one of them cannot be played. */
export async function openTapeSource(options: TapeOptions): Promise<Source> {
  const { paths } = options;
  if (paths.length === 0) throw new TapeError('no tape was named');
  let totalBytes = 0;
  const identity = createHash('sha256');
  for (const path of paths) {
    const file = await TapeFile.open(path);
    await file.close();
    const { size } = await stat(path);
    totalBytes += size;
    identity.update(JSON.stringify([resolve(path), size]));
  }
  return new TapeSource(options, `tape-${identity.digest('hex').slice(0, 16)}`, totalBytes);
}

class TapeSource implements Source {
  readonly simulated = false;
  readonly finite = true;
  readonly id: string;
  readonly totalBytes: number;
  readonly #options: TapeOptions;
  #files: TapeFile[] = [];
  #bytesRead = 0;

  constructor(options: TapeOptions, id: string, totalBytes: number) {
    this.#options = options;
    this.id = id;
    this.totalBytes = totalBytes;
  }

  bytesRead(): number {
    return this.#files.length === 0 ? this.#bytesRead : this.#files.reduce((bytes, file) => bytes + file.bytesRead, 0);
  }

  async *batches(cursor: string | undefined, signal: AbortSignal): AsyncGenerator<SourceBatch> {
    const { paths, speed, clock, maxPauseMs } = this.#options;
    const from = readCursor(cursor, paths);
    const files: TapeFile[] = [];
    this.#files = files;
    try {
      for (const [i, path] of paths.entries()) {
        const file = await TapeFile.open(path);
        files.push(file);
        await file.skip(from.lines[i] ?? 0);
      }
      const normaliser = new Normaliser(from.scales);
      const merge = new Merge(files, from.lines, normaliser);
      const pacer = new Pacer(speed, clock, maxPauseMs);
      while (!signal.aborted) {
        const { batch, nextMs } = await merge.take(pacer.dueMs());
        if (batch !== undefined) {
          const behind: TapeCursor = { lines: merge.lines, scales: normaliser.state() };
          yield {
            trades: batch.trades,
            quotes: batch.quotes,
            control: [],
            rejections: batch.rejections,
            rowsRead: batch.lines,
            cursor: JSON.stringify(behind),
          };
        }
        if (nextMs !== undefined) await pacer.until(nextMs, signal);
        else if (batch === undefined) return;
      }
    } finally {
      this.#bytesRead = this.bytesRead();
      this.#files = [];
      await Promise.all(files.map((file) => file.close()));
    }
  }
}

function readCursor(cursor: string | undefined, paths: readonly string[]): TapeCursor {
  if (cursor === undefined) return { lines: paths.map(() => 0), scales: {} };
  const { lines, scales } = JSON.parse(cursor) as TapeCursor;
  if (lines.length !== paths.length) {
    throw new TapeError(`the kept place in ${paths.map((path) => basename(path)).join(', ')} belongs to other files`);
  }
  return { lines, scales };
}
