/** One file of a tape, read in blocks of rows. Flat memory: one buffer, whatever the lines are. */
import { basename } from 'node:path';
import { LIMITS } from '#shared/limits.ts';
import { CaptureRows, looksLikeCapture } from './capture-rows.ts';
import { openFileBytes, type FileBytes } from './file-bytes.ts';
import { lossyText } from './byte-parse.ts';
import { excerptOf, RowBlock } from './row-block.ts';
import { CsvRows, splitHeader } from './tape-rows.ts';
import { LineBuffer } from './line-buffer.ts';
import type { MergeInput } from './merge.ts';
import { readSchema, TapeError, type TapeSchema } from './tape-schema.ts';

const NEWLINE = 10;
const RETURN = 13;
const READ_BYTES = 262_144;

interface LineReader {
  read(bytes: Uint8Array, start: number, end: number, block: RowBlock): number;
}

/** A file that breaks inside its first line has no kind: nothing of it can be read. */
type Header = { kind: 'capture' } | { kind: 'broken' } | { kind: 'csv'; schema: TapeSchema };

export class TapeFile implements MergeInput {
  readonly block: RowBlock;
  readonly #input: FileBytes;
  readonly #buffer: LineBuffer;
  readonly #lines: LineReader;
  readonly #maxLineBytes: number;
  readonly headerLines: number;
  /** A line longer than the limit is passed over up to its end. */
  #passingOver = false;
  #ended = false;

  private constructor(name: string, input: FileBytes, buffer: LineBuffer, header: Header) {
    this.#input = input;
    this.#buffer = buffer;
    this.headerLines = header.kind === 'csv' ? 1 : 0;
    this.#maxLineBytes = header.kind === 'capture' ? LIMITS.captureLineChars : LIMITS.tapeLineChars;
    this.#lines = header.kind === 'csv' ? new CsvRows(header.schema) : new CaptureRows(name);
    const only = header.kind === 'csv' ? header.schema.kind : undefined;
    this.block = new RowBlock(name, { trades: only !== 'quotes', quotes: only !== 'trades' });
  }

  /** Opens the file and reads its header. Throws TapeError when it is no tape, is empty or cannot be read. */
  static async open(path: string): Promise<TapeFile> {
    const name = basename(path);
    let input: FileBytes;
    try {
      input = await openFileBytes(path);
    } catch (cause) {
      throw new TapeError(`${name}: ${openFault(cause)}`, { cause });
    }
    try {
      const buffer = new LineBuffer(input, LIMITS.captureLineChars + 2 * READ_BYTES);
      return new TapeFile(name, input, buffer, await readHeader(name, buffer));
    } catch (cause) {
      await input.close();
      throw cause instanceof TapeError ? cause : new TapeError(`${name}: ${openFault(cause)}`, { cause });
    }
  }

  get bytesRead(): number {
    return this.#input.bytesRead;
  }

  close(): Promise<void> {
    return this.#input.close();
  }

  /** Passes over the first `count` data lines of the file, the mark of a broken end counting as one. */
  async skip(count: number): Promise<void> {
    let left = count;
    let begun = false;
    for (;;) {
      const skipped = this.#buffer.skipLines(left);
      if (skipped > 0) begun = false;
      left -= skipped;
      if (left === 0) break;
      if (this.#buffer.length > this.#maxLineBytes) {
        this.#buffer.clear();
        begun = true;
      }
      if (await this.#buffer.fill()) continue;
      const last = begun || this.#buffer.length > 0 || this.#buffer.fault !== undefined;
      this.#ended = true;
      left -= last ? 1 : 0;
      break;
    }
    this.block.endLine = count - left;
  }

  /** Fills `block` with the next rows. False at the end of the file. */
  async load(): Promise<boolean> {
    const { block } = this;
    block.reset();
    while (!this.#ended) {
      if (this.#passOver()) {
        this.#buffer.start = this.#lines.read(this.#buffer.bytes, this.#buffer.start, this.#buffer.end, block);
        if (block.lines > 0) return true;
      }
      if (this.#buffer.length > this.#maxLineBytes && !this.#passingOver) {
        block.countLine();
        block.reject(
          'line_too_long',
          excerptOf(this.#buffer.bytes, this.#buffer.start, this.#buffer.end),
          this.headerLines,
        );
        this.#passingOver = true;
        return true;
      }
      if (!(await this.#buffer.fill())) this.#finish();
    }
    return block.lines > 0;
  }

  /** Leaves the rest of an overlong line behind. False while its end has not come. */
  #passOver(): boolean {
    if (!this.#passingOver) return true;
    if (this.#buffer.skipLines(1) === 0) {
      this.#buffer.clear();
      return false;
    }
    this.#passingOver = false;
    return true;
  }

  /** The last line may lack its newline; behind a broken end it is half a line, which is not read. */
  #finish(): void {
    this.#ended = true;
    const { block } = this;
    const rest = this.#buffer;
    if (rest.fault === undefined) {
      if (rest.length > 0 && !this.#passingOver) {
        rest.append(NEWLINE);
        this.#lines.read(rest.bytes, rest.start, rest.end, block);
      }
    } else {
      block.countLine();
      const half = this.#passingOver ? '' : excerptOf(rest.bytes, rest.start, rest.end);
      block.reject(
        'broken_gzip',
        `${rest.fault}; last line begun: ${half}`.slice(0, LIMITS.deadLetterChars),
        this.headerLines,
      );
    }
    rest.clear();
  }

  excerpt(row: number): string {
    return excerptOf(this.#buffer.bytes, this.block.from[row] as number, this.block.to[row] as number);
  }
}

async function readHeader(name: string, buffer: LineBuffer): Promise<Header> {
  let end = buffer.lineEnd();
  while (end < 0 && buffer.length <= LIMITS.captureLineChars && (await buffer.fill())) end = buffer.lineEnd();
  if (end < 0 && buffer.fault !== undefined) return { kind: 'broken' };
  if (buffer.length === 0) throw new TapeError(`${name}: the file is empty`);
  const to = end < 0 ? buffer.end : end;
  if (looksLikeCapture(lossyText(buffer.bytes, buffer.start, Math.min(to, buffer.start + 64))))
    return { kind: 'capture' };
  const from = startsWithMark(buffer) ? buffer.start + 3 : buffer.start;
  const withoutReturn = to > from && buffer.bytes[to - 1] === RETURN ? to - 1 : to;
  const names = to - from > LIMITS.tapeLineChars ? [] : splitHeader(buffer.bytes, from, withoutReturn);
  const schema = readSchema(name, names ?? []);
  buffer.start = end < 0 ? buffer.end : end + 1;
  return { kind: 'csv', schema };
}

/** The byte order mark that some spreadsheets begin with. */
function startsWithMark({ bytes, start, length }: LineBuffer): boolean {
  return length >= 3 && bytes[start] === 0xef && bytes[start + 1] === 0xbb && bytes[start + 2] === 0xbf;
}

/** What went wrong, without the folder the file is in. */
function openFault(cause: unknown): string {
  const code = (cause as NodeJS.ErrnoException).code;
  if (code === 'ENOENT') return 'there is no such file';
  if (code === 'EACCES') return 'the file may not be read';
  if (code === 'EISDIR') return 'is a folder, not a file';
  return code === undefined ? (cause as Error).message : `cannot be read (${code})`;
}
