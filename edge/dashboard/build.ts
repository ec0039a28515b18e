/**
 * Builds the dashboard's files. Run directly, `node edge/dashboard/build.ts [outDir] [--force]`, or from the embedded
 * stack before it serves them.
 */
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { glob, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'vite';

const root = resolve(import.meta.dirname, '../..');
const SOURCES = ['edge/dashboard/**/*', 'edge/client/**/*.ts', 'shared/**/*.ts', 'package-lock.json'];

export interface BuildOptions {
  /** Where the files go; default `.build/dashboard` of the repository. */
  outDir?: string;
  /** Builds even when no source changed since the files were made. */
  force?: boolean;
}

/** Makes the dashboard's files when a source changed since the last time; `built` says whether it did. */
export async function buildDashboard(options: BuildOptions = {}): Promise<{ built: boolean; outDir: string }> {
  const outDir = resolve(options.outDir ?? join(root, '.build/dashboard'));
  const hash = await sourceHash();
  const stamp = `${outDir}.sources`;
  if (options.force !== true && existsSync(join(outDir, 'index.html')) && existsSync(stamp)) {
    if ((await readFile(stamp, 'utf8')) === hash) return { built: false, outDir };
  }
  // Beside the target and then moved, so that a server of the old files never sees half of the new ones.
  const fresh = `${outDir}.${process.pid}.new`;
  const old = `${outDir}.${process.pid}.old`;
  try {
    await build({
      configFile: join(import.meta.dirname, 'vite.config.ts'),
      mode: 'production',
      logLevel: 'warn',
      build: { outDir: fresh },
    });
    if (existsSync(outDir)) await rename(outDir, old);
    await rename(fresh, outDir);
    await writeFile(stamp, hash);
  } catch (error) {
    // Another process may have put the same files there between the two moves.
    if (!isTaken(error) || !existsSync(join(outDir, 'index.html'))) throw error;
  } finally {
    await rm(fresh, { recursive: true, force: true });
    await rm(old, { recursive: true, force: true });
  }
  return { built: true, outDir };
}

function isTaken(error: unknown): boolean {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  return code === 'ENOTEMPTY' || code === 'EEXIST' || code === 'ENOENT';
}

async function sourceHash(): Promise<string> {
  const files: string[] = [];
  for await (const entry of glob(SOURCES, { cwd: root, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name);
    if (entry.isFile() && !/\.test\.tsx?$|\.md$/u.test(path)) files.push(path);
  }
  const hash = createHash('sha256');
  for (const file of files.toSorted()) {
    hash.update(`${file.slice(root.length)}\0`);
    hash.update(await readFile(file));
    hash.update('\0');
  }
  return hash.digest('hex');
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const args = process.argv.slice(2);
  const outDir = args.find((arg) => !arg.startsWith('--'));
  const { built, outDir: made } = await buildDashboard({
    ...(outDir === undefined ? {} : { outDir }),
    force: args.includes('--force'),
  });
  console.log(built ? `built ${made}` : `${made} is up to date`);
}
