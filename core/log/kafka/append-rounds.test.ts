import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { appendRounds, RECORD_OVERHEAD_BYTES, type Append } from './append-rounds.ts';

describe('produce requests of a transaction', () => {
  it('LG-1 keep the order of each partition, one batch a partition and request, none larger than it may be', () => {
    const append = fc.record({
      topic: fc.constantFrom('a', 'b'),
      partition: fc.nat({ max: 2 }),
      key: fc.constant(null),
      value: fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes)),
      timestampMs: fc.nat(),
    });
    fc.assert(
      fc.property(fc.array(append, { maxLength: 60 }), (appends: Append[]) => {
        const rounds = appendRounds(appends, 300);
        const sent = new Map<string, unknown[]>();
        for (const round of rounds) {
          expect(new Set(round.map(({ topic, partition }) => `${topic}-${partition}`)).size).toBe(round.length);
          for (const { topic, partition, records } of round) {
            const bytes = records.reduce((sum, { value }) => sum + RECORD_OVERHEAD_BYTES + (value?.length ?? 0), 0);
            expect(bytes <= 300 || records.length === 1).toBe(true);
            const id = `${topic}-${partition}`;
            sent.set(id, [...(sent.get(id) ?? []), ...records.map(({ value }) => value)]);
          }
        }
        const expected = Map.groupBy(appends, ({ topic, partition }) => `${topic}-${partition}`);
        expect(sent).toEqual(new Map([...expected].map(([id, list]) => [id, list.map(({ value }) => value)])));
      }),
    );
  });
});
