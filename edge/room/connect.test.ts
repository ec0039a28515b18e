import fc from 'fast-check';
import { expect, it } from 'vitest';
import { readSseRequest, readStreamRequest } from './connect.ts';
import { readCursor, writeCursor } from './frames.ts';
import { classOf } from './room-core.ts';
import { packTopics, topicProduct, unpackTopics } from './topic-list.ts';

const query = (text: string): URLSearchParams => new URLSearchParams(text);

it('PV-1 PV-3 SU-6 reads version, encoding and window of a connection', () => {
  expect(readStreamRequest(query(''))).toEqual({ ok: true, encoding: 'msgpack', conflateMs: 50 });
  expect(readStreamRequest(query('v=1&encoding=json&conflateMs=1000'))).toEqual({
    ok: true,
    encoding: 'json',
    conflateMs: 1_000,
  });
  expect(readStreamRequest(query('v=2'))).toMatchObject({ code: 'unsupported_version' });
  expect(readStreamRequest(query('v=one'))).toMatchObject({ code: 'unsupported_version' });
  expect(readStreamRequest(query('encoding=xml'))).toMatchObject({ code: 'bad_request' });
  expect(readStreamRequest(query('conflateMs=-1'))).toMatchObject({ code: 'bad_request' });
  expect(readStreamRequest(query('conflateMs=NaN'))).toMatchObject({ code: 'bad_request' });
});

it("SU-8 reads an event stream's topics and cursor; a foreign cursor counts as none", () => {
  expect(readSseRequest(query('channels=trades,quotes&symbols=v:A'), '1.7.9~0.7.3')).toEqual({
    ok: true,
    keys: ['trades|v:A', 'quotes|v:A'],
    conflateMs: 50,
    positions: new Map([
      [1, { epoch: 7, seq: 9 }],
      [0, { epoch: 7, seq: 3 }],
    ]),
  });
  expect(readSseRequest(query('channels=trades&symbols=v:A'), 'nonsense')).toMatchObject({
    ok: true,
    positions: new Map(),
  });
  expect(readSseRequest(query('symbols=v:A'), null)).toMatchObject({ code: 'bad_request' });
  expect(readSseRequest(query('channels=trades&symbols=A'), null)).toMatchObject({ code: 'bad_request' });
  const many = Array.from({ length: 501 }, (_, i) => `v:S${i}`).join(',');
  expect(readSseRequest(query(`channels=trades&symbols=${many}`), null)).toMatchObject({
    code: 'too_many_subscriptions',
  });
});

it('SU-8 a cursor is read as it was written', () => {
  const part = fc.record({ partition: fc.nat(9_999), epoch: fc.nat(), seq: fc.nat() });
  fc.assert(
    fc.property(fc.array(part, { minLength: 1, maxLength: 20 }), (parts) => {
      expect(readCursor(writeCursor(parts))).toEqual(parts);
    }),
  );
  fc.assert(
    fc.property(fc.string(), (text) => {
      expect(readCursor(text)).toBeUndefined();
    }),
  );
});

it('CF-1 rounds a wish up to the next window', () => {
  expect([0, 1, 50, 51, 250, 999, 5_000].map(classOf)).toEqual([0, 50, 50, 250, 250, 1_000, 1_000]);
});

it('SU-4 refuses unknown channels and what can be no symbol', () => {
  expect(topicProduct(['quotes'], ['v:A', 'v:*'])).toEqual({ ok: true, keys: ['quotes|v:A', 'quotes|v:*'] });
  expect(topicProduct(['quote'], ['v:A'])).toMatchObject({ code: 'unknown_channel' });
  for (const symbol of ['', 'A', ':A', 'v:', 'V:A', 'v:A B', '*:*', `v:${'A'.repeat(65)}`]) {
    expect(topicProduct(['quotes'], [symbol]), symbol).toMatchObject({ code: 'bad_message' });
  }
});

it('SU-5 a set of topics survives in an attachment', () => {
  const product = topicProduct(['quotes', 'bars.1d', 'status'], ['v:A', 'w:B-1', 'x:*']);
  const keys = product.ok ? product.keys.sort() : [];
  expect(keys.length).toBe(9);
  expect(unpackTopics(packTopics(keys))).toEqual(keys);
  expect(unpackTopics('')).toEqual([]);
});
