import { createRequire } from 'node:module';
import { describe, expect, it } from 'vitest';
import { decodeFetch, encodeFetch } from './fetch.ts';

const require = createRequire(import.meta.url);
const kafkajsRequest = require('kafkajs/src/protocol/requests/fetch/v11/request') as (options: object) => {
  encode: () => Promise<{ buffer: Buffer }>;
};

describe('fetch', () => {
  it('encodes as kafkajs does', async () => {
    const theirs = await kafkajsRequest({
      replicaId: -1,
      isolationLevel: 1,
      maxWaitTime: 500,
      minBytes: 1,
      maxBytes: 1_000,
      topics: [
        {
          topic: 'trades',
          partitions: [
            { partition: 1, fetchOffset: '12', maxBytes: 9 },
            { partition: 0, fetchOffset: String(2 ** 45), maxBytes: 8 },
          ],
        },
        { topic: 'ü', partitions: [{ partition: 7, fetchOffset: '0', maxBytes: 7 }] },
      ],
    }).encode();
    const ours = encodeFetch({
      maxWaitMs: 500,
      maxBytes: 1_000,
      partitions: [
        { topic: 'trades', partition: 1, fromOffset: 12, maxBytes: 9 },
        { topic: 'ü', partition: 7, fromOffset: 0, maxBytes: 7 },
        { topic: 'trades', partition: 0, fromOffset: 2 ** 45, maxBytes: 8 },
      ],
    });
    expect(ours).toEqual(Buffer.from(theirs.buffer));
  });

  it('decodes an answer and keeps the record sets', () => {
    const parts: Buffer[] = [];
    const int = (bytes: 2 | 4 | 8, ...values: number[]): void => {
      for (const value of values) {
        const part = Buffer.alloc(bytes);
        if (bytes === 2) part.writeInt16BE(value);
        else if (bytes === 4) part.writeInt32BE(value);
        else part.writeBigInt64BE(BigInt(value));
        parts.push(part);
      }
    };
    int(4, 0);
    int(2, 0);
    int(4, 0, 1);
    int(2, 1);
    parts.push(Buffer.from('t'));
    int(4, 2);
    int(4, 3);
    int(2, 0);
    int(8, 20, 18, 5);
    int(4, 1);
    int(8, 77, 9);
    int(4, -1, 3);
    parts.push(Buffer.from('abc'));
    int(4, 4);
    int(2, 1);
    int(8, -1, -1, -1);
    int(4, -1, -1, -1);
    expect(decodeFetch(Buffer.concat(parts)).partitions).toEqual([
      {
        topic: 't',
        partition: 3,
        errorCode: 0,
        highWatermark: 20,
        lastStableOffset: 18,
        startOffset: 5,
        aborted: [{ producerId: 77, firstOffset: 9 }],
        recordSet: Buffer.from('abc'),
      },
      {
        topic: 't',
        partition: 4,
        errorCode: 1,
        highWatermark: -1,
        lastStableOffset: -1,
        startOffset: -1,
        aborted: [],
        recordSet: Buffer.alloc(0),
      },
    ]);
  });
});
