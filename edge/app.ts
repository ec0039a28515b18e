/** The gateway: who goes where, under which limits (DESIGN §1). Opening the doors to users with rights is `admit`'s to decide. */
import { Hono, type Context } from 'hono';
import { getServerByName } from 'partyserver';
import { count, type Env } from './env.ts';
import { bearerMatches } from './gateway/secret.ts';
import { problem } from './gateway/problem.ts';
import { proxyToCore } from './gateway/proxy.ts';
import { withSecurityHeaders } from './gateway/security.ts';
import { HUB_PATH, hubName } from './hub/hub.ts';
import { logEvent } from './log.ts';

type Gateway = Context<{ Bindings: Env }>;

/** Longest URL that is looked at; an SSE subscription of 500 symbols fits. */
const MAX_URL_CHARS = 16_384;

/**
 * The one place where a request is let in or refused: a Response refuses it. Everybody is let in as long as there are no users.
 */
function admit(context: Gateway): Response | undefined {
  return context.req.url.length > MAX_URL_CHARS
    ? problem('too_large', `A URL has at most ${MAX_URL_CHARS} characters.`)
    : undefined;
}

export const app = new Hono<{ Bindings: Env }>();

app.use(async (context, next) => {
  const refused = admit(context);
  if (refused !== undefined) return refused;
  await next();
  return undefined;
});

app.get('/v1/stream', async (context) => {
  if (!wantsSocket(context)) return problem('bad_request', 'A WebSocket is opened here.', { upgrade: 'websocket' });
  return toRoom(context);
});

app.get('/v1/sse', (context) => toRoom(context));

app.get('/relay/:partition', async (context) => {
  const partitions = count('HUB_PARTITIONS', context.env.HUB_PARTITIONS, 1_024);
  if (!(await bearerMatches(context.req.header('authorization'), context.env.RELAY_SECRET))) {
    return problem('unauthorized', 'The relay must show its secret.', { 'www-authenticate': 'Bearer' });
  }
  const partition = Number(context.req.param('partition'));
  if (!Number.isInteger(partition) || partition < 0 || partition >= partitions) {
    return problem('not_found', `There are ${partitions} partitions, from 0.`);
  }
  if (!wantsSocket(context)) return problem('bad_request', 'A WebSocket is opened here.', { upgrade: 'websocket' });
  const hub = await getServerByName(context.env.HUB, hubName(partition));
  return hub.fetch(`http://hub${HUB_PATH.relay}?_pk=${crypto.randomUUID()}`, { headers: { upgrade: 'websocket' } });
});

for (const path of ['/v1/*', '/openapi.json', '/docs', '/docs/*', '/healthz', '/readyz']) {
  app.all(path, (context) => proxyToCore(context.req.raw, context.env.CORE_URL));
}

app.get('*', async (context) => withSecurityHeaders(await context.env.ASSETS.fetch(context.req.raw)));

app.notFound((context) => problem('method_not_allowed', `${context.req.method} is not served here.`));

app.onError((error) => {
  logEvent('error', 'A request failed', { error: String(error) });
  return problem('internal', 'The error was written down here; asking again may help.');
});

function wantsSocket(context: Gateway): boolean {
  return context.req.header('upgrade')?.toLowerCase() === 'websocket';
}

/** Any room serves any client: they differ by load only. The connection's id is ours, not the client's. */
async function toRoom(context: Gateway): Promise<Response> {
  const shards = count('ROOM_SHARDS', context.env.ROOM_SHARDS, 10_000);
  const id = crypto.randomUUID();
  const shard = Number.parseInt(id.slice(0, 8), 16) % shards;
  const room = await getServerByName(context.env.ROOM, `r${shard}`);
  const url = new URL(context.req.url);
  url.searchParams.set('_pk', id);
  return room.fetch(new Request(url, context.req.raw));
}
