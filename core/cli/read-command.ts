/** bars, profile, trades, quotes, symbols. */
import type { Config } from '../config.ts';
import { openReadOnly } from '../dev/embedded.ts';
import type { CliIo } from './io.ts';
import type { ReadOptions } from './options.ts';
import { printRows } from './print-rows.ts';
import { localRows, restRows, type Kind } from './rows.ts';

/** Prints the rows; exit code 0, also when whoever reads them stops reading. */
export async function readCommand(
  kind: Kind,
  options: ReadOptions & { withAction?: boolean },
  config: Config,
  io: CliIo,
): Promise<number> {
  const csv = options.format === 'csv';
  if (options.url !== undefined) {
    await printRows(io.stdout, kind, options.format, restRows(options.url, kind, options, csv), options.limit);
    return 0;
  }
  const opened = await openReadOnly(config, kind, io.clock);
  try {
    await printRows(io.stdout, kind, options.format, localRows(opened.store, kind, options, csv), options.limit);
  } finally {
    await opened.close();
  }
  return 0;
}
