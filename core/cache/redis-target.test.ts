import { describe, expect, it } from 'vitest';
import { readRedisTarget } from './redis-target.ts';

const base = { masterName: '', db: 0, username: '', password: '', tls: false };

describe('address of Redis', () => {
  it('names one server, sentinels or a cluster', () => {
    const cases: [string, object][] = [
      ['redis://cache', { ...base, mode: 'single', nodes: [{ host: 'cache', port: 6_379 }] }],
      ['redis://127.0.0.1:7000/3', { ...base, mode: 'single', nodes: [{ host: '127.0.0.1', port: 7_000 }], db: 3 }],
      ['redis://[::1]:7000', { ...base, mode: 'single', nodes: [{ host: '::1', port: 7_000 }] }],
      [
        'rediss://user:p%40ss@cache:6380',
        {
          ...base,
          mode: 'single',
          nodes: [{ host: 'cache', port: 6_380 }],
          username: 'user',
          password: 'p@ss',
          tls: true,
        },
      ],
      [
        'redis+sentinel://secret@a,b:26380/mymaster/2',
        {
          ...base,
          mode: 'sentinel',
          nodes: [
            { host: 'a', port: 26_379 },
            { host: 'b', port: 26_380 },
          ],
          masterName: 'mymaster',
          password: 'secret',
          db: 2,
        },
      ],
      [
        'rediss+cluster://a:1,b:2',
        {
          ...base,
          mode: 'cluster',
          nodes: [
            { host: 'a', port: 1 },
            { host: 'b', port: 2 },
          ],
          tls: true,
        },
      ],
    ];
    for (const [address, target] of cases) expect(readRedisTarget(address), address).toEqual({ target });
  });

  it('is refused with a sentence that holds no password', () => {
    const wrong = [
      '',
      'http://a',
      'redis://',
      'redis://a:99999',
      'redis://a,b',
      'redis://a/x',
      'redis://a/0/1',
      'redis://u:hunter2@a b',
      'redis://u:hunter2%zz@a',
      'redis+sentinel://a',
      'redis+cluster://a/1',
      'redis+other://a',
    ];
    for (const address of wrong) {
      const read = readRedisTarget(address);
      expect('fault' in read, address).toBe(true);
      expect(JSON.stringify(read)).not.toContain('hunter2');
    }
  });
});
