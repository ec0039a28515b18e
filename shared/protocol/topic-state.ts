/** What is held of one topic: the same reducer in relay, hub, room and client (SPEC SQ-5). Rows are never changed in place. */
import { channelSpec, type Channel, type ChannelKind, type WireValue } from './channels.ts';
import { EMPTY_HASH, rollHash, rowText, topicHash } from './checksum.ts';
import { rescaleRow, type TopicScales } from './wire-value.ts';

/** Values in the order of the channel's fields. */
export type Row = readonly WireValue[];

/** A topic's dictionary entry. `id` belongs to a partition's epoch; -1 where it was told in JSON. */
export interface TopicInfo extends TopicScales {
  readonly id: number;
  readonly channel: Channel;
  readonly symbol: string;
}

/** What happened to one topic: absolute values, at the scales of `info`. */
export interface TopicDelta {
  info: TopicInfo;
  /** Replaces what is held. */
  reset: boolean;
  /** state: all fields. */
  values?: Row;
  /** events: new rows, oldest first; bars: rows to put by start, in order. */
  rows?: readonly Row[];
  /** Sequence numbers: one a row, or the one of `values`. Not told to clients. */
  seqs?: readonly number[];
  /** events, with reset: rolling hash behind `rows`. */
  hash?: number;
  /** events, with reset: every row behind this seq is in `rows`. */
  floorSeq?: number;
}

export interface BarEntry {
  startMs: number;
  row: Row;
  seq: number;
}

export interface TradeEntry {
  row: Row;
  seq: number;
  /** Time of the frame that brought it. */
  timeMs: number;
}

/** How much of the past is kept for those who come back (SPEC SQ-4). */
export interface Retention {
  /** Trades younger than this are kept beyond the newest 100. */
  historyMs: number;
  /** Most trades kept of one topic. */
  maxTrades: number;
}

/** Rows of a trades snapshot and bars held (SPEC SU-9). */
export const SNAPSHOT_TRADES = 100;
export const SNAPSHOT_BARS = 300;

export const CLIENT_RETENTION: Retention = { historyMs: 0, maxTrades: SNAPSHOT_TRADES };
export const SERVER_RETENTION: Retention = { historyMs: 75_000, maxTrades: 20_000 };

export function topicKey(channel: Channel, symbol: string): string {
  return `${channel}|${symbol}`;
}

export class TopicState {
  readonly key: string;
  readonly kind: ChannelKind;
  /** state: all fields, undefined before the first. */
  values: Row | undefined;
  /** bars: the newest 300 by rising start. */
  bars: BarEntry[] = [];
  /** events: at least the newest 100, oldest first. */
  trades: TradeEntry[] = [];
  /** events: rolling hash behind every trade so far. */
  hash: number = EMPTY_HASH;
  /** events: every trade behind this seq is in `trades`. */
  floorSeq = 0;
  /** seq of the newest change. */
  changedSeq = 0;
  #info: TopicInfo;
  #topicHash: number | undefined;

  constructor(info: TopicInfo) {
    this.#info = info;
    this.key = topicKey(info.channel, info.symbol);
    this.kind = channelSpec(info.channel).kind;
  }

  get info(): TopicInfo {
    return this.#info;
  }

  /** Whether anything was ever said about the topic. */
  get known(): boolean {
    return this.values !== undefined || this.bars.length > 0 || this.trades.length > 0 || this.hash !== EMPTY_HASH;
  }

  /** The newest trades, oldest first, at most 100. */
  newestTrades(): Row[] {
    return this.trades.slice(-SNAPSHOT_TRADES).map((entry) => entry.row);
  }

  /** The held bar that starts at `startMs`. */
  bar(startMs: number): Row | undefined {
    const at = this.#barIndex(startMs);
    const entry = this.bars[at];
    return entry?.startMs === startMs ? entry.row : undefined;
  }

  /** A state of its own with the same content. */
  clone(): TopicState {
    const copy = new TopicState(this.#info);
    copy.values = this.values;
    copy.bars = [...this.bars];
    copy.trades = [...this.trades];
    copy.hash = this.hash;
    copy.floorSeq = this.floorSeq;
    copy.changedSeq = this.changedSeq;
    copy.#topicHash = this.#topicHash;
    return copy;
  }

  /** @param seq last sequence number of the message; @param timeMs its time. */
  apply(delta: TopicDelta, seq: number, timeMs: number, retention: Retention): void {
    this.#topicHash = undefined;
    if (delta.reset) this.#clear();
    this.describe(delta.info);
    if (delta.values !== undefined) {
      this.values = delta.values;
      this.changedSeq = delta.seqs?.[0] ?? seq;
    }
    if (delta.rows === undefined) return;
    delta.rows.forEach((row, i) => {
      const rowSeq = delta.seqs?.[i] ?? seq;
      this.changedSeq = Math.max(this.changedSeq, rowSeq);
      if (this.kind === 'bars') this.#putBar(row, rowSeq);
      else {
        this.trades.push({ row, seq: rowSeq, timeMs });
        if (delta.hash === undefined) this.hash = rollHash(this.hash, this.#info.channel, row, this.#info);
      }
    });
    if (this.kind !== 'events') return;
    if (delta.hash !== undefined) this.hash = delta.hash;
    if (delta.reset) this.floorSeq = delta.floorSeq ?? seq;
    this.#forgetTrades(timeMs, retention);
  }

  /** Hash of the topic (SPEC CK-2); 0 while nothing is known of it. */
  checksum(): number {
    if (!this.known) return 0;
    this.#topicHash ??= topicHash(this.#info.channel, this.#info.symbol, this.#content());
    return this.#topicHash;
  }

  #content(): string {
    if (this.kind === 'events') return this.hash.toString();
    const row = this.kind === 'bars' ? this.bars.at(-1)?.row : this.values;
    return row === undefined ? '' : rowText(this.#info.channel, row, this.#info);
  }

  #clear(): void {
    this.values = undefined;
    this.bars = [];
    this.trades = [];
    this.hash = EMPTY_HASH;
    this.changedSeq = 0;
  }

  /**
   * Takes over a dictionary entry; held rows move to its scales, which only grow (SPEC MD-3). An entry with smaller ones
   * cannot come from our relay: what is held is forgotten, and the checksum tells.
   */
  describe(info: TopicInfo): void {
    const old = this.#info;
    if (old === info) return;
    this.#info = info;
    if (old.priceScale === info.priceScale && old.sizeScale === info.sizeScale) return;
    if (info.priceScale < old.priceScale || info.sizeScale < old.sizeScale) {
      this.#clear();
      return;
    }
    const move = (row: Row): Row => rescaleRow(info.channel, row, old, info);
    if (this.values !== undefined) this.values = move(this.values);
    this.bars = this.bars.map((entry) => ({ ...entry, row: move(entry.row) }));
    this.trades = this.trades.map((entry) => ({ ...entry, row: move(entry.row) }));
  }

  #putBar(row: Row, seq: number): void {
    const startMs = row[0] as number;
    const at = this.#barIndex(startMs);
    const entry = { startMs, row, seq };
    if (this.bars[at]?.startMs === startMs) this.bars[at] = entry;
    else if (at === this.bars.length) this.bars.push(entry);
    else this.bars.splice(at, 0, entry);
    if (this.bars.length > SNAPSHOT_BARS) this.bars.shift();
  }

  /** Index of the first bar that starts at or behind `startMs`; the newest are looked at first. */
  #barIndex(startMs: number): number {
    let at = this.bars.length;
    while (at > 0 && (this.bars[at - 1] as BarEntry).startMs >= startMs) at--;
    return at;
  }

  /** Trims in steps, so that a row is moved only now and then. */
  #forgetTrades(nowMs: number, retention: Retention): void {
    if (this.trades.length < SNAPSHOT_TRADES * 2) return;
    let keepFrom = 0;
    const mayGo = this.trades.length - SNAPSHOT_TRADES;
    const mustGo = this.trades.length - retention.maxTrades;
    while (keepFrom < mayGo) {
      const entry = this.trades[keepFrom] as TradeEntry;
      if (keepFrom >= mustGo && entry.timeMs + retention.historyMs > nowMs) break;
      keepFrom++;
    }
    if (keepFrom < SNAPSHOT_TRADES / 2) return;
    this.floorSeq = (this.trades[keepFrom - 1] as TradeEntry).seq;
    this.trades.splice(0, keepFrom);
  }
}
