/** Answers of the REST API: what a route gives, and how it goes out (form, caching, 304). */
import { createHash } from 'node:crypto';
import type { Context } from 'hono';
import type * as v from 'valibot';
import type { ParameterDoc, Params } from './params.ts';

/** live: may change with the next tick; closed: a range whose bars are final; never: about this moment only. */
export type Freshness = 'live' | 'closed' | 'never';

export interface Answer {
  json: Record<string, unknown>;
  /** The same rows as CSV, with their header, where the client asked for that. */
  csv?: string | undefined;
  next?: string | null;
  freshness: Freshness;
  status?: 200 | 503;
}

/** One GET route, declared once for router and document. */
export interface Route {
  path: string;
  operationId: string;
  summary: string;
  description: string;
  tag: string;
  params: Params;
  pathParams?: ParameterDoc[];
  schema: v.GenericSchema;
  example: unknown;
  csvExample?: string;
  problems?: Record<number, string>;
  /** What a 503 with the ordinary answer in it means, where there is one. */
  unready?: string;
  /** `query` holds the values of `params`. */
  answer(query: never, context: Context): Promise<Answer>;
}

/** Keeps the parameters' value types inside a route while a list of routes forgets them. */
export function route<P extends Params>(
  declared: Omit<Route, 'params' | 'answer'> & {
    params: P;
    answer(
      query: {
        [K in keyof P]: P[K] extends { read(text: string | undefined): infer R }
          ? Extract<R, { value: unknown }>['value']
          : never;
      },
      context: Context,
    ): Promise<Answer>;
  },
): Route {
  return declared as unknown as Route;
}

/** A closed range changes only by a correction: it may be held for a minute, and shown for an hour while it is asked for anew. */
const CACHE_CONTROL: Record<Freshness, string> = {
  live: 'public, max-age=1, stale-while-revalidate=5',
  closed: 'public, max-age=60, stale-while-revalidate=3600',
  never: 'no-store',
};

export function wantsCsv(context: Context): boolean {
  const accept = context.req.header('accept') ?? '';
  return /(^|[\s,])text\/csv\b/.test(accept);
}

/** Sends the answer. The ETag is of the content, not of the moment: `asOfMs` is no part of it. */
export function sendAnswer(context: Context, answer: Answer): Response {
  const headers: Record<string, string> = { 'cache-control': CACHE_CONTROL[answer.freshness], vary: 'accept' };
  if (answer.next) headers['link'] = `<${nextAddress(context.req.url, answer.next)}>; rel="next"`;
  const csv = answer.csv;
  if (answer.freshness !== 'never') {
    const { asOfMs: _, ...content } = answer.json;
    headers['etag'] = `W/"${createHash('sha256')
      .update(csv ?? JSON.stringify(content))
      .digest('base64url')
      .slice(0, 22)}"`;
    if (matches(context.req.header('if-none-match'), headers['etag'])) return context.body(null, 304, headers);
  }
  if (csv !== undefined) return context.body(csv, 200, { ...headers, 'content-type': 'text/csv; charset=utf-8' });
  return context.body(JSON.stringify(answer.json), answer.status ?? 200, {
    ...headers,
    'content-type': 'application/json',
  });
}

function matches(ifNoneMatch: string | undefined, etag: string): boolean {
  if (ifNoneMatch === undefined) return false;
  const bare = (tag: string): string => tag.trim().replace(/^W\//, '');
  return ifNoneMatch.trim() === '*' || ifNoneMatch.split(',').some((tag) => bare(tag) === bare(etag));
}

/** Path and query of the next page, without the host: whoever asked knows it. */
function nextAddress(url: string, cursor: string): string {
  const { pathname, searchParams } = new URL(url);
  searchParams.set('cursor', cursor);
  return `${pathname}?${searchParams.toString()}`;
}
