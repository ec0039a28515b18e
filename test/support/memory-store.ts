/** MarketStore in memory, for tests of what stands above it. Batches are small on purpose. */
import type { Bar, Profile, Stats } from '#shared/bars.ts';
import { quoteTimeMs, type QuoteColumns, type TradeColumns } from '#shared/ticks.ts';
import type { DeadLetterRow, InstrumentRow, MarketStore, RangeQuery } from '../../core/stores/stores.ts';
import { decodeFrame, encodeQuotes, encodeTrades } from '#shared/frame.ts';

interface Tick {
  arrival: number;
  instrument: string;
  eventMs: number;
}
interface StoredTrade extends Tick {
  frame: Uint8Array;
}

export interface MemoryStore extends MarketStore {
  /** Makes every call reject, as a store that is away does. */
  down: boolean;
}

const BATCH = 3;

export function memoryStore(): MemoryStore {
  const trades = new Map<number, StoredTrade>();
  const quotes = new Map<number, StoredTrade>();
  const bars = new Map<string, Bar>();
  const profiles = new Map<string, Profile>();
  const stats = new Map<string, Stats>();
  const deadLetters: DeadLetterRow[] = [];
  const store: MemoryStore = {
    down: false,
    async migrate() {
      return { applied: [], version: 1 };
    },
    async writeTrades(batches) {
      for (const batch of batches) {
        for (let i = 0; i < batch.length; i++) {
          const arrival = batch.arrival[i] as number;
          const instrument = batch.instruments.values[batch.instrument[i] as number] as string;
          trades.set(arrival, {
            arrival,
            instrument,
            eventMs: batch.eventMs[i] as number,
            frame: encodeTrades(batch, Uint32Array.of(i)),
          });
        }
      }
    },
    async writeQuotes(batches) {
      for (const batch of batches) {
        for (let i = 0; i < batch.length; i++) {
          const arrival = batch.arrival[i] as number;
          const instrument = batch.instruments.values[batch.instrument[i] as number] as string;
          quotes.set(arrival, {
            arrival,
            instrument,
            eventMs: quoteTimeMs(batch, i),
            frame: encodeQuotes(batch, Uint32Array.of(i)),
          });
        }
      }
    },
    async writeBars(list) {
      for (const bar of list) bars.set(`${bar.instrument} ${bar.timeframe} ${bar.startMs}`, bar);
    },
    async writeProfiles(list) {
      for (const profile of list) profiles.set(`${profile.instrument} ${profile.startMs}`, profile);
    },
    async writeStats(list) {
      for (const one of list) stats.set(one.instrument, one);
    },
    async instruments() {
      check();
      const rows = new Map<string, InstrumentRow>();
      for (const [kind, ticks] of [
        ['trades', trades],
        ['quotes', quotes],
      ] as const) {
        for (const tick of ticks.values()) {
          const [venue = '', symbol = ''] = tick.instrument.split(':');
          const row = rows.get(tick.instrument) ?? {
            venue,
            symbol,
            priceScale: 2,
            sizeScale: 0,
            firstEventMs: tick.eventMs,
            lastEventMs: tick.eventMs,
            trades: 0,
            quotes: 0,
          };
          row.firstEventMs = Math.min(row.firstEventMs, tick.eventMs);
          row.lastEventMs = Math.max(row.lastEventMs, tick.eventMs);
          row[kind]++;
          rows.set(tick.instrument, row);
        }
      }
      return [...rows.values()];
    },
    async *trades(query) {
      check();
      for (const tick of select([...trades.values()], query))
        yield (decodeFrame(tick.frame) as { trades: TradeColumns }).trades;
    },
    async *quotes(query) {
      check();
      for (const tick of select([...quotes.values()], query))
        yield (decodeFrame(tick.frame) as { quotes: QuoteColumns }).quotes;
    },
    async *bars(query) {
      check();
      const rows = [...bars.values()].filter((bar) => bar.timeframe === query.timeframe);
      yield* chunks(selectWindows(rows, query));
    },
    async *profiles(query) {
      check();
      yield* chunks(selectWindows([...profiles.values()], query));
    },
    async stats(instrument) {
      check();
      return stats.get(instrument);
    },
    async writeDeadLetters(rows) {
      deadLetters.push(...rows);
    },
    async *deadLetters() {
      check();
      yield* chunks(deadLetters);
    },
    async ping() {
      check();
    },
    async close() {},
  };
  function check(): void {
    if (store.down) throw new Error('connect ECONNREFUSED /var/lib/secret/path');
  }
  return store;
}

function* chunks<T>(rows: readonly T[]): Generator<T[]> {
  for (let i = 0; i < rows.length; i += BATCH) yield rows.slice(i, i + BATCH);
}

function select<T extends Tick>(ticks: readonly T[], query: RangeQuery): T[] {
  const sign = query.newestFirst === true ? -1 : 1;
  return ticks
    .filter((tick) => inRange(tick.instrument, tick.eventMs, query))
    .filter((tick) => query.after === undefined || (tick.arrival - query.after) * sign > 0)
    .toSorted((a, b) => (a.arrival - b.arrival) * sign)
    .slice(0, query.limit);
}

function selectWindows<T extends { instrument: string; startMs: number }>(rows: readonly T[], query: RangeQuery): T[] {
  const sign = query.newestFirst === true ? -1 : 1;
  const name = (row: T): string => row.instrument.replace(':', '\0');
  return rows
    .filter((row) => inRange(row.instrument, row.startMs, query))
    .filter((row) => query.after === undefined || (row.startMs - query.after) * sign > 0)
    .toSorted((a, b) => (name(a) === name(b) ? (a.startMs - b.startMs) * sign : name(a) < name(b) ? -1 : 1))
    .slice(0, query.limit);
}

function inRange(instrument: string, ms: number, query: RangeQuery): boolean {
  return (query.instrument ?? instrument) === instrument && ms >= (query.fromMs ?? ms) && ms < (query.toMs ?? ms + 1);
}
