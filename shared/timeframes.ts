/** Bar timeframes and where a time falls in them (SPEC WN-2): closed-open, UTC-aligned, labelled by the start. */

export const TIMEFRAMES = ['1m', '5m', '15m', '1h', '1d'] as const;
export type Timeframe = (typeof TIMEFRAMES)[number];

export const TIMEFRAME_MS: Readonly<Record<Timeframe, number>> = {
  '1m': 60_000,
  '5m': 300_000,
  '15m': 900_000,
  '1h': 3_600_000,
  '1d': 86_400_000,
};

/** Length of a pane, the unit from which every bar is rolled up. */
export const PANE_MS = 1_000;

export function isTimeframe(text: string): text is Timeframe {
  return Object.hasOwn(TIMEFRAME_MS, text);
}

/** Start in ms of the window of `lengthMs` that holds `eventMs` (both since 1970-01-01 UTC). */
export function windowStart(eventMs: number, lengthMs: number): number {
  return Math.floor(eventMs / lengthMs) * lengthMs;
}
