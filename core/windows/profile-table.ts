/** Volume by price of one 5-minute window: open addressing over one float64 array, one cache line a row. */
import type { ProfileRow } from '#shared/bars.ts';
import { addTwo, readTwo, writeTwo } from './limbs.ts';

/** Row: price, trades, then volume by side (unknown, buy, sell), two limbs each. */
export const ROW = 8;
/** Price of a row that is not in use. */
export const FREE_ROW = -1;
const HIGH_WORD = 2 ** -32;

/** Hash of a price, to be masked with `rows.length - ROW`: the first row to look at, as an offset. */
export function hashOf(price: number): number {
  const hash = Math.imul(price ^ (price * HIGH_WORD), 0x9e3779b1);
  return hash ^ (hash >>> 15);
}

export class ProfileTable {
  readonly startMs: number;
  flags = 0;
  /** Changes after the window was final. */
  late = 0;
  rows: Float64Array;
  #count = 0;

  constructor(startMs: number, capacity = 16) {
    this.startMs = startMs;
    this.rows = emptyRows(capacity * ROW);
  }

  get count(): number {
    return this.#count;
  }

  add(price: number, size: number, side: number): void {
    const at = this.#find(price);
    const rows = this.rows;
    rows[at + 1] = (rows[at + 1] as number) + 1;
    addTwo(rows, at + 2 + side * 2, size);
  }

  #find(price: number): number {
    const rows = this.rows;
    const mask = rows.length - ROW;
    let at = hashOf(price) & mask;
    for (; rows[at] !== price; at = (at + ROW) & mask) {
      if (rows[at] !== FREE_ROW) continue;
      if (this.#count * 2 * ROW > mask) {
        this.#rehash(rows.length * 2, 1);
        return this.#find(price);
      }
      rows[at] = price;
      this.#count += 1;
      return at;
    }
    return at;
  }

  #rehash(length: number, factor: number): void {
    const old = this.rows;
    this.rows = emptyRows(length);
    this.#count = 0;
    for (let at = 0; at < old.length; at += ROW) {
      if (old[at] === FREE_ROW) continue;
      const to = this.#find((old[at] as number) * factor);
      for (let k = 1; k < ROW; k++) this.rows[to + k] = old[at + k] as number;
    }
  }

  clear(): void {
    this.rows = emptyRows(16 * ROW);
    this.#count = 0;
  }

  /** Multiplies prices and sizes by powers of ten; the caller has seen to it that they fit. */
  grow(pricePlaces: number, sizePlaces: number): void {
    if (pricePlaces > 0) this.#rehash(this.rows.length, 10 ** pricePlaces);
    if (sizePlaces === 0) return;
    const factor = 10n ** BigInt(sizePlaces);
    for (let at = 0; at < this.rows.length; at += ROW) {
      if (this.rows[at] === FREE_ROW) continue;
      for (let k = 2; k < ROW; k += 2) writeTwo(this.rows, at + k, readTwo(this.rows, at + k) * factor);
    }
  }

  /** By rising price. */
  list(): ProfileRow[] {
    const result: ProfileRow[] = [];
    const rows = this.rows;
    for (let at = 0; at < rows.length; at += ROW) {
      if (rows[at] === FREE_ROW) continue;
      const buyVolume = readTwo(rows, at + 4);
      const sellVolume = readTwo(rows, at + 6);
      const volume = readTwo(rows, at + 2) + buyVolume + sellVolume;
      result.push({ price: rows[at] as number, volume, buyVolume, sellVolume, tradeCount: rows[at + 1] as number });
    }
    return result.sort((a, b) => a.price - b.price);
  }

  /** The rows in use, one after the other, for a snapshot. */
  compact(): Float64Array {
    const result = new Float64Array(this.#count * ROW);
    let to = 0;
    for (let at = 0; at < this.rows.length; at += ROW) {
      if (this.rows[at] === FREE_ROW) continue;
      result.set(this.rows.subarray(at, at + ROW), to);
      to += ROW;
    }
    return result;
  }

  load(compact: Float64Array): void {
    for (let from = 0; from < compact.length; from += ROW) {
      const to = this.#find(compact[from] as number);
      for (let k = 1; k < ROW; k++) this.rows[to + k] = compact[from + k] as number;
    }
  }
}

function emptyRows(length: number): Float64Array {
  const rows = new Float64Array(length);
  for (let at = 0; at < rows.length; at += ROW) rows[at] = FREE_ROW;
  return rows;
}
