/** Recurring text of a tape (instruments, condition codes, ids) found by its bytes, so that each is decoded and checked once. */
import { utf8Decode } from '#shared/text.ts';

const BUCKETS = 8_192;
/** Names kept at once; a tape with more starts over, which costs time and nothing else. */
const MAX_NAMES = 65_536;
/** No name is this long; longer text is refused before it is kept. */
const MAX_BYTES = 512;

export interface NameEntry {
  readonly bytes: Uint8Array;
  /** Bytes that belong to the first of the two parts. */
  readonly split: number;
  /** What the name stands for, or undefined when `fault` says what is wrong with it. */
  readonly text: string;
  readonly fault: string | undefined;
  /** Block in which `index` is valid. */
  block: number;
  index: number;
  readonly next: NameEntry | undefined;
}

const TOO_LONG: NameEntry = {
  bytes: new Uint8Array(0),
  split: 0,
  text: '',
  fault: 'too_long',
  block: -1,
  index: 0,
  next: undefined,
};

/** Decides what the two parts of a name stand for. */
export type NameReader = (first: string, second: string) => { text: string } | { fault: string };

export class ByteNames {
  readonly #read: NameReader;
  #buckets: (NameEntry | undefined)[] = Array.from<undefined>({ length: BUCKETS });
  #size = 0;

  constructor(read: NameReader) {
    this.#read = read;
  }

  /** Entry of the parts `bytes[from..to)` and `bytes[from2..to2)`; the second one may be empty. */
  find(bytes: Uint8Array, from: number, to: number, from2: number, to2: number): NameEntry {
    const split = to - from;
    const length = split + to2 - from2;
    if (length > MAX_BYTES) return TOO_LONG;
    let hash = 0x811c9dc5;
    for (let at = from; at < to; at++) hash = Math.imul(hash ^ (bytes[at] as number), 0x01000193);
    for (let at = from2; at < to2; at++) hash = Math.imul(hash ^ (bytes[at] as number), 0x01000193);
    const bucket = (hash ^ (hash >>> 15)) & (BUCKETS - 1);
    for (let entry = this.#buckets[bucket]; entry !== undefined; entry = entry.next) {
      if (entry.split === split && entry.bytes.length === length && equal(entry.bytes, bytes, from, split, from2))
        return entry;
    }
    return this.#add(bucket, bytes, from, to, from2, to2);
  }

  #add(bucket: number, bytes: Uint8Array, from: number, to: number, from2: number, to2: number): NameEntry {
    if (++this.#size > MAX_NAMES) {
      this.#buckets = Array.from<undefined>({ length: BUCKETS });
      this.#size = 1;
    }
    const split = to - from;
    const key = new Uint8Array(split + to2 - from2);
    key.set(bytes.subarray(from, to));
    key.set(bytes.subarray(from2, to2), split);
    let read: ReturnType<NameReader>;
    try {
      read = this.#read(utf8Decode(key.subarray(0, split)), utf8Decode(key.subarray(split)));
    } catch {
      read = { fault: 'not_utf8' };
    }
    const entry: NameEntry = {
      bytes: key,
      split,
      text: 'text' in read ? read.text : '',
      fault: 'fault' in read ? read.fault : undefined,
      block: -1,
      index: 0,
      next: this.#buckets[bucket],
    };
    this.#buckets[bucket] = entry;
    return entry;
  }
}

function equal(key: Uint8Array, bytes: Uint8Array, from: number, split: number, from2: number): boolean {
  for (let i = 0; i < split; i++) if (key[i] !== bytes[from + i]) return false;
  for (let i = split, at = from2; i < key.length; i++, at++) if (key[i] !== bytes[at]) return false;
  return true;
}
