import { beforeAll, describe, expect, it } from 'vitest';
import * as v from 'valibot';
import { barsResponseSchema, problemSchema, type BarView, type Problem } from '#shared/market.ts';
import type { Logger } from '../ops/logger.ts';
import { MINUTES, T0, aBar, queryFixture, type QueryFixture } from '../../test/support/query-app.ts';
import type { MemoryStore } from '../../test/support/memory-store.ts';

let fixture: QueryFixture & { store: MemoryStore };
beforeAll(async () => {
  fixture = await queryFixture();
});

const get = (path: string, init?: RequestInit): Promise<Response> => Promise.resolve(fixture.app.request(path, init));

async function bars(path: string): Promise<{ bars: BarView[]; next: string | null }> {
  const response = await get(path);
  expect(response.status, await response.clone().text()).toBe(200);
  return v.parse(barsResponseSchema, await response.json());
}

async function problem(path: string, init?: RequestInit): Promise<Problem> {
  const response = await get(path, init);
  expect(response.headers.get('content-type')).toBe('application/problem+json');
  const body = v.parse(problemSchema, await response.json());
  expect(body.status).toBe(response.status);
  return body;
}

describe('bars', () => {
  it('QY-1 prints decimals as strings without padding zeros, and the VWAP at 12 places', async () => {
    const {
      bars: [bar],
    } = await bars('/v1/bars?symbol=asx:BHP&limit=1');
    expect(bar).toMatchObject({
      symbol: 'asx:BHP',
      startMs: T0,
      open: '36.45',
      high: '36.5',
      low: '36.4',
      close: '36.4',
      volume: '105',
      vwap: '36.45',
      state: 'final',
    });
  });

  it.each(['asc', 'desc'])('QY-2 pages give every bar once, %s', async (order) => {
    const starts: number[] = [];
    let next: string | null = null;
    do {
      const page = await bars(
        `/v1/bars?symbol=asx:BHP&limit=4&order=${order}${next === null ? '' : `&cursor=${next}`}`,
      );
      expect(page.bars.length).toBeLessThanOrEqual(4);
      starts.push(...page.bars.map((bar) => bar.startMs));
      next = page.next;
    } while (next !== null);
    const expected = Array.from({ length: MINUTES }, (_, i) => T0 + i * 60_000);
    expect(starts).toEqual(order === 'asc' ? expected : expected.toReversed());
  });

  it('QY-2 follows the Link header for CSV', async () => {
    const lines: string[] = [];
    let path: string | undefined = '/v1/bars?symbol=asx:BHP&limit=7';
    while (path !== undefined) {
      const response = await get(path, { headers: { accept: 'text/csv' } });
      expect(response.headers.get('content-type')).toBe('text/csv; charset=utf-8');
      const [header, ...rows] = (await response.text()).trimEnd().split('\n');
      expect(header).toBe('venue,symbol,start_ns,start_utc,open,high,low,close,volume,vwap,trade_count,state,revision');
      lines.push(...rows);
      path = /<([^>]+)>/.exec(response.headers.get('link') ?? '')?.[1];
    }
    expect(lines).toHaveLength(MINUTES);
    expect(lines[0]).toBe('asx,BHP,1723161240000000000,2024-08-08T23:54:00Z,36.45,36.5,36.4,36.4,105,36.45,7,final,1');
  });

  it('QY-6 shows the open bar that only memory knows, and a revision that the store has not taken yet', async () => {
    const own = await queryFixture();
    own.live.bar(aBar('asx:BHP', '1m', T0 + MINUTES * 60_000, { state: 'provisional', revision: 0 }));
    own.live.bar(aBar('asx:BHP', '1m', T0 + (MINUTES - 1) * 60_000, { state: 'revised', revision: 2, tradeCount: 8 }));
    own.live.bar(
      aBar('asx:BHP', '1m', T0 + (MINUTES - 2) * 60_000, { state: 'provisional', revision: 0, tradeCount: 1 }),
    );
    const response = await own.app.request('/v1/bars?symbol=asx:BHP&order=desc&limit=3');
    const body = v.parse(barsResponseSchema, await response.json());
    expect(body.bars.map(({ state, revision, tradeCount }) => [state, revision, tradeCount])).toEqual([
      ['provisional', 0, 7],
      ['revised', 2, 8],
      ['final', 1, 7],
    ]);
    expect(response.headers.get('cache-control')).toContain('max-age=1,');
  });

  it('QY-6 answers 304 to the ETag of a closed range, whenever it is asked', async () => {
    const path = `/v1/bars?symbol=asx:BHP&from=${T0}&to=${T0 + 300_000}`;
    const own = await queryFixture();
    own.clock.advance(3_600_000);
    const first = await own.app.request(path);
    expect(first.headers.get('cache-control')).toContain('max-age=60');
    own.clock.advance(5_000);
    const second = await own.app.request(path, { headers: { 'if-none-match': first.headers.get('etag') ?? '' } });
    expect(second.status).toBe(304);
    expect(await second.text()).toBe('');
    await own.store.writeBars([aBar('asx:BHP', '1m', T0, { state: 'revised', revision: 2 })], 'later');
    const third = await own.app.request(path, { headers: { 'if-none-match': first.headers.get('etag') ?? '' } });
    expect(third.status).toBe(200);
  });

  it.each([
    ['2024-08-08T23:55:00Z', '2024-08-08T23:57:00Z'],
    [String(T0 + 60_000), String(T0 + 180_000)],
    [`${T0 + 60_000}000000`, `${T0 + 180_000}000000`],
    ['2024-08-09T01:55:00+02:00', '2024-08-08T23:57Z'],
  ])('QY-1 takes the range %s to %s', async (from, to) => {
    const page = await bars(`/v1/bars?symbol=asx:BHP&from=${encodeURIComponent(from)}&to=${to}`);
    expect(page.bars.map((bar) => bar.startMs)).toEqual([T0 + 60_000, T0 + 120_000]);
  });
});

describe('errors', () => {
  it.each([
    ['/v1/bars?symbol=asx:NONE', 'unknown_symbol', 404],
    ['/v1/symbols/asx:NONE', 'unknown_symbol', 404],
    ['/v1/symbols/nothing', 'bad_request', 400],
    ['/v1/bars', 'bad_request', 400],
    ['/v1/bars?symbol=BHP', 'bad_request', 400],
    ['/v1/bars?symbol=asx:BHP&tf=2m', 'bad_request', 400],
    ['/v1/bars?symbol=asx:BHP&limit=0', 'bad_request', 400],
    ['/v1/bars?symbol=asx:BHP&limit=100000', 'bad_request', 400],
    ['/v1/bars?symbol=asx:BHP&nope=1', 'bad_request', 400],
    ['/v1/bars?symbol=asx:BHP&tf=1m&tf=5m', 'bad_request', 400],
    ['/v1/bars?symbol=asx:BHP&from=yesterday', 'bad_range', 400],
    ['/v1/bars?symbol=asx:BHP&from=2024-02-31', 'bad_range', 400],
    ['/v1/bars?symbol=asx:BHP&from=2024-08-09&to=2024-08-08', 'bad_range', 400],
    ['/v1/bars?symbol=asx:BHP&to=9999999999999999999', 'bad_range', 400],
    ['/v1/bars?symbol=asx:BHP&cursor=abc', 'bad_cursor', 400],
    ['/v1/nothing', 'not_found', 404],
    ['/', 'not_found', 404],
    ['/v1/stats?symbol=asx:RIO', 'not_found', 404],
  ])('ER-2 %s is %s', async (path, code, status) => {
    const body = await problem(path);
    expect([body.code, body.status]).toEqual([code, status]);
  });

  it('ER-2 an address without end is too_large', async () => {
    expect((await problem(`/v1/bars?symbol=${'x'.repeat(5_000)}`)).code).toBe('too_large');
  });

  it('ER-2 points at every parameter that is wrong', async () => {
    const body = await problem('/v1/bars?symbol=asx:BHP&limit=-1&tf=2m');
    expect(body.errors?.map(({ pointer }) => pointer).sort()).toEqual(['/query/limit', '/query/tf']);
  });

  it('ER-1 refuses other methods and bodies', async () => {
    const response = await get('/v1/bars?symbol=asx:BHP', { method: 'DELETE' });
    expect(response.status).toBe(405);
    expect(response.headers.get('allow')).toBe('GET, HEAD');
    expect(
      (await problem('/v1/bars?symbol=asx:BHP', { method: 'POST', body: 'x', headers: { 'content-length': '1' } }))
        .code,
    ).toBe('too_large');
    expect((await get('/v1/symbols', { method: 'HEAD' })).status).toBe(200);
  });

  it('ER-3 ST-4 says that the store is away, and nothing of why; what memory knows is still told', async () => {
    const lines: string[] = [];
    const log = (message: string, fields?: object): void => void lines.push(message + JSON.stringify(fields));
    const logger: Logger = { debug: log, info: log, warn: log, error: log, child: () => logger };
    const own = await queryFixture(logger);
    own.live.trade({
      instrument: 'asx:BHP',
      eventMs: T0,
      priceScale: 2,
      sizeScale: 0,
      price: 3645,
      size: 5,
      side: 1,
      tradeId: '',
      conditions: '',
      action: 0,
    });
    own.live.quote({
      instrument: 'asx:BHP',
      eventMs: T0,
      priceScale: 2,
      sizeScale: 0,
      bidPrice: 1,
      bidSize: 1,
      askPrice: 2,
      askSize: 1,
    });
    own.live.stats({ ...(await own.store.stats('asx:BHP'))! });
    own.store.down = true;
    const response = await own.app.request('/v1/bars?symbol=asx:BHP');
    expect(response.status).toBe(503);
    expect(response.headers.get('retry-after')).toBe('1');
    const text = await response.text();
    expect(text).toContain('"code":"unavailable"');
    expect(text).not.toMatch(/ECONNREFUSED|secret|\.ts:\d+/);
    expect(lines.join()).toContain('ECONNREFUSED');
    expect((await own.app.request('/v1/last?symbol=asx:BHP')).status).toBe(200);
    const health = (await (await own.app.request('/v1/health')).json()) as { status: string; ready: boolean };
    expect(health).toMatchObject({ status: 'stale', ready: true });
  });

  it('ER-1 answers unavailable when an answer takes too long', async () => {
    const own = await queryFixture();
    own.store.instruments = () => new Promise(() => {});
    const pending = own.app.request('/v1/symbols');
    await Promise.resolve();
    own.clock.advance(1_000);
    const response = await pending;
    expect(response.status).toBe(503);
  });
});

describe('the rest', () => {
  it('QY-4 gives trades as CSV in the columns of the tape', async () => {
    const response = await get('/v1/trades?symbol=asx:BHP&limit=2', { headers: { accept: 'text/csv' } });
    expect(await response.text()).toBe(
      'ts_event_ns,ts_recv_ns,venue,symbol,price,size,side,trade_id,conditions\n1723161240000000000,,asx,BHP,36.450,10,buy,0,\n1723161241000000000,,asx,BHP,36.451,11,,,\n',
    );
  });

  it('QY-2 finds symbols by part of the name', async () => {
    const body = (await (await get('/v1/symbols?q=ri')).json()) as { symbols: { symbol: string; trades: number }[] };
    expect(body.symbols.map(({ symbol, trades }) => [symbol, trades])).toEqual([['asx:RIO', 3]]);
  });

  it('QY-1 gives the last trade and quote of a symbol that this run has not seen, from the store', async () => {
    const body = (await (await get('/v1/last?symbol=asx:BHP')).json()) as { last: object[] };
    expect(body.last).toMatchObject([
      {
        symbol: 'asx:BHP',
        trade: { price: '36.478', size: '38' },
        quote: { bidPrice: '36.45', bidSize: null },
        stats: { lastPrice: '36.479' },
      },
    ]);
  });

  it('serves the documents and the metrics', async () => {
    expect((await get('/docs')).headers.get('content-type')).toContain('text/html');
    expect((await get('/openapi.json')).status).toBe(200);
    expect((await get('/metrics')).status).toBe(200);
  });
});
