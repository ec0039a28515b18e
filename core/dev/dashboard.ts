/** Builds the dashboard when its sources have changed, in a process of its own: the bundler need not stay in memory. */
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { Logger } from '../ops/logger.ts';

/** Where the build goes, and where the edge serves it from. */
export const DASHBOARD_DIR = fileURLToPath(new URL('../../.build/dashboard', import.meta.url));
const SCRIPT = fileURLToPath(new URL('../../edge/dashboard/build.ts', import.meta.url));

/** Rejects with the end of the bundler's output when it fails. */
export function buildDashboard(logger: Logger): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', SCRIPT], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let output = '';
    const keep = (chunk: Buffer): void => {
      output = `${output}${chunk.toString()}`.slice(-4_000);
    };
    child.stdout.on('data', keep);
    child.stderr.on('data', keep);
    child.on('error', reject);
    child.on('close', (code) => {
      logger.debug('dashboard build ended', { code: code ?? -1 });
      if (code === 0) resolve();
      else reject(new Error(`The dashboard cannot be built:\n${output.trim()}`));
    });
  });
}
