import { createRequire } from 'node:module';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { LogError } from '../log-error.ts';
import { recordBatches, visibleRecords } from './record-batches.ts';
import { encodeBatch } from './produce.ts';

const require = createRequire(import.meta.url);
interface Encoded {
  buffer: Buffer;
}
// kafkajs's encoder, written apart from our decoder.
const encodeRecord = require('kafkajs/src/protocol/recordBatch/record/v0') as (record: object) => Encoded;
const { RecordBatch } = require('kafkajs/src/protocol/recordBatch/v0') as {
  RecordBatch: (batch: object) => Promise<Encoded>;
};
interface BatchSpec {
  firstOffset: number;
  producerId?: number;
  transactional?: boolean;
  compression?: number;
  marker?: 'commit' | 'abort';
  records: { key?: Uint8Array | null; value?: Uint8Array | null; timestampMs?: number }[];
}

async function batch(spec: BatchSpec): Promise<Buffer> {
  const { records, marker, firstOffset, compression = 0, producerId = -1, transactional = false } = spec;
  const content = marker === undefined ? records : [{ key: Buffer.from([0, 0, 0, marker === 'abort' ? 0 : 1]) }];
  const { buffer } = await RecordBatch({
    compression,
    firstOffset,
    firstTimestamp: 1_700_000_000_000,
    maxTimestamp: 1_700_000_000_000,
    producerId,
    transactional: transactional || marker !== undefined,
    lastOffsetDelta: content.length - 1,
    records: content.map(({ key, value, timestampMs = 1_700_000_000_000 }: BatchSpec['records'][number], i) =>
      encodeRecord({
        offsetDelta: i,
        timestampDelta: timestampMs - 1_700_000_000_000,
        key: key === undefined || key === null ? null : Buffer.from(key),
        value: value === undefined || value === null ? null : Buffer.from(value),
        headers: { h: 'skipped' },
      }),
    ),
  });
  const copy = Buffer.from(buffer);
  if (marker !== undefined) copy.writeInt16BE(copy.readInt16BE(21) | 0x20, 21);
  return copy;
}

const value = (text: string): { value: Uint8Array } => ({ value: Buffer.from(text) });
const texts = (bytes: Buffer, from: number, aborted: Parameters<typeof visibleRecords>[2] = []): string[] =>
  visibleRecords(bytes, from, aborted).records.map((record) => Buffer.from(record.value ?? []).toString());

describe('record batches', () => {
  it('LG-7 decodes what kafkajs encodes, packed or not', async () => {
    const bytes = fc.option(fc.uint8Array({ maxLength: 300 }));
    const record = fc.record({ key: bytes, value: bytes, timestampMs: fc.integer({ min: 1, max: 4_000_000_000_000 }) });
    await fc.assert(
      fc.asyncProperty(
        fc.array(record, { minLength: 1, maxLength: 20 }),
        fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER - 100 }),
        fc.constantFrom(0, 1),
        async (records, firstOffset, compression) => {
          const [decoded] = [...recordBatches(await batch({ firstOffset, compression, records }))];
          expect(decoded?.lastOffset).toBe(firstOffset + records.length - 1);
          expect(decoded?.records()).toEqual(
            records.map(({ key, value, timestampMs }, i) => ({ offset: firstOffset + i, timestampMs, key, value })),
          );
        },
      ),
      { numRuns: 60 },
    );
  });

  it('LG-7 encodes as kafkajs does, and reads back what it packed', async () => {
    const bytes = fc.option(fc.uint8Array({ maxLength: 300 }));
    const record = fc.record({ key: bytes, value: bytes, timestampMs: fc.integer({ min: 1, max: 4_000_000_000_000 }) });
    const identity = fc.record({
      producerId: fc.nat().map(String),
      producerEpoch: fc.nat({ max: 32_767 }),
      firstSequence: fc.nat(),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(record, { minLength: 1, maxLength: 20 }), identity, async (records, who) => {
        const ours = encodeBatch({ ...who, records }, { ...who, codec: 'none' });
        const first = records[0]?.timestampMs as number;
        const theirs = await RecordBatch({
          ...who,
          transactional: true,
          firstTimestamp: first,
          maxTimestamp: Math.max(...records.map(({ timestampMs }) => timestampMs)),
          lastOffsetDelta: records.length - 1,
          records: records.map(({ key, value, timestampMs }, i) =>
            encodeRecord({
              offsetDelta: i,
              timestampDelta: timestampMs - first,
              key: key === null ? null : Buffer.from(key),
              value: value === null ? null : Buffer.from(value),
            }),
          ),
        });
        expect(ours).toEqual(Buffer.from(theirs.buffer));
        for (const codec of ['gzip', 'zstd'] as const) {
          const [decoded] = [...recordBatches(encodeBatch({ ...who, records }, { ...who, codec }))];
          expect(decoded?.records()).toEqual(records.map((each, i) => ({ ...each, offset: i })));
        }
      }),
      { numRuns: 60 },
    );
  });

  it('LG-7 leaves out the cut off end of a fetch, and what is before the start', async () => {
    const first = await batch({ firstOffset: 5, records: [value('a'), value('b'), value('c')] });
    const second = await batch({ firstOffset: 8, records: [value('d')] });
    for (let cut = 0; cut < second.length; cut++) {
      const found = visibleRecords(Buffer.concat([first, second.subarray(0, cut)]), 6, []);
      expect(found.records.map(({ offset }) => offset)).toEqual([6, 7]);
      expect(found.nextOffset).toBe(8);
    }
    expect(texts(Buffer.concat([first, second]), 7)).toEqual(['c', 'd']);
  });

  it('LG-7 goes on behind a batch that compaction emptied', async () => {
    const emptied = await batch({ firstOffset: 3, records: [value('a'), value('b')] });
    emptied.writeInt32BE(0, 57);
    expect(visibleRecords(emptied, 3, [])).toEqual({ records: [], nextOffset: 5 });
  });

  it('LG-4 hides aborted records of each producer up to its marker, in whatever order the broker names them', async () => {
    const bytes = Buffer.concat([
      await batch({ firstOffset: 0, producerId: 1, transactional: true, records: [value('1 aborted')] }),
      await batch({ firstOffset: 1, producerId: 2, transactional: true, records: [value('2 aborted')] }),
      await batch({ firstOffset: 2, producerId: 3, transactional: true, records: [value('3 committed')] }),
      await batch({ firstOffset: 3, producerId: 1, records: [], marker: 'abort' }),
      await batch({ firstOffset: 4, producerId: 1, transactional: true, records: [value('1 committed')] }),
      await batch({
        firstOffset: 5,
        producerId: 2,
        transactional: true,
        // Its key is what an abort marker's key is.
        records: [{ key: Buffer.alloc(4), value: Buffer.from('2 aborted') }, value('2 aborted')],
      }),
      await batch({ firstOffset: 7, producerId: 3, records: [], marker: 'commit' }),
      await batch({ firstOffset: 8, producerId: 2, records: [value('2 apart from a transaction')] }),
      await batch({ firstOffset: 9, producerId: 2, records: [], marker: 'abort' }),
      await batch({ firstOffset: 10, producerId: 1, records: [], marker: 'commit' }),
    ]);
    const aborted = [
      { producerId: 2, firstOffset: 1 },
      { producerId: 1, firstOffset: 0 },
    ];
    const expected = ['3 committed', '1 committed', '2 apart from a transaction'];
    expect(texts(bytes, 0, aborted)).toEqual(expected);
    expect(texts(bytes, 0, aborted.toReversed())).toEqual(expected);
    expect(visibleRecords(bytes, 0, aborted).nextOffset).toBe(11);
  });

  it('LG-4 hides both of two transactions that were aborted before the first record of the fetch', async () => {
    const bytes = await batch({ firstOffset: 10, producerId: 2, transactional: true, records: [value('aborted')] });
    expect(
      texts(bytes, 10, [
        { producerId: 1, firstOffset: 5 },
        { producerId: 2, firstOffset: 7 },
      ]),
    ).toEqual([]);
  });

  it('TK-4 hostile bytes give records or a LogError, never anything else', async () => {
    const records = [value('a'.repeat(100)), value('b')].map((each) => ({ ...each, key: null, timestampMs: 1 }));
    const good = encodeBatch({ firstSequence: 0, records }, { producerId: '1', producerEpoch: 0, codec: 'zstd' });
    const plain = await batch({ firstOffset: 0, records: [value('a'.repeat(100)), value('b')] });
    fc.assert(
      fc.property(
        fc.constantFrom(good, plain),
        fc.array(fc.tuple(fc.nat({ max: 200 }), fc.nat({ max: 255 })), { maxLength: 6 }),
        (base, changes) => {
          const bytes = Buffer.from(base);
          for (const [at, byte] of changes) if (at < bytes.length) bytes[at] = byte;
          try {
            visibleRecords(bytes, 0, []);
          } catch (error) {
            expect(error).toBeInstanceOf(LogError);
          }
        },
      ),
      { numRuns: 2_000 },
    );
  });

  it('LG-7 a codec that is not served is named', async () => {
    const bytes = await batch({ firstOffset: 0, records: [value('a')] });
    bytes.writeInt16BE(2, 21);
    expect(() => visibleRecords(bytes, 0, [])).toThrow(/codec 2 \(snappy or lz4\)/);
  });
});
