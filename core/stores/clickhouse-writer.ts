/**
 * Writes to ClickHouse. Bars, profiles and statistics are upserts by version and may be repeated at will. Ticks are plain inserts:
 * a repeat is kept out by the token of its batch, and after a failure or a restart the batch's rows are counted, because the
 * engine notes a token just before it keeps the rows, and a crash between the two would make a repeat look like a duplicate.
 */
import { createHash } from 'node:crypto';
import type { Bar, Profile, Stats } from '#shared/bars.ts';
import type { QuoteColumns, TradeColumns } from '#shared/ticks.ts';
import { barBlock, profileBlock, statsBlock } from './bar-blocks.ts';
import type { ClickHouseEngine } from './clickhouse-engine.ts';
import type { NativeWriter } from './native-writer.ts';
import type { BatchToken, DeadLetterRow } from './stores.ts';
import { deadLetterBlock } from './dead-letter-block.ts';
import { quoteBlock, tradeBlock } from './tick-blocks.ts';

type TickTable = 'trades' | 'quotes' | 'dead_letters';

export class ClickHouseWriter {
  readonly #engine: ClickHouseEngine;
  /** Tables whose last batch is known to be in as a whole. */
  readonly #certain = new Set<TickTable>();

  constructor(engine: ClickHouseEngine) {
    this.#engine = engine;
  }

  writeTrades(batches: readonly TradeColumns[], token: BatchToken): Promise<void> {
    return this.#once('trades', token, (id) => tradeBlock(batches, id));
  }

  writeQuotes(batches: readonly QuoteColumns[], token: BatchToken): Promise<void> {
    return this.#once('quotes', token, (id) => quoteBlock(batches, id));
  }

  writeDeadLetters(rows: readonly DeadLetterRow[], token: BatchToken): Promise<void> {
    return this.#once('dead_letters', token, (id) => deadLetterBlock(rows, id));
  }

  async writeBars(bars: readonly Bar[]): Promise<void> {
    if (bars.length > 0) await this.#engine.insert('bars', barBlock(bars));
  }

  async writeProfiles(profiles: readonly Profile[]): Promise<void> {
    if (profiles.length > 0) await this.#engine.insert('profiles', profileBlock(profiles));
  }

  async writeStats(stats: readonly Stats[]): Promise<void> {
    if (stats.length > 0) await this.#engine.insert('statistics', statsBlock(stats));
  }

  async #once(table: TickTable, token: BatchToken, build: (batchId: Uint32Array) => NativeWriter): Promise<void> {
    const digest = createHash('sha256').update(token).digest();
    const batchId = new Uint32Array([digest.readUInt32LE(0), digest.readUInt32LE(4)]);
    const block = build(batchId);
    if (block.rows === 0) return;
    const certain = this.#certain.delete(table);
    await this.#engine.insert(table, block, { token });
    if (!certain) await this.#settle(table, digest.readBigUInt64LE(0), block);
    this.#certain.add(table);
  }

  /** Makes sure that the rows of the batch are there, each once. */
  async #settle(table: TickTable, batchId: bigint, block: NativeWriter): Promise<void> {
    const [row] = await this.#engine.rows<{ n: string }>(`SELECT count() AS n FROM ${table} WHERE batch = ${batchId}`);
    const stored = Number(row?.n);
    if (stored === block.rows) return;
    if (stored > 0) {
      await this.#engine.command(`ALTER TABLE ${table} DELETE WHERE batch = ${batchId} SETTINGS mutations_sync = 2`);
    }
    await this.#engine.insert(table, block);
  }
}
