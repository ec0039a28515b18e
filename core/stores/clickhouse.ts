/** The market store on ClickHouse: in this process (chDB) when a path is given, on a server when a URL is. */
import type { Clock } from '#shared/clock.ts';
import { systemClock } from '../ops/system-clock.ts';
import { openEngine, type ClickHouseOptions } from './clickhouse-engine.ts';
import { clickHouseMigrations } from './clickhouse-migrations.ts';
import { ClickHouseReader } from './clickhouse-reader.ts';
import { ClickHouseWriter } from './clickhouse-writer.ts';
import { migrate, readMigrations } from './migrate.ts';
import type { MarketStore } from './stores.ts';

const MIGRATIONS = new URL('../../sql/clickhouse/', import.meta.url);

/**
 * Opens the store. Tables are there after `migrate`. Rejects when the engine does not answer; an embedded path that another
 * process holds is refused.
 */
export async function openClickHouse(options: ClickHouseOptions & { clock?: Clock }): Promise<MarketStore> {
  const engine = await openEngine(options);
  const target = clickHouseMigrations(engine, options.clock ?? systemClock());
  const writer = new ClickHouseWriter(engine);
  const reader = new ClickHouseReader(engine);
  return {
    migrate: async (dryRun = false) => migrate(target, await readMigrations(MIGRATIONS), dryRun),
    writeTrades: (batches, token) => writer.writeTrades(batches, token),
    writeQuotes: (batches, token) => writer.writeQuotes(batches, token),
    writeBars: (bars) => writer.writeBars(bars),
    writeProfiles: (profiles) => writer.writeProfiles(profiles),
    writeStats: (stats) => writer.writeStats(stats),
    writeDeadLetters: (rows, token) => writer.writeDeadLetters(rows, token),
    instruments: () => reader.instruments(),
    trades: (query) => reader.trades(query),
    quotes: (query) => reader.quotes(query),
    bars: (query) => reader.bars(query),
    profiles: (query) => reader.profiles(query),
    stats: (instrument) => reader.stats(instrument),
    deadLetters: () => reader.deadLetters(),
    ping: () => engine.ping(),
    close: () => engine.close(),
  };
}
