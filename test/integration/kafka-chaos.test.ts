/** A small chaos run with a fixed seed: the same one as `npm run chaos`, with a tape that is made up. */
import { describe, expect, it } from 'vitest';
import { runChaos } from '../chaos/run.ts';
import { kafkaMissing } from '../support/kafka.ts';

if (kafkaMissing !== undefined) console.log(`chaos run skipped: ${kafkaMissing}`);

const SEED = Number(process.env['EDGETAPE_TEST_SEED'] ?? 1);

describe.skipIf(kafkaMissing !== undefined)('chaos', { timeout: 240_000 }, () => {
  it('LG-4 LG-6 LG-7 ST-2 WN-14 after eight kills, a broker killed and stopped, and processes paused, added and removed nothing is lost, doubled or wrong', async () => {
    const lines: string[] = [];
    const result = await runChaos({
      seed: SEED,
      kills: 8,
      tapes: [],
      windows: 2,
      partitions: 4,
      gapMs: 1_000,
      drainTimeoutMs: 90_000,
      keep: false,
      say: (line) => lines.push(line),
    });
    const { verdict } = result;
    const story = `seed ${SEED}\n${[...lines, ...verdict.examples].join('\n')}`;
    // The collector cannot be killed once its tape is through.
    expect(result.kills, story).toBeGreaterThanOrEqual(6);
    expect(verdict.trades, story).toBeGreaterThan(50_000);
    expect(verdict, story).toMatchObject({ lost: 0, duplicated: 0, displaced: 0, wrongBars: 0, wrongProfileRows: 0 });
    expect(result.badExits, story).toEqual([]);
  });
});
