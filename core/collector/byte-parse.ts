/** Decimals and times straight from bytes: the hot path of the tape makes no string per field. */
import { MAX_DECIMAL_CHARS, parseDecimal, POW10, type DecimalFault, type DecimalSink } from '#shared/decimal.ts';
import { MAX_EVENT_MS, parseNanos, type NanosSink, type TimeFault } from '#shared/event-time.ts';

/** Digits that fit into a double with room to spare; longer numbers take the slow path. */
const FAST_DIGITS = 15;
/** Nanosecond times from 2001-09-09 to 2286-11-20 have 19 digits. */
const NANOS_DIGITS = 19;

/** Same as `parseDecimal` of shared/decimal.ts, over `bytes[from..to)`. */
export function parseDecimalBytes(
  bytes: Uint8Array,
  from: number,
  to: number,
  out: DecimalSink,
): DecimalFault | undefined {
  const length = to - from;
  if (length === 0) return 'empty';
  if (length > FAST_DIGITS + 1) return slowDecimal(bytes, from, to, out);
  let mantissa = 0;
  let point = -1;
  for (let at = from; at < to; at++) {
    const digit = (bytes[at] as number) - 48;
    if (digit >= 0 && digit <= 9) mantissa = mantissa * 10 + digit;
    else if (digit === -2 && point < 0) point = at;
    else return slowDecimal(bytes, from, to, out);
  }
  const digits = point < 0 ? length : length - 1;
  if (digits === 0 || digits > FAST_DIGITS) return slowDecimal(bytes, from, to, out);
  const printed = point < 0 ? 0 : to - 1 - point;
  let zeros = 0;
  while (zeros < printed && bytes[to - 1 - zeros] === 48) zeros++;
  out.mantissa = zeros === 0 ? mantissa : mantissa / (POW10[zeros] as number);
  out.decimals = mantissa === 0 ? 0 : printed - zeros;
  out.printed = printed;
  return undefined;
}

function slowDecimal(bytes: Uint8Array, from: number, to: number, out: DecimalSink): DecimalFault | undefined {
  if (to - from > MAX_DECIMAL_CHARS) return 'too_long';
  return parseDecimal(latin1(bytes, from, to), out);
}

/** Same as `parseNanos` of shared/event-time.ts, over `bytes[from..to)`. */
export function parseNanosBytes(bytes: Uint8Array, from: number, to: number, out: NanosSink): TimeFault | undefined {
  if (to - from !== NANOS_DIGITS) return parseNanos(latin1(bytes, from, to), out);
  const split = to - 6;
  let ms = 0;
  let subNs = 0;
  let at = from;
  for (; at < split; at++) {
    const digit = (bytes[at] as number) - 48;
    if (digit < 0 || digit > 9) return parseNanos(latin1(bytes, from, to), out);
    ms = ms * 10 + digit;
  }
  for (; at < to; at++) {
    const digit = (bytes[at] as number) - 48;
    if (digit < 0 || digit > 9) return parseNanos(latin1(bytes, from, to), out);
    subNs = subNs * 10 + digit;
  }
  if (ms >= MAX_EVENT_MS) return 'after_2100';
  out.ms = ms;
  out.subNs = subNs;
  return undefined;
}

/** A canonical whole number of at most 15 digits (`0`, `17`, not `007`), else -1. */
export function parseIdBytes(bytes: Uint8Array, from: number, to: number): number {
  if (to === from || to - from > FAST_DIGITS || (bytes[from] === 48 && to - from > 1)) return -1;
  let id = 0;
  for (let at = from; at < to; at++) {
    const digit = (bytes[at] as number) - 48;
    if (digit < 0 || digit > 9) return -1;
    id = id * 10 + digit;
  }
  return id;
}

function latin1(bytes: Uint8Array, from: number, to: number): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1', from, to);
}

/** The bytes as text; what is not UTF-8 shows as U+FFFD. */
export function lossyText(bytes: Uint8Array, from: number, to: number): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8', from, to);
}
