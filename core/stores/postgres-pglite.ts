/**
 * PostgreSQL inside the process: PGlite behind the stock postgres.js client. The client's one connection is a stream that hands its
 * messages to PGlite and gives back the answers; there is no socket and no second client whose messages could come in between.
 */
import { mkdirSync } from 'node:fs';
import { Duplex } from 'node:stream';
import { PGlite } from '@electric-sql/pglite';
import postgres from 'postgres';
import type { PostgresSql } from './postgres.ts';

export interface EmbeddedPostgres {
  sql: PostgresSql;
  /** Ends the client, then the database. */
  close(): Promise<void>;
}

/**
 * Opens the database in `folder`, or makes it. One process at a time may have a folder open: the data folder's lock sees to that.
 * A transaction that was committed is there again after `kill -9`.
 */
export async function openPglite(folder: string): Promise<EmbeddedPostgres> {
  mkdirSync(folder, { recursive: true });
  const database = await PGlite.create({ dataDir: folder, relaxedDurability: false });
  // `socket` is an option of postgres.js that its types leave out: where its bytes go instead of a socket of its own.
  const options: postgres.Options<Record<string, never>> & { socket: () => Duplex } = {
    host: 'embedded',
    database: 'postgres',
    username: 'postgres',
    max: 1,
    idle_timeout: 0,
    max_lifetime: null,
    onnotice: () => undefined,
    connection: { application_name: 'edgetape', TimeZone: 'UTC' },
    socket: () => new PgliteStream(database),
  };
  const sql = postgres(options);
  return {
    sql,
    async close() {
      await sql.end({ timeout: 5 });
      await database.close();
    },
  };
}

/** What postgres.js takes for a socket. */
class PgliteStream extends Duplex {
  readonly #database: PGlite;
  /** Read by postgres.js before it says goodbye. */
  readyState: 'open' | 'closed' = 'open';

  constructor(database: PGlite) {
    super();
    this.#database = database;
  }

  override _read(): void {}

  override _write(chunk: Uint8Array, _encoding: string, done: (error?: Error | null) => void): void {
    this.#database.execProtocolRaw(new Uint8Array(chunk)).then(
      (answer) => {
        if (answer.length > 0) this.push(Buffer.from(answer));
        done();
      },
      (error: unknown) => done(error instanceof Error ? error : new Error(String(error))),
    );
  }

  override _final(done: () => void): void {
    this.readyState = 'closed';
    this.push(null);
    done();
    this.destroy();
  }
}
