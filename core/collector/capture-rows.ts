/** Lines of a raw capture (`<receive time in ns> <JSON of the venue>`), through the venue's mapper into columns. */
import { isUtf8 } from 'node:buffer';
import { LIMITS } from '#shared/limits.ts';
import { utf8Encode } from '#shared/text.ts';
import { lossyText, parseNanosBytes } from './byte-parse.ts';
import { excerptOf, ROW_KIND, type RowBlock } from './row-block.ts';
import { BINANCE_MARKETS, mapBinance, type BinanceMarket } from './venues/binance.ts';

const NEWLINE = 10;
const RETURN = 13;
const SPACE = 32;
const AT_SIGN = 64;
const CAPTURE_LINE = /^\d{1,19} \{/;

export function looksLikeCapture(line: string): boolean {
  return CAPTURE_LINE.test(line);
}

/** The market that a capture's file name begins with (`binance_usdm_…`); undefined leaves it to each message. */
function marketOfFile(file: string): BinanceMarket | undefined {
  return BINANCE_MARKETS.find((market) => file.startsWith(`binance_${market}_`));
}

export class CaptureRows {
  readonly #market: BinanceMarket | undefined;
  readonly #time = { ms: 0, subNs: 0 };

  constructor(file: string) {
    this.#market = marketOfFile(file);
  }

  /** Reads whole lines from `bytes[start..end)` into `block` until it is full. Returns where it stopped. */
  read(bytes: Uint8Array, start: number, end: number, block: RowBlock): number {
    const held = bytes.subarray(0, end);
    let at = start;
    while (at < end && !block.full) {
      const newline = held.indexOf(NEWLINE, at);
      if (newline < 0) break;
      this.#line(bytes, at, newline > at && bytes[newline - 1] === RETURN ? newline - 1 : newline, block);
      at = newline + 1;
    }
    return at;
  }

  #line(bytes: Uint8Array, from: number, to: number, block: RowBlock): void {
    block.countLine();
    if (from === to) return;
    const reason = to - from > LIMITS.captureLineChars ? 'line_too_long' : this.#message(bytes, from, to, block);
    if (reason !== undefined) block.reject(reason, excerptOf(bytes, from, to), 0);
  }

  #message(bytes: Uint8Array, from: number, to: number, block: RowBlock): string | undefined {
    const space = bytes.indexOf(SPACE, from);
    if (space < 0 || space >= to) return 'wrong_column_count';
    const fault = parseNanosBytes(bytes, from, space, this.#time);
    if (fault !== undefined) return fault === 'empty' ? 'missing_column_value' : fault;
    if (isDepth(bytes, space + 1, to)) return undefined;
    if (!isUtf8(bytes.subarray(space + 1, to))) return 'not_utf8';
    let message: unknown;
    try {
      message = JSON.parse(lossyText(bytes, space + 1, to));
    } catch {
      return 'not_json';
    }
    const { ms, subNs } = this.#time;
    const result = mapBinance(message, this.#market, ms, subNs, block);
    if (result.kind === 'rejected') return result.reason;
    if (result.kind !== 'ignored') {
      block.commit(result.kind === 'trade' ? ROW_KIND.trade : ROW_KIND.quote, ms, subNs, from, to);
    }
    return undefined;
  }
}

const STREAM = utf8Encode('{"stream":"');
const DEPTH = utf8Encode('@depth');

/** Whether the message begins as one of depth: most bytes of a capture are, and none of them is taken in. */
function isDepth(bytes: Uint8Array, from: number, to: number): boolean {
  if (!startsWith(bytes, from, to, STREAM)) return false;
  const start = from + STREAM.length;
  const end = Math.min(to, start + LIMITS.nameChars);
  for (let at = start; at < end; at++) if (bytes[at] === AT_SIGN) return startsWith(bytes, at, to, DEPTH);
  return false;
}

function startsWith(bytes: Uint8Array, from: number, to: number, word: Uint8Array): boolean {
  if (to - from < word.length) return false;
  for (let i = 0; i < word.length; i++) if (bytes[from + i] !== word[i]) return false;
  return true;
}
