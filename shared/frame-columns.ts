/** Columns and tables out of a frame's bytes (layout: frame.ts). Nothing here throws or reads past the end. */
import { utf8Decode } from './text.ts';

export type Column = Float64Array | Uint16Array | Uint8Array;

export function roundUp8(bytes: number): number {
  return (bytes + 7) & ~7;
}

/** undefined when the columns do not fill the frame exactly. Sizes are checked before anything is made. */
export function readColumns(
  bytes: Uint8Array,
  widthsAt: number,
  layout: readonly (readonly [name: string, element: number])[],
  n: number,
): Record<string, Column> | undefined {
  const basesAt = roundUp8(widthsAt + layout.length);
  let at = basesAt + layout.length * 8;
  let resultBytes = 0;
  for (let i = 0; i < layout.length; i++) {
    const width = bytes[widthsAt + i];
    const [, element] = layout[i] as readonly [string, number];
    if (width !== 0 && width !== 1 && width !== 2 && width !== 4 && width !== 8) return undefined;
    if (element !== 8 && width > element) return undefined;
    at += roundUp8(n * width);
    resultBytes += roundUp8(n * element);
  }
  if (at !== bytes.length) return undefined;
  const source = new FrameViews(bytes);
  const memory = new ArrayBuffer(resultBytes);
  const columns: Record<string, Column> = {};
  let from = basesAt + layout.length * 8;
  let to = 0;
  for (let i = 0; i < layout.length; i++) {
    const [name, element] = layout[i] as readonly [string, number];
    const width = bytes[widthsAt + i] as number;
    const base = source.f64[basesAt / 8 + i] as number;
    if (element === 8) {
      const column = new Float64Array(memory, to, n);
      readFloats(source, from, width, base, column);
      columns[name] = column;
    } else {
      const column = element === 2 ? new Uint16Array(memory, to, n) : new Uint8Array(memory, to, n);
      readIntegers(source, from, width, base, column);
      columns[name] = column;
    }
    from += roundUp8(n * width);
    to += roundUp8(n * element);
  }
  return columns;
}

/** The whole frame as each kind of number; it begins at a multiple of 8 and is one long. */
class FrameViews {
  readonly u8: Uint8Array;
  readonly u16: Uint16Array;
  readonly u32: Uint32Array;
  readonly f64: Float64Array;

  constructor(bytes: Uint8Array) {
    const { buffer, byteOffset, length } = bytes;
    this.u8 = bytes;
    this.u16 = new Uint16Array(buffer, byteOffset, length / 2);
    this.u32 = new Uint32Array(buffer, byteOffset, length / 4);
    this.f64 = new Float64Array(buffer, byteOffset, length / 8);
  }
}

function readFloats(source: FrameViews, from: number, width: number, base: number, column: Float64Array): void {
  const n = column.length;
  if (width === 0) column.fill(base);
  else if (width === 1) for (let i = 0, u8 = source.u8; i < n; i++) column[i] = base + (u8[from + i] as number);
  else if (width === 2)
    for (let i = 0, at = from >> 1, u16 = source.u16; i < n; i++) column[i] = base + (u16[at + i] as number);
  else if (width === 4)
    for (let i = 0, at = from >> 2, u32 = source.u32; i < n; i++) column[i] = base + (u32[at + i] as number);
  else column.set(source.f64.subarray(from >> 3, (from >> 3) + n));
}

function readIntegers(
  source: FrameViews,
  from: number,
  width: number,
  base: number,
  column: Uint16Array | Uint8Array,
): void {
  const n = column.length;
  if (width === 0) column.fill(base);
  else if (width === 2) column.set(source.u16.subarray(from >> 1, (from >> 1) + n));
  else if (base === 0) column.set(source.u8.subarray(from, from + n));
  else for (let i = 0; i < n; i++) column[i] = base + (source.u8[from + i] as number);
}

export class TableReader {
  /** Where the next table begins. */
  at: number;
  readonly #bytes: Uint8Array;
  readonly #view: DataView;

  constructor(bytes: Uint8Array, view: DataView, at: number) {
    this.at = at;
    this.#bytes = bytes;
    this.#view = view;
  }

  /** The next table; undefined when it is not all there or holds what is no UTF-8. */
  next(): string[] | undefined {
    if (this.at + 2 > this.#bytes.length) return undefined;
    const count = this.#view.getUint16(this.at, true);
    this.at += 2;
    const values: string[] = [];
    for (let i = 0; i < count; i++) {
      if (this.at + 2 > this.#bytes.length) return undefined;
      const end = this.at + 2 + this.#view.getUint16(this.at, true);
      if (end > this.#bytes.length) return undefined;
      try {
        values.push(utf8Decode(this.#bytes.subarray(this.at + 2, end)));
      } catch {
        return undefined;
      }
      this.at = end;
    }
    return values;
  }
}
