/**
 * The thread that PGlite runs in: its statements are computed in one go, and a long one would hold up everything else in the
 * process. Takes the bytes of a PostgreSQL client and gives back the server's; `close` ends it.
 */
import { parentPort, workerData } from 'node:worker_threads';
import { PGlite } from '@electric-sql/pglite';

const port = parentPort;
if (port === null) throw new Error('postgres-pglite-worker.ts is started by postgres-pglite.ts');
const { folder } = workerData as { folder: string };
const database = await PGlite.create({ dataDir: folder, relaxedDurability: false });
// As on a server (postgres.ts), where they come with the connection.
await database.exec(`SET TimeZone = 'UTC'; SET plan_cache_mode = 'force_custom_plan'`);

port.on('message', (message: Uint8Array | 'close') => {
  void answer(message);
});
port.postMessage('ready');

async function answer(message: Uint8Array | 'close'): Promise<void> {
  if (message === 'close') {
    await database.close();
    port?.postMessage('closed');
    port?.close();
    return;
  }
  port?.postMessage(await database.execProtocolRaw(message));
}
