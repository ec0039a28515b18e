/**
 * Exact decimals as scaled integers (SPEC MD-1).
 *
 * A decimal is `mantissa / 10^decimals`. Mantissas are JavaScript numbers that hold integers of at most
 * 2^53 - 1; sums that may grow past that are bigint. No float arithmetic takes part in any of it.
 */

/** The most decimal places a price or size may have. Venues in the field print at most 12. */
export const MAX_DECIMALS = 18;
/** The longest decimal text that is read at all; anything longer is refused before it is looked at. */
export const MAX_DECIMAL_CHARS = 48;

export const POW10: readonly number[] = Array.from({ length: 23 }, (_, i) => Number(`1e${i}`));
const POW10_BIG: readonly bigint[] = Array.from({ length: 80 }, (_, i) => 10n ** BigInt(i));

/** 10^n as bigint, n from 0. */
export function pow10Big(n: number): bigint {
  return POW10_BIG[n] ?? 10n ** BigInt(n);
}

export type DecimalFault = 'empty' | 'not_a_decimal' | 'too_long' | 'too_precise' | 'too_large';

/** Receives the parts of a parsed decimal, so that the hot path makes no object per number. */
export interface DecimalSink {
  /** Integer value at `decimals` places, without the padding zeros. */
  mantissa: number;
  /** Places that carry information (trailing zeros removed). */
  decimals: number;
  /** Places as printed by the source (padding zeros included), so that a tick can be printed as it came. */
  printed: number;
}

export function decimalSink(): DecimalSink {
  return { mantissa: 0, decimals: 0, printed: 0 };
}

/**
 * Reads plain decimal text (`-12.3400`): optional sign, digits, optional fraction. No exponent, no spaces, no
 * thousands separators. Returns undefined when it is a decimal and `out` holds it, else what is wrong.
 */
export function parseDecimal(text: string, out: DecimalSink): DecimalFault | undefined {
  const length = text.length;
  if (length === 0) return 'empty';
  if (length > MAX_DECIMAL_CHARS) return 'too_long';
  let at = 0;
  let negative = false;
  const first = text.charCodeAt(0);
  if (first === 45 || first === 43) {
    negative = first === 45;
    at = 1;
  }
  let mantissa = 0;
  let digits = 0;
  let significant = 0;
  let point = -1;
  let pendingZeros = 0;
  for (; at < length; at++) {
    const code = text.charCodeAt(at);
    if (code === 46) {
      if (point >= 0) return 'not_a_decimal';
      point = digits;
      continue;
    }
    const digit = code - 48;
    if (digit < 0 || digit > 9) return 'not_a_decimal';
    digits++;
    if (point >= 0 && digit === 0) {
      pendingZeros++;
      continue;
    }
    if (pendingZeros > 0) {
      if (significant + pendingZeros > 22) return mantissa === 0 ? 'too_precise' : 'too_large';
      mantissa *= POW10[pendingZeros] ?? Number.POSITIVE_INFINITY;
      if (significant > 0) significant += pendingZeros;
      pendingZeros = 0;
    }
    mantissa = mantissa * 10 + digit;
    if (significant > 0 || digit > 0) significant++;
    if (mantissa > Number.MAX_SAFE_INTEGER) return point >= 0 ? 'too_precise' : 'too_large';
  }
  if (digits === 0) return 'not_a_decimal';
  const printed = point < 0 ? 0 : digits - point;
  const decimals = printed - pendingZeros;
  if (decimals > MAX_DECIMALS) return 'too_precise';
  if (printed > 255) return 'too_long';
  out.mantissa = negative && mantissa !== 0 ? -mantissa : mantissa;
  out.decimals = mantissa === 0 ? 0 : decimals;
  out.printed = printed;
  return undefined;
}

/**
 * Moves a mantissa from `from` to `to` decimal places, exactly. `to` must not be smaller than `from`.
 * Returns NaN when the result does not fit into 2^53 - 1.
 */
export function rescale(mantissa: number, from: number, to: number): number {
  if (from === to) return mantissa;
  const scaled = mantissa * (POW10[to - from] ?? Number.NaN);
  return Math.abs(scaled) <= Number.MAX_SAFE_INTEGER ? scaled : Number.NaN;
}

/** Prints `mantissa / 10^decimals` without padding zeros: 62, 61837.63, -0.5. */
export function formatDecimal(mantissa: number | bigint, decimals: number): string {
  return stripZeros(formatFixed(mantissa, decimals, decimals));
}

/**
 * Prints with `printed` places, as the source did. `decimals` may be more than that: a tick is kept at its instrument's scale
 * (SPEC MD-3), and zeros that this put behind the value are taken off again.
 */
export function formatPrinted(mantissa: number, decimals: number, printed: number): string {
  let digits = mantissa;
  let places = decimals;
  for (; places > printed && digits % 10 === 0; places--) digits /= 10;
  return formatFixed(digits, places, Math.max(places, printed));
}

function formatFixed(mantissa: number | bigint, decimals: number, places: number): string {
  const negative = mantissa < 0;
  const magnitude = typeof mantissa === 'bigint' ? (negative ? -mantissa : mantissa) : Math.abs(mantissa);
  let digits = magnitude.toString();
  if (places === 0) return negative ? `-${digits}` : digits;
  if (digits.length <= decimals) digits = '0'.repeat(decimals - digits.length + 1) + digits;
  const whole = digits.slice(0, digits.length - decimals);
  const fraction = digits.slice(digits.length - decimals) + '0'.repeat(places - decimals);
  return `${negative ? '-' : ''}${whole}.${fraction}`;
}

function stripZeros(text: string): string {
  if (!text.includes('.')) return text;
  let end = text.length;
  while (text.charCodeAt(end - 1) === 48) end--;
  if (text.charCodeAt(end - 1) === 46) end--;
  return text.slice(0, end);
}

/**
 * `numerator / denominator` rounded half to even at `places` decimals, as a scaled bigint.
 * The denominator must be positive.
 */
export function divideHalfEven(numerator: bigint, denominator: bigint, places: number): bigint {
  const scaled = numerator * pow10Big(places);
  let quotient = scaled / denominator;
  let remainder = scaled % denominator;
  if (remainder < 0n) {
    remainder += denominator;
    quotient -= 1n;
  }
  const twice = remainder * 2n;
  if (twice > denominator || (twice === denominator && (quotient & 1n) === 1n)) quotient += 1n;
  return quotient;
}

/** Decimal places to which every view rounds a VWAP (SPEC WN-9). */
export const VWAP_PLACES = 12;

/**
 * VWAP = Σ(price·size) / Σ(size), half-even at 12 places, without padding zeros; '' when nothing was traded.
 * @param pv Σ(price·size) at `priceScale + sizeScale` places
 * @param volume Σ(size) at `sizeScale` places
 */
export function formatVwap(pv: bigint, volume: bigint, priceScale: number): string {
  if (volume === 0n) return '';
  const quotient = divideHalfEven(pv, volume * pow10Big(priceScale), VWAP_PLACES);
  return formatDecimal(quotient, VWAP_PLACES);
}
