import fc from 'fast-check';
import { expect, it } from 'vitest';
import { decodeUnits, encodeUnits, planUnits } from './group-plan.ts';

const plain = (plan: Map<string, number[]>): Record<string, number[]> => Object.fromEntries(plan);

it('gives a newcomer its share only when the owners have come back without it', () => {
  const first = planUnits(4, [
    { id: 'a', owned: [0, 1, 2, 3] },
    { id: 'b', owned: [] },
  ]);
  expect(plain(first)).toEqual({ a: [0, 1], b: [] });
  const second = planUnits(4, [
    { id: 'a', owned: [0, 1] },
    { id: 'b', owned: [] },
  ]);
  expect(plain(second)).toEqual({ a: [0, 1], b: [2, 3] });
});

it('moves nothing while the shares are even', () => {
  expect(
    plain(
      planUnits(5, [
        { id: 'a', owned: [1, 3] },
        { id: 'b', owned: [0, 2, 4] },
      ]),
    ),
  ).toEqual({ a: [1, 3], b: [0, 2, 4] });
});

it('any group comes to rest: each unit once, shares apart by one at most, nobody gets what another one holds', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 40 }),
      fc.array(fc.uniqueArray(fc.nat(40)), { minLength: 1, maxLength: 7 }),
      (units, owned) => {
        const taken = new Set<number>();
        let members = owned.map((list, i) => ({
          id: `m${i}`,
          owned: list.filter((unit) => unit < units && !taken.has(unit) && taken.add(unit) !== undefined),
        }));
        for (let round = 0; round < 3; round++) {
          const plan = planUnits(units, members);
          const owner = new Map(members.flatMap(({ id, owned: list }) => list.map((unit) => [unit, id] as const)));
          for (const [id, list] of plan) for (const unit of list) expect(owner.get(unit) ?? id).toBe(id);
          members = members.map(({ id }) => ({ id, owned: plan.get(id) ?? [] }));
        }
        const all = members.flatMap(({ owned: list }) => list);
        expect([...all].sort((a, b) => a - b)).toEqual(Array.from({ length: units }, (_, unit) => unit));
        const sizes = members.map(({ owned: list }) => list.length);
        expect(Math.max(...sizes) - Math.min(...sizes)).toBeLessThanOrEqual(1);
      },
    ),
  );
});

it('reads nothing out of bytes that are not its own', () => {
  expect(decodeUnits(encodeUnits([3, 1]))).toEqual([3, 1]);
  for (const bytes of [null, undefined, Buffer.from(''), Buffer.from('{'), Buffer.from('{"a":1}')])
    expect(decodeUnits(bytes)).toEqual([]);
});
