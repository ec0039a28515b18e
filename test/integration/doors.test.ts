/** Every way in that the README names, taken as a stranger would: curl, a native EventSource, a plain WebSocket in JSON. */
import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { EventSource } from 'eventsource';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { finished, spawnCli } from '../support/cli.ts';

interface Operation {
  parameters?: {
    name: string;
    in: string;
    required?: boolean;
    example?: string | number;
    schema?: { default?: unknown };
  }[];
}
interface OpenApi {
  openapi: string;
  paths: Record<string, { get?: Operation }>;
}

const root = mkdtempSync(join(tmpdir(), 'edgetape-doors-'));
let product: ChildProcess;
let url = '';
let symbol = '';

async function curl(...args: string[]): Promise<{ status: number; type: string; body: string }> {
  const child = spawn('curl', ['-s', '-w', '\n%{http_code} %{content_type}', ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const { stdout } = await finished(child);
  const cut = stdout.lastIndexOf('\n');
  const [status = '', ...type] = stdout.slice(cut + 1).split(' ');
  return { status: Number(status), type: type.join(' '), body: stdout.slice(0, cut) };
}

beforeAll(async () => {
  product = spawnCli(['dev', '--data-dir', root, '--port', '0', '--seed', '11', '--log-level', 'warn']);
  url = await new Promise<string>((resolve, reject) => {
    let text = '';
    product.stdout?.on('data', (chunk: Buffer) => {
      text += chunk.toString();
      const found = /Edgetape +(http\S+)/.exec(text)?.[1];
      if (found !== undefined) resolve(found);
    });
    product.once('exit', (code) => reject(new Error(`ended with ${code}: ${text}`)));
  });
  for (;;) {
    const { symbols } = JSON.parse((await curl(`${url}/v1/symbols`)).body) as {
      symbols: { symbol: string; trades: number }[];
    };
    const busiest = symbols.sort((a, b) => b.trades - a.trades)[0];
    if ((busiest?.trades ?? 0) > 5) {
      symbol = busiest?.symbol ?? '';
      return;
    }
  }
}, 60_000);

afterAll(async () => {
  const done = finished(product);
  product.kill('SIGINT');
  expect((await done).code).toBe(0);
  rmSync(root, { recursive: true, force: true });
}, 60_000);

describe('REST', { timeout: 60_000 }, () => {
  it('QY-1 every documented endpoint answers curl as documented', async () => {
    const document = JSON.parse((await curl(`${url}/openapi.json`)).body) as OpenApi;
    expect(document.openapi).toMatch(/^3\.1/);
    const paths = Object.entries(document.paths);
    expect(paths.length).toBeGreaterThanOrEqual(8);
    for (const [path, { get }] of paths) {
      const query = new URLSearchParams();
      let target = path;
      for (const parameter of get?.parameters ?? []) {
        const value = /symbol|instrument/.test(parameter.name) ? symbol : parameter.name === 'tf' ? '1m' : undefined;
        if (parameter.in === 'path') target = target.replace(`{${parameter.name}}`, encodeURIComponent(symbol));
        else if (parameter.required === true) query.set(parameter.name, value ?? String(parameter.example));
      }
      const answer = await curl(`${url}${target}?${query}`);
      expect(answer.status, `${target}?${query} ${answer.body.slice(0, 300)}`).toBe(200);
    }
    expect((await curl(`${url}/docs`)).type).toContain('text/html');
  });

  it.each([
    ['/v1/bars?symbol=simulated:NOSUCH&tf=1m', 404, 'unknown_symbol'],
    ['/v1/trades?symbol=no', 400, 'bad_request'],
    ['/v1/bars?symbol=SYMBOL&tf=1m&from=2024-01-02T00:00:00Z&to=2024-01-01T00:00:00Z', 400, 'bad_range'],
    ['/v1/trades?symbol=SYMBOL&cursor=abc', 400, 'bad_cursor'],
    ['/v1/bars?symbol=SYMBOL&tf=7m', 400, 'bad_request'],
    ['/v1/nothing', 404, 'not_found'],
  ])('ER-1 ER-2 %s is refused with %i %s as problem+json', async (path, status, code) => {
    const answer = await curl(url + path.replace('SYMBOL', encodeURIComponent(symbol)));
    expect([answer.status, answer.type]).toEqual([status, expect.stringContaining('application/problem+json')]);
    const problem = JSON.parse(answer.body) as Record<string, unknown>;
    expect(problem).toMatchObject({ status, code, retryable: false });
    expect(answer.body).not.toMatch(/\bat .*\.ts|SELECT|node_modules/);
  });
});

describe('streams', { timeout: 60_000 }, () => {
  it('SU-8 curl -N shows server-sent events', async () => {
    const child = spawn('curl', ['-sN', `${url}/v1/sse?channels=quotes,trades&symbols=${symbol}`], {
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    let text = '';
    await new Promise<void>((resolve) => {
      child.stdout.on('data', (chunk: Buffer) => {
        text += chunk.toString();
        if (/event: update\n/.test(text)) resolve();
      });
    });
    child.kill();
    expect(text).toMatch(/^event: welcome\ndata: \{/);
    expect(text).toContain('event: snapshot\nid: ');
    expect(text).toContain(symbol);
  });

  it('SU-8 a native EventSource gets snapshot and updates, and a cursor to come back with', async () => {
    const source = new EventSource(`${url}/v1/sse?channels=trades&symbols=${symbol}`);
    const first = async (name: string): Promise<MessageEvent<string>> =>
      new Promise((resolve) =>
        source.addEventListener(name, (event) => resolve(event as MessageEvent<string>), { once: true }),
      );
    const [snapshot, update] = await Promise.all([first('snapshot'), first('update')]);
    source.close();
    const held = JSON.parse(snapshot.data) as { seq: number; epoch: number };
    const next = JSON.parse(update.data) as { seqFrom: number; seq: number; epoch: number };
    expect(next.epoch).toBe(held.epoch);
    expect(next.seqFrom).toBeLessThanOrEqual(held.seq + 1);
    expect(update.lastEventId).toMatch(/^\d+\.\d+\.\d+/);
  });

  it('SU-3 SU-5 PV-3 a plain WebSocket speaks JSON', async () => {
    const socket = new WebSocket(`${url.replace('http', 'ws')}/v1/stream?encoding=json`);
    const messages: { type: string; [key: string]: unknown }[] = [];
    await new Promise<void>((resolve, reject) => {
      socket.onopen = () =>
        socket.send(JSON.stringify({ type: 'subscribe', id: 1, channels: ['quotes'], symbols: [symbol] }));
      socket.onerror = () => reject(new Error('the socket failed'));
      socket.onmessage = (event) => {
        messages.push(JSON.parse(event.data as string) as { type: string });
        if (messages.at(-1)?.type === 'update') resolve();
      };
    });
    socket.close();
    const types = messages.map(({ type }) => type);
    expect(types.slice(0, 3)).toEqual(['welcome', 'subscribed', 'snapshot']);
    const update = messages.at(-1) as unknown as {
      updates: { channel: string; symbol: string; fields: Record<string, unknown> }[];
    };
    expect(update.updates[0]).toMatchObject({ channel: 'quotes', symbol });
  });
});
