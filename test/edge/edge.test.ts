import { env, evictDurableObject, runInDurableObject, SELF } from 'cloudflare:test';
import { getServerByName } from 'partyserver';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { LIMITS } from '#shared/limits.ts';
import { packValue } from '#shared/protocol/msgpack.ts';
import { ORIGIN, TestClient, TestRelay, until } from './support.ts';

const SYMBOLS = ['v:A', 'v:B', 'w:C', 'w:D'];
const KEYS = SYMBOLS.flatMap((symbol) => [`quotes|${symbol}`, `trades|${symbol}`]);
let epoch = 1_000;
let relay: TestRelay;
let clients: TestClient[] = [];

function tick(n: number): void {
  SYMBOLS.forEach((symbol, i) => {
    relay.publish('quotes', symbol, [100 + n, 5, 101 + i, n, 1_700_000_000_000 + n]);
    relay.publish('trades', symbol, [100 + n, 1 + i, n % 3, 1_700_000_000_000 + n, 0]);
  });
}

async function client(query = '?conflateMs=0'): Promise<TestClient> {
  const made = await new TestClient().open(query);
  clients.push(made);
  return made;
}

async function subscribed(query?: string): Promise<TestClient> {
  const made = await client(query);
  made.subscribe(['quotes', 'trades'], SYMBOLS);
  await until(() => made.holds(relay, KEYS), 'the snapshots');
  return made;
}

beforeEach(async () => {
  relay = new TestRelay(epoch++);
  await relay.connect();
  tick(0);
});

afterEach(() => {
  for (const each of clients) each.close();
  clients = [];
  relay.disconnect();
});

describe.each(['msgpack', 'json'])('a %s client', (encoding) => {
  const query = `?encoding=${encoding}&conflateMs=0`;

  it('SU-3 SU-5 is welcomed, told its whole set, given a snapshot a partition, then updates', async () => {
    const made = await subscribed(query);
    expect(made.control('welcome')).toMatchObject([{ protocol: 1, partitions: 2, conflateMs: 0 }]);
    expect(made.control('subscribed')).toMatchObject([
      {
        id: 1,
        subscriptions: [
          { channel: 'quotes', symbols: SYMBOLS },
          { channel: 'trades', symbols: SYMBOLS },
        ],
      },
    ]);
    for (let n = 1; n < 20; n++) tick(n);
    await until(() => made.holds(relay, KEYS), 'the updates');
    expect(made.streams('update').length).toBeGreaterThan(0);
    expect(made.received.filter((r) => r.type === 'gap' || r.type === 'fault')).toEqual([]);
  });

  it('SQ-3 SQ-5 comes back with its position and gets what it missed', async () => {
    const first = await subscribed(query);
    first.close();
    for (let n = 1; n < 150; n++) tick(n);
    const again = await new TestClient(first.receiver).open(query);
    clients.push(again);
    again.subscribe(['quotes', 'trades'], SYMBOLS);
    await until(() => again.holds(relay, KEYS), 'what was missed');
    expect(again.streams('catchup').length).toBeGreaterThan(0);
    expect(again.streams('snapshot')).toEqual([]);
  });

  it('SQ-3 a new epoch replaces everything', async () => {
    const made = await subscribed(query);
    relay.disconnect();
    relay = new TestRelay(epoch++);
    await relay.connect();
    tick(7);
    await until(() => made.holds(relay, KEYS), 'the new epoch');
  });
});

it('CK-1 heartbeats carry checksums that agree', async () => {
  const made = await subscribed();
  tick(1);
  await until(() => made.control('heartbeat').some((h) => h.streams.length === 2), 'a heartbeat');
  const last = made.control('heartbeat').findLast((h) => h.streams.length === 2);
  expect(last && made.receiver.verify(last)).toEqual([]);
});

it('SQ-5 a hub that is evicted under load loses nothing', async () => {
  const made = await subscribed();
  for (let n = 1; n < 60; n++) {
    tick(n);
    if (n % 20 === 0) await evictDurableObject(await getServerByName(env.HUB, `p${(n / 20) % 2}`));
  }
  await until(() => made.holds(relay, KEYS), 'the end');
});

it('SQ-5 clients of a room that dies under load come back with their positions and miss nothing', async () => {
  const made = await subscribed();
  for (let n = 1; n < 30; n++) tick(n);
  const room = await getServerByName(env.ROOM, 'r0');
  await runInDurableObject(room, (_instance, state) => state.abort('cut')).catch(() => undefined);
  await until(() => made.closed !== undefined, 'the cut');
  for (let n = 30; n < 60; n++) tick(n);
  const again = await new TestClient(made.receiver).open('?conflateMs=0');
  clients.push(again);
  again.subscribe(['quotes', 'trades'], SYMBOLS);
  await until(() => again.holds(relay, KEYS), 'the end');
  expect(again.streams('catchup').length).toBeGreaterThan(0);
});

describe('limits', () => {
  it('PV-5 SU-4 SU-7 answers what does not fit with an error and goes on', async () => {
    const made = await client();
    made.raw('{');
    made.raw(new Uint8Array([0xc1, 0xff]));
    made.raw(packValue({ type: 'nonsense', id: 3 }));
    made.raw(JSON.stringify({ type: 'subscribe', id: 4, channels: ['gossip'], symbols: ['v:A'] }));
    made.raw(JSON.stringify({ type: 'subscribe', id: 5, channels: ['quotes'], symbols: ['<script>'] }));
    made.raw('x'.repeat(LIMITS.clientMessageBytes + 1));
    made.send({ type: 'ping' });
    await until(() => made.control('pong').length === 1, 'the pong');
    expect(made.control('error').map(({ code, id }) => [code, id])).toEqual([
      ['bad_message', undefined],
      ['bad_message', undefined],
      ['bad_message', 3],
      ['unknown_channel', 4],
      ['bad_message', 5],
      ['too_large', undefined],
    ]);
  });

  it('SU-7 is refused at the rate limit and closed with 4102 at twice the rate', async () => {
    const made = await client();
    for (let n = 0; n < LIMITS.clientMessagesPer10s * 2 + 2; n++) made.send({ type: 'ping' });
    await until(() => made.closed !== undefined, 'the close');
    expect(made.closed?.code).toBe(4102);
    expect(made.control('pong').length).toBe(LIMITS.clientMessagesPer10s);
    expect(made.control('error')[0]).toMatchObject({ code: 'rate_limited', retryable: true });
  });

  it('SU-7 holds at most 1,000 subscriptions, all or nothing', async () => {
    const made = await client();
    const symbols = Array.from({ length: 500 }, (_, i) => `v:S${i}`);
    made.send({ type: 'subscribe', channels: ['quotes'], symbols });
    made.send({ type: 'subscribe', channels: ['trades', 'stats'], symbols });
    await until(() => made.control('error').length === 1, 'the error');
    expect(made.control('error')[0]).toMatchObject({ code: 'too_many_subscriptions', id: 2 });
    expect(made.control('subscribed').length).toBe(1);
  });

  it('PV-1 closes a version that is not served with 4103', async () => {
    const made = await client('?v=99');
    await until(() => made.closed !== undefined, 'the close');
    expect(made.closed?.code).toBe(4103);
  });
});

it('SU-6 CF-1 a window is answered as it is applied, and changed without loss', async () => {
  const made = await subscribed();
  made.send({ type: 'conflate', conflateMs: 60 });
  await until(() => made.control('subscribed').length === 2, 'the answer');
  expect(made.control('subscribed')[1]?.conflateMs).toBe(250);
  for (let n = 1; n < 30; n++) tick(n);
  await until(() => made.holds(relay, KEYS), 'the newest');
});

it('SU-10 answers the beacon without a message of its own', async () => {
  const made = await client();
  made.raw('b');
  await until(() => made.texts.includes('k'), 'the reply');
  expect(made.control('error')).toEqual([]);
});

describe('SSE', () => {
  async function read(response: Response, enough: (text: string) => boolean): Promise<string> {
    const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader();
    let text = '';
    while (!enough(text)) {
      const chunk = await reader?.read();
      if (chunk === undefined || chunk.done) break;
      text += chunk.value;
    }
    await reader?.cancel();
    return text;
  }
  const url = `${ORIGIN}/v1/sse?channels=trades&symbols=v:A&conflateMs=0`;

  it('SU-8 sends messages as named events with a cursor, and resumes from it', async () => {
    const text = await read(
      await SELF.fetch(url),
      (sofar) => sofar.includes('event: snapshot') && sofar.endsWith('\n\n'),
    );
    expect(text).toContain('event: welcome');
    expect(text).toContain('event: subscribed');
    const cursor = /id: (\S+)/.exec(text)?.[1] ?? '';
    expect(cursor).toMatch(/^\d+\.\d+\.\d+$/);
    tick(1);
    tick(2);
    await subscribed();
    const again = await read(await SELF.fetch(url, { headers: { 'last-event-id': cursor } }), (sofar) =>
      /event: (catchup|snapshot)[^]*\n\n$/.test(sofar),
    );
    expect(again).toContain('event: catchup');
    const data = JSON.parse(/event: catchup\n(?:id: .*\n)?data: (.*)\n/.exec(again)?.[1] ?? '{}') as {
      updates: { rows: unknown[] }[];
    };
    expect(data.updates[0]?.rows.length).toBe(2);
  });

  it('ER-2 refuses what cannot be served with a problem', async () => {
    for (const [query, status, code] of [
      ['channels=gossip&symbols=v:A', 404, 'unknown_channel'],
      ['channels=trades', 400, 'bad_request'],
      ['channels=trades&symbols=v:A&v=7', 400, 'unsupported_version'],
    ] as const) {
      const response = await SELF.fetch(`${ORIGIN}/v1/sse?${query}`);
      expect(response.status).toBe(status);
      expect(response.headers.get('content-type')).toBe('application/problem+json');
      expect(await response.json()).toMatchObject({ code, status });
    }
  });
});

describe('gateway', () => {
  it('ER-2 lets no relay in without the secret', async () => {
    for (const authorization of ['', 'Bearer wrong', 'Basic test-secret', 'Bearer test-secret2']) {
      const response = await SELF.fetch(`${ORIGIN}/relay/0`, { headers: { upgrade: 'websocket', authorization } });
      expect(response.status).toBe(401);
      expect(await response.json()).toMatchObject({ code: 'unauthorized' });
    }
  });

  it('ER-2 ER-3 says that the core is away, without saying where it is', async () => {
    const response = await SELF.fetch(`${ORIGIN}/v1/symbols`);
    expect(response.status).toBe(503);
    expect(await response.text()).not.toContain('127.0.0.1');
  });
});
