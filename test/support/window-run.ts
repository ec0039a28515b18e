/** Feeds rows to a window engine as a log would, with the past in memory. */
import type { Bar, Profile } from '#shared/bars.ts';
import { decimalSink, parseDecimal } from '#shared/decimal.ts';
import { ACTION, encodeTradeId, SIDE, type TradeColumns, tradeColumns } from '#shared/ticks.ts';
import type { TickHistory } from '../../core/windows/changes.ts';
import { createWindowEngine } from '../../core/windows/engine.ts';
import type { WindowEngine } from '../../core/windows/window-engine.ts';
import { runRecompute } from '../../core/windows/recompute-run.ts';
import type { EngineOptions } from '../../core/windows/state.ts';
import type { PlainBar, TapeRow } from './window-oracle.ts';

/** One batch; the rows' arrival numbers begin at `arrival`. */
export function batchOf(rows: readonly TapeRow[], arrival: number): TradeColumns {
  const columns = tradeColumns(rows.length);
  const sink = decimalSink();
  rows.forEach((row, i) => {
    columns.instrument[i] = columns.instruments.intern(row.instrument);
    columns.action[i] = ACTION[row.kind];
    columns.side[i] = row.side === '' ? SIDE.unknown : SIDE[row.side];
    columns.eventMs[i] = row.ms;
    columns.eventSubNs[i] = row.sub;
    columns.recvMs[i] = row.ms;
    parseDecimal(row.price, sink);
    columns.price[i] = sink.mantissa;
    columns.priceDecimals[i] = sink.decimals;
    columns.pricePrinted[i] = sink.printed;
    parseDecimal(row.size, sink);
    columns.size[i] = sink.mantissa;
    columns.sizeDecimals[i] = sink.decimals;
    columns.sizePrinted[i] = sink.printed;
    columns.tradeId[i] = encodeTradeId(row.id, columns.strings);
    columns.arrival[i] = arrival + i;
  });
  return { ...columns, length: rows.length };
}

export class WindowRun {
  engine: WindowEngine;
  readonly options: Partial<EngineOptions>;
  readonly batches: TradeColumns[] = [];
  readonly bars = new Map<string, Bar>();
  readonly profiles = new Map<string, Profile>();
  #arrival = 0;

  constructor(options: Partial<EngineOptions> = {}) {
    this.options = options;
    this.engine = createWindowEngine(options);
  }

  readonly history: TickHistory = {
    trades: async function* (this: WindowRun, instrument: string, fromMs: number, toMs: number) {
      for (const batch of this.batches) {
        const local = batch.instruments.values.indexOf(instrument);
        const wanted = [...batch.eventMs.subarray(0, batch.length).keys()].filter((i) => {
          const ms = batch.eventMs[i] as number;
          return batch.instrument[i] === local && ms >= fromMs && ms < toMs;
        });
        if (wanted.length > 0) yield pick(batch, wanted);
      }
    }.bind(this),
    bar: async () => undefined,
    profile: async () => undefined,
  };

  feed(rows: readonly TapeRow[]): void {
    const batch = batchOf(rows, this.#arrival);
    this.#arrival += rows.length;
    this.batches.push(batch);
    this.engine.onTrades(batch, this.batches.length - 1);
  }

  async drain(provisional: boolean): Promise<void> {
    this.#take(this.engine.drain({ provisional }));
    for (const { instrument } of this.engine.recomputeRequests()) {
      this.#take(await runRecompute(this.engine, this.history, instrument));
    }
    this.#take(this.engine.drain({ provisional }));
  }

  #take({ bars, profiles }: { bars: Bar[]; profiles: Profile[] }): void {
    for (const bar of bars) this.bars.set(`${bar.instrument} ${bar.timeframe} ${bar.startMs}`, bar);
    for (const profile of profiles) this.profiles.set(`${profile.instrument} ${profile.startMs}`, profile);
  }

  /** As after `kill -9`: a new engine, the snapshot, and the tail read again. */
  restart(): void {
    const bytes = this.engine.snapshot();
    this.engine = createWindowEngine(this.options);
    this.engine.restore(bytes);
    const from = this.engine.tailFrom;
    if (from === undefined) return;
    for (let offset = from; offset < this.batches.length; offset++) {
      this.engine.replayTail(this.batches[offset] as TradeColumns, offset);
    }
  }

  async end(): Promise<void> {
    const venues = this.engine.watermarks().map(({ venue }) => venue);
    this.engine.onControl({ type: 'end_of_source', venues });
    await this.drain(true);
  }
}

function pick(batch: TradeColumns, rows: readonly number[]): TradeColumns {
  const columns = tradeColumns(rows.length);
  const result = { ...columns, instruments: batch.instruments, strings: batch.strings, length: rows.length };
  rows.forEach((row, i) => {
    for (const name of Object.keys(columns) as (keyof TradeColumns)[]) {
      const to = result[name];
      const from = batch[name];
      if (ArrayBuffer.isView(to) && ArrayBuffer.isView(from)) {
        (to as Float64Array)[i] = (from as Float64Array)[row] as number;
      }
    }
  });
  return result;
}

/** A bar in the oracle's form; undefined when it holds no trade. */
export function plainOf(bar: Bar): PlainBar | undefined {
  if (bar.tradeCount === 0) return undefined;
  const price = (mantissa: number): bigint => BigInt(mantissa) * 10n ** BigInt(18 - bar.priceScale);
  const size = (mantissa: bigint): bigint => mantissa * 10n ** BigInt(18 - bar.sizeScale);
  return {
    open: price(bar.open),
    high: price(bar.high),
    low: price(bar.low),
    close: price(bar.close),
    volume: size(bar.volume),
    buyVolume: size(bar.buyVolume),
    sellVolume: size(bar.sellVolume),
    pv: bar.pv * 10n ** BigInt(36 - bar.priceScale - bar.sizeScale),
    tradeCount: bar.tradeCount,
    revision: bar.revision,
  };
}

export function plainMap(bars: ReadonlyMap<string, Bar>): Map<string, PlainBar> {
  const result = new Map<string, PlainBar>();
  for (const [key, bar] of bars) {
    const plain = plainOf(bar);
    if (plain !== undefined) result.set(key, plain);
  }
  return result;
}
