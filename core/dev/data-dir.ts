/**
 * The data folder: `log.sqlite`, `clickhouse/`, `edge/`, and `lock.json`, which says which process uses it. The lock is there to
 * tell people; the log itself refuses a second writer whatever the file says.
 */
import { existsSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';

/** Whoever holds the folder. */
export interface Holder {
  pid: number;
  /** Tells a process from a later one of the same number; '' where the system does not say. */
  started: string;
  command: string;
  /** Where it serves, once it does. */
  url?: string;
  /** Processes that it started and that outlive it when it is killed. */
  children?: ProcessMark[];
}

interface ProcessMark {
  pid: number;
  started: string;
}

export interface DataDir {
  readonly path: string;
  readonly logPath: string;
  readonly clickhousePath: string;
  readonly edgePath: string;
  /** Tells others where this process serves, and which child processes must not outlive it. */
  announce(url: string): void;
  /** Gives the folder free. May be called again. */
  release(): void;
}

/** The folder is in use, or cannot be used. The message says what to do. */
export class DataDirError extends Error {
  readonly holder: Holder | undefined;

  constructor(message: string, holder?: Holder) {
    super(message);
    this.name = 'DataDirError';
    this.holder = holder;
  }
}

export interface OpenOptions {
  command: string;
  /** Whether a missing folder is an error, for commands that only read. */
  mustExist?: boolean;
}

/** Takes the folder for this process. Throws DataDirError when another one that lives has it. */
export function openDataDir(dir: string, options: OpenOptions): DataDir {
  const path = resolve(dir);
  if (options.mustExist === true && !isDataDir(path))
    throw new DataDirError(
      `There is no data in ${dir}. Name another folder with --data-dir, or fill this one with "edgetape replay FILE --data-dir ${dir}".`,
    );
  try {
    mkdirSync(join(path, 'edge'), { recursive: true });
  } catch (error) {
    throw new DataDirError(
      `The data folder ${dir} cannot be made: ${reason(error)}. Name another one with --data-dir.`,
    );
  }
  const lockPath = join(path, 'lock.json');
  const self: Holder = { pid: process.pid, started: startOf(process.pid), command: options.command };
  takeLock(lockPath, self, dir);
  let held = true;
  return {
    path,
    logPath: join(path, 'log.sqlite'),
    clickhousePath: join(path, 'clickhouse'),
    edgePath: join(path, 'edge'),
    announce(url) {
      if (held) writeFileSync(lockPath, `${JSON.stringify({ ...self, url, children: childrenOf(process.pid) })}\n`);
    },
    release() {
      if (held) rmSync(lockPath, { force: true });
      held = false;
    },
  };
}

/** Who has the folder now; undefined when nobody who lives does. */
export function holderOf(dir: string): Holder | undefined {
  const holder = readHolder(join(resolve(dir), 'lock.json'));
  return holder !== undefined && lives(holder) ? holder : undefined;
}

function isDataDir(path: string): boolean {
  // Where the log is on Kafka, only the store is here.
  return existsSync(join(path, 'log.sqlite')) || existsSync(join(path, 'clickhouse'));
}

function takeLock(lockPath: string, self: Holder, dir: string): void {
  for (let attempt = 0; attempt < 3; attempt++) {
    try {
      writeFileSync(lockPath, `${JSON.stringify(self)}\n`, { flag: 'wx' });
      return;
    } catch (error) {
      if (!isCode(error, 'EEXIST'))
        throw new DataDirError(`The data folder ${dir} cannot be written: ${reason(error)}.`);
    }
    const holder = readHolder(lockPath);
    if (holder !== undefined && lives(holder)) throw new DataDirError(inUse(dir, holder), holder);
    for (const child of holder?.children ?? []) endOrphan(child);
    rmSync(lockPath, { force: true });
  }
  throw new DataDirError(`The data folder ${dir} is being taken by another process at this moment. Try again.`);
}

/** The sentence about a folder that is in use. */
export function inUse(dir: string, holder: Holder): string {
  const who = `The data folder ${dir} is in use by "edgetape ${holder.command}" (process ${holder.pid})`;
  return holder.url === undefined
    ? `${who}. Wait until it ends, stop it, or name another folder with --data-dir.`
    : `${who}, which serves ${holder.url}. Ask it with --url ${holder.url}, stop it with Ctrl-C, or name another folder with --data-dir.`;
}

function readHolder(lockPath: string): Holder | undefined {
  try {
    const value: unknown = JSON.parse(readFileSync(lockPath, 'utf8'));
    if (typeof value !== 'object' || value === null) return undefined;
    const { pid, started, command, url, children } = value as Record<string, unknown>;
    if (typeof pid !== 'number' || typeof started !== 'string' || typeof command !== 'string') return undefined;
    const holder: Holder = { pid, started, command, children: Array.isArray(children) ? children.filter(isMark) : [] };
    if (typeof url === 'string') holder.url = url;
    return holder;
  } catch {
    return undefined;
  }
}

function lives(holder: Holder): boolean {
  if (holder.pid === process.pid) return holder.started === startOf(process.pid);
  try {
    process.kill(holder.pid, 0);
  } catch (error) {
    if (!isCode(error, 'EPERM')) return false;
  }
  const started = startOf(holder.pid);
  return started === '' || holder.started === '' || started === holder.started;
}

function isMark(value: unknown): value is ProcessMark {
  if (typeof value !== 'object' || value === null) return false;
  const { pid, started } = value as Record<string, unknown>;
  return typeof pid === 'number' && typeof started === 'string' && started !== '';
}

/** A child of a holder that was killed: it would keep the port and the edge's files. Only where it is surely that one. */
function endOrphan({ pid, started }: ProcessMark): void {
  if (startOf(pid) !== started) return;
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It ended by itself in between.
  }
}

/** Children of a process, where the system tells (Linux). */
function childrenOf(pid: number): ProcessMark[] {
  let entries: string[];
  try {
    entries = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  } catch {
    return [];
  }
  return entries
    .map(Number)
    .filter((child) => statFields(child)[1] === String(pid))
    .map((child) => ({ pid: child, started: startOf(child) }));
}

/** Start time of a process in clock ticks since boot, from /proc where there is one. */
function startOf(pid: number): string {
  const fields = statFields(pid);
  return fields[0] === 'Z' ? 'ended' : (fields[19] ?? '');
}

/** Fields of /proc/PID/stat behind the command's name: state, parent, …; none where there is no such process or file. */
function statFields(pid: number): string[] {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  } catch {
    return [];
  }
}

function isCode(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code;
}

function reason(error: unknown): string {
  return error instanceof Error ? error.message.replace(/^[A-Z]+: /, '').replace(/, \w+ '.*'$/, '') : String(error);
}
