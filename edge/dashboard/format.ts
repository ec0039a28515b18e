/** Numbers and times as text. Decimals stay strings: nothing here rounds a price. */

const MINUS = '\u2212';
export const NONE = '\u2013';

/** `-61837.6` → `−61,837.60` at two places; more places than asked for are kept. */
export function decimal(value: string | number | null | undefined, minPlaces = 0): string {
  if (value === null || value === undefined || value === '') return NONE;
  const text = String(value);
  const negative = text.startsWith('-');
  const [whole = '0', fraction = ''] = (negative ? text.slice(1) : text).split('.');
  const grouped = whole.replace(/\B(?=(\d{3})+$)/gu, ',');
  const padded = fraction.padEnd(minPlaces, '0');
  return `${negative ? MINUS : ''}${grouped}${padded === '' ? '' : `.${padded}`}`;
}

/** With a plus sign where it is positive. */
export function signed(value: string | number | null | undefined, minPlaces = 0): string {
  const text = decimal(value, minPlaces);
  return text === NONE || text.startsWith(MINUS) || Number(value) === 0 ? text : `+${text}`;
}

/** A fraction as percent, signed: 0.0123 → `+1.23%`. */
export function percent(fraction: string | number | null | undefined, places = 2): string {
  if (fraction === null || fraction === undefined) return NONE;
  const value = Number(fraction) * 100;
  if (!Number.isFinite(value)) return NONE;
  const text = Math.abs(value).toFixed(places);
  if (Number(text) === 0) return `${text}%`;
  return `${value < 0 ? MINUS : '+'}${text}%`;
}

/** Class of a fraction's colour; none where `percent` shows it as zero. */
export function toneOf(fraction: number): 'up' | 'down' | '' {
  if (!(Math.abs(fraction) >= 0.00005)) return '';
  return fraction > 0 ? 'up' : 'down';
}

/** A float that only informs, at fixed places. */
export function rounded(value: string | number | null | undefined, places: number): string {
  if (value === null || value === undefined) return NONE;
  const number = Number(value);
  return Number.isFinite(number) ? decimal(number.toFixed(places)) : NONE;
}

const UNITS = [
  [1e12, 'T'],
  [1e9, 'B'],
  [1e6, 'M'],
  [1e3, 'K'],
] as const;

/** Short form of a volume: `12.3K`. The exact one belongs into the title. */
export function compact(value: string | number | null | undefined): string {
  if (value === null || value === undefined) return NONE;
  const number = Number(value);
  if (!Number.isFinite(number)) return NONE;
  for (const [unit, letter] of UNITS) {
    if (Math.abs(number) >= unit) return `${(number / unit).toPrecision(3)}${letter}`;
  }
  return number === 0 ? '0' : Math.abs(number) >= 100 ? number.toFixed(0) : number.toPrecision(3);
}

/** How long ago: `0.1 s` (or less), `12 s`, `3 min`, `2 h`, `4 d`. */
export function age(ms: number): string {
  if (!Number.isFinite(ms)) return NONE;
  if (ms < 950) return `${(Math.max(100, ms) / 1000).toFixed(1)} s`;
  if (ms < 59_500) return `${Math.round(ms / 1000)} s`;
  if (ms < 3_570_000) return `${Math.round(ms / 60_000)} min`;
  if (ms < 86_400_000) return `${Math.round(ms / 3_600_000)} h`;
  return `${Math.round(ms / 86_400_000)} d`;
}

/** A delay: `4.2 ms`, `38 ms`, `1.24 s`. */
export function delay(ms: number): string {
  if (!Number.isFinite(ms)) return NONE;
  if (Math.abs(ms) < 9.95) return `${ms.toFixed(1)} ms`;
  if (Math.abs(ms) < 999.5) return `${Math.round(ms)} ms`;
  return ms < 60_000 ? `${(ms / 1000).toFixed(2)} s` : age(ms);
}

/** UTC time of day with milliseconds. */
export function clockTime(ms: number): string {
  return Number.isFinite(ms) ? new Date(ms).toISOString().slice(11, 23) : NONE;
}

/** UTC date and minute. */
export function dateTime(ms: number): string {
  return Number.isFinite(ms) ? new Date(ms).toISOString().slice(0, 16).replace('T', ' ') : NONE;
}
