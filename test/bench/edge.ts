/**
 * Fan-out of one room: 1,000 WebSocket clients on the same 50 or 100 symbols, in Miniflare on this machine, everything on loopback.
 * The relay publishes every symbol in every window. Beside it in the same run: a `ws` server that sends one JSON frame per tick
 * per client. Clients are raw sockets in a process of their own that count and do not decode; one more client decodes and
 * measures publish-to-decoded. CPU is that of the serving process alone (workerd, or the naive server).
 */
import { fork, type ChildProcess } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { startEdge } from '../../core/dev/edge-host.ts';
import { silentLogger } from '../../core/ops/logger.ts';
import { systemClock } from '../../core/ops/system-clock.ts';
import { createRelay } from '../../core/relay/relay.ts';
import { StreamReceiver } from '#shared/protocol/receiver.ts';

const CLIENTS = Number(process.env['EDGETAPE_BENCH_CLIENTS'] ?? 1_000);
const SECONDS = 8;
const CASES = [
  { symbols: 50, periodMs: 50 },
  { symbols: 50, periodMs: 25 },
  { symbols: 100, periodMs: 50 },
];

interface Count {
  frames: number;
  bytes: number;
  open: number;
}
interface Result {
  updatesPerS: number;
  framesPerS: number;
  mbPerS: number;
  cpu: number;
  latencies: number[];
}

export async function run(): Promise<void> {
  console.log(`${CLIENTS} clients on the same symbols, ${SECONDS} s each\n`);
  console.log(
    'what                              updates/s  frames/s   MB/s   CPU  updates/s a core    p50     p99     max ms',
  );
  for (const { symbols, periodMs } of CASES) {
    print(`room, ${symbols} symbols, ${1_000 / periodMs} frames/s`, await room(symbols, periodMs));
  }
  print('naive ws server, 50 symbols, 20/s', await naive(50, 50));
}

async function room(symbols: number, periodMs: number): Promise<Result> {
  const names = Array.from({ length: symbols }, (_, i) => `bench:SYMBOL${i}`);
  const folder = await mkdtemp(join(tmpdir(), 'edgetape-bench-'));
  const edge = await startEdge({
    port: 0,
    coreUrl: 'http://127.0.0.1:1',
    relaySecret: 'bench',
    stateDir: join(folder, 'state'),
    assetsDir: join(folder, 'assets'),
    logger: silentLogger,
    hubPartitions: 1,
  });
  const relay = createRelay({
    edgeUrl: edge.url,
    secret: 'bench',
    partitions: 1,
    epoch: Math.floor(Date.now() / 1_000),
    clock: systemClock(),
    logger: silentLogger,
    windowMs: 1,
  });
  const running = relay.run();
  let n = 0;
  const publish = (): void => {
    n++;
    const eventMs = Date.now();
    names.forEach((instrument, i) => {
      relay.publisher.quote({
        instrument,
        priceScale: 2,
        sizeScale: 1,
        eventMs,
        bidPrice: 10_025 + ((n + i) % 7),
        bidSize: 1_205 + ((n * 7 + i) % 90),
        askPrice: 10_175 + ((n + i) % 7),
        askSize: 802,
      });
    });
  };
  publish();
  await relay.caughtUp();
  const subscribe = JSON.stringify({ type: 'subscribe', id: 1, channels: ['quotes'], symbols: names });
  const streamUrl = `${edge.url}/v1/stream?conflateMs=0`;
  const load = await forkLoad(streamUrl, subscribe);
  const watcher = await watch(streamUrl.replace('http', 'ws'), subscribe);
  const timer = setInterval(publish, periodMs);
  const workerd = childNamed('workerd');
  const result = await measure(load, workerd, () => watcher);
  clearInterval(timer);
  watcher.close();
  load.kill();
  await relay.drain();
  await running;
  await edge.stop();
  await rm(folder, { recursive: true, force: true });
  return result;
}

interface Watcher {
  updates: number;
  frames: number;
  latencies: number[];
  close(): void;
}

/** A client that decodes: how many updates a frame holds, and how old they are. */
async function watch(url: string, subscribe: string): Promise<Watcher> {
  const socket = new WebSocket(url);
  socket.binaryType = 'arraybuffer';
  const receiver = new StreamReceiver();
  const watcher: Watcher = { updates: 0, frames: 0, latencies: [], close: () => socket.close() };
  socket.addEventListener('message', (event) => {
    if (typeof event.data === 'string') return;
    for (const received of receiver.binary(new Uint8Array(event.data as ArrayBuffer))) {
      if (received.type !== 'stream' || received.update.kind !== 'update') continue;
      watcher.frames++;
      watcher.updates += received.update.topics.length;
      const eventMs = received.update.topics[0]?.values?.[4];
      if (typeof eventMs === 'number') watcher.latencies.push(Date.now() - eventMs);
    }
  });
  await new Promise((resolve) => socket.addEventListener('open', resolve));
  socket.send(subscribe);
  return watcher;
}

async function naive(symbols: number, periodMs: number): Promise<Result> {
  const server = fork(fileURLToPath(new URL('../support/naive-server.ts', import.meta.url)));
  const { port } = await message<{ type: string; port: number }>(server, 'port');
  const load = await forkLoad(`http://127.0.0.1:${port}/`, '');
  server.send({ type: 'start', symbols, periodMs });
  const result = await measure(load, server.pid, () => undefined);
  server.kill();
  load.kill();
  return result;
}

async function measure(
  load: ChildProcess,
  pid: number | undefined,
  watcher: () => Watcher | undefined,
): Promise<Result> {
  await pause(2_000);
  const seen = watcher();
  const [updates0, frames0] = [seen?.updates ?? 0, seen?.frames ?? 0];
  if (seen !== undefined) seen.latencies.length = 0;
  const before = await countOf(load);
  const cpu0 = cpuSeconds(pid);
  const started = performance.now();
  await pause(SECONDS * 1_000);
  const after = await countOf(load);
  const seconds = (performance.now() - started) / 1_000;
  const cpu = (cpuSeconds(pid) - cpu0) / seconds;
  const frames = after.frames - before.frames;
  const updatesPerFrame = seen === undefined ? 1 : (seen.updates - updates0) / Math.max(1, seen.frames - frames0);
  return {
    updatesPerS: (frames * updatesPerFrame) / seconds,
    framesPerS: frames / seconds,
    mbPerS: (after.bytes - before.bytes) / seconds / 1e6,
    cpu,
    latencies: [...(seen?.latencies ?? [])],
  };
}

function print(what: string, { updatesPerS, framesPerS, mbPerS, cpu, latencies }: Result): void {
  const sorted = latencies.toSorted((a, b) => a - b);
  const at = (q: number): string =>
    sorted.length === 0 ? '–' : String(sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))]);
  console.log(
    [
      what.padEnd(33),
      Math.round(updatesPerS).toLocaleString('en').padStart(10),
      Math.round(framesPerS).toLocaleString('en').padStart(9),
      mbPerS.toFixed(1).padStart(6),
      `${(cpu * 100).toFixed(0)}%`.padStart(5),
      Math.round(updatesPerS / cpu)
        .toLocaleString('en')
        .padStart(17),
      at(0.5).padStart(6),
      at(0.99).padStart(7),
      at(1).padStart(7),
    ].join(' '),
  );
}

async function forkLoad(url: string, text: string): Promise<ChildProcess> {
  const child = fork(fileURLToPath(new URL('../support/socket-load.ts', import.meta.url)), [
    url,
    String(CLIENTS),
    text,
  ]);
  await message(child, 'ready');
  return child;
}

async function countOf(child: ChildProcess): Promise<Count> {
  const answer = message<Count & { type: string }>(child, 'count');
  child.send('count');
  return answer;
}

function message<T extends { type: string }>(child: ChildProcess, type: string): Promise<T> {
  return new Promise((resolve, reject) => {
    const on = (value: unknown): void => {
      if ((value as T).type !== type) return;
      child.off('message', on);
      resolve(value as T);
    };
    child.on('message', on);
    child.once('exit', (code) => reject(new Error(`the load process ended with ${code}`)));
  });
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, ms);
  });
}

/** Process id of this process's child of that name; undefined where there is no /proc. */
function childNamed(name: string): number | undefined {
  try {
    for (const pid of readdirSync('/proc').filter((entry) => /^\d+$/.test(entry))) {
      const stat = statOf(Number(pid));
      if (stat?.name.startsWith(name) === true && stat.parent === process.pid) return Number(pid);
    }
  } catch {
    // No /proc here: CPU is not told.
  }
  return undefined;
}

function cpuSeconds(pid: number | undefined): number {
  return pid === undefined ? Number.NaN : (statOf(pid)?.cpuTicks ?? Number.NaN) / 100;
}

function statOf(pid: number): { name: string; parent: number; cpuTicks: number } | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const end = text.lastIndexOf(')');
    const fields = text.slice(end + 2).split(' ');
    return {
      name: text.slice(text.indexOf('(') + 1, end),
      parent: Number(fields[1]),
      cpuTicks: Number(fields[11]) + Number(fields[12]),
    };
  } catch {
    return undefined;
  }
}
