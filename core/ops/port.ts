/** Whether a port can be listened on, and what to say when it cannot. */
import { createServer } from 'node:net';

/** A sentence for an error of `listen`. */
export function portError(host: string, port: number, error: NodeJS.ErrnoException): Error {
  const why =
    error.code === 'EADDRINUSE'
      ? `Port ${port} is in use`
      : `${host}:${port} cannot be listened on (${error.code ?? error.message})`;
  return new Error(`${why}. Name another one with --port (0 takes any free one), or stop what uses it.`, {
    cause: error,
  });
}

/** Rejects when the port cannot be had now. Port 0 always can. */
export function insistOnPort(host: string, port: number): Promise<void> {
  if (port === 0) return Promise.resolve();
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', (error) => reject(portError(host, port, error)));
    server.listen(port, host, () => server.close(() => resolve()));
  });
}
