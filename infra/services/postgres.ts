/** PostgreSQL from the system's packages. It refuses to run as root, so root runs it as the user `postgres`. */
import { execFileSync, spawnSync } from 'node:child_process';
import { chownSync, existsSync, mkdirSync, readdirSync, realpathSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { freePort, launch, listening, onPath, type LocalService } from './service.ts';

export const postgres: LocalService = {
  name: 'postgres',

  missing() {
    return binaries() === undefined
      ? "PostgreSQL needs `initdb` and `postgres`: apt-get install postgresql, or your system's equal."
      : undefined;
  },

  async start(dataDir, temporary) {
    const bin = binaries();
    if (bin === undefined) throw new Error(postgres.missing());
    const version = execFileSync(join(bin, 'postgres'), ['--version'], { encoding: 'utf8' }).replace(/^\D+/, '').trim();
    const user = unprivileged();
    mkdirSync(dataDir, { recursive: true });
    if (user !== undefined) chownSync(dataDir, user.uid, user.gid);
    const cluster = join(dataDir, 'cluster');
    if (!existsSync(join(cluster, 'PG_VERSION'))) {
      execFileSync(join(bin, 'initdb'), ['-D', cluster, '-U', 'edgetape', '--auth=trust', '-E', 'UTF8', '--locale=C'], {
        stdio: 'pipe',
        cwd: dataDir,
        ...user,
      });
    }
    const port = await freePort();
    const pid = launch(
      'postgres',
      dataDir,
      join(bin, 'postgres'),
      ['-D', cluster, '-p', `${port}`, '-c', 'listen_addresses=127.0.0.1', '-c', `unix_socket_directories=${dataDir}`],
      user,
    );
    await listening('postgres', pid, port, dataDir);
    await takesQueries(bin, port);
    return {
      name: 'postgres',
      version,
      pid,
      port,
      address: `postgres://edgetape@127.0.0.1:${port}/postgres`,
      dataDir,
      marker: dataDir,
      temporary,
    };
  },
};

/** The port is open before the server takes queries. */
async function takesQueries(bin: string, port: number): Promise<void> {
  for (let attempt = 0; attempt < 200; attempt++) {
    if (spawnSync(join(bin, 'pg_isready'), ['-q', '-h', '127.0.0.1', '-p', `${port}`]).status === 0) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error(`PostgreSQL took no queries on port ${port} within 10 s.`);
}

/** Folder of initdb and postgres: on the PATH, or where Debian keeps each version, the newest first. */
function binaries(): string | undefined {
  const found = onPath('initdb');
  if (found !== undefined) return dirname(realpathSync(found));
  const base = '/usr/lib/postgresql';
  const versions = existsSync(base) ? readdirSync(base).sort((a, b) => Number(b) - Number(a)) : [];
  return versions.map((version) => join(base, version, 'bin')).find((bin) => existsSync(join(bin, 'initdb')));
}

function unprivileged(): { uid: number; gid: number } | undefined {
  if (process.getuid?.() !== 0) return undefined;
  const id = (flag: string): number => Number(execFileSync('id', [flag, 'postgres'], { encoding: 'utf8' }));
  return { uid: id('-u'), gid: id('-g') };
}
