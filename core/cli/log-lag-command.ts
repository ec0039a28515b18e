/** `edgetape log lag`: how far the groups are behind. */
import type { Config } from '../config.ts';
import { lagsOf, type PlacedLag } from '../log/lag.ts';
import type { CliIo } from './io.ts';
import { withLog } from './log-command.ts';
import { tableWriter } from './table.ts';

export function logLagCommand(config: Config, options: { all: boolean; json: boolean }, io: CliIo): Promise<number> {
  return withLog(config, io, async (log) => {
    const lags = (await lagsOf(log, () => io.clock.nowMs())).filter(({ records }) => options.all || records > 0);
    if (options.json) {
      for (const lag of lags) await io.stdout.write(`${JSON.stringify(lag)}\n`);
      return 0;
    }
    if (lags.length === 0) {
      await io.stdout.write('nobody is behind\n');
      return 0;
    }
    const lines = tableWriter<PlacedLag>([
      { title: 'group', text: (row) => row.group },
      { title: 'topic', text: (row) => row.topic },
      { title: 'partition', right: true, text: (row) => String(row.partition) },
      { title: 'records', right: true, text: (row) => String(row.records) },
      { title: 'lag ms', right: true, text: (row) => String(row.lagMs) },
    ])(lags);
    await io.stdout.write(`${lines.join('\n')}\n`);
    return 0;
  });
}
