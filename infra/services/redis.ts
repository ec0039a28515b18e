/** Redis from the system's package `redis-server`. */
import { execFileSync } from 'node:child_process';
import { freePort, launch, listening, onPath, type LocalService } from './service.ts';

export const redis: LocalService = {
  name: 'redis',

  missing() {
    return onPath('redis-server') === undefined
      ? "Redis needs `redis-server` on the PATH: apt-get install redis-server, or your system's equal."
      : undefined;
  },

  async start(dataDir, temporary) {
    const version =
      /v=([\d.]+)/.exec(execFileSync('redis-server', ['--version'], { encoding: 'utf8' }))?.[1] ?? 'unknown';
    const port = await freePort();
    const pid = launch('redis', dataDir, 'redis-server', [
      '--port',
      `${port}`,
      '--bind',
      '127.0.0.1',
      '--dir',
      dataDir,
      '--appendonly',
      temporary ? 'no' : 'yes',
      '--save',
      '',
    ]);
    // Redis replaces its command line by its address: the port stands in both.
    const marker = `${port}`;
    await listening('redis', pid, port, dataDir, marker);
    return { name: 'redis', version, pid, port, address: `redis://127.0.0.1:${port}`, dataDir, marker, temporary };
  },
};
