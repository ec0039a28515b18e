/**
 * Partial bars as flat float64 cells. Merging is associative and commutative, because open and close carry their place
 * (event ms, ns within it, venue sequence, arrival: SPEC WN-1) with them; so a bar does not depend on the order of merges.
 */
import { addProduct, addTwo, mergeThree, mergeTwo, readThree, readTwo, writeThree, writeTwo } from './limbs.ts';

/** Offsets within a cell. Volumes are kept by side (unknown, buy, sell). */
export const CELL = {
  /** Window start in ms; -1 = the cell is free. */
  start: 0,
  flags: 1,
  /** Changes after the window was final. */
  late: 2,
  /** Trades that count in volume. */
  trades: 3,
  volume: 4,
  pv: 10,
  high: 13,
  low: 14,
  open: 15,
  /** Place of the open: 4 values. Infinity = no open yet. */
  openPlace: 16,
  close: 20,
  /** -1 no close; 0 by a trade that may set high and low only; 1 by one that may set last. */
  closeRank: 21,
  closePlace: 22,
  /** Trades since the cell was cleared that do not count in volume; used by accumulators only. */
  others: 26,
} as const;
export const CELL_SIZE = 28;

export const FLAG = {
  /** Changed since it was last handed out. */
  dirty: 1,
  /** Was handed out as final. */
  finalSent: 2,
  /** Its source ended: final, whatever the watermark says. */
  ended: 4,
  /** Waits for a recompute from history; not handed out until then. */
  awaiting: 8,
  /** Was handed out as revised. */
  revisedSent: 16,
} as const;

/** What a trade may set (SPEC WN-4). */
export const MAY = { openHighLow: 1, last: 2, volume: 4, everything: 7 } as const;

/** Empties prices and sums; start, flags and late stay. */
export function clearContent(a: Float64Array, at: number): void {
  a.fill(0, at + CELL.trades, at + CELL_SIZE);
  a[at + CELL.high] = Number.NEGATIVE_INFINITY;
  a[at + CELL.low] = Number.POSITIVE_INFINITY;
  a[at + CELL.openPlace] = Number.POSITIVE_INFINITY;
  a[at + CELL.closeRank] = -1;
}

export function initCell(a: Float64Array, at: number, startMs: number): void {
  a[at + CELL.start] = startMs;
  a[at + CELL.flags] = 0;
  a[at + CELL.late] = 0;
  clearContent(a, at);
}

/** Adds one trade. Prices and sizes at the instrument's scales; `may` is a set of MAY bits, not empty; last implies openHighLow. */
export function addTrade(
  a: Float64Array,
  at: number,
  may: number,
  side: number,
  price: number,
  size: number,
  ms: number,
  sub: number,
  seq: number,
  arrival: number,
): void {
  if ((may & MAY.volume) !== 0) {
    a[at + CELL.trades] = (a[at + CELL.trades] as number) + 1;
    addTwo(a, at + CELL.volume + side * 2, size);
    addProduct(a, at + CELL.pv, price, size);
  }
  if ((may & MAY.openHighLow) === 0) return;
  if (price > (a[at + CELL.high] as number)) a[at + CELL.high] = price;
  if (price < (a[at + CELL.low] as number)) a[at + CELL.low] = price;
  if (isBefore(ms, sub, seq, arrival, a, at + CELL.openPlace)) {
    a[at + CELL.open] = price;
    writePlace(a, at + CELL.openPlace, ms, sub, seq, arrival);
  }
  const rank = (may & MAY.last) === 0 ? 0 : 1;
  const held = a[at + CELL.closeRank] as number;
  if (rank > held || (rank === held && !isBefore(ms, sub, seq, arrival, a, at + CELL.closePlace))) {
    a[at + CELL.close] = price;
    a[at + CELL.closeRank] = rank;
    writePlace(a, at + CELL.closePlace, ms, sub, seq, arrival);
  }
}

/** Whether a place is before the one held at `place` (SPEC WN-1). */
export function isBefore(
  ms: number,
  sub: number,
  seq: number,
  arrival: number,
  a: Float64Array,
  place: number,
): boolean {
  const heldMs = a[place] as number;
  if (ms !== heldMs) return ms < heldMs;
  const heldSub = a[place + 1] as number;
  if (sub !== heldSub) return sub < heldSub;
  const heldSeq = a[place + 2] as number;
  if (seq !== heldSeq) return seq < heldSeq;
  return arrival < (a[place + 3] as number);
}

export function writePlace(
  a: Float64Array,
  place: number,
  ms: number,
  sub: number,
  seq: number,
  arrival: number,
): void {
  a[place] = ms;
  a[place + 1] = sub;
  a[place + 2] = seq;
  a[place + 3] = arrival;
}

/** dst += src (contents only). */
export function mergeCell(dst: Float64Array, d: number, src: Float64Array, s: number): void {
  dst[d + CELL.trades] = (dst[d + CELL.trades] as number) + (src[s + CELL.trades] as number);
  mergeTwo(dst, d + CELL.volume, src, s + CELL.volume);
  mergeTwo(dst, d + CELL.volume + 2, src, s + CELL.volume + 2);
  mergeTwo(dst, d + CELL.volume + 4, src, s + CELL.volume + 4);
  mergeThree(dst, d + CELL.pv, src, s + CELL.pv);
  const high = src[s + CELL.high] as number;
  if (high > (dst[d + CELL.high] as number)) dst[d + CELL.high] = high;
  const low = src[s + CELL.low] as number;
  if (low < (dst[d + CELL.low] as number)) dst[d + CELL.low] = low;
  const open = s + CELL.openPlace;
  const openMs = src[open] as number;
  if (
    isBefore(openMs, src[open + 1] as number, src[open + 2] as number, src[open + 3] as number, dst, d + CELL.openPlace)
  ) {
    for (let k = CELL.open; k < CELL.close; k++) dst[d + k] = src[s + k] as number;
  }
  const rank = src[s + CELL.closeRank] as number;
  const held = dst[d + CELL.closeRank] as number;
  if (rank < 0 || rank < held) return;
  const close = s + CELL.closePlace;
  const closeMs = src[close] as number;
  if (
    rank === held &&
    isBefore(
      closeMs,
      src[close + 1] as number,
      src[close + 2] as number,
      src[close + 3] as number,
      dst,
      d + CELL.closePlace,
    )
  )
    return;
  for (let k = CELL.close; k < CELL.others; k++) dst[d + k] = src[s + k] as number;
}

/** Multiplies prices by 10^pricePlaces and sizes by 10^sizePlaces, exactly; the caller has seen to it that they fit. */
export function growCell(a: Float64Array, at: number, pricePlaces: number, sizePlaces: number): void {
  const price = 10 ** pricePlaces;
  a[at + CELL.high] = (a[at + CELL.high] as number) * price;
  a[at + CELL.low] = (a[at + CELL.low] as number) * price;
  a[at + CELL.open] = (a[at + CELL.open] as number) * price;
  a[at + CELL.close] = (a[at + CELL.close] as number) * price;
  const size = 10n ** BigInt(sizePlaces);
  for (let side = 0; side < 3; side++) {
    writeTwo(a, at + CELL.volume + side * 2, readTwo(a, at + CELL.volume + side * 2) * size);
  }
  writeThree(a, at + CELL.pv, readThree(a, at + CELL.pv) * size * 10n ** BigInt(pricePlaces));
}
