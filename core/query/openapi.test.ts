/** The document holds, and the API is what the document says: every answer is checked against the schema it names. */
import { Validator } from '@seriousme/openapi-schema-validator';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { beforeAll, describe, expect, it } from 'vitest';
import { aBar, MINUTES, queryFixture, T0, type QueryFixture } from '../../test/support/query-app.ts';

interface Operation {
  operationId?: string;
  tags?: string[];
  summary?: string;
  description?: string;
  parameters?: { name: string; in: string; example?: unknown; description?: string }[];
  responses: Record<string, { content?: Record<string, { schema: object; example?: unknown }> }>;
}
interface Document {
  openapi: string;
  paths: Record<string, { get?: Operation }>;
  tags: { name: string }[];
}

let fixture: QueryFixture;
let document: Document;
let ajv: Ajv2020;

beforeAll(async () => {
  fixture = await queryFixture();
  fixture.live.bar(
    aBar('asx:BHP', '1m', T0 + MINUTES * 60_000, { state: 'provisional', revision: 0, open: Number.NaN, volume: 0n }),
  );
  fixture.live.status({
    venue: 'asx',
    state: 'connected',
    simulated: false,
    eventMs: T0,
    watermarkMs: Number.NaN,
    gaps: 0,
    late: 0,
    duplicates: 0,
  });
  document = (await (await fixture.app.request('/openapi.json')).json()) as Document;
  ajv = new Ajv2020({ strict: false, allErrors: true });
  ajv.addSchema(document, 'doc');
});

function operations(): [string, Operation][] {
  return Object.entries(document.paths).flatMap(([path, item]) =>
    item.get === undefined ? [] : [[path, item.get] as [string, Operation]],
  );
}

function valid(schema: object, value: unknown): string[] {
  const resolved = JSON.parse(JSON.stringify(schema).replaceAll('"#/components', '"doc#/components')) as object;
  const check = ajv.compile(resolved);
  return check(value) ? [] : (check.errors ?? []).map((error) => `${error.instancePath} ${error.message}`);
}

const REQUESTS: Record<string, string[]> = {
  '/v1/symbols': ['', '?q=bhp&limit=1'],
  '/v1/symbols/{symbol}': ['asx:BHP'],
  '/v1/last': ['', '?symbol=asx:RIO'],
  '/v1/stats': ['?symbol=asx:BHP'],
  '/v1/bars': ['?symbol=asx:BHP&limit=2', '?symbol=asx:BHP&order=desc&limit=2', '?symbol=asx:RIO&tf=1h'],
  '/v1/trades': ['', '?symbol=asx:BHP&limit=3'],
  '/v1/quotes': ['', '?symbol=asx:BHP&limit=3'],
  '/v1/profile': ['?symbol=asx:BHP&limit=2'],
  '/v1/health': [''],
  '/v1/status': [''],
};

describe('OpenAPI document', () => {
  it('QY-1 is a valid OpenAPI 3.1 document', async () => {
    const result = await new Validator().validate(structuredClone(document) as unknown as Record<string, unknown>);
    expect(result.errors ?? []).toEqual([]);
    expect(document.openapi).toMatch(/^3\.1\./);
  });

  it('QY-1 every operation has an id of its own, a declared tag, a text, and problems for its errors', () => {
    const ids = operations().map(([, operation]) => operation.operationId);
    expect(new Set(ids).size).toBe(ids.length);
    const tags = new Set(document.tags.map(({ name }) => name));
    for (const [path, operation] of operations()) {
      expect(operation.operationId, path).toMatch(/^[a-z][A-Za-z]+$/);
      expect(
        operation.tags?.every((tag) => tags.has(tag)),
        path,
      ).toBe(true);
      expect(operation.description?.length, path).toBeGreaterThan(20);
      for (const [status, response] of Object.entries(operation.responses)) {
        if (Number(status) >= 400 && path !== '/v1/health')
          expect(Object.keys(response.content ?? {}), path).toEqual(['application/problem+json']);
      }
      for (const parameter of operation.parameters ?? [])
        expect(parameter.description?.length, `${path} ${parameter.name}`).toBeGreaterThan(5);
    }
  });

  it('QY-1 every example fits its schema', () => {
    for (const [path, operation] of operations()) {
      const json = operation.responses['200']?.content?.['application/json'];
      expect(json?.example, path).toBeDefined();
      expect(valid(json?.schema ?? {}, json?.example), path).toEqual([]);
    }
  });

  it('QY-1 every answer fits the schema of its operation', async () => {
    expect(Object.keys(document.paths).sort()).toEqual(Object.keys(REQUESTS).sort());
    for (const [path, operation] of operations()) {
      const json = operation.responses['200']?.content?.['application/json'];
      for (const query of REQUESTS[path] ?? []) {
        const response = await fixture.app.request(path.includes('{') ? path.replace('{symbol}', query) : path + query);
        expect(response.status, path + query).toBe(200);
        const body = (await response.json()) as { asOfMs?: unknown };
        expect(valid(json?.schema ?? {}, body), path + query).toEqual([]);
        expect(typeof body.asOfMs, path).toBe('number');
      }
    }
  });

  it('ER-2 every problem fits the schema of problems', async () => {
    const schema =
      document.paths['/v1/bars']?.get?.responses['400']?.content?.['application/problem+json']?.schema ?? {};
    for (const path of [
      '/v1/bars',
      '/v1/bars?symbol=x:Y',
      '/v1/none',
      '/v1/bars?symbol=asx:BHP&cursor=1',
      '/v1/trades?from=x',
    ]) {
      expect(valid(schema, await (await fixture.app.request(path)).json()), path).toEqual([]);
    }
  });

  it('the readable page names every path and schema, and needs nothing from elsewhere', async () => {
    const response = await fixture.app.request('/docs');
    const page = await response.text();
    expect(response.headers.get('content-security-policy')).toContain("default-src 'none'");
    for (const path of Object.keys(document.paths)) expect(page).toContain(`GET ${path}`);
    for (const [, target] of page.matchAll(/href="#([^"]+)"/g)) expect(page).toContain(`id="${target}"`);
    expect(page).not.toMatch(/<script|https?:\/\//);
  });
});
