/** `edgetape migrate`: brings the store's schema up to date; every other command that opens it does so too. */
import type { Config } from '../config.ts';
import { openDataDir } from '../dev/data-dir.ts';
import { openStore } from '../dev/embedded.ts';
import { silentLogger } from '../ops/logger.ts';
import { openLog, specsOf } from '../run/kafka.ts';
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

/**
 * Creates the topics that are missing, and says where those that are there differ from what they should be: exit code 1 then, and
 * nothing of it is changed. With `dryRun` creates nothing.
 */
export async function migrateTopicsCommand(config: Config, dryRun: boolean, io: CliIo): Promise<number> {
  const log = await openLog(config, { clock: io.clock, logger: silentLogger });
  try {
    const specs = specsOf(config, config.partitions);
    const before = new Set((await log.topics()).map(({ name }) => name));
    const missing = specs.filter(({ name }) => !before.has(name));
    if (!dryRun) await log.ensureTopics(specs);
    for (const { name, partitions } of missing)
      await io.stdout.write(`${dryRun ? 'would create' : 'created'} ${name}, ${partitions} partitions\n`);
    const drift = (await log.drift(specs)).filter((sentence) => !(dryRun && sentence.endsWith('does not exist.')));
    for (const sentence of drift) await io.stdout.write(`${sentence}\n`);
    await io.stdout.write(
      drift.length > 0
        ? 'The cluster differs from what it should be; set it right with the tools of Kafka.\n'
        : `${specs.length} topics are as they should be\n`,
    );
    return drift.length > 0 ? 1 : 0;
  } finally {
    await log.close();
  }
}
