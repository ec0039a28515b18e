/** REST goes to the core's query server; its cache headers are respected on the way. */
import { problem } from './problem.ts';

const TIMEOUT_MS = 30_000;
/** What a request may bring, in bytes; everything that is served is asked by URL. */
const MAX_BODY_BYTES = 65_536;
const PASSED_ON = [
  'accept',
  'accept-encoding',
  'content-type',
  'if-none-match',
  'if-modified-since',
  'range',
  'traceparent',
];

export async function proxyToCore(request: Request, coreUrl: string): Promise<Response> {
  const url = new URL(request.url);
  const target = new URL(`${url.pathname}${url.search}`, coreUrl);
  if (Number(request.headers.get('content-length') ?? 0) > MAX_BODY_BYTES) {
    return problem('too_large', `A request has at most ${MAX_BODY_BYTES} bytes.`);
  }
  const headers = new Headers();
  for (const name of PASSED_ON) {
    const value = request.headers.get(name);
    if (value !== null) headers.set(name, value);
  }
  headers.set('x-forwarded-host', url.host);
  headers.set('x-forwarded-proto', url.protocol.slice(0, -1));
  const bodiless = request.method === 'GET' || request.method === 'HEAD';
  try {
    const answer = await fetch(target, {
      method: request.method,
      headers,
      body: bodiless ? null : await request.arrayBuffer(),
      redirect: 'manual',
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
    const response = new Response(answer.body, answer);
    response.headers.set('x-content-type-options', 'nosniff');
    return response;
  } catch {
    return problem('unavailable', 'The core cannot be reached.', { 'retry-after': '2' });
  }
}
