/** Logger that writes lines: JSON for machines, words for people. */
import type { Clock } from '#shared/clock.ts';
import type { LogFields, Logger } from './logger.ts';

export type LogLevel = 'debug' | 'info' | 'warn' | 'error';
const LEVELS: readonly LogLevel[] = ['debug', 'info', 'warn', 'error'];

export interface LineLoggerOptions {
  /** Least severe level that is written; silent writes nothing. */
  level: LogLevel | 'silent';
  format: 'json' | 'text';
  clock: Clock;
  /** Receives one line without its end. */
  write(line: string): void;
}

export function lineLogger(options: LineLoggerOptions, bound: LogFields = {}): Logger {
  const least = options.level === 'silent' ? LEVELS.length : LEVELS.indexOf(options.level);
  const log = (level: LogLevel, message: string, fields: LogFields = {}): void => {
    if (LEVELS.indexOf(level) < least) return;
    const time = new Date(options.clock.nowMs()).toISOString();
    const all = { ...bound, ...fields };
    options.write(
      options.format === 'json'
        ? JSON.stringify({ time, level, message, ...all })
        : readable(time, level, message, all),
    );
  };
  return {
    debug: (message, fields) => log('debug', message, fields),
    info: (message, fields) => log('info', message, fields),
    warn: (message, fields) => log('warn', message, fields),
    error: (message, fields) => log('error', message, fields),
    child: (fields) => lineLogger(options, { ...bound, ...fields }),
  };
}

function readable(time: string, level: LogLevel, message: string, fields: LogFields): string {
  const words = Object.entries(fields)
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => `${name}=${typeof value === 'string' && /\s/.test(value) ? JSON.stringify(value) : value}`);
  return [time.slice(11, 23), level.toUpperCase().padEnd(5), message, ...words].join(' ');
}
