/** `npm run bench -- <name>`: measures, beside a baseline in the same run. A figure is a ratio or a median; nothing here fails a build. */
import { readdirSync } from 'node:fs';
import { cpus, totalmem } from 'node:os';

const here = new URL('.', import.meta.url).pathname;
const names = readdirSync(here)
  .filter((file) => file.endsWith('.ts') && file !== 'run.ts')
  .map((file) => file.slice(0, -3));
const [name = ''] = process.argv.slice(2);

if (!names.includes(name)) {
  console.error(`Usage: npm run bench -- <name>, where <name> is one of: ${names.join(', ')}.`);
  process.exit(2);
}
const cpu = cpus();
console.log(
  `machine: ${cpu.length} × ${cpu[0]?.model.trim() ?? 'unknown'}, ${Math.round(totalmem() / 2 ** 30)} GiB, Node ${process.version}`,
);
const bench = (await import(`./${name}.ts`)) as { run: () => Promise<void> };
await bench.run();
