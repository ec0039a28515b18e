import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { crc32 } from '#shared/crc32.ts';
import { decodeFrame, encodeQuotes, encodeTrades, FRAME_MAGIC, FRAME_VERSION } from '#shared/frame.ts';
import { LIMITS } from '#shared/limits.ts';
import { arbitraryQuotes, arbitraryTrades } from '../support/arbitrary-ticks.ts';

const FAULTS = ['truncated', 'bad_magic', 'unknown_version', 'unknown_kind', 'bad_checksum', 'bad_layout', 'too_large'];
const frame = fc.oneof(
  arbitraryTrades(40).map((t) => encodeTrades(t)),
  arbitraryQuotes(40).map((q) => encodeQuotes(q)),
);

/** Decodes without an exception, to a fault of the list or to columns that are as long as they say and index only what is there. */
function check(bytes: Uint8Array): boolean {
  const result = decodeFrame(bytes);
  if (!result.ok) {
    expect(FAULTS).toContain(result.fault);
    return false;
  }
  const ticks = result.kind === 'trades' ? result.trades : result.quotes;
  expect(ticks.length).toBeLessThanOrEqual(LIMITS.frameTicks);
  for (const column of Object.values(ticks))
    if (ArrayBuffer.isView(column)) expect((column as Float64Array).length).toBe(ticks.length);
  for (let i = 0; i < ticks.length; i++) {
    expect(ticks.instruments.values[ticks.instrument[i] as number]).toBeTypeOf('string');
    if (!('conditions' in ticks)) continue;
    expect(ticks.strings.values[ticks.conditions[i] as number]).toBeTypeOf('string');
  }
  return true;
}

/** Puts the right checksum in, so that what is behind it is looked at. */
function sealed(bytes: Uint8Array): Uint8Array {
  if (bytes.length >= 16) new DataView(bytes.buffer, bytes.byteOffset).setUint32(4, crc32(bytes, 8), true);
  return bytes;
}

describe('TK-4 hostile frames', () => {
  it('TK-4 refuses every truncation', () => {
    fc.assert(
      fc.property(frame, fc.double({ min: 0, max: 1, noNaN: true }), (bytes, at) => {
        const cut = bytes.slice(0, Math.floor(at * (bytes.length - 1)));
        expect(check(cut)).toBe(false);
        check(sealed(cut));
      }),
      { numRuns: 300 },
    );
  });

  it('TK-4 refuses every flipped bit behind the header', () => {
    fc.assert(
      fc.property(frame, fc.nat(), fc.nat({ max: 7 }), (bytes, place, bit) => {
        const at = 4 + (place % (bytes.length - 4));
        bytes[at] = (bytes[at] as number) ^ (1 << bit);
        expect(check(bytes)).toBe(false);
      }),
      { numRuns: 300 },
    );
  });

  it('TK-4 survives changed bytes under a right checksum', () => {
    fc.assert(
      fc.property(frame, fc.array(fc.tuple(fc.nat(), fc.nat({ max: 255 })), { maxLength: 6 }), (bytes, changes) => {
        for (const [place, value] of changes) bytes[place % bytes.length] = value;
        check(sealed(bytes));
      }),
      { numRuns: 1_000 },
    );
  });

  it('TK-4 survives random bytes, with and without a head that looks right', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 700 }), fc.nat({ max: 3 }), (bytes, kind) => {
        check(bytes.slice());
        if (bytes.length < 16) return;
        bytes.set([FRAME_MAGIC, FRAME_VERSION, kind, 0]);
        bytes.set([bytes[8] as number, 0, 0, 0, kind === 1 ? 16 : 18, 0, 0, 0], 8);
        check(sealed(bytes));
      }),
      { numRuns: 1_000 },
    );
  });

  it('TK-4 refuses counts that the bytes cannot hold before it makes room for them', () => {
    const whole = encodeTrades(fc.sample(arbitraryTrades(5), { numRuns: 1, seed: 7 })[0] ?? never());
    for (const n of [501, 50_000, 2 ** 31, 2 ** 32 - 1]) {
      const bytes = whole.slice();
      new DataView(bytes.buffer).setUint32(8, n, true);
      const before = process.memoryUsage().arrayBuffers;
      expect(decodeFrame(sealed(bytes))).toEqual({ ok: false, fault: 'bad_layout' });
      expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(1_000_000);
    }
    expect(decodeFrame(new Uint8Array(LIMITS.frameBytes + 1))).toEqual({ ok: false, fault: 'too_large' });
  });
});

function never(): never {
  throw new Error('no sample');
}
