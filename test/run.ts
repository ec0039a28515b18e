/**
 * `npm test`: every suite, one after the other, then one line `N passed, N failed`.
 * `npm test -- node edge` runs only the suites named.
 */
import { spawn } from 'node:child_process';
import { kafka, bringJars } from '../infra/services/kafka.ts';
import { existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs';

interface Suite {
  name: string;
  config: string;
  about: string;
}

interface JsonReport {
  numPassedTests: number;
  numFailedTests: number;
  numPendingTests: number;
  testResults: { name: string; status: string; assertionResults: { status: string; fullName: string }[] }[];
}

const root = new URL('..', import.meta.url).pathname;
const SUITES: Suite[] = [
  {
    name: 'node',
    config: 'test/vitest.config.ts',
    about: 'unit, contract, property, simulation, fuzz and integration',
  },
  { name: 'edge', config: 'test/edge/vitest.config.ts', about: 'Durable Objects in workerd' },
  { name: 'e2e', config: 'test/e2e/vitest.config.ts', about: 'the whole product in Chromium' },
];

const wanted = process.argv.slice(2);
const unknown = wanted.filter((name) => !SUITES.some((suite) => suite.name === name));
if (unknown.length > 0) {
  console.error(
    `No suite called ${unknown.join(', ')}. There are: ${SUITES.map((s) => `${s.name} (${s.about})`).join('; ')}.`,
  );
  process.exit(2);
}

const reports = `${root}.build/test`;
rmSync(reports, { recursive: true, force: true });
mkdirSync(reports, { recursive: true });

// The suites that need a broker would otherwise each wait for it.
if (kafka.missing() === undefined && (wanted.length === 0 || wanted.includes('node'))) bringJars();

let passed = 0;
let failed = 0;
let skipped = 0;
for (const suite of SUITES) {
  if (wanted.length > 0 && !wanted.includes(suite.name)) continue;
  console.log(`\n== ${suite.name}: ${suite.about}`);
  const outcome = await run(suite);
  passed += outcome.passed;
  failed += outcome.failed;
  skipped += outcome.skipped;
}
console.log(`\n${skipped} skipped${skipped > 0 ? ' (reasons above)' : ''}`);
console.log(`${passed} passed, ${failed} failed`);
process.exit(failed === 0 && passed > 0 ? 0 : 1);

async function run(suite: Suite): Promise<{ passed: number; failed: number; skipped: number }> {
  const output = `${reports}/${suite.name}.json`;
  const args = [
    'node_modules/vitest/vitest.mjs',
    'run',
    '--config',
    suite.config,
    '--reporter=default',
    '--reporter=json',
    `--outputFile.json=${output}`,
  ];
  const code = await new Promise<number | null>((resolve) => {
    spawn(process.execPath, ['--disable-warning=ExperimentalWarning', ...args], { cwd: root, stdio: 'inherit' }).on(
      'close',
      resolve,
    );
  });
  if (!existsSync(output)) return { passed: 0, failed: 1, skipped: 0 };
  const report = JSON.parse(readFileSync(output, 'utf8')) as JsonReport;
  const brokenFiles = report.testResults.filter(
    (file) => file.status === 'failed' && !file.assertionResults.some((test) => test.status === 'failed'),
  );
  for (const file of report.testResults) {
    for (const test of file.assertionResults)
      if (test.status !== 'passed' && test.status !== 'failed') console.log(`skipped: ${test.fullName}`);
  }
  const bad = report.numFailedTests + brokenFiles.length;
  // An error outside every test (an unhandled rejection, say) fails the run without failing a test.
  return { passed: report.numPassedTests, failed: bad === 0 && code !== 0 ? 1 : bad, skipped: report.numPendingTests };
}
