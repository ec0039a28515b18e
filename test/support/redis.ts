/** A Redis server for tests, where the system has one. It can be stopped, frozen and started again on the same port. */
import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { once } from 'node:events';
import { redis } from '../../infra/services/redis.ts';
import { freePort } from '../../infra/services/service.ts';

/** undefined when Redis can be started here, else the sentence that says what is missing. */
export const redisMissing = redis.missing();
if (redisMissing !== undefined) console.log(`skipped: tests against a Redis server. ${redisMissing}`);

export interface TestRedis {
  readonly port: number;
  readonly address: string;
  start(): Promise<void>;
  /** Ends the process at once; what was not on disk is gone. */
  kill(): Promise<void>;
  /** Stops it from answering while its connections stay open. */
  freeze(): void;
  thaw(): void;
  stop(): Promise<void>;
}

/** @param args more settings, as on redis-server's command line */
export async function startRedis(args: readonly string[] = []): Promise<TestRedis> {
  const settings = ['--bind', '127.0.0.1', '--save', '', '--appendonly', 'no', ...args];
  return start(settings, /Ready to accept connections/);
}

/** A sentinel that watches one master by the name `edgetape`. */
export async function startSentinel(masterPort: number): Promise<TestRedis> {
  const folder = mkdtempSync(join(tmpdir(), 'edgetape-test-sentinel-'));
  const file = join(folder, 'sentinel.conf');
  writeFileSync(file, `bind 127.0.0.1\nsentinel monitor edgetape 127.0.0.1 ${masterPort} 1\n`);
  const sentinel = await start([file, '--sentinel'], /\+monitor master/);
  return {
    ...sentinel,
    async stop() {
      await sentinel.stop();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

async function start(args: readonly string[], ready: RegExp): Promise<TestRedis> {
  const port = await freePort();
  const folder = mkdtempSync(join(tmpdir(), 'edgetape-test-redis-'));
  let child: ChildProcess | undefined;
  const killNow = (): void => void child?.kill('SIGKILL');
  process.once('exit', killNow);
  const server: TestRedis = {
    port,
    address: `redis://127.0.0.1:${port}`,
    async start() {
      const started = spawn('redis-server', [...args, '--port', `${port}`, '--dir', folder], {
        stdio: ['ignore', 'pipe', 'ignore'],
      });
      child = started;
      await new Promise<void>((resolve, reject) => {
        let printed = '';
        started.stdout.on('data', (chunk: Buffer) => {
          printed = (printed + chunk.toString()).slice(-4_096);
          if (ready.test(printed)) resolve();
        });
        started.once('exit', () => reject(new Error(`redis-server ended while starting:\n${printed}`)));
      });
    },
    async kill() {
      const running = child;
      if (running === undefined) return;
      child = undefined;
      if (running.exitCode !== null || running.signalCode !== null) return;
      const ended = once(running, 'exit');
      running.kill('SIGKILL');
      await ended;
    },
    freeze: () => void child?.kill('SIGSTOP'),
    thaw: () => void child?.kill('SIGCONT'),
    async stop() {
      await server.kill();
      process.off('exit', killNow);
      rmSync(folder, { recursive: true, force: true });
    },
  };
  await server.start();
  return server;
}
