import { createRequire } from 'node:module';
import { describe, expect, it } from 'vitest';
import { silentLogger } from '../../ops/logger.ts';
import { faultOf } from './faults.ts';
import { Wire } from './internals.ts';

const require = createRequire(import.meta.url);
interface Queue {
  pending: unknown[];
  inflight: Map<number, object>;
  throttledUntil: number;
  throttleCheckTimeoutId: NodeJS.Timeout | null;
  scheduleCheckPendingRequests(): void;
  destroy(): void;
}
const RequestQueue = require('kafkajs/src/network/requestQueue') as new (options: object) => Queue;
const { createErrorFromCode } = require('kafkajs/src/protocol/error') as {
  createErrorFromCode: (code: number) => Error;
};
const { version } = require('kafkajs/package.json') as { version: string };

void new Wire({
  brokers: ['127.0.0.1:1'],
  clientId: 'test',
  logger: silentLogger,
  requestTimeoutMs: 1,
  connectionTimeoutMs: 1,
});

describe('kafkajs from inside', () => {
  it('is the version whose paths are used', () => {
    expect(version).toBe('2.2.4');
  });

  it('arms no timer for an empty queue, nor for one that an answer will look at', () => {
    const queue = new RequestQueue({ clientId: 'test', broker: 'b', logger: { debug: () => undefined } });
    queue.scheduleCheckPendingRequests();
    expect(queue.throttleCheckTimeoutId).toBeNull();
    queue.pending.push({});
    queue.inflight.set(1, {});
    queue.scheduleCheckPendingRequests();
    expect(queue.throttleCheckTimeoutId).toBeNull();
    queue.throttledUntil = Date.now() + 60_000;
    queue.scheduleCheckPendingRequests();
    expect(queue.throttleCheckTimeoutId).not.toBeNull();
    queue.destroy();
  });

  it.each([
    [47, 'fenced'],
    [90, 'fenced'],
    [51, 'busy'],
    [14, 'busy'],
    [16, 'moved'],
    [6, 'moved'],
    [10, 'too_large'],
    [29, 'fatal'],
  ])('tells what error %i asks for', (code, fault) => {
    expect(faultOf(createErrorFromCode(code))).toBe(fault);
    expect(faultOf(new Error('around it', { cause: createErrorFromCode(code) }))).toBe(fault);
  });

  it('takes a lost connection for a broker that is away', () => {
    expect(faultOf(Object.assign(new Error('x'), { code: 'ECONNREFUSED' }))).toBe('down');
    expect(faultOf(new TypeError('a fault of ours'))).toBe('fatal');
  });
});
