/** `edgetape migrate`: brings the store's schema up to date; every other command that opens it does so too. */
import type { Config } from '../config.ts';
import { openDataDir } from '../dev/data-dir.ts';
import { openStore } from '../dev/embedded.ts';
import type { CliIo } from './io.ts';

/** With `dryRun` only says what would be applied. */
export async function migrateCommand(config: Config, dryRun: boolean, io: CliIo): Promise<number> {
  const dir = openDataDir(config.dataDir, { command: 'migrate', mustExist: dryRun });
  try {
    const store = await openStore(config, dir, io.clock);
    try {
      const { applied, version } = await store.migrate(dryRun);
      for (const name of applied) await io.stdout.write(`${dryRun ? 'would apply' : 'applied'} ${name}\n`);
      if (!dryRun)
        await io.stdout.write(
          `store schema is at version ${version}${applied.length === 0 ? ', nothing to do' : ''}\n`,
        );
      else if (applied.length === 0) await io.stdout.write('nothing to do\n');
    } finally {
      await store.close();
    }
  } finally {
    dir.release();
  }
  return 0;
}
