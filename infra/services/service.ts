/** What a local service is: something that is started on a free port with its data in one folder, and stopped by its process id. */
import { execFileSync, spawn } from 'node:child_process';
import { closeSync, existsSync, mkdirSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { join } from 'node:path';

export interface Started {
  name: string;
  version: string;
  pid: number;
  port: number;
  /** What a client connects to, e.g. `127.0.0.1:9092` or `redis://127.0.0.1:6379`. */
  address: string;
  dataDir: string;
  /** Text of the process's command line that tells it from another one that got its number later. */
  marker: string;
  /** Whether the folder was made for this run and goes with it. */
  temporary: boolean;
}

export interface LocalService {
  readonly name: 'kafka' | 'redis' | 'postgres';
  /** undefined when it can be started here, else the sentence that says what is missing and how to get it. */
  missing(): string | undefined;
  start(dataDir: string, temporary: boolean): Promise<Started>;
}

export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, '127.0.0.1', resolve);
  });
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (address === null || typeof address === 'string') throw new Error('no free port');
  return address.port;
}

export function onPath(command: string): string | undefined {
  try {
    return execFileSync('sh', ['-c', 'command -v "$0"', command], { encoding: 'utf8' }).trim() || undefined;
  } catch {
    return undefined;
  }
}

/** Starts a process of its own session that outlives this one; what it prints goes to `<dataDir>/<name>.log`. */
export function launch(
  name: string,
  dataDir: string,
  command: string,
  args: readonly string[],
  user?: { uid: number; gid: number },
): number {
  mkdirSync(dataDir, { recursive: true });
  const output = openSync(join(dataDir, `${name}.log`), 'a');
  const child = spawn(command, args, { detached: true, stdio: ['ignore', output, output], cwd: dataDir, ...user });
  closeSync(output);
  child.unref();
  if (child.pid === undefined) throw new Error(`${command} cannot be started`);
  return child.pid;
}

export function isRunning(started: Pick<Started, 'pid' | 'marker'>): boolean {
  try {
    process.kill(started.pid, 0);
  } catch {
    return false;
  }
  const commandLine = `/proc/${started.pid}/cmdline`;
  return !existsSync(commandLine) || readFileSync(commandLine, 'utf8').includes(started.marker);
}

/** Resolves when the port takes connections; rejects with the end of the log when the process ends before. */
export async function listening(
  name: string,
  pid: number,
  port: number,
  dataDir: string,
  marker = dataDir,
  timeoutMs = 60_000,
): Promise<void> {
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    if (await accepts(port)) return;
    if (!isRunning({ pid, marker })) {
      throw new Error(
        `${name} ended while starting. The end of ${join(dataDir, `${name}.log`)}:\n${logTail(name, dataDir)}`,
      );
    }
    if (performance.now() > deadline)
      throw new Error(
        `${name} does not answer on port ${port} after ${timeoutMs / 1000} s. See ${join(dataDir, `${name}.log`)}.`,
      );
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

export function logTail(name: string, dataDir: string): string {
  const path = join(dataDir, `${name}.log`);
  return existsSync(path) ? readFileSync(path, 'utf8').split('\n').slice(-12).join('\n') : '(no log)';
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}

/** Asks the process to stop, waits, and removes the folder if it was made for the run. */
export async function stop(started: Started, timeoutMs = 20_000): Promise<void> {
  const deadline = performance.now() + timeoutMs;
  if (isRunning(started)) process.kill(started.pid, 'SIGTERM');
  while (isRunning(started)) {
    if (performance.now() > deadline) process.kill(started.pid, 'SIGKILL');
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  if (started.temporary) rmSync(started.dataDir, { recursive: true, force: true });
}

/** Ends the process at once, as a crash would, and waits until it is gone and its port is free. */
export async function kill(started: Pick<Started, 'pid' | 'marker' | 'port'>): Promise<void> {
  if (isRunning(started)) process.kill(started.pid, 'SIGKILL');
  while (isRunning(started) || (await accepts(started.port))) await new Promise((resolve) => setTimeout(resolve, 10));
}

export function writeJson(path: string, value: unknown): void {
  writeFileSync(path, `${JSON.stringify(value, null, 2)}\n`);
}
