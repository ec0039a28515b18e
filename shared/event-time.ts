/**
 * Event times are a pair: milliseconds since 1970-01-01 UTC, and the nanoseconds inside that millisecond
 * (0..999,999). Together they hold any nanosecond time exactly; one JavaScript number does not.
 */

export const NANOS_PER_MS = 1_000_000;
/** First valid event time, 1970-01-01T00:00:00Z, and the end (not valid any more), 2100-01-01T00:00:00Z (SPEC MD-6). */
export const MIN_EVENT_MS = 0;
export const MAX_EVENT_MS = 4_102_444_800_000;

export interface NanosSink {
  ms: number;
  subNs: number;
}

export type TimeFault = 'empty' | 'not_a_time' | 'before_1970' | 'after_2100';

/** Reads integer nanoseconds since 1970 from text. Returns undefined when `out` holds it, else what is wrong. */
export function parseNanos(text: string, out: NanosSink): TimeFault | undefined {
  const length = text.length;
  if (length === 0) return 'empty';
  if (text.charCodeAt(0) === 45) return /^-\d+$/.test(text.slice(0, 64)) ? 'before_1970' : 'not_a_time';
  let ms = 0;
  let subNs = 0;
  const split = length - 6;
  for (let at = 0; at < length; at++) {
    const digit = text.charCodeAt(at) - 48;
    if (digit < 0 || digit > 9) return 'not_a_time';
    if (at < split) ms = ms * 10 + digit;
    else subNs = subNs * 10 + digit;
  }
  if (!(ms < MAX_EVENT_MS)) return 'after_2100';
  out.ms = ms;
  out.subNs = subNs;
  return undefined;
}

/** Prints nanoseconds since 1970: (1394398634754, 0) is 1394398634754000000. */
export function formatNanos(ms: number, subNs: number): string {
  if (ms === 0) return subNs.toString();
  return `${ms}${subNs.toString().padStart(6, '0')}`;
}
