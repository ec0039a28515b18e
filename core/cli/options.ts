/** Command line options: those of the configuration, and those that only the read commands have. */
import { Option, type Command } from 'commander';
import { TIMEFRAMES, isTimeframe, type Timeframe } from '#shared/timeframes.ts';
import { parseInstrumentId } from '#shared/topics.ts';
import { OPTIONS, resolveConfig, type Config, type OptionKey } from '../config.ts';
import { ConfigError, type OptionSpec } from '../option-kinds.ts';
import { TIME_FORMS, parseTimeMs } from '../query/time-text.ts';
import { FORMATS, type Format } from './print-rows.ts';
import type { Kind } from './rows.ts';

/** What was given to a command, by option key. */
export type Given = Record<string, string | string[] | undefined>;
/** Makes a command. */
export type Define = (name: string, description: string, examples: readonly string[]) => Command;
/** What commander calls, from what a command does. */
export type Run = (work: (given: Given, ...args: string[]) => Promise<number>) => (...args: unknown[]) => Promise<void>;

/** A log on Kafka, and how this process appears there. */
export const BROKER_KEYS: readonly OptionKey[] = ['brokers', 'clientId', 'logPrefix', 'replicas'];

/** Adds the options of the configuration that the command uses. */
export function addConfigOptions(
  command: Command,
  keys: readonly OptionKey[],
  defaults: Partial<Record<OptionKey, string>> = {},
): Command {
  for (const key of keys) {
    const spec: OptionSpec<unknown> = OPTIONS[key];
    const fallback = defaults[key] ?? spec.defaultText;
    const notes = [fallback === '' ? '' : `default: ${fallback}`, spec.unit ?? '', `env: ${spec.env}`].filter(
      (note) => note !== '',
    );
    const option = new Option(`--${spec.flag} <${spec.placeholder}>`, `${spec.prose} (${notes.join(', ')})`);
    if (spec.repeat === true)
      option.argParser((text: string, before: string[] | undefined) => [...(before ?? []), text]);
    command.addOption(option);
  }
  return command;
}

/** Configuration from what was given to the command. Throws ConfigError. */
export function configOf(
  given: Given,
  env: Readonly<Record<string, string | undefined>>,
  defaults: Partial<Record<OptionKey, string>> = {},
): Config {
  const flags: Partial<Record<OptionKey, string | string[]>> = {};
  for (const key of Object.keys(OPTIONS) as OptionKey[]) {
    const text = given[key];
    if (text !== undefined) flags[key] = text;
  }
  return resolveConfig({ flags, env, defaults });
}

export interface ReadOptions {
  symbol: string | undefined;
  timeframe: Timeframe;
  fromMs: number | undefined;
  toMs: number | undefined;
  limit: number | undefined;
  format: Format;
  url: string | undefined;
}

export type ReadOptionName = 'symbol' | 'tf' | 'from' | 'to' | 'limit' | 'format' | 'url';

const READ_OPTIONS: Readonly<Record<ReadOptionName, () => Option>> = {
  symbol: () => new Option('--symbol <VENUE:SYMBOL>', 'One instrument, such as asx:BHP; all of them when left out.'),
  tf: () => new Option('--tf <TIMEFRAME>', `Length of the bars: ${TIMEFRAMES.join(', ')}.`).default('1m'),
  from: () => new Option('--from <TIME>', `Start of the range, inside: ${TIME_FORMS}.`),
  to: () => new Option('--to <TIME>', 'End of the range, outside; written like --from.'),
  limit: () => new Option('--limit <N>', 'Most rows that are printed.'),
  format: () =>
    new Option('--format <FORMAT>', `Form of the output: ${FORMATS.join(', ')} (one object a line).`).default('table'),
  url: () => new Option('--url <URL>', 'Ask a running instance at this address instead of opening a data folder.'),
};

export function addReadOptions(command: Command, names: readonly ReadOptionName[], kind: Kind): Command {
  for (const name of names) {
    const option = READ_OPTIONS[name]();
    if (kind === 'profile' && name === 'tf') {
      option.description = 'Length of the windows; profiles have windows of five minutes only.';
      option.default('5m');
    }
    command.addOption(option);
  }
  return command;
}

/** Throws ConfigError for the first that cannot be used. */
export function readOptionsOf(given: Given, kind: Kind): ReadOptions {
  const text = (name: ReadOptionName): string | undefined => {
    const value = given[name];
    return typeof value === 'string' ? value : undefined;
  };
  const symbol = text('symbol');
  if (symbol !== undefined && parseInstrumentId(symbol) === undefined)
    throw new ConfigError(`--symbol must look like venue:SYMBOL, for example asx:BHP, not "${symbol}".`);
  const timeframe = text('tf') ?? '1m';
  if (kind === 'profile' && timeframe !== '5m')
    throw new ConfigError(`--tf must be 5m: volume profiles have no other windows, not "${timeframe}".`);
  if (!isTimeframe(timeframe))
    throw new ConfigError(`--tf must be one of ${TIMEFRAMES.join(', ')}, not "${timeframe}".`);
  const format = FORMATS.find((candidate) => candidate === (text('format') ?? 'table'));
  if (format === undefined)
    throw new ConfigError(`--format must be one of ${FORMATS.join(', ')}, not "${text('format')}".`);
  const fromMs = timeOf('--from', text('from'));
  const toMs = timeOf('--to', text('to'));
  if (fromMs !== undefined && toMs !== undefined && fromMs >= toMs)
    throw new ConfigError('--to must be later than --from.');
  return { symbol, timeframe, fromMs, toMs, limit: limitOf(text('limit')), format, url: urlOf(text('url')) };
}

function timeOf(flag: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const ms = parseTimeMs(text);
  if (ms === undefined) throw new ConfigError(`${flag} must be ${TIME_FORMS}, between 1970 and 2100, not "${text}".`);
  return ms;
}

export function limitOf(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  if (!/^[1-9]\d{0,11}$/.test(text)) throw new ConfigError(`--limit must be a whole number from 1, not "${text}".`);
  return Number(text);
}

export function urlOf(text: string | undefined): string | undefined {
  if (text === undefined) return undefined;
  if (!URL.canParse(text) || !/^https?:$/.test(new URL(text).protocol))
    throw new ConfigError(`--url must be an address like http://127.0.0.1:8787, not "${text}".`);
  return text.replace(/\/+$/, '');
}
