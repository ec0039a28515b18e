/** The bytes of a file that are being read, one piece of memory of fixed size. */
import { BrokenGzip, type FileBytes } from './file-bytes.ts';

const NEWLINE = 10;

export class LineBuffer {
  readonly bytes: Uint8Array;
  /** What is not read yet is `bytes[start..end)`. */
  start = 0;
  end = 0;
  /** What broke the file, once everything before it is in the buffer. */
  fault: string | undefined;
  readonly #input: FileBytes;
  /** What came in and did not fit yet. */
  #waiting: Uint8Array = new Uint8Array(0);

  constructor(input: FileBytes, capacityBytes: number) {
    this.#input = input;
    this.bytes = new Uint8Array(capacityBytes);
  }

  get length(): number {
    return this.end - this.start;
  }

  clear(): void {
    this.start = 0;
    this.end = 0;
  }

  /** Takes in more bytes, moving what is not read to the front. False at the end of the file, or where it is broken. */
  async fill(): Promise<boolean> {
    if (this.#waiting.length === 0) {
      try {
        const chunk = await this.#input.next();
        if (chunk === undefined) return false;
        this.#waiting = chunk;
      } catch (error) {
        if (!(error instanceof BrokenGzip)) throw error;
        this.fault = error.message;
        return false;
      }
    }
    this.bytes.copyWithin(0, this.start, this.end);
    this.end -= this.start;
    this.start = 0;
    const taken = Math.min(this.#waiting.length, this.bytes.length - this.end);
    this.bytes.set(this.#waiting.subarray(0, taken), this.end);
    this.end += taken;
    this.#waiting = this.#waiting.subarray(taken);
    return taken > 0;
  }

  append(byte: number): void {
    this.bytes[this.end++] = byte;
  }

  /** Where the line that begins at `start` ends; -1 when its newline has not come yet. */
  lineEnd(): number {
    return this.bytes.subarray(0, this.end).indexOf(NEWLINE, this.start);
  }

  /** Leaves at most `count` whole lines behind; how many. */
  skipLines(count: number): number {
    const held = this.bytes.subarray(0, this.end);
    let skipped = 0;
    while (skipped < count) {
      const newline = held.indexOf(NEWLINE, this.start);
      if (newline < 0) break;
      this.start = newline + 1;
      skipped++;
    }
    return skipped;
  }
}
