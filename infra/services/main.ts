/**
 * `npm run services -- up|down|status [kafka redis postgres] [--data-dir DIR]`: real services for development and tests, without
 * Docker, on free ports. Stops exactly what it started.
 */
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { kafka } from './kafka.ts';
import { postgres } from './postgres.ts';
import { redis } from './redis.ts';
import { isRunning, stop, writeJson, type LocalService, type Started } from './service.ts';

const SERVICES: Record<string, LocalService> = { kafka, redis, postgres };
const RECORDS = new URL('../../.edgetape/services', import.meta.url).pathname;
const USAGE = `Usage: npm run services -- up|down|status [${Object.keys(SERVICES).join(' ')}] [--data-dir DIR]

  up      starts what is named (all when nothing is), each on a free port, and prints its address
  down    stops what this script started, and removes data that was not put into a --data-dir
  status  what runs, and where`;

process.exitCode = await main();

async function main(): Promise<number> {
  const { values, positionals } = parse();
  const [action = '', ...names] = positionals;
  const unknown = names.filter((name) => !Object.hasOwn(SERVICES, name));
  if (!['up', 'down', 'status'].includes(action) || unknown.length > 0) {
    console.error(unknown.length > 0 ? `There is no service called ${unknown.join(', ')}.\n\n${USAGE}` : USAGE);
    return 2;
  }
  const wanted = names.length > 0 ? names : Object.keys(SERVICES);
  mkdirSync(RECORDS, { recursive: true });
  if (action === 'up') return up(wanted, values['data-dir']);
  if (action === 'down') return down(wanted);
  return status(wanted);
}

function parse(): { values: { 'data-dir'?: string | undefined }; positionals: string[] } {
  try {
    return parseArgs({ options: { 'data-dir': { type: 'string' } }, allowPositionals: true });
  } catch (error) {
    console.error(`${(error as Error).message}\n\n${USAGE}`);
    process.exit(2);
  }
}

function record(name: string): string {
  return join(RECORDS, `${name}.json`);
}

function started(name: string): Started | undefined {
  return existsSync(record(name)) ? (JSON.parse(readFileSync(record(name), 'utf8')) as Started) : undefined;
}

async function up(names: readonly string[], dataDir: string | undefined): Promise<number> {
  const missing = names.map((name) => SERVICES[name]?.missing()).filter((sentence) => sentence !== undefined);
  if (missing.length > 0) {
    console.error(missing.join('\n'));
    return 1;
  }
  for (const name of names) {
    const running = started(name);
    if (running !== undefined && isRunning(running)) {
      console.log(`${name} ${running.version} already runs at ${running.address}`);
      continue;
    }
    const folder = dataDir === undefined ? mkdtempSync(join(tmpdir(), `edgetape-${name}-`)) : resolve(dataDir, name);
    const service = SERVICES[name] as LocalService;
    try {
      const info = await service.start(folder, dataDir === undefined);
      writeJson(record(name), info);
      console.log(`${name} ${info.version} at ${info.address}, data in ${info.dataDir}`);
    } catch (error) {
      console.error((error as Error).message);
      return 1;
    }
  }
  return 0;
}

async function down(names: readonly string[]): Promise<number> {
  for (const name of names) {
    const running = started(name);
    if (running === undefined) continue;
    await stop(running);
    rmSync(record(name), { force: true });
    console.log(`${name} stopped`);
  }
  return 0;
}

function status(names: readonly string[]): number {
  for (const name of names) {
    const info = started(name);
    if (info === undefined) console.log(`${name} not started`);
    else
      console.log(
        isRunning(info)
          ? `${name} ${info.version} runs at ${info.address}, pid ${info.pid}`
          : `${name} has ended; see the log in ${info.dataDir}`,
      );
  }
  return 0;
}
