import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { ManualClock } from '../../test/support/manual-clock.ts';
import { MemoryLog } from '../../test/support/memory-log.ts';
import { insistOnOwnStore } from './own-store.ts';

const [first, second] = ['a', 'b'].map((name) => mkdtempSync(join(tmpdir(), `edgetape-test-${name}-`))) as [
  string,
  string,
];
afterAll(() => [first, second].forEach((path) => rmSync(path, { recursive: true, force: true })));

it('ST-2 a log goes into one built-in store', async () => {
  const log = new MemoryLog(new ManualClock());
  await insistOnOwnStore(log, first);
  await insistOnOwnStore(log, first);
  await expect(insistOnOwnStore(log, second)).rejects.toThrow('another data folder');
});
