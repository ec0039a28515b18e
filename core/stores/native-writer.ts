/**
 * Blocks in ClickHouse's Native format: columns one after the other, as the engine keeps them, so that neither side parses a row.
 * Layout: varint columns, varint rows, then per column its name and type (varint length + UTF-8) and its values.
 * Integers are little-endian, as on every host this runs on.
 *
 * A NaN in an integer column stands for an absent value and is written as the smallest 64-bit integer.
 */
const TWO_32 = 4_294_967_296;
const MIN_HIGH_WORD = -2_147_483_648;
const LOW_64 = (1n << 64n) - 1n;
/** LowCardinality: dictionary in the block (1 << 9), to be taken as a whole (1 << 10). */
const DICTIONARY_FLAGS = 0x600;

export class NativeWriter {
  readonly rows: number;
  readonly #columns: Uint8Array[] = [];
  readonly #names: string[] = [];

  constructor(rows: number) {
    this.rows = rows;
  }

  /** Names of the columns so far, for the column list of the INSERT. */
  get columns(): readonly string[] {
    return this.#names;
  }

  /** The whole block, in pieces. */
  chunks(): Uint8Array[] {
    const head: number[] = [];
    pushVarint(head, this.#names.length);
    pushVarint(head, this.rows);
    return [Uint8Array.from(head), ...this.#columns];
  }

  /** Values as they lie in memory. */
  raw(name: string, type: string, values: ArrayBufferView): void {
    this.#names.push(name);
    this.#columns.push(Buffer.concat([text(name), text(type)]));
    this.#columns.push(new Uint8Array(values.buffer, values.byteOffset, values.byteLength));
  }

  uint8(name: string, values: ArrayLike<number>, type = 'UInt8'): void {
    this.raw(name, type, Uint8Array.from(values));
  }

  uint32(name: string, values: ArrayLike<number>): void {
    this.raw(name, 'UInt32', Uint32Array.from(values));
  }

  float64(name: string, values: ArrayLike<number>): void {
    this.raw(name, 'Float64', Float64Array.from(values));
  }

  int64(name: string, values: ArrayLike<number>, type = 'Int64'): void {
    const words = new Int32Array(values.length * 2);
    for (let i = 0; i < values.length; i++) putInt64(words, i * 2, values[i] as number);
    this.raw(name, type, words);
  }

  int128(name: string, values: readonly bigint[]): void {
    this.raw(name, 'Int128', wideWords(values, 2));
  }

  int256(name: string, values: readonly bigint[]): void {
    this.raw(name, 'Int256', wideWords(values, 4));
  }

  strings(name: string, values: readonly string[]): void {
    this.raw(name, 'String', stringBytes(values));
  }

  bytes(name: string, values: readonly Uint8Array[]): void {
    this.raw(name, 'String', Buffer.concat(values.flatMap((value) => [varint(value.length), value])));
  }

  /** A column of text given as a dictionary and an index into it for every row. */
  dictionary(name: string, keys: readonly string[], indices: Uint16Array | Uint32Array): void {
    const head = new BigUint64Array(3);
    head[0] = 1n;
    head[1] = BigInt(DICTIONARY_FLAGS | (indices instanceof Uint16Array ? 1 : 2));
    head[2] = BigInt(keys.length);
    const count = new BigUint64Array([BigInt(indices.length)]);
    const parts = [asBytes(head), stringBytes(keys), asBytes(count), asBytes(indices)];
    this.raw(name, 'LowCardinality(String)', Buffer.concat(parts));
  }

  lowCardinality(name: string, values: readonly string[]): void {
    const index = new Map<string, number>();
    const indices = new Uint32Array(values.length);
    for (const [i, value] of values.entries()) {
      let key = index.get(value);
      if (key === undefined) index.set(value, (key = index.size));
      indices[i] = key;
    }
    this.dictionary(name, [...index.keys()], indices);
  }

  int64Arrays(name: string, rows: readonly (readonly number[])[]): void {
    const values = rows.flat();
    const words = new Int32Array(values.length * 2);
    for (const [i, value] of values.entries()) putInt64(words, i * 2, value);
    this.#arrays(name, 'Int64', rows, words);
  }

  int128Arrays(name: string, rows: readonly (readonly bigint[])[]): void {
    this.#arrays(name, 'Int128', rows, wideWords(rows.flat(), 2));
  }

  uint32Arrays(name: string, rows: readonly (readonly number[])[]): void {
    this.#arrays(name, 'UInt32', rows, Uint32Array.from(rows.flat()));
  }

  #arrays(name: string, type: string, rows: readonly (readonly unknown[])[], values: ArrayBufferView): void {
    const ends = new BigUint64Array(rows.length);
    let end = 0;
    for (const [i, row] of rows.entries()) ends[i] = BigInt((end += row.length));
    this.raw(name, `Array(${type})`, Buffer.concat([asBytes(ends), asBytes(values)]));
  }
}

/** Writes an integer of at most 53 bits as two words, low first; NaN as the smallest 64-bit integer. */
export function putInt64(words: Int32Array, at: number, value: number): void {
  if (value !== value) {
    words[at] = 0;
    words[at + 1] = MIN_HIGH_WORD;
    return;
  }
  words[at] = value;
  words[at + 1] = Math.floor(value / TWO_32);
}

/** Writes `ms × 10^6 + subNs` as two words: nanoseconds do not fit into a double, the halves of the product do. */
export function putNanos(words: Int32Array, at: number, ms: number, subNs: number): void {
  const low = (ms % TWO_32) * 1_000_000 + subNs;
  words[at] = low % TWO_32;
  words[at + 1] = Math.floor(ms / TWO_32) * 1_000_000 + Math.floor(low / TWO_32);
}

function wideWords(values: readonly bigint[], words: number): BigUint64Array {
  const out = new BigUint64Array(values.length * words);
  let at = 0;
  for (const value of values) {
    let rest = value;
    for (let i = 0; i < words; i++, rest >>= 64n) out[at++] = rest & LOW_64;
  }
  return out;
}

function asBytes(values: ArrayBufferView): Uint8Array {
  return new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
}

function pushVarint(out: number[], value: number): void {
  let rest = value;
  while (rest > 127) {
    out.push((rest & 127) | 128);
    rest = Math.floor(rest / 128);
  }
  out.push(rest);
}

function varint(value: number): Uint8Array {
  const out: number[] = [];
  pushVarint(out, value);
  return Uint8Array.from(out);
}

function text(value: string): Uint8Array {
  const body = Buffer.from(value, 'utf8');
  return Buffer.concat([varint(body.length), body]);
}

/** Every string with its length in front. Short ASCII, which ids and codes are, is written without a buffer of its own. */
function stringBytes(values: readonly string[]): Uint8Array {
  let bound = 0;
  for (const value of values) bound += value.length * 3 + 5;
  const bytes = Buffer.allocUnsafe(bound);
  let at = 0;
  for (const value of values) {
    const ascii = value.length < 128 ? putAscii(bytes, at + 1, value) : false;
    if (ascii) {
      bytes[at] = value.length;
      at += 1 + value.length;
      continue;
    }
    const body = text(value);
    bytes.set(body, at);
    at += body.length;
  }
  return bytes.subarray(0, at);
}

/** False when the text holds more than ASCII; what was written then does not count. */
function putAscii(bytes: Uint8Array, at: number, value: string): boolean {
  for (let i = 0; i < value.length; i++) {
    const code = value.charCodeAt(i);
    if (code > 127) return false;
    bytes[at + i] = code;
  }
  return true;
}
