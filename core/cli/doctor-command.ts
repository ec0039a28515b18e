/** `edgetape doctor`: checks what the product needs, one line each, with what to do. */
import { accessSync, constants, existsSync, statfsSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { unknownEnvironment, type Config } from '../config.ts';
import { holderOf, inUse } from '../dev/data-dir.ts';
import { openBase } from '../dev/embedded.ts';
import { silentLogger } from '../ops/logger.ts';
import { insistOnPort } from '../ops/port.ts';
import type { CliIo } from './io.ts';

export interface Finding {
  check: string;
  level: 'ok' | 'warn' | 'fail';
  detail: string;
}

const NEEDED_NODE = 24;
/** Below this much free space a replay of a large tape may not fit. */
const SPARE_BYTES = 1_000_000_000;

/** Exit code 1 when something would keep the product from running. */
export async function doctorCommand(config: Config, io: CliIo): Promise<number> {
  const findings = [
    nodeVersion(),
    ...environment(io.env),
    disk(config.dataDir),
    await port('port', config.host, config.port),
    await dataDir(config, io),
    dashboard(),
  ];
  const width = Math.max(...findings.map(({ check }) => check.length));
  for (const { check, level, detail } of findings)
    await io.stdout.write(`${level.padEnd(4)}  ${check.padEnd(width)}  ${detail}\n`);
  return findings.some(({ level }) => level === 'fail') ? 1 : 0;
}

function nodeVersion(): Finding {
  const fine = Number(process.versions.node.split('.')[0]) >= NEEDED_NODE;
  return {
    check: 'node',
    level: fine ? 'ok' : 'fail',
    detail: fine ? process.version : `${process.version}; run "npm ci", which brings Node ${NEEDED_NODE}`,
  };
}

function environment(env: CliIo['env']): Finding[] {
  const names = unknownEnvironment(env).filter((name) => !name.startsWith('EDGETAPE_TEST_'));
  return names.map((name) => ({
    check: 'environment',
    level: 'warn',
    detail: `${name} is no option of this version; "edgetape doctor --options-table" lists them`,
  }));
}

function disk(dir: string): Finding {
  let place = resolve(dir);
  while (!existsSync(place) && dirname(place) !== place) place = dirname(place);
  try {
    accessSync(place, constants.W_OK);
  } catch {
    return { check: 'disk', level: 'fail', detail: `${dir} cannot be written; name another folder with --data-dir` };
  }
  const { bavail, bsize } = statfsSync(place);
  const free = bavail * bsize;
  const text = `${(free / 1e9).toFixed(1)} GB free`;
  return free > SPARE_BYTES
    ? { check: 'disk', level: 'ok', detail: text }
    : { check: 'disk', level: 'warn', detail: `${text}; make room or name another folder with --data-dir` };
}

async function port(check: string, host: string, number: number): Promise<Finding> {
  if (number === 0) return { check, level: 'ok', detail: 'any free one' };
  try {
    await insistOnPort(host, number);
    return { check, level: 'ok', detail: `${number} is free` };
  } catch (error) {
    return { check, level: 'warn', detail: error instanceof Error ? error.message : String(error) };
  }
}

async function dataDir(config: Config, io: CliIo): Promise<Finding> {
  const check = 'data folder';
  const holder = holderOf(config.dataDir);
  if (holder !== undefined) return { check, level: 'ok', detail: inUse(config.dataDir, holder) };
  if (!existsSync(join(resolve(config.dataDir), 'log.sqlite')))
    return { check, level: 'ok', detail: `${config.dataDir} is not there yet; it is made when it is needed` };
  try {
    const base = await openBase(config, { command: 'doctor', clock: io.clock, logger: silentLogger });
    try {
      await base.store.ping();
      const instruments = await base.store.instruments();
      const topics = await base.log.topics();
      const migrated = base.applied.length > 0 ? `, ${base.applied.length} migrations applied just now` : '';
      return {
        check,
        level: 'ok',
        detail: `${config.dataDir}: log with ${topics.length} topics, store with ${instruments.length} instruments${migrated}`,
      };
    } finally {
      await base.close();
    }
  } catch (error) {
    return { check, level: 'fail', detail: error instanceof Error ? error.message : String(error) };
  }
}

function dashboard(): Finding {
  const built = existsSync(new URL('../../.build/dashboard/index.html', import.meta.url));
  return { check: 'dashboard', level: 'ok', detail: built ? 'built' : 'not built yet; "edgetape dev" builds it' };
}
