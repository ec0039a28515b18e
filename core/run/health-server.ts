/** Liveness, readiness and metrics of a process, for whatever watches over it. */
import { createServer } from 'node:http';
import { portError } from '../ops/port.ts';

export interface HealthServerOptions {
  host: string;
  port: number;
  /** What keeps the process from working; empty when it is ready. */
  unready(): Promise<readonly string[]>;
  metrics(): Promise<{ contentType: string; body: string }>;
}

/** `/livez`: the process answers. `/readyz`: 200, or 503 with a line for each thing that is missing. `/metrics`: Prometheus text. */
export function startHealthServer(options: HealthServerOptions): Promise<{ url: string; stop(): Promise<void> }> {
  const answer = async (path: string): Promise<{ status: number; type: string; body: string }> => {
    const type = 'text/plain; charset=utf-8';
    if (path === '/livez') return { status: 200, type, body: 'ok\n' };
    if (path === '/readyz') {
      const missing = await options.unready();
      return missing.length === 0
        ? { status: 200, type, body: 'ready\n' }
        : { status: 503, type, body: `${missing.join('\n')}\n` };
    }
    if (path !== '/metrics') return { status: 404, type, body: 'There are /livez, /readyz and /metrics.\n' };
    const { contentType, body } = await options.metrics();
    return { status: 200, type: contentType, body };
  };
  const server = createServer((request, response) => {
    answer((request.url ?? '').split('?')[0] ?? '').then(
      ({ status, type, body }) => response.writeHead(status, { 'content-type': type }).end(body),
      () => response.writeHead(503).end('cannot be answered now\n'),
    );
  });
  return new Promise((resolve, reject) => {
    server.once('error', (error) => reject(portError(options.host, options.port, error)));
    server.listen(options.port, options.host, () =>
      resolve({
        url: `http://${options.host}:${options.port}`,
        stop: () =>
          new Promise((done) => {
            server.close(() => done());
            server.closeAllConnections();
          }),
      }),
    );
  });
}
