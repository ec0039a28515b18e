/** `edgetape migrate`: brings the store's schema up to date; every other command that opens it does so too. */
import type { Config } from '../config.ts';
import { openBase } from '../dev/embedded.ts';
import type { CliIo } from './io.ts';
import { loggerOf } from './log-output.ts';

export async function migrateCommand(config: Config, io: CliIo): Promise<number> {
  const base = await openBase(config, { command: 'migrate', clock: io.clock, logger: loggerOf(config, io) });
  try {
    const { version } = await base.store.migrate();
    const applied = base.applied.map((name) => `applied ${name}\n`).join('');
    await io.stdout.write(
      `${applied}store schema is at version ${version}${base.applied.length === 0 ? ', nothing to do' : ''}\n`,
    );
    return 0;
  } finally {
    await base.close();
  }
}
