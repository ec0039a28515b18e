/** Reads what ClickHouse answers in its Native format (layout: native-writer.ts). An answer holds any number of blocks. */

const TWO_32 = 4_294_967_296;
const MIN_HIGH_WORD = -2_147_483_648;

export type NativeColumn =
  | { kind: 'words'; /** Two per value, low first. */ words: Int32Array }
  | { kind: 'numbers'; numbers: Uint8Array | Uint16Array | Uint32Array | Float64Array }
  | { kind: 'bigints'; bigints: bigint[] }
  | { kind: 'strings'; strings: string[] }
  | { kind: 'dictionary'; keys: string[]; indices: Uint8Array | Uint16Array | Uint32Array }
  | { kind: 'arrays'; ends: number[]; values: NativeColumn };

export class NativeBlock {
  readonly rows: number;
  readonly #columns: ReadonlyMap<string, NativeColumn>;

  constructor(rows: number, columns: ReadonlyMap<string, NativeColumn>) {
    this.rows = rows;
    this.#columns = columns;
  }

  #column<K extends NativeColumn['kind']>(name: string, kind: K): Extract<NativeColumn, { kind: K }> {
    const column = this.#columns.get(name);
    if (column?.kind !== kind) throw new Error(`The store's answer has no column "${name}" of the kind ${kind}`);
    return column as Extract<NativeColumn, { kind: K }>;
  }

  words(name: string): Int32Array {
    return this.#column(name, 'words').words;
  }

  numbers(name: string): Uint8Array | Uint16Array | Uint32Array | Float64Array {
    return this.#column(name, 'numbers').numbers;
  }

  bigints(name: string): bigint[] {
    return this.#column(name, 'bigints').bigints;
  }

  strings(name: string): string[] {
    return this.#column(name, 'strings').strings;
  }

  dictionary(name: string): { keys: string[]; indices: Uint8Array | Uint16Array | Uint32Array } {
    return this.#column(name, 'dictionary');
  }

  /** Row i holds the values [ends[i - 1] or 0, ends[i]). */
  arrays(name: string): { ends: number[]; values: NativeColumn } {
    return this.#column(name, 'arrays');
  }
}

/** The 64-bit integer at word `at`, exact up to 2^53 - 1; NaN for the smallest 64-bit integer, which stands for an absent value. */
export function int64At(words: Int32Array, at: number): number {
  const high = words[at + 1] as number;
  const low = words[at] as number;
  if (low === 0 && high === MIN_HIGH_WORD) return Number.NaN;
  return high * TWO_32 + (low >>> 0);
}

/** Splits nanoseconds since 1970 (0 and up) into milliseconds and the rest, without a bigint. */
export function splitNanos(words: Int32Array, at: number, out: { ms: number; subNs: number }): void {
  const high = words[at + 1] as number;
  const highMs = Math.floor(high / 1_000_000);
  const rest = (high - highMs * 1_000_000) * TWO_32 + ((words[at] as number) >>> 0);
  const lowMs = Math.floor(rest / 1_000_000);
  out.ms = highMs * TWO_32 + lowMs;
  out.subNs = rest - lowMs * 1_000_000;
}

export function readNative(bytes: Buffer): NativeBlock[] {
  const reader = new Reader(bytes);
  const blocks: NativeBlock[] = [];
  while (!reader.done()) {
    const columnCount = reader.varint();
    const rows = reader.varint();
    const columns = new Map<string, NativeColumn>();
    for (let i = 0; i < columnCount; i++) {
      const name = reader.text();
      const type = reader.text();
      if (rows > 0) columns.set(name, reader.column(type, rows));
    }
    if (rows > 0) blocks.push(new NativeBlock(rows, columns));
  }
  return blocks;
}

class Reader {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  done(): boolean {
    return this.#at >= this.#bytes.length;
  }

  varint(): number {
    let value = 0;
    let factor = 1;
    for (;;) {
      const byte = this.#bytes[this.#at++];
      if (byte === undefined) throw new Error("The store's answer ends in the middle of a block");
      value += (byte & 127) * factor;
      if (byte < 128) return value;
      factor *= 128;
    }
  }

  text(): string {
    const length = this.varint();
    if (length === 0) return '';
    const from = this.#at;
    this.#take(length);
    return this.#bytes.toString('utf8', from, this.#at);
  }

  #take(length: number): Buffer {
    const end = this.#at + length;
    if (end > this.#bytes.length) throw new Error("The store's answer ends in the middle of a block");
    const slice = this.#bytes.subarray(this.#at, end);
    this.#at = end;
    return slice;
  }

  /** A copy in memory of its own, so that any typed array may look at it. */
  #aligned(length: number): ArrayBuffer {
    const copy = new Uint8Array(length);
    copy.set(this.#take(length));
    return copy.buffer;
  }

  column(type: string, rows: number): NativeColumn {
    if (type === 'LowCardinality(String)') return this.#dictionary();
    if (type.startsWith('Array(')) return this.#arrays(type.slice(6, -1), rows);
    switch (type.replace(/\(.*/s, '')) {
      case 'Int64':
      case 'UInt64':
      case 'DateTime64':
        return { kind: 'words', words: new Int32Array(this.#aligned(rows * 8)) };
      case 'UInt8':
      case 'Enum8':
        return { kind: 'numbers', numbers: new Uint8Array(this.#aligned(rows)) };
      case 'UInt32':
        return { kind: 'numbers', numbers: new Uint32Array(this.#aligned(rows * 4)) };
      case 'Float64':
        return { kind: 'numbers', numbers: new Float64Array(this.#aligned(rows * 8)) };
      case 'Int128':
        return { kind: 'bigints', bigints: this.#wide(rows, 2) };
      case 'Int256':
        return { kind: 'bigints', bigints: this.#wide(rows, 4) };
      case 'String':
        return { kind: 'strings', strings: Array.from({ length: rows }, () => this.text()) };
      default:
        throw new Error(`The store's answer holds the type ${type}, which is not read here`);
    }
  }

  #wide(rows: number, words: number): bigint[] {
    const values = new BigUint64Array(this.#aligned(rows * words * 8));
    const result: bigint[] = [];
    for (let row = 0; row < rows; row++) {
      let value = BigInt.asIntN(64, values[row * words + words - 1] as bigint);
      for (let i = words - 2; i >= 0; i--) value = (value << 64n) | (values[row * words + i] as bigint);
      result.push(value);
    }
    return result;
  }

  #count(): number {
    const [low = 0, high = 0] = new Uint32Array(this.#aligned(8));
    return high * TWO_32 + low;
  }

  #dictionary(): NativeColumn {
    this.#take(8);
    const width = this.#count() & 255;
    const keyCount = this.#count();
    const keys = Array.from({ length: keyCount }, () => this.text());
    const rows = this.#count();
    const bytes = this.#aligned(rows * 2 ** width);
    const indices = width === 0 ? new Uint8Array(bytes) : width === 1 ? new Uint16Array(bytes) : new Uint32Array(bytes);
    return { kind: 'dictionary', keys, indices };
  }

  #arrays(type: string, rows: number): NativeColumn {
    const words = new Int32Array(this.#aligned(rows * 8));
    const ends = Array.from({ length: rows }, (_, i) => int64At(words, i * 2));
    return { kind: 'arrays', ends, values: this.column(type, ends.at(-1) ?? 0) };
  }
}
