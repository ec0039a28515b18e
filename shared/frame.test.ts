import * as fc from 'fast-check';
import { expect, it } from 'vitest';
import { crc32 } from '#shared/crc32.ts';
import { decodeFrame, encodeQuotes, encodeTrades, FRAME_VERSION } from '#shared/frame.ts';
import { LIMITS } from '#shared/limits.ts';
import { quoteColumns, tradeColumns, type QuoteColumns, type TradeColumns } from '#shared/ticks.ts';
import { arbitraryQuotes, arbitraryTrades, plainTicks } from '../test/support/arbitrary-ticks.ts';

function trades(bytes: Uint8Array): TradeColumns {
  const frame = decodeFrame(bytes);
  if (!frame.ok || frame.kind !== 'trades') throw new Error(JSON.stringify(frame));
  return frame.trades;
}

function quotes(bytes: Uint8Array): QuoteColumns {
  const frame = decodeFrame(bytes);
  if (!frame.ok || frame.kind !== 'quotes') throw new Error(JSON.stringify(frame));
  return frame.quotes;
}

it('TK-3 decodes trades to what was encoded', () => {
  fc.assert(
    fc.property(arbitraryTrades(), (columns) => {
      const decoded = trades(encodeTrades(columns));
      expect(decoded.length).toBe(columns.length);
      expect(plainTicks(decoded)).toEqual(plainTicks(columns));
    }),
  );
});

it('TK-3 decodes quotes to what was encoded, sizes that are absent too', () => {
  fc.assert(
    fc.property(arbitraryQuotes(), (columns) => {
      const decoded = quotes(encodeQuotes(columns));
      expect(plainTicks(decoded)).toEqual(plainTicks(columns));
    }),
  );
});

it('TK-3 encodes the rows that are asked for, in their order', () => {
  fc.assert(
    fc.property(arbitraryTrades(), fc.array(fc.nat()), (columns, picks) => {
      const rows = columns.length === 0 ? [] : picks.map((pick) => pick % columns.length);
      const all = plainTicks(columns);
      expect(plainTicks(trades(encodeTrades(columns, Uint32Array.from(rows))))).toEqual(rows.map((row) => all[row]));
    }),
  );
});

it('TK-3 decodes from any place in memory, into memory of its own', () => {
  fc.assert(
    fc.property(arbitraryTrades(), fc.nat({ max: 17 }), (columns, offset) => {
      const frame = encodeTrades(columns);
      const larger = new Uint8Array(frame.length + 40);
      larger.set(frame, offset);
      const decoded = trades(larger.subarray(offset, offset + frame.length));
      larger.fill(0xff);
      expect(plainTicks(decoded)).toEqual(plainTicks(columns));
    }),
  );
});

it('TK-3 holds the empty frame and the full one', () => {
  expect(trades(encodeTrades(tradeColumns(0))).length).toBe(0);
  expect(quotes(encodeQuotes(quoteColumns(8))).length).toBe(0);
  const full = tradeColumns(LIMITS.frameTicks);
  full.length = LIMITS.frameTicks;
  full.instruments.intern('asx:BHP');
  for (let i = 0; i < full.length; i++) full.price[i] = i * 4_294_967_297;
  expect(trades(encodeTrades(full)).price).toEqual(full.price);
});

it('TK-2 does not make a frame that no reader would take', () => {
  const columns = tradeColumns(LIMITS.frameTicks + 1);
  columns.length = LIMITS.frameTicks + 1;
  columns.instruments.intern('asx:BHP');
  expect(() => encodeTrades(columns)).toThrow(RangeError);
});

it('TK-3 a column of equal values takes no bytes, whatever the number of ticks', () => {
  const sizeOf = (n: number): number => {
    const columns = tradeColumns(n);
    columns.length = n;
    columns.instruments.intern('asx:BHP');
    columns.eventMs.fill(1_394_398_634_754);
    return encodeTrades(columns).length;
  };
  expect(sizeOf(500)).toBe(sizeOf(1));
});

it('TK-5 refuses a later version by name', () => {
  const frame = encodeTrades(tradeColumns(0));
  frame[1] = FRAME_VERSION + 1;
  expect(decodeFrame(frame)).toEqual({ ok: false, fault: 'unknown_version' });
});

it('TK-4 crc32 takes any alignment and any split', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), fc.nat({ max: 9 }), fc.nat({ max: 200 }), (bytes, offset, split) => {
      const moved = new Uint8Array(bytes.length + offset);
      moved.set(bytes, offset);
      const middle = Math.min(split, bytes.length);
      const whole = bitwiseCrc(bytes);
      expect(crc32(bytes)).toBe(whole);
      expect(crc32(moved, offset)).toBe(whole);
      expect(crc32(bytes, middle, bytes.length, crc32(bytes, 0, middle))).toBe(whole);
    }),
  );
});

/** The definition, bit by bit. */
function bitwiseCrc(bytes: Uint8Array): number {
  let c = 0xffffffff;
  for (const byte of bytes) {
    c ^= byte;
    for (let k = 0; k < 8; k++) c = c & 1 ? (c >>> 1) ^ 0xedb88320 : c >>> 1;
  }
  return ~c >>> 0;
}
