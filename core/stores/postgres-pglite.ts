/**
 * PostgreSQL inside the process: PGlite, in a thread of its own, behind the stock postgres.js client. The client's one connection is a
 * stream that hands its messages to PGlite and gives back the answers; there is no socket and no second client whose messages could
 * come in between.
 */
import { mkdirSync } from 'node:fs';
import { Duplex } from 'node:stream';
import { Worker } from 'node:worker_threads';
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
  const thread = new DatabaseThread(folder);
  await thread.ready();
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
    socket: () => new PgliteStream(thread),
  };
  const sql = postgres(options);
  return {
    sql,
    async close() {
      await sql.end({ timeout: 5 });
      await thread.close();
    },
  };
}

type FromThread = Uint8Array | 'ready' | 'closed';

/** One question at a time, in order. A thread that dies fails the question under way and every later one. */
class DatabaseThread {
  readonly #worker: Worker;
  #waiting: { resolve: (message: FromThread) => void; reject: (error: Error) => void } | undefined;
  #failure: Error | undefined;
  readonly #ready: Promise<FromThread>;

  constructor(folder: string) {
    this.#worker = new Worker(new URL('./postgres-pglite-worker.ts', import.meta.url), {
      workerData: { folder },
      execArgv: [],
    });
    this.#ready = this.#next();
    this.#worker.on('message', (message: FromThread) => this.#take()?.resolve(message));
    this.#worker.on('error', (error: Error) => this.#fail(error));
    this.#worker.on('exit', () => this.#fail(new Error('The embedded PostgreSQL has ended')));
  }

  async ready(): Promise<void> {
    await this.#ready;
  }

  async ask(bytes: Uint8Array): Promise<Uint8Array> {
    if (this.#failure !== undefined) throw this.#failure;
    const answer = this.#next();
    // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread, not a window
    this.#worker.postMessage(bytes);
    const message = await answer;
    if (typeof message === 'string') throw new Error(`The embedded PostgreSQL answered ${message}`);
    return message;
  }

  async close(): Promise<void> {
    if (this.#failure !== undefined) return;
    const closed = this.#next();
    // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread, not a window
    this.#worker.postMessage('close');
    await closed;
    await this.#worker.terminate();
  }

  #next(): Promise<FromThread> {
    const { promise, resolve, reject } = Promise.withResolvers<FromThread>();
    this.#waiting = { resolve, reject };
    return promise;
  }

  #take(): { resolve: (message: FromThread) => void; reject: (error: Error) => void } | undefined {
    const waiting = this.#waiting;
    this.#waiting = undefined;
    return waiting;
  }

  #fail(error: Error): void {
    this.#failure ??= error;
    this.#take()?.reject(error);
  }
}

/** What postgres.js takes for a socket. */
class PgliteStream extends Duplex {
  readonly #thread: DatabaseThread;
  /** Read by postgres.js before it says goodbye. */
  readyState: 'open' | 'closed' = 'open';

  constructor(thread: DatabaseThread) {
    super();
    this.#thread = thread;
  }

  override _read(): void {}

  override _write(chunk: Uint8Array, _encoding: string, done: (error?: Error | null) => void): void {
    // A copy: the client's buffer may be a part of a larger one that it goes on using.
    this.#thread.ask(Uint8Array.from(chunk)).then(
      (answer) => {
        if (answer.length > 0) this.push(Buffer.from(answer.buffer, answer.byteOffset, answer.byteLength));
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
