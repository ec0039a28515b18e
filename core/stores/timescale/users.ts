/** What belongs to users: watchlists, layouts, and the audit trail. Every statement names the user it is for. */
import { EdgetapeError } from '#shared/errors.ts';
import { parseInstrumentId } from '#shared/topics.ts';
import type { AuditEntry, AuditRecord, Draft, Layout, Saved, User, UserStore, Watchlist } from '../analytics.ts';
import { sqlState, type PostgresSql, type PostgresTransaction } from '../postgres.ts';

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;
const UNIQUE_VIOLATION = '23505';
const FOREIGN_KEY_VIOLATION = '23503';
const MAX_SYMBOLS = 10_000;
const MAX_LAYOUT_CHARS = 262_144;
const MAX_DETAIL_CHARS = 65_536;
const MAX_AUDIT_ROWS = 10_000;

interface Owned {
  id: string;
  name: string;
  version: number;
}

export class UserTables implements UserStore {
  readonly #sql: PostgresSql;

  constructor(sql: PostgresSql) {
    this.#sql = sql;
  }

  async user(name: string): Promise<User> {
    checkName(name);
    // The update that changes nothing makes the statement give the row back when it was there.
    const [row] = await this.#sql<{ id: string; name: string; created_ms: string }[]>`
      INSERT INTO users (name) VALUES (${name})
      ON CONFLICT (name) DO UPDATE SET name = EXCLUDED.name
      RETURNING id, name, (extract(epoch FROM created_at) * 1000)::bigint::text AS created_ms`;
    if (row === undefined) throw new EdgetapeError('internal', 'The user was not kept');
    return { id: row.id, name: row.name, createdMs: Number(row.created_ms) };
  }

  async watchlists(userId: string): Promise<Watchlist[]> {
    if (!UUID.test(userId)) return [];
    return this.#sql<Watchlist[]>`
      SELECT
        id, name, version,
        ARRAY(SELECT symbol FROM watchlist_symbols WHERE watchlist_id = watchlists.id ORDER BY place) AS symbols
      FROM watchlists
      WHERE user_id = ${userId}
      ORDER BY name, id`;
  }

  async saveWatchlist(userId: string, draft: Draft<Watchlist>): Promise<Saved<Watchlist>> {
    checkUser(userId);
    checkName(draft.name);
    checkSymbols(draft.symbols);
    const { name, symbols } = draft;
    return this.#save<Watchlist>(
      userId,
      draft,
      () => this.watchlists(userId),
      async (sql) => {
        const owned = await upsertOwned(draft, {
          insert: () => sql<Owned[]>`
          INSERT INTO watchlists (user_id, name) VALUES (${userId}, ${name}) RETURNING id, name, version`,
          update: (id, version) => sql<Owned[]>`
          UPDATE watchlists SET name = ${name}, version = version + 1, updated_at = now()
          WHERE id = ${id} AND user_id = ${userId} AND version = ${version}
          RETURNING id, name, version`,
        });
        if (owned === undefined) return undefined;
        await sql`DELETE FROM watchlist_symbols WHERE watchlist_id = ${owned.id}`;
        await sql`
        INSERT INTO watchlist_symbols (watchlist_id, place, symbol)
        SELECT ${owned.id}::uuid, (place - 1)::integer, symbol
        FROM jsonb_array_elements_text(${JSON.stringify(symbols)}::text::jsonb) WITH ORDINALITY AS row (symbol, place)`;
        return { ...owned, symbols: [...symbols] };
      },
    );
  }

  async deleteWatchlist(userId: string, id: string): Promise<boolean> {
    if (!UUID.test(userId) || !UUID.test(id)) return false;
    const result = await this.#sql`DELETE FROM watchlists WHERE id = ${id} AND user_id = ${userId}`;
    return result.count > 0;
  }

  async layouts(userId: string): Promise<Layout[]> {
    if (!UUID.test(userId)) return [];
    return this.#sql<Layout[]>`
      SELECT id, name, body, version FROM layouts WHERE user_id = ${userId} ORDER BY name, id`;
  }

  async saveLayout(userId: string, draft: Draft<Layout>): Promise<Saved<Layout>> {
    checkUser(userId);
    checkName(draft.name);
    const { name } = draft;
    const body = objectText(draft.body, MAX_LAYOUT_CHARS, 'layout');
    return this.#save<Layout>(
      userId,
      draft,
      () => this.layouts(userId),
      async (sql) => {
        const owned = await upsertOwned(draft, {
          insert: () => sql<Owned[]>`
          INSERT INTO layouts (user_id, name, body) VALUES (${userId}, ${name}, ${body}::text::jsonb)
          RETURNING id, name, version`,
          update: (id, version) => sql<Owned[]>`
          UPDATE layouts SET name = ${name}, body = ${body}::text::jsonb, version = version + 1, updated_at = now()
          WHERE id = ${id} AND user_id = ${userId} AND version = ${version}
          RETURNING id, name, version`,
        });
        return owned === undefined ? undefined : { ...owned, body: draft.body };
      },
    );
  }

  async deleteLayout(userId: string, id: string): Promise<boolean> {
    if (!UUID.test(userId) || !UUID.test(id)) return false;
    const result = await this.#sql`DELETE FROM layouts WHERE id = ${id} AND user_id = ${userId}`;
    return result.count > 0;
  }

  async appendAudit(atMs: number, entry: AuditEntry): Promise<AuditRecord> {
    const detail = objectText(entry.detail, MAX_DETAIL_CHARS, 'detail');
    const [row] = await this.#sql<{ id: string }[]>`
      INSERT INTO audit_trail (at, actor, action, subject, detail)
      VALUES (
        ${new Date(atMs).toISOString()}::timestamptz, ${entry.actor}, ${entry.action}, ${entry.subject},
        ${detail}::text::jsonb
      )
      RETURNING id::text AS id`;
    if (row === undefined) throw new EdgetapeError('internal', 'The audit record was not kept');
    return { ...entry, id: Number(row.id), atMs };
  }

  async audit(query: { subject?: string; afterId?: number; limit?: number }): Promise<AuditRecord[]> {
    const sql = this.#sql;
    const { subject, afterId = 0, limit = 1_000 } = query;
    const rows = await sql<(Omit<AuditRecord, 'id' | 'atMs'> & { id: string; at_ms: string })[]>`
      SELECT id::text AS id, (extract(epoch FROM at) * 1000)::bigint::text AS at_ms, actor, action, subject, detail
      FROM audit_trail
      WHERE id > ${afterId} ${subject === undefined ? sql`` : sql`AND subject = ${subject}`}
      ORDER BY audit_trail.id
      LIMIT ${Math.min(limit, MAX_AUDIT_ROWS)}`;
    return rows.map(({ id, at_ms: atMs, actor, action, subject: about, detail }) => ({
      id: Number(id),
      atMs: Number(atMs),
      actor,
      action,
      subject: about,
      detail,
    }));
  }

  async verifyAudit(): Promise<number | undefined> {
    const [row] = await this.#sql<{ id: string }[]>`
      SELECT id::text AS id
      FROM (
        SELECT
          entry.id, entry.hash, row_number() OVER (ORDER BY entry.id) AS expected_id,
          audit_trail_row_hash(entry, coalesce(lag(entry.hash) OVER (ORDER BY entry.id), ''::bytea)) AS expected
        FROM audit_trail AS entry
      ) AS chain
      WHERE hash <> expected OR id <> expected_id
      ORDER BY chain.id
      LIMIT 1`;
    return row === undefined ? undefined : Number(row.id);
  }

  async #save<T extends Owned>(
    userId: string,
    draft: { id?: string | undefined; name: string },
    list: () => Promise<T[]>,
    write: (sql: PostgresTransaction) => Promise<T | undefined>,
  ): Promise<Saved<T>> {
    try {
      const value = (await this.#sql.begin(write)) as T | undefined;
      if (value !== undefined) return { outcome: 'saved', value };
      return { outcome: 'conflict', current: (await list()).find(({ id }) => id === draft.id) };
    } catch (error) {
      const state = sqlState(error);
      if (state === UNIQUE_VIOLATION) return { outcome: 'name_taken' };
      if (state === FOREIGN_KEY_VIOLATION) throw new EdgetapeError('not_found', `There is no user ${userId}`);
      throw error;
    }
  }
}

async function upsertOwned(
  draft: { id?: string | undefined; version?: number | undefined },
  statements: { insert: () => PromiseLike<Owned[]>; update: (id: string, version: number) => PromiseLike<Owned[]> },
): Promise<Owned | undefined> {
  if (draft.id === undefined || draft.version === undefined) return (await statements.insert())[0];
  return UUID.test(draft.id) ? (await statements.update(draft.id, draft.version))[0] : undefined;
}

function checkUser(userId: string): void {
  if (!UUID.test(userId)) throw new EdgetapeError('not_found', 'There is no such user');
}

function checkName(name: string): void {
  if (name.length < 1 || name.length > 128 || name.includes('\u0000'))
    throw new EdgetapeError('bad_request', 'A name has 1 to 128 characters');
}

function checkSymbols(symbols: readonly string[]): void {
  if (symbols.length > MAX_SYMBOLS)
    throw new EdgetapeError('too_large', `A watchlist has at most ${MAX_SYMBOLS} symbols`);
  if (new Set(symbols).size !== symbols.length)
    throw new EdgetapeError('bad_request', 'A symbol stands in a watchlist once');
  const wrong = symbols.find((symbol) => parseInstrumentId(symbol) === undefined);
  if (wrong !== undefined) throw new EdgetapeError('bad_request', `${wrong.slice(0, 64)} is not venue:SYMBOL`);
}

function objectText(value: Record<string, unknown>, maxChars: number, what: string): string {
  const text = JSON.stringify(value);
  if (text.length > maxChars) throw new EdgetapeError('too_large', `A ${what} has at most ${maxChars} characters`);
  // PostgreSQL's text has no place for NUL.
  if (text.includes('\\u0000')) throw new EdgetapeError('bad_request', `A ${what} holds no NUL characters`);
  return text;
}
