/**
 * A sink of its own process, over the embedded log and store, until everything is stored or it is killed. Arguments: folder,
 * partitions, rows a batch. It prints a line at the beginning and the end of every write, and `done` at the end.
 */
import { join } from 'node:path';
import { openSqliteLog } from '../../core/log/sqlite.ts';
import { silentLogger } from '../../core/ops/logger.ts';
import { systemClock } from '../../core/ops/system-clock.ts';
import { openClickHouse } from '../../core/stores/clickhouse.ts';
import { createSink } from '../../core/stores/sink.ts';
import type { MarketStore } from '../../core/stores/stores.ts';

const [folder = '', partitions = '', maxBatchRows = ''] = process.argv.slice(2);
const clock = systemClock();
const log = await openSqliteLog({ path: join(folder, 'log.db'), clock });
const inner = await openClickHouse({ path: join(folder, 'store') });
await inner.migrate();
const store: MarketStore = {
  ...inner,
  async writeTrades(batches, token) {
    process.stdout.write(`write ${token}\n`);
    await inner.writeTrades(batches, token);
    process.stdout.write(`written ${token}\n`);
  },
};
const options = { log, store, clock, logger: silentLogger, partitions: Number(partitions) };
const sink = createSink({ ...options, maxBatchRows: Number(maxBatchRows), maxDelayMs: 1 });
const running = sink.run();
await sink.caughtUp();
await sink.drain();
await running;
await log.close();
await inner.close();
process.stdout.write('done\n');
