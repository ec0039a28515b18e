/** The query API on a socket. */
import type { Server } from 'node:http';
import { serve } from '@hono/node-server';
import type { Hono } from 'hono';
import { portError } from '../ops/port.ts';

export interface QueryServer {
  url: string;
  /** Takes no new requests, lets those that are under way end for a moment, then closes. */
  stop(): Promise<void>;
}

/** Largest head of a request, bytes; how long its arrival may take; how long a silent connection is kept. */
const LIMITS = { maxHeaderSize: 16_384, headersTimeout: 10_000, requestTimeout: 15_000, keepAliveTimeout: 30_000 };
const STOP_GRACE_MS = 1_000;

/** Rejects with a sentence when the port cannot be had. */
export function startQueryServer(app: Hono, host: string, port: number): Promise<QueryServer> {
  return new Promise((resolve, reject) => {
    const server = serve({ fetch: app.fetch, hostname: host, port, serverOptions: LIMITS }, (info) => {
      const name = info.family === 'IPv6' ? `[${info.address}]` : info.address;
      resolve({ url: `http://${name}:${info.port}`, stop: () => close(server) });
    }) as Server;
    server.once('error', (error: NodeJS.ErrnoException) => {
      reject(portError(host, port, error));
    });
  });
}

function close(server: Server): Promise<void> {
  return new Promise((resolve) => {
    const force = setTimeout(() => server.closeAllConnections(), STOP_GRACE_MS);
    server.close(() => {
      clearTimeout(force);
      resolve();
    });
    server.closeIdleConnections();
  });
}
