/**
 * The part of MessagePack that the wire uses: nil, booleans, integers, floats, strings, binary, arrays and maps with
 * string keys. The writer appends to one growing buffer, so that blocks are encoded once and frames are composed by
 * copying. The reader trusts no length: every count is checked against the bytes that are left (SPEC PV-5).
 */
import { utf8Decode, utf8Encode } from '../text.ts';

export type Packable =
  | null
  | boolean
  | number
  | string
  | Uint8Array
  | readonly Packable[]
  | { readonly [key: string]: Packable | undefined };

const MAX_DEPTH = 12;

export class PackWriter {
  #bytes: Uint8Array;
  #view: DataView;
  #at = 0;

  constructor(capacity = 1_024) {
    this.#bytes = new Uint8Array(capacity);
    this.#view = new DataView(this.#bytes.buffer);
  }

  get length(): number {
    return this.#at;
  }

  /** Forgets what was written; the buffer is kept. */
  clear(): void {
    this.#at = 0;
  }

  /** A copy of what was written from `start` on. */
  take(start = 0): Uint8Array {
    return this.#bytes.slice(start, this.#at);
  }

  /** Appends bytes that are MessagePack already. */
  raw(bytes: Uint8Array): void {
    this.#reserve(bytes.length);
    this.#bytes.set(bytes, this.#at);
    this.#at += bytes.length;
  }

  nil(): void {
    this.#byte(0xc0);
  }

  bool(value: boolean): void {
    this.#byte(value ? 0xc3 : 0xc2);
  }

  /** Integers in their shortest form, beyond 32 bits and fractions as float64. */
  number(value: number): void {
    if (!Number.isInteger(value) || value > 0xffffffff || value < -0x80000000) {
      this.#reserve(9);
      this.#bytes[this.#at] = 0xcb;
      this.#view.setFloat64(this.#at + 1, value);
      this.#at += 9;
    } else if (value >= 0) {
      if (value < 0x80) this.#byte(value);
      else if (value < 0x100) this.#tagged8(0xcc, value);
      else if (value < 0x10000) this.#tagged16(0xcd, value);
      else this.#tagged32(0xce, value);
    } else if (value >= -32) this.#byte(value & 0xff);
    else if (value >= -0x80) this.#tagged8(0xd0, value & 0xff);
    else if (value >= -0x8000) this.#tagged16(0xd1, value & 0xffff);
    else this.#tagged32(0xd2, value >>> 0);
  }

  string(value: string): void {
    const bytes = utf8Encode(value);
    if (bytes.length < 32) this.#byte(0xa0 | bytes.length);
    else if (bytes.length < 0x100) this.#tagged8(0xd9, bytes.length);
    else if (bytes.length < 0x10000) this.#tagged16(0xda, bytes.length);
    else this.#tagged32(0xdb, bytes.length);
    this.raw(bytes);
  }

  arrayHeader(length: number): void {
    if (length < 16) this.#byte(0x90 | length);
    else if (length < 0x10000) this.#tagged16(0xdc, length);
    else this.#tagged32(0xdd, length);
  }

  mapHeader(length: number): void {
    if (length < 16) this.#byte(0x80 | length);
    else if (length < 0x10000) this.#tagged16(0xde, length);
    else this.#tagged32(0xdf, length);
  }

  /** Any value; entries of objects that are undefined are left out. */
  value(value: Packable): void {
    if (value === null) this.nil();
    else if (typeof value === 'number') this.number(value);
    else if (typeof value === 'string') this.string(value);
    else if (typeof value === 'boolean') this.bool(value);
    else if (value instanceof Uint8Array) this.#binary(value);
    else if (Array.isArray(value)) {
      this.arrayHeader(value.length);
      for (const item of value as readonly Packable[]) this.value(item);
    } else {
      const entries = Object.entries(value as Record<string, Packable | undefined>).filter((e) => e[1] !== undefined);
      this.mapHeader(entries.length);
      for (const [key, item] of entries) {
        this.string(key);
        this.value(item as Packable);
      }
    }
  }

  #binary(bytes: Uint8Array): void {
    if (bytes.length < 0x100) this.#tagged8(0xc4, bytes.length);
    else if (bytes.length < 0x10000) this.#tagged16(0xc5, bytes.length);
    else this.#tagged32(0xc6, bytes.length);
    this.raw(bytes);
  }

  #byte(value: number): void {
    this.#reserve(1);
    this.#bytes[this.#at++] = value;
  }

  #tagged8(tag: number, value: number): void {
    this.#reserve(2);
    this.#bytes[this.#at] = tag;
    this.#bytes[this.#at + 1] = value;
    this.#at += 2;
  }

  #tagged16(tag: number, value: number): void {
    this.#reserve(3);
    this.#bytes[this.#at] = tag;
    this.#view.setUint16(this.#at + 1, value);
    this.#at += 3;
  }

  #tagged32(tag: number, value: number): void {
    this.#reserve(5);
    this.#bytes[this.#at] = tag;
    this.#view.setUint32(this.#at + 1, value);
    this.#at += 5;
  }

  #reserve(bytes: number): void {
    const needed = this.#at + bytes;
    if (needed <= this.#bytes.length) return;
    const grown = new Uint8Array(Math.max(needed, this.#bytes.length * 2));
    grown.set(this.#bytes.subarray(0, this.#at));
    this.#bytes = grown;
    this.#view = new DataView(grown.buffer);
  }
}

/** What the reader throws on bytes that do not fit; callers at the border turn it into `bad_message`. */
export class PackFault extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'PackFault';
  }
}

export class PackReader {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  get left(): number {
    return this.#bytes.length - this.#at;
  }

  /** A place to come back to. */
  mark(): number {
    return this.#at;
  }

  rewind(mark: number): void {
    this.#at = mark;
  }

  /** The next value's first byte, without moving. */
  peek(): number {
    this.#need(1);
    return this.#bytes[this.#at] as number;
  }

  isArray(): boolean {
    const tag = this.peek();
    return (tag & 0xf0) === 0x90 || tag === 0xdc || tag === 0xdd;
  }

  /** Number of elements; never more than there are bytes left. */
  arrayHeader(): number {
    const tag = this.#uint8();
    const length =
      (tag & 0xf0) === 0x90 ? tag & 0x0f : tag === 0xdc ? this.#uint16() : tag === 0xdd ? this.#uint32() : -1;
    if (length < 0 || length > this.left) throw new PackFault('no array');
    return length;
  }

  /** An integer of at most 2^53 - 1. */
  integer(): number {
    const value = this.value();
    if (typeof value !== 'number' || !Number.isSafeInteger(value)) throw new PackFault('no integer');
    return value;
  }

  /** An integer from 0 to `max`. */
  count(max: number): number {
    const value = this.integer();
    if (value < 0 || value > max) throw new PackFault('out of bounds');
    return value;
  }

  string(maxChars: number): string {
    const value = this.value();
    if (typeof value !== 'string' || value.length > maxChars) throw new PackFault('no string');
    return value;
  }

  /** Reads `elements` values and drops them. */
  skip(elements: number): void {
    for (let i = 0; i < elements; i++) this.value();
  }

  value(depth = 0): Packable {
    if (depth > MAX_DEPTH) throw new PackFault('too deep');
    const tag = this.#uint8();
    if (tag < 0x80) return tag;
    if (tag >= 0xe0) return tag - 0x100;
    if (tag < 0x90) return this.#map(tag & 0x0f, depth);
    if (tag < 0xa0) return this.#array(tag & 0x0f, depth);
    if (tag < 0xc0) return this.#text(tag & 0x1f);
    switch (tag) {
      case 0xc0:
        return null;
      case 0xc2:
        return false;
      case 0xc3:
        return true;
      case 0xc4:
        return this.#slice(this.#uint8()).slice();
      case 0xc5:
        return this.#slice(this.#uint16()).slice();
      case 0xc6:
        return this.#slice(this.#uint32()).slice();
      case 0xca:
        this.#need(4);
        this.#at += 4;
        return this.#view.getFloat32(this.#at - 4);
      case 0xcb:
        this.#need(8);
        this.#at += 8;
        return this.#view.getFloat64(this.#at - 8);
      case 0xcc:
        return this.#uint8();
      case 0xcd:
        return this.#uint16();
      case 0xce:
        return this.#uint32();
      case 0xcf:
        return this.#uint32() * 0x100000000 + this.#uint32();
      case 0xd0:
        return (this.#uint8() << 24) >> 24;
      case 0xd1:
        return (this.#uint16() << 16) >> 16;
      case 0xd2:
        return this.#uint32() | 0;
      case 0xd3:
        return (this.#uint32() | 0) * 0x100000000 + this.#uint32();
      case 0xd9:
        return this.#text(this.#uint8());
      case 0xda:
        return this.#text(this.#uint16());
      case 0xdb:
        return this.#text(this.#uint32());
      case 0xdc:
        return this.#array(this.#uint16(), depth);
      case 0xdd:
        return this.#array(this.#uint32(), depth);
      case 0xde:
        return this.#map(this.#uint16(), depth);
      case 0xdf:
        return this.#map(this.#uint32(), depth);
      default:
        throw new PackFault('unknown type');
    }
  }

  #array(length: number, depth: number): Packable[] {
    if (length > this.left) throw new PackFault('truncated');
    const items: Packable[] = [];
    for (let i = 0; i < length; i++) items.push(this.value(depth + 1));
    return items;
  }

  #map(length: number, depth: number): Record<string, Packable> {
    if (length * 2 > this.left) throw new PackFault('truncated');
    const map: Record<string, Packable> = {};
    for (let i = 0; i < length; i++) {
      const key = this.string(256);
      if (key === '__proto__') throw new PackFault('bad key');
      map[key] = this.value(depth + 1);
    }
    return map;
  }

  #text(length: number): string {
    try {
      return utf8Decode(this.#slice(length));
    } catch (error) {
      if (error instanceof PackFault) throw error;
      throw new PackFault('no UTF-8');
    }
  }

  #slice(length: number): Uint8Array {
    this.#need(length);
    this.#at += length;
    return this.#bytes.subarray(this.#at - length, this.#at);
  }

  #need(bytes: number): void {
    if (this.left < bytes) throw new PackFault('truncated');
  }

  #uint8(): number {
    this.#need(1);
    return this.#bytes[this.#at++] as number;
  }

  #uint16(): number {
    this.#need(2);
    this.#at += 2;
    return this.#view.getUint16(this.#at - 2);
  }

  #uint32(): number {
    this.#need(4);
    this.#at += 4;
    return this.#view.getUint32(this.#at - 4);
  }
}

export function packValue(value: Packable): Uint8Array {
  const writer = new PackWriter(256);
  writer.value(value);
  return writer.take();
}

/** undefined when the bytes are not exactly one value. */
export function unpackValue(bytes: Uint8Array): Packable | undefined {
  try {
    const reader = new PackReader(bytes);
    const value = reader.value();
    return reader.left === 0 ? value : undefined;
  } catch (error) {
    if (error instanceof PackFault) return undefined;
    throw error;
  }
}
