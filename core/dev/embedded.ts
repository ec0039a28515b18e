/** Log and store of a data folder, opened and closed together. */
import { mkdirSync } from 'node:fs';
import type { Clock } from '#shared/clock.ts';
import type { Config } from '../config.ts';
import { openSqliteLog } from '../log/sqlite.ts';
import type { Log } from '../log/log.ts';
import type { Logger } from '../ops/logger.ts';
import { openClickHouse } from '../stores/clickhouse.ts';
import type { MarketStore } from '../stores/stores.ts';
import { DataDirError, holderOf, openDataDir, type DataDir } from './data-dir.ts';

export interface Base {
  dir: DataDir;
  log: Log;
  store: MarketStore;
  /** Migrations that were applied at opening. */
  applied: string[];
  close(): Promise<void>;
}

export interface BaseOptions {
  command: string;
  clock: Clock;
  logger: Logger;
  mustExist?: boolean;
}

/** Takes the folder, opens both and brings the store's schema up to date. On an error everything is closed again. */
export async function openBase(config: Config, options: BaseOptions): Promise<Base> {
  const dir = openDataDir(config.dataDir, options);
  const closing: (() => Promise<void>)[] = [async () => dir.release()];
  const close = async (): Promise<void> => {
    for (let step = closing.pop(); step !== undefined; step = closing.pop()) await step();
  };
  try {
    const log = await openSqliteLog({ path: dir.logPath, clock: options.clock, logger: options.logger });
    closing.push(() => log.close());
    const store = await openStore(config, dir, options.clock);
    closing.push(() => store.close());
    const { applied } = await store.migrate();
    return { dir, log, store, applied, close };
  } catch (error) {
    await close();
    throw error;
  }
}

/** The store named by the configuration: a ClickHouse server, or the one built in. */
export async function openStore(config: Config, dir: DataDir, clock: Clock): Promise<MarketStore> {
  if (config.clickhouseUrl !== '')
    return openClickHouse({
      url: config.clickhouseUrl,
      user: config.clickhouseUser,
      password: config.clickhousePassword,
      database: config.clickhouseDatabase,
      clock,
    });
  mkdirSync(dir.clickhousePath, { recursive: true });
  return openClickHouse({ path: dir.clickhousePath, clock });
}

/** How long a command that reads waits for another one that reads. */
const READER_WAIT_MS = 10_000;
const READER_LOOK_MS = 100;

/** The store alone, for commands that read. Waits for another such command, refuses beside an instance that runs. */
export async function openReadOnly(
  config: Config,
  command: string,
  clock: Clock,
): Promise<{ store: MarketStore; close(): Promise<void> }> {
  const dir = await takeForReading(config.dataDir, command, clock);
  try {
    const store = await openStore(config, dir, clock);
    try {
      await store.migrate();
    } catch (error) {
      await store.close();
      throw error;
    }
    return {
      store,
      async close() {
        await store.close();
        dir.release();
      },
    };
  } catch (error) {
    dir.release();
    throw error;
  }
}

async function takeForReading(path: string, command: string, clock: Clock): Promise<DataDir> {
  const untilMs = clock.nowMs() + READER_WAIT_MS;
  for (;;) {
    try {
      return openDataDir(path, { command, mustExist: true });
    } catch (error) {
      const holder = holderOf(path);
      const reads = holder !== undefined && READERS.has(holder.command);
      if (!(error instanceof DataDirError) || !reads || clock.nowMs() > untilMs) throw error;
      await new Promise<void>((resolve) => clock.schedule(READER_LOOK_MS, resolve));
    }
  }
}

/** Commands that hold the folder for a moment only. */
const READERS: ReadonlySet<string> = new Set([
  'bars',
  'profile',
  'trades',
  'quotes',
  'symbols',
  'log',
  'doctor',
  'migrate',
]);
