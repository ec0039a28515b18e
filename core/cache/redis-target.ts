/**
 * Where Redis is, read from one address:
 *
 * - `redis://[user:password@]host:port[/db]`, `rediss://` with TLS: one server
 * - `redis+sentinel://[user:password@]host:port,host:port/master-name[/db]`: whichever server the sentinels name
 * - `redis+cluster://[user:password@]host:port,host:port`: a cluster, found from any of its nodes
 *
 * `rediss+sentinel` and `rediss+cluster` speak TLS.
 */

export interface RedisNode {
  host: string;
  port: number;
}

export interface RedisTarget {
  mode: 'single' | 'sentinel' | 'cluster';
  nodes: RedisNode[];
  /** Name of the master that the sentinels watch; '' in the other modes. */
  masterName: string;
  db: number;
  username: string;
  password: string;
  tls: boolean;
}

const ADDRESS = /^(redis|rediss)(?:\+(sentinel|cluster))?:\/\/(?:([^@/]*)@)?([^/?#]+)(?:\/([^?#]*))?$/;
const NODE = /^(\[[0-9a-f:]+\]|[A-Za-z0-9._-]+)(?::(\d{1,5}))?$/;

/** The target, or a sentence that says what is wrong with the address. The sentence never repeats a password. */
export function readRedisTarget(address: string): { target: RedisTarget } | { fault: string } {
  const match = ADDRESS.exec(address);
  if (match === null) return { fault: 'must look like redis://host:6379, redis+sentinel://… or redis+cluster://…' };
  const [, scheme, kind, credentials = '', hosts = '', path = ''] = match;
  const mode = kind === 'sentinel' ? 'sentinel' : kind === 'cluster' ? 'cluster' : 'single';
  const nodes: RedisNode[] = [];
  for (const text of hosts.split(',')) {
    const node = NODE.exec(text);
    const port = Number(node?.[2] ?? (mode === 'sentinel' ? 26_379 : 6_379));
    if (node?.[1] === undefined || port < 1 || port > 65_535) return { fault: 'names a server that is not host:port' };
    nodes.push({ host: node[1].replace(/^\[|\]$/g, ''), port });
  }
  if (mode === 'single' && nodes.length > 1)
    return { fault: 'names several servers: use redis+sentinel:// or redis+cluster://' };
  const parts = path === '' ? [] : path.split('/');
  const masterName = mode === 'sentinel' ? (parts.shift() ?? '') : '';
  if (mode === 'sentinel' && masterName === '')
    return { fault: 'must name the master behind the sentinels: redis+sentinel://host:26379/mymaster' };
  const dbText = parts.shift() ?? '0';
  if (parts.length > 0 || !/^\d{1,4}$/.test(dbText))
    return { fault: 'must end in the number of a database, or in nothing' };
  if (mode === 'cluster' && dbText !== '0') return { fault: 'names a database: a Redis Cluster has only number 0' };
  const login = readCredentials(credentials);
  if (login === undefined) return { fault: 'has a user or password that is not percent-encoded' };
  return { target: { mode, nodes, masterName, db: Number(dbText), ...login, tls: scheme === 'rediss' } };
}

function readCredentials(text: string): { username: string; password: string } | undefined {
  const colon = text.indexOf(':');
  try {
    if (colon < 0) return { username: '', password: decodeURIComponent(text) };
    return {
      username: decodeURIComponent(text.slice(0, colon)),
      password: decodeURIComponent(text.slice(colon + 1)),
    };
  } catch {
    return undefined;
  }
}
