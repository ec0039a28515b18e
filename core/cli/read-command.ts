/** bars, profile, trades, quotes, symbols. */
import type { Config } from '../config.ts';
import { openReadOnly } from '../dev/embedded.ts';
import type { CliIo } from './io.ts';
import type { ReadOptions } from './options.ts';
import { printRows } from './print-rows.ts';
import { csvHeader, localRows, restRows, type Kind } from './rows.ts';

/** Prints the rows; exit code 0, also when whoever reads them stops reading. */
export async function readCommand(
  kind: Kind,
  options: ReadOptions & { withAction?: boolean },
  config: Config,
  io: CliIo,
): Promise<number> {
  const csv = options.format === 'csv';
  const print = { kind, format: options.format, csvHeader: csvHeader(kind, options), limit: options.limit };
  if (options.url !== undefined) {
    await printRows(io.stdout, print, restRows(options.url, kind, options, csv));
    return 0;
  }
  const opened = await openReadOnly(config, kind, io.clock);
  try {
    await printRows(io.stdout, print, localRows(opened.store, kind, options, csv));
  } finally {
    await opened.close();
  }
  return 0;
}
