/** The product as a user starts it, and a browser to look at it with. */
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { chromium, type Browser } from 'playwright-core';
import { finished, spawnCli, type CliResult } from '../support/cli.ts';

const CANDIDATES = [
  process.env['EDGETAPE_CHROMIUM'],
  '/usr/bin/chromium',
  '/usr/bin/chromium-browser',
  '/usr/bin/google-chrome',
  '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
];

export const CHROMIUM = CANDIDATES.find((path) => path !== undefined && existsSync(path));
if (CHROMIUM === undefined) {
  console.log('skipped: no Chromium found; install it, or name one with EDGETAPE_CHROMIUM');
}

export function openBrowser(): Promise<Browser> {
  return chromium.launch({
    executablePath: CHROMIUM ?? '',
    args: [
      '--headless',
      '--no-sandbox',
      '--disable-gpu',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
      '--no-first-run',
    ],
  });
}

export interface Product {
  url: string;
  /** What it has said so far. */
  output(): string;
  /** Asks it to stop as Ctrl-C does, and waits. */
  stop(): Promise<CliResult>;
  /** Removes its data. */
  remove(): Promise<void>;
}

/** `edgetape dev` on a data folder of its own and a free port. Rejects with its output when it ends before it serves. */
export async function startProduct(...args: string[]): Promise<Product> {
  const dataDir = await mkdtemp(join(tmpdir(), 'edgetape-e2e-'));
  const child = spawnCli(['dev', '--data-dir', dataDir, '--port', '0', ...args]);
  const end = finished(child);
  let output = '';
  const url = new Promise<string>((resolve) => {
    for (const stream of [child.stdout, child.stderr]) {
      stream?.on('data', (chunk: Buffer) => {
        output += chunk.toString();
        const found = /Edgetape\s+(https?:\/\/\S+)/u.exec(output)?.[1];
        if (found !== undefined) resolve(found);
      });
    }
  });
  const ended = end.then((result) => {
    throw new Error(`edgetape dev ended with ${result.code ?? result.signal} before it served:\n${output}`);
  });
  ended.catch(() => undefined);
  return {
    url: await Promise.race([url, ended]),
    output: () => output,
    stop() {
      child.kill('SIGINT');
      return end;
    },
    remove: () => rm(dataDir, { recursive: true, force: true }),
  };
}
