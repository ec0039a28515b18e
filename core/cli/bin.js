#!/usr/bin/env node
/**
 * Launcher. The product runs on Node 24, which it brings with it (the `node` package); an older one found on PATH is only
 * used to start that. Signals go through to it and its exit code comes back.
 */
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { constants } from 'node:os';
import { fileURLToPath } from 'node:url';

const NEEDED_MAJOR = 24;

if (Number(process.versions.node.split('.')[0]) >= NEEDED_MAJOR) {
  // SQLite is still announced as experimental in Node 24; everything else that warns must go on to be seen.
  process.removeAllListeners('warning');
  process.on('warning', (warning) => {
    if (warning.name !== 'ExperimentalWarning') console.error(`${warning.name}: ${warning.message}`);
  });
  const { main } = await import('./main.ts');
  const code = await main(process.argv.slice(2));
  process.exitCode ??= code;
  // What was written is out before the process ends; whatever a library keeps open does not hold it back.
  await Promise.all([process.stdout, process.stderr].map((stream) => new Promise((done) => stream.write('', done))));
  process.exit();
} else {
  const node = findNode();
  if (node === undefined) {
    console.error(
      `edgetape needs Node ${NEEDED_MAJOR} or newer; this is ${process.version}. Run "npm ci" in the clone, which brings one.`,
    );
    process.exitCode = 2;
  } else {
    hand(node);
  }
}

/** Node of the `node` package, in the clone or beside it when installed as a dependency. */
function findNode() {
  for (const place of ['../../node_modules/node/bin/node', '../../../node/bin/node']) {
    const file = fileURLToPath(new URL(place, import.meta.url));
    if (existsSync(file)) return file;
  }
  return undefined;
}

function hand(node) {
  const args = ['--disable-warning=ExperimentalWarning', fileURLToPath(import.meta.url), ...process.argv.slice(2)];
  const child = spawn(node, args, { stdio: 'inherit' });
  // On a terminal the child gets Ctrl-C twice, from its group and from here: it takes signals close together as one.
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal));
  child.on('error', (error) => {
    console.error(`edgetape could not start its Node: ${error.message}`);
    process.exitCode = 1;
  });
  child.on('exit', (code, signal) => {
    process.exitCode = code ?? 128 + (constants.signals[signal] ?? 0);
  });
}
