import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { int64At, readNative, splitNanos, type NativeBlock } from './native-reader.ts';
import { NativeWriter, putInt64, putNanos } from './native-writer.ts';

function roundTrip(writer: NativeWriter): NativeBlock {
  const [block, ...more] = readNative(Buffer.concat(writer.chunks()));
  expect(more).toEqual([]);
  if (block === undefined) throw new Error('no block');
  return block;
}

const integer = fc.oneof(
  fc.maxSafeInteger(),
  fc.constantFrom(0, -1, 1, 2 ** 31, -(2 ** 31), 2 ** 32, -(2 ** 32), 2 ** 53 - 1, 1 - 2 ** 53),
);

describe('native blocks', () => {
  it('MD-1 writes integers of 53 bits as 64-bit ones, and reads them back', () => {
    fc.assert(
      fc.property(integer, (value) => {
        const words = new Int32Array(2);
        putInt64(words, 0, value);
        expect(new BigInt64Array(words.buffer)[0]).toBe(BigInt(value));
        expect(int64At(words, 0)).toBe(value === 0 ? 0 : value);
      }),
    );
    const words = new Int32Array(2);
    putInt64(words, 0, Number.NaN);
    expect(new BigInt64Array(words.buffer)[0]).toBe(-(2n ** 63n));
    expect(int64At(words, 0)).toBeNaN();
  });

  it('MD-6 writes nanoseconds exactly, and splits them again', () => {
    fc.assert(
      fc.property(fc.nat({ max: 4_102_444_800_000 }), fc.nat({ max: 999_999 }), (ms, subNs) => {
        const words = new Int32Array(2);
        putNanos(words, 0, ms, subNs);
        expect(new BigInt64Array(words.buffer)[0]).toBe(BigInt(ms) * 1_000_000n + BigInt(subNs));
        const out = { ms: 0, subNs: 0 };
        splitNanos(words, 0, out);
        expect(out).toEqual({ ms, subNs });
      }),
    );
  });

  it('MD-1 gives columns of every kind back', () => {
    const row = fc.record({
      integer,
      wide: fc.bigInt({ min: -(2n ** 127n), max: 2n ** 127n - 1n }),
      widest: fc.bigInt({ min: -(2n ** 255n), max: 2n ** 255n - 1n }),
      text: fc.oneof(fc.string({ unit: 'binary' }), fc.string({ minLength: 120, maxLength: 140 })),
      label: fc.constantFrom('', 'a', 'ü', '日本'),
      list: fc.array(integer, { maxLength: 4 }),
      sums: fc.array(fc.bigInt({ min: -(2n ** 127n), max: 2n ** 127n - 1n }), { maxLength: 4 }),
    });
    fc.assert(
      fc.property(fc.array(row, { minLength: 1, maxLength: 20 }), (rows) => {
        const writer = new NativeWriter(rows.length);
        writer.int64(
          'i',
          rows.map((r) => r.integer),
        );
        writer.int128(
          'w',
          rows.map((r) => r.wide),
        );
        writer.int256(
          'ww',
          rows.map((r) => r.widest),
        );
        writer.strings(
          't',
          rows.map((r) => r.text),
        );
        writer.lowCardinality(
          'l',
          rows.map((r) => r.label),
        );
        writer.int64Arrays(
          'a',
          rows.map((r) => r.list),
        );
        writer.int128Arrays(
          's',
          rows.map((r) => r.sums),
        );
        writer.float64(
          'f',
          rows.map(() => Number.NaN),
        );
        const block = roundTrip(writer);
        const { keys, indices } = block.dictionary('l');
        const lists = block.arrays('a');
        const sums = block.arrays('s');
        if (lists.values.kind !== 'words' || sums.values.kind !== 'bigints') throw new Error('kinds');
        for (const [i, r] of rows.entries()) {
          expect(int64At(block.words('i'), i * 2)).toBe(r.integer + 0);
          expect(block.bigints('w')[i]).toBe(r.wide);
          expect(block.bigints('ww')[i]).toBe(r.widest);
          expect(block.strings('t')[i]).toBe(r.text.toWellFormed());
          expect(keys[indices[i] as number]).toBe(r.label);
          expect(block.numbers('f')[i]).toBeNaN();
          const { words } = lists.values;
          const from = i === 0 ? 0 : (lists.ends[i - 1] as number);
          expect(r.list.map((_, k) => int64At(words, (from + k) * 2))).toEqual(r.list.map((v) => v + 0));
          const start = i === 0 ? 0 : (sums.ends[i - 1] as number);
          expect(sums.values.bigints.slice(start, sums.ends[i])).toEqual(r.sums);
        }
      }),
    );
  });

  it('ER-3 says what is wrong with an answer that ends too early', () => {
    const writer = new NativeWriter(2);
    writer.strings('t', ['abc', 'defg']);
    const bytes = Buffer.concat(writer.chunks());
    for (let end = 1; end < bytes.length; end++)
      expect(() => readNative(bytes.subarray(0, end))).toThrow(/ends in the middle/);
  });
});
