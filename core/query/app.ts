/**
 * The REST API (SPEC QY, ER): routes, each with its parameters, its OpenAPI description and its handler. What an answer says is
 * decided in the `*-routes.ts` files; this file holds what all of them share: limits, errors, caching, the document itself.
 */
import { Hono, type Context, type MiddlewareHandler } from 'hono';
import { describeRoute, generateSpecs, resolver, type DescribeRouteOptions } from 'hono-openapi';
import type { Clock } from '#shared/clock.ts';
import { EdgetapeError } from '#shared/errors.ts';
import { problemSchema } from '#shared/market.ts';
import type { Logger } from '../ops/logger.ts';
import type { MarketStore } from '../stores/stores.ts';
import type { Answer, Route } from './answer.ts';
import { sendAnswer } from './answer.ts';
import { createDirectory } from './directory.ts';
import { DOCS_CSP, docsPage, type ApiDocument } from './docs-page.ts';
import { healthRoutes, type HealthProbe, type StatusProbe } from './health-routes.ts';
import type { LiveState } from './live-state.ts';
import { lastRoutes } from './last-routes.ts';
import { describeParams, readQuery } from './params.ts';
import { PROBLEM_TYPE, toProblem } from './problem.ts';
import { rangeRoutes } from './range-routes.ts';
import { symbolRoutes } from './symbol-routes.ts';

export interface QueryDeps {
  store: MarketStore;
  live: LiveState;
  clock: Clock;
  logger: Logger;
  /** Product version, for the document and /v1/status. */
  version: string;
  health: HealthProbe;
  status: StatusProbe;
  /** Prometheus text; /metrics is not served when left out. */
  metrics?: () => Promise<{ contentType: string; body: string }>;
  /** A request that takes longer is answered 503. */
  requestTimeoutMs: number;
}

const MAX_URL_CHARS = 4_096;
const MAX_BODY_BYTES = 0;

const DESCRIPTION = `Bars, volume profiles, trades, quotes and statistics that are exact, with their state: \`provisional\` while a window is open, \`final\` once its time has passed, \`revised\` when a late trade, a cancel or a correction changed it after that.

Prices, sizes and sums are decimal strings. Times are integers with their unit in the name. Lists are paged by \`next\`, which goes into \`cursor\` with the other parameters left as they were. Errors are RFC 9457 problems with a \`code\` from a closed list.`;

export const TAGS = [
  { name: 'symbols', description: 'Which instruments there are' },
  { name: 'market data', description: 'Prices, trades, quotes, bars, profiles and statistics' },
  { name: 'service', description: 'How the service itself is doing' },
];

/** The whole API as a fetch handler, with its OpenAPI document. */
export function createQueryApp(deps: QueryDeps): Hono {
  const app = new Hono();
  const directory = createDirectory(deps);
  const routes: Route[] = [
    ...symbolRoutes({ ...deps, directory }),
    ...lastRoutes({ ...deps, directory }),
    ...rangeRoutes({ ...deps, directory }),
    ...healthRoutes(deps),
  ];

  app.use(guard(deps));
  for (const route of routes) {
    app.get(route.path, describeRoute(describe(route)), async (context) => {
      const query = readQuery(route.params, new URL(context.req.url).searchParams);
      const answer = await within(route.answer(query as never, context), deps);
      return sendAnswer(context, answer);
    });
    app.all(route.path, notAllowed);
  }

  let document: Promise<unknown> | undefined;
  app.get('/openapi.json', async (context) => {
    document ??= openApiDocument(app, deps.version);
    return context.json((await document) as object, 200, { 'cache-control': 'public, max-age=60' });
  });
  app.get('/docs', async (context) => {
    document ??= openApiDocument(app, deps.version);
    const page = docsPage((await document) as ApiDocument);
    return context.html(page, 200, { 'content-security-policy': DOCS_CSP, 'cache-control': 'public, max-age=60' });
  });
  const metrics = deps.metrics;
  if (metrics !== undefined) {
    app.get('/metrics', async () => {
      const { contentType, body } = await metrics();
      return new Response(body, { headers: { 'content-type': contentType, 'cache-control': 'no-store' } });
    });
  }
  for (const path of ['/openapi.json', '/docs', '/metrics']) app.all(path, notAllowed);

  app.notFound((context) =>
    problem(context, new EdgetapeError('not_found', 'No such path; /openapi.json lists those there are.')),
  );
  app.onError((error, context) => {
    if (!(error instanceof EdgetapeError) || error.cause !== undefined)
      deps.logger.error('request failed', {
        path: context.req.path,
        error: error.stack ?? String(error),
        cause: causeText(error),
      });
    return problem(context, error);
  });
  return app;
}

function causeText(error: Error): string | undefined {
  return error.cause instanceof Error ? error.cause.stack : undefined;
}

/** OpenAPI 3.1 document of the app. */
export async function openApiDocument(app: Hono, version: string): Promise<Record<string, unknown>> {
  const document = await generateSpecs(app, {
    documentation: {
      info: {
        title: 'Edgetape',
        version,
        description: DESCRIPTION,
        license: { name: 'Proprietary', identifier: 'LicenseRef-Proprietary' },
      },
      servers: [{ url: '/', description: 'This server' }],
      tags: TAGS,
      security: [],
    },
  });
  return document as unknown as Record<string, unknown>;
}

function describe(route: Route): DescribeRouteOptions {
  const content: Record<string, object> = {
    'application/json': { schema: resolver(route.schema), example: route.example },
  };
  if (route.csvExample !== undefined) content['text/csv'] = { schema: { type: 'string' }, example: route.csvExample };
  const problems: Record<string, object> = {};
  const expected = { 400: 'The request cannot be read', ...route.problems, 503: 'Not available at the moment' };
  for (const [status, description] of Object.entries(expected))
    problems[status] = { description, content: { [PROBLEM_TYPE]: { schema: resolver(problemSchema) } } };
  return {
    operationId: route.operationId,
    summary: route.summary,
    description: route.description,
    tags: [route.tag],
    parameters: [...(route.pathParams ?? []), ...describeParams(route.params)],
    responses: {
      200: { description: route.summary, content },
      ...problems,
      ...(route.unready === undefined ? {} : { 503: { description: route.unready, content } }),
    },
  } as DescribeRouteOptions;
}

function problem(context: Context, error: unknown): Response {
  const body = toProblem(error);
  const headers: Record<string, string> = { 'content-type': PROBLEM_TYPE, 'cache-control': 'no-store' };
  if (body.code === 'method_not_allowed') headers['allow'] = 'GET, HEAD';
  if (body.status === 503) headers['retry-after'] = '1';
  return context.body(JSON.stringify(body), body.status as 400, headers);
}

function notAllowed(context: Context): never {
  throw new EdgetapeError('method_not_allowed', `${context.req.method.slice(0, 16)} is not served here; GET is.`);
}

/** Limits before anything is looked at; headers that every answer carries. */
function guard(deps: QueryDeps): MiddlewareHandler {
  return async (context, next) => {
    if (context.req.url.length > MAX_URL_CHARS)
      throw new EdgetapeError('too_large', `An address may have at most ${MAX_URL_CHARS} characters.`);
    if (
      Number(context.req.header('content-length') ?? 0) > MAX_BODY_BYTES ||
      context.req.header('transfer-encoding') !== undefined
    )
      throw new EdgetapeError('too_large', 'Requests here have no body.');
    const startedMs = deps.clock.nowMs();
    await next();
    context.header('x-content-type-options', 'nosniff');
    context.header('server-timing', `app;dur=${deps.clock.nowMs() - startedMs}`);
  };
}

/** The answer, or `unavailable` when it takes too long. */
async function within(answer: Promise<Answer>, deps: QueryDeps): Promise<Answer> {
  let cancel = (): void => {};
  const timeout = new Promise<never>((_, reject) => {
    cancel = deps.clock.schedule(deps.requestTimeoutMs, () =>
      reject(new EdgetapeError('unavailable', `No answer within ${deps.requestTimeoutMs} ms; ask for less, or again.`)),
    );
  });
  try {
    return await Promise.race([answer, timeout]);
  } finally {
    cancel();
  }
}
