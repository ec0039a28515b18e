/** Kinds of options: how a value is read from text, and what is said of one that cannot be. */

/** A value that cannot be used. The message says which, why, and what to do. The process exits 2. */
export class ConfigError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'ConfigError';
  }
}

/** Recorded speed times the number, or as fast as it goes. */
export type Speed = number | 'max';

export interface FeedSpec {
  venue: string;
  symbols: string[];
}

export interface OptionSpec<T> {
  env: string;
  /** Long flag without the dashes. */
  flag: string;
  /** What stands behind the flag in help texts. */
  placeholder: string;
  unit?: string;
  /** As text, the way a user would write it; '' for not set. */
  defaultText: string;
  prose: string;
  /** The flag may be given several times; in the environment the values are parted by commas (or `;` where values hold commas). */
  repeat?: boolean;
  separator?: string;
  secret?: boolean;
  /** Value of the texts, or what is wrong with them as the end of a sentence that begins with the option's name. */
  read(texts: readonly string[]): { value: T } | { fault: string };
}

type Declared<T> = Omit<OptionSpec<T>, 'read' | 'placeholder'> & { placeholder?: string };

export function text(declared: Declared<string>): OptionSpec<string> {
  return { placeholder: 'TEXT', ...declared, read: (texts) => ({ value: texts.at(-1) ?? '' }) };
}

export function directory(declared: Declared<string>): OptionSpec<string> {
  return {
    placeholder: 'DIR',
    ...declared,
    read: (texts) => (texts.at(-1) ? { value: texts.at(-1) ?? '' } : { fault: 'must name a folder' }),
  };
}

export function integer(declared: Declared<number>, min: number, max: number): OptionSpec<number> {
  return {
    placeholder: 'N',
    ...declared,
    read(texts) {
      const given = texts.at(-1) ?? '';
      const value = Number(given);
      const fits = /^\d{1,15}$/.test(given) && value >= min && value <= max;
      return fits ? { value } : { fault: `must be a whole number from ${min} to ${max}, not "${given}"` };
    },
  };
}

export function choice<const C extends readonly string[]>(
  declared: Declared<C[number]>,
  choices: C,
): OptionSpec<C[number]> {
  return {
    placeholder: choices.join('|'),
    ...declared,
    read(texts) {
      const given = texts.at(-1) ?? '';
      const value = choices.find((candidate) => candidate === given);
      return value === undefined ? { fault: `must be one of ${choices.join(', ')}, not "${given}"` } : { value };
    },
  };
}

export function httpUrl(declared: Declared<string>): OptionSpec<string> {
  return {
    placeholder: 'URL',
    ...declared,
    read(texts) {
      const given = texts.at(-1) ?? '';
      if (given === '') return { value: '' };
      const fine = URL.canParse(given) && /^https?:$/.test(new URL(given).protocol);
      return fine
        ? { value: given.replace(/\/+$/, '') }
        : { fault: `must be an address like http://127.0.0.1:8123, not "${given}"` };
    },
  };
}

/** `max`, or a number above 0 that recorded time is multiplied by. */
export function readSpeed(given: string): { value: Speed } | { fault: string } {
  if (given === 'max') return { value: 'max' };
  const value = Number(given);
  const fits = /^\d{1,9}(\.\d{1,9})?$/.test(given) && value > 0;
  return fits
    ? { value }
    : {
        fault: `must be "max" or a number above 0, such as 1 for recorded speed or 20 for twenty times that, not "${given}"`,
      };
}

const FEED_VENUES = ['binance', 'binance_spot', 'binance_usdm', 'binance_coinm'];

export function readFeeds(texts: readonly string[]): { value: FeedSpec[] } | { fault: string } {
  const feeds: FeedSpec[] = [];
  for (const given of texts) {
    const [venue = '', list = '', ...rest] = given.split(':');
    const symbols = list.split(',').map((symbol) => symbol.trim());
    if (rest.length > 0 || symbols.some((symbol) => !/^[A-Za-z0-9_]{1,64}$/.test(symbol)))
      return { fault: `must look like binance:btcusdt,ethusdt, not "${given}"` };
    if (!FEED_VENUES.includes(venue)) return { fault: `knows the venues ${FEED_VENUES.join(', ')}, not "${venue}"` };
    feeds.push({ venue, symbols });
  }
  return { value: feeds };
}
