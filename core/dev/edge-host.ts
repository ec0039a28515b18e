/** The edge on this machine: the Worker and its Durable Objects in Miniflare, for `edgetape dev` and for tests. */
import { createHash } from 'node:crypto';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { convertV4MiniflareOptions, Log, LogLevel, Miniflare } from 'miniflare';
import type { Logger } from '../ops/logger.ts';

export interface EdgeHostOptions {
  /** Address to listen on; only this machine when left out. */
  host?: string;
  /** 0 takes a free one. */
  port: number;
  /** Query server, for REST. */
  coreUrl: string;
  relaySecret: string;
  /** Folder for what the Durable Objects keep. */
  stateDir: string;
  /** The dashboard's files; it is made when missing, and may be empty. */
  assetsDir: string;
  logger: Logger;
  hubPartitions?: number;
  roomShards?: number;
}

export interface EdgeHost {
  /** http URL of the gateway, without a slash at the end. */
  url: string;
  /** What the relay dials. */
  relayUrl: string;
  /** For tests: the runtime itself. */
  miniflare: Miniflare;
  stop(): Promise<void>;
}

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
/** Must be that of wrangler.toml. */
const COMPATIBILITY_DATE = '2026-06-01';
const COMPATIBILITY_FLAGS = ['enable_request_signal'];

export async function startEdge(options: EdgeHostOptions): Promise<EdgeHost> {
  await mkdir(options.assetsDir, { recursive: true });
  await mkdir(options.stateDir, { recursive: true });
  const miniflare = new Miniflare(
    convertV4MiniflareOptions({
      host: options.host ?? '127.0.0.1',
      port: options.port,
      // Nothing of this is to leave the machine.
      cf: false,
      telemetry: { enabled: false },
      log: new Log(LogLevel.ERROR),
      handleStructuredLogs: (entry) => logEntry(options.logger, entry),
      resourcePersistencePath: options.stateDir,
      name: 'edgetape',
      modules: [{ type: 'ESModule', path: 'worker.js', contents: await bundleEdge() }],
      compatibilityDate: COMPATIBILITY_DATE,
      compatibilityFlags: COMPATIBILITY_FLAGS,
      bindings: {
        CORE_URL: options.coreUrl,
        RELAY_SECRET: options.relaySecret,
        HUB_PARTITIONS: String(options.hubPartitions ?? 4),
        ROOM_SHARDS: String(options.roomShards ?? 1),
      },
      durableObjects: {
        HUB: { className: 'Hub', useSQLite: true },
        ROOM: { className: 'Room', useSQLite: true },
      },
      assets: {
        directory: options.assetsDir,
        binding: 'ASSETS',
        routerConfig: { has_user_worker: true, invoke_user_worker_ahead_of_assets: true },
        assetConfig: { not_found_handling: 'single-page-application' },
      },
    }),
  );
  const url = (await miniflare.ready).origin;
  return { url, relayUrl: url.replace('http', 'ws'), miniflare, stop: () => miniflare.dispose() };
}

/** The Worker as one module. Kept under the hash of what went into it, so that an unchanged one is not written anew. */
export async function bundleEdge(): Promise<string> {
  const result = await build({
    entryPoints: [join(ROOT, 'edge/worker.ts')],
    bundle: true,
    write: false,
    format: 'esm',
    target: 'es2024',
    conditions: ['workerd', 'worker', 'browser'],
    external: ['cloudflare:*'],
    absWorkingDir: ROOT,
    sourcemap: 'inline',
    logLevel: 'silent',
  });
  const contents = result.outputFiles[0]?.text ?? '';
  const folder = join(ROOT, '.build/edge');
  const file = join(folder, `worker-${createHash('sha256').update(contents).digest('hex').slice(0, 16)}.js`);
  await mkdir(folder, { recursive: true });
  await readFile(file).catch(() => writeFile(file, contents));
  return contents;
}

function logEntry(logger: Logger, entry: { level: string; message: string }): void {
  const message = entry.message.slice(0, 2_000);
  if (entry.level === 'error') logger.error(message);
  else if (entry.level === 'warn') logger.warn(message);
  else logger.debug(message);
}
