/** Times as users write them, in queries and on the command line. Pure. */
import { MAX_EVENT_MS, NANOS_PER_MS } from '#shared/event-time.ts';

export const TIME_FORMS =
  'an ISO 8601 time with a zone (2014-03-10T00:00:00Z), a date (2014-03-10, its start in UTC), milliseconds since 1970 (at most 13 digits), or nanoseconds since 1970 (16 to 19 digits)';

const ISO = /^\d{4}-\d{2}-\d{2}(?:T\d{2}:\d{2}(?::\d{2}(?:\.\d{1,9})?)?(?:Z|[+-]\d{2}:\d{2}))?$/;

/**
 * Milliseconds since 1970 UTC; undefined when the text is no such time, or lies outside 1970..2100 (SPEC MD-6). A time inside a
 * millisecond is rounded up, so that `>= from` and `< to` keep their meaning for ticks of millisecond precision.
 */
export function parseTimeMs(text: string): number | undefined {
  const ms = readMs(text);
  return ms !== undefined && ms >= 0 && ms <= MAX_EVENT_MS ? ms : undefined;
}

function readMs(text: string): number | undefined {
  if (/^\d{1,13}$/.test(text)) return Number(text);
  if (/^\d{16,19}$/.test(text)) {
    const nanos = BigInt(text);
    const perMs = BigInt(NANOS_PER_MS);
    return Number((nanos + perMs - 1n) / perMs);
  }
  if (!ISO.test(text)) return undefined;
  const ms = Date.parse(text);
  return Number.isNaN(ms) || !datePartStands(text) ? undefined : ms;
}

/** Date.parse takes 2014-02-30 for the 2nd of March. */
function datePartStands(text: string): boolean {
  const day = text.slice(0, 10);
  const parsed = new Date(`${day}T00:00:00Z`);
  return !Number.isNaN(parsed.getTime()) && parsed.toISOString().slice(0, 10) === day;
}
