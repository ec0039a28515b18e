/** Lines of a CSV tape: cut into fields, read into a block, refused with a reason. Pure: no file, no clock. */
import { LIMITS } from '#shared/limits.ts';
import { excerptOf, type RowBlock } from './row-block.ts';
import { QuoteRows, TradeRows, type Fields, type RowReader } from './tape-columns.ts';
import type { TapeSchema } from './tape-schema.ts';

const NEWLINE = 10;
const RETURN = 13;
const QUOTE = 34;
const COMMA = 44;
const HEADER_LINES = 1;

/** Reads CSV rows. A newline always ends a row: a quoted field may hold commas and quotes, no newline. */
export class CsvRows {
  readonly #columnCount: number;
  readonly #reader: RowReader;
  readonly #fields: Fields;
  readonly #quoted: Fields;

  constructor(schema: TapeSchema) {
    this.#columnCount = schema.columnCount;
    this.#reader = schema.kind === 'trades' ? new TradeRows(schema.layout) : new QuoteRows(schema.layout);
    this.#fields = fieldsFor(schema.columnCount);
    this.#quoted = fieldsFor(schema.columnCount);
  }

  /** Reads whole lines from `bytes[at..end)` into `block` until it is full. Returns where it stopped. */
  read(bytes: Uint8Array, start: number, end: number, block: RowBlock): number {
    const { from, to } = this.#fields;
    const columns = this.#columnCount;
    let lineStart = start;
    let at = start;
    while (at < end && !block.full) {
      let field = 0;
      let fieldStart = lineStart;
      let quotes = false;
      let code = 0;
      for (; at < end; at++) {
        code = bytes[at] as number;
        if (code === COMMA) {
          if (field < columns) {
            from[field] = fieldStart;
            to[field] = at;
          }
          field++;
          fieldStart = at + 1;
        } else if (code === NEWLINE) break;
        else if (code === QUOTE) quotes = true;
      }
      if (code !== NEWLINE) break;
      const lineEnd = at > lineStart && bytes[at - 1] === RETURN ? at - 1 : at;
      if (field < columns) {
        from[field] = fieldStart;
        to[field] = lineEnd;
      }
      this.#line(bytes, lineStart, lineEnd, field + 1, quotes, block);
      at++;
      lineStart = at;
    }
    return lineStart;
  }

  #line(bytes: Uint8Array, lineStart: number, lineEnd: number, count: number, quotes: boolean, block: RowBlock): void {
    block.countLine();
    if (lineEnd === lineStart) return;
    if (lineEnd - lineStart > LIMITS.tapeLineChars) {
      block.reject('line_too_long', excerptOf(bytes, lineStart, lineEnd), HEADER_LINES);
      return;
    }
    let fields = this.#fields;
    let fieldCount = count;
    if (quotes) {
      fields = this.#quoted;
      fieldCount = splitQuoted(bytes, lineStart, lineEnd, fields);
    } else fields.bytes = bytes;
    const reason =
      fieldCount < 0
        ? 'unclosed_quote'
        : fieldCount !== this.#columnCount
          ? 'wrong_column_count'
          : this.#reader.read(fields, block);
    if (reason === undefined) this.#reader.keep(block, lineStart, lineEnd);
    else block.reject(reason, excerptOf(bytes, lineStart, lineEnd), HEADER_LINES);
  }
}

function fieldsFor(columnCount: number): Fields {
  return { bytes: new Uint8Array(0), from: new Int32Array(columnCount), to: new Int32Array(columnCount) };
}

/** Field texts of one line, for headers. */
export function splitHeader(bytes: Uint8Array, from: number, to: number): string[] | undefined {
  const fields = fieldsFor(LIMITS.tapeLineChars);
  const count = splitQuoted(bytes, from, to, fields);
  if (count < 0) return undefined;
  return Array.from({ length: count }, (_, i) =>
    Buffer.from(fields.bytes.subarray(fields.from[i], fields.to[i])).toString('utf8'),
  );
}

/** Splits a row with quoted fields (RFC 4180), unescaped into fresh bytes. -1 when a quote is not closed. */
function splitQuoted(bytes: Uint8Array, start: number, end: number, fields: Fields): number {
  const out = new Uint8Array(end - start);
  let written = 0;
  let field = 0;
  let at = start;
  for (;;) {
    const fieldStart = written;
    if (at < end && bytes[at] === QUOTE) {
      let closed = false;
      for (at++; at < end; at++) {
        if (bytes[at] !== QUOTE) out[written++] = bytes[at] as number;
        else if (bytes[at + 1] === QUOTE && at + 1 < end) out[written++] = bytes[at++] as number;
        else {
          closed = true;
          at++;
          break;
        }
      }
      if (!closed) return -1;
    }
    for (; at < end && bytes[at] !== COMMA; at++) out[written++] = bytes[at] as number;
    if (field < fields.from.length) {
      fields.from[field] = fieldStart;
      fields.to[field] = written;
    }
    field++;
    if (at >= end) break;
    at++;
  }
  fields.bytes = out;
  return field;
}
