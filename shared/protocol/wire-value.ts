/** Arithmetic of wire values: integers of any size as number (to 2^53 - 1) or decimal string, null where not known. */
import { formatDecimal, MAX_DECIMALS, pow10Big, POW10 } from '../decimal.ts';
import { channelSpec, type Channel, type FieldScale, type WireValue } from './channels.ts';

/** The longest integer text that is read. */
const MAX_INTEGER_CHARS = 64;
const INTEGER = /^-?\d{1,63}$/;
const DECIMAL = /^(-?)(\d{1,48})(?:\.(\d{1,24}))?$/;

/** The canonical form of an integer: number where it is safe, else text. */
export function wireInteger(value: bigint): WireValue {
  return value <= BigInt(Number.MAX_SAFE_INTEGER) && value >= -BigInt(Number.MAX_SAFE_INTEGER)
    ? Number(value)
    : value.toString();
}

/** A number as a wire value: NaN is null; what is no safe integer is null too. */
export function wireNumber(value: number): WireValue {
  return Number.isSafeInteger(value) ? value + 0 : null;
}

/** Brings a value from the wire into canonical form; undefined when it is none. */
export function readWireValue(value: unknown): WireValue | undefined {
  if (value === null) return null;
  if (typeof value === 'number') return Number.isSafeInteger(value) ? value : undefined;
  if (typeof value !== 'string' || value.length > MAX_INTEGER_CHARS || !INTEGER.test(value)) return undefined;
  return wireInteger(BigInt(value));
}

/**
 * What is sent for `next` to one who holds `previous`: the difference as a number, null, or the value as text where the
 * difference is no safe integer. An absent previous value counts as 0.
 */
export function wireDifference(previous: WireValue, next: WireValue): WireValue {
  if (next === null) return null;
  const from = previous ?? 0;
  if (typeof next === 'number' && typeof from === 'number') {
    const difference = next - from;
    return Number.isSafeInteger(difference) ? difference : next.toString();
  }
  const difference = BigInt(next) - BigInt(from);
  const number = Number(difference);
  return Number.isSafeInteger(number) ? number : next.toString();
}

/** Inverse of wireDifference; undefined when `difference` is no such thing. */
export function applyDifference(previous: WireValue, difference: unknown): WireValue | undefined {
  if (typeof difference !== 'number') return readWireValue(difference);
  if (!Number.isSafeInteger(difference)) return undefined;
  if (previous === null) return difference;
  if (typeof previous === 'number') {
    const sum = previous + difference;
    if (Number.isSafeInteger(sum)) return sum;
  }
  return wireInteger(BigInt(previous) + BigInt(difference));
}

export interface TopicScales {
  priceScale: number;
  sizeScale: number;
}

export function scaleOf(scale: FieldScale, topic: TopicScales): number {
  return scale === 'price' ? topic.priceScale : scale === 'size' ? topic.sizeScale : scale;
}

/** Decimal text of a value at `scale` places, without padding zeros; '' when absent. */
export function wireText(value: WireValue, scale: number): string {
  if (value === null) return '';
  if (scale === 0) return value.toString();
  return formatDecimal(typeof value === 'number' ? value : BigInt(value), scale);
}

export interface ScaledInteger {
  value: WireValue;
  /** Places that carry information. */
  decimals: number;
}

/** Reads decimal text as an integer at its own places; undefined when it is none. */
export function readDecimalText(text: string): ScaledInteger | undefined {
  const match = DECIMAL.exec(text);
  if (match === null) return undefined;
  const fraction = (match[3] ?? '').replace(/0+$/, '');
  if (fraction.length > MAX_DECIMALS) return undefined;
  return { value: wireInteger(BigInt(`${match[1] ?? ''}${match[2] ?? ''}${fraction}`)), decimals: fraction.length };
}

/** Moves an integer from `from` to `to` places; `to` must not be smaller. */
export function rescaleWire(value: WireValue, from: number, to: number): WireValue {
  if (from === to || value === null) return value;
  if (typeof value === 'number') {
    const scaled = value * (POW10[to - from] ?? Number.NaN);
    if (Number.isSafeInteger(scaled)) return scaled;
  }
  return wireInteger(BigInt(value) * pow10Big(to - from));
}

/** A row at the scales `from`, moved to the larger scales `to`. */
export function rescaleRow(
  channel: Channel,
  row: readonly WireValue[],
  from: TopicScales,
  to: TopicScales,
): WireValue[] {
  return channelSpec(channel).fields.map((field, i) =>
    rescaleWire(row[i] ?? null, scaleOf(field.scale, from), scaleOf(field.scale, to)),
  );
}
