/** ClickHouse, in process (chDB) or on a server, behind the same client. Only the way in of binary blocks differs. */
import { randomUUID } from 'node:crypto';
import { mkdir, open, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { createClient, type ClickHouseClient } from '@clickhouse/client';
import { createChdbConnection } from 'chdb/connection';
import { readNative, type NativeBlock } from './native-reader.ts';
import type { NativeWriter } from './native-writer.ts';

export interface EmbeddedClickHouse {
  /** Folder of the store, made where missing. One process, and one path per process. */
  path: string;
}

export interface ClickHouseServer {
  url: string;
  user: string;
  password: string;
  database: string;
}

export type ClickHouseOptions = EmbeddedClickHouse | ClickHouseServer;

export interface InsertSettings {
  /** A block that was inserted under the same token not long ago is left out. */
  token?: string;
}

export interface ClickHouseEngine {
  readonly embedded: boolean;
  command(sql: string): Promise<void>;
  rows<T>(sql: string): Promise<T[]>;
  /** Blocks of a SELECT. The answer is held in memory: ask for bounded ones. */
  blocks(select: string): Promise<NativeBlock[]>;
  insert(table: string, block: NativeWriter, settings?: InsertSettings): Promise<void>;
  ping(): Promise<void>;
  close(): Promise<void>;
}

/** An SQL string literal. */
export function quote(text: string): string {
  return `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`;
}

export async function openEngine(options: ClickHouseOptions): Promise<ClickHouseEngine> {
  if ('path' in options) return openEmbedded(options.path);
  const { url, user, password, database } = options;
  const client = createClient({ url, username: user, password, database, application: 'edgetape' });
  return engine(client, false, async (statement, block) => {
    const { stream } = await client.exec({
      query: statement(''),
      values: Readable.from(block.chunks(), { objectMode: false }),
    });
    stream.resume();
    await new Promise((resolve, reject) => stream.once('end', resolve).once('error', reject));
  });
}

/** The in-process engine takes statements as text, so blocks go by way of a file beside the store, which is removed at once. */
async function openEmbedded(path: string): Promise<ClickHouseEngine> {
  await mkdir(path, { recursive: true });
  // The two packages declare the same interface with different optional fields.
  const connection = connect(join(path, 'clickhouse')) as unknown as Connection;
  const spool = join(path, 'spool');
  await rm(spool, { recursive: true, force: true });
  await mkdir(spool);
  const client = createClient({ connection });
  return engine(client, true, async (statement, block) => {
    const file = join(spool, `${randomUUID()}.native`);
    try {
      const handle = await open(file, 'wx');
      try {
        await handle.writev(block.chunks());
      } finally {
        await handle.close();
      }
      await client.command({ query: statement(` FROM INFILE ${quote(file)}`) });
    } finally {
      await rm(file, { force: true });
    }
  });
}

/** The engine locks its folder; the operating system gives the lock back with the process. */
function connect(folder: string): ReturnType<typeof createChdbConnection> {
  try {
    return createChdbConnection({ path: folder });
  } catch (error) {
    throw new Error(
      `The store ${folder} cannot be opened: another process holds it, or this one holds another store. Stop that process, or name another data directory.`,
      { cause: error },
    );
  }
}

type Connection = NonNullable<NonNullable<Parameters<typeof createClient>[0]>['connection']>;
type Inserter = (statement: (source: string) => string, block: NativeWriter) => Promise<void>;

function engine(client: ClickHouseClient, embedded: boolean, insert: Inserter): ClickHouseEngine {
  const busy = new Set<Promise<unknown>>();
  /** The embedded engine must not be closed under a statement: that takes the process down. */
  async function tracked<T>(work: Promise<T>): Promise<T> {
    busy.add(work);
    try {
      return await work;
    } finally {
      busy.delete(work);
    }
  }
  return {
    embedded,
    async command(sql) {
      await tracked(client.command({ query: sql }));
    },
    async rows<T>(sql: string) {
      const ask = async (): Promise<T[]> => {
        const answer = await client.query({ query: sql, format: 'JSONEachRow' });
        return answer.json<T>();
      };
      return tracked(ask());
    },
    async blocks(select) {
      const ask = async (): Promise<Buffer> => {
        const { stream } = await client.exec({ query: `${select} FORMAT Native` });
        const chunks: Buffer[] = [];
        for await (const chunk of stream) chunks.push(chunk as Buffer);
        return chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks);
      };
      return readNative(await tracked(ask()));
    },
    insert(table, block, { token } = {}) {
      const settings = [
        'async_insert = 0',
        'max_partitions_per_insert_block = 0',
        token === undefined ? 'insert_deduplicate = 0' : `insert_deduplication_token = ${quote(token)}`,
      ];
      const head = `INSERT INTO ${table} (${block.columns.join(', ')})`;
      return tracked(insert((source) => `${head}${source} SETTINGS ${settings.join(', ')} FORMAT Native`, block));
    },
    async ping() {
      const result = await tracked(client.ping({ select: true }));
      if (!result.success) throw result.error;
    },
    async close() {
      await Promise.allSettled(busy);
      await client.close();
    },
  };
}
