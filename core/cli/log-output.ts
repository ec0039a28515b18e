import type { Config } from '../config.ts';
import { lineLogger } from '../ops/line-logger.ts';
import type { Logger } from '../ops/logger.ts';
import type { CliIo } from './io.ts';

/** Logger of a command, on stderr. */
export function loggerOf(config: Config, io: CliIo): Logger {
  const format = config.logFormat === 'auto' ? (io.stderr.isTty ? 'text' : 'json') : config.logFormat;
  return lineLogger({
    level: config.logLevel,
    format,
    clock: io.clock,
    write: (line) => void io.stderr.write(`${line}\n`),
  });
}
