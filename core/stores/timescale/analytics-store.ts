/** The analytics store on PostgreSQL: a server, TimescaleDB, or PGlite in the process. */
import type { Bar } from '#shared/bars.ts';
import type { Timeframe } from '#shared/timeframes.ts';
import type {
  AnalyticsPart,
  AnalyticsRange,
  AnalyticsStore,
  Correlation,
  DailyBar,
  DailyReturn,
  SymbolVolume,
} from '../analytics.ts';
import { openPostgres, type PostgresOptions, type PostgresSql } from '../postgres.ts';
import { openPglite } from '../postgres-pglite.ts';
import { BarTables } from './bars.ts';
import {
  chooseFlavour,
  hasTimescale,
  migratePostgres,
  readMigrationSet,
  type Flavour,
  type MigrationOutcome,
} from './migrations.ts';
import { UserTables } from './users.ts';

export interface AnalyticsStoreDeps {
  sql: PostgresSql;
  /** Ends the client and what stands behind it. */
  end: () => Promise<void>;
}

/** Over a PostgreSQL server. `migrate` comes first. */
export function openPostgresAnalytics(options: PostgresOptions): PostgresAnalyticsStore {
  const sql = openPostgres(options);
  return new PostgresAnalyticsStore({ sql, end: () => sql.end({ timeout: 5 }) });
}

/** Inside the process, kept in `folder`. `migrate` comes first. */
export async function openEmbeddedAnalytics(folder: string): Promise<PostgresAnalyticsStore> {
  const database = await openPglite(folder);
  return new PostgresAnalyticsStore({ sql: database.sql, end: () => database.close() });
}

export class PostgresAnalyticsStore extends UserTables implements AnalyticsStore {
  readonly #database: PostgresSql;
  readonly #end: () => Promise<void>;
  readonly #bars: BarTables;
  #flavour: Promise<Flavour> | undefined;

  constructor(deps: AnalyticsStoreDeps) {
    super(deps.sql);
    this.#database = deps.sql;
    this.#end = deps.end;
    this.#bars = new BarTables(deps.sql, () => this.flavour());
  }

  async migrate(dryRun = false): Promise<MigrationOutcome> {
    const outcome = await migratePostgres(this.#database, { dryRun });
    if (!dryRun) this.#flavour = Promise.resolve(outcome.flavour);
    return outcome;
  }

  /** Whether the database was made with TimescaleDB or without. */
  flavour(): Promise<Flavour> {
    this.#flavour ??= this.#readFlavour().catch((error: unknown) => {
      this.#flavour = undefined;
      throw error;
    });
    return this.#flavour;
  }

  upsertBars(bars: readonly Bar[]): Promise<number> {
    return this.#bars.upsert(bars);
  }

  bar(instrument: string, timeframe: Timeframe, startMs: number): Promise<Bar | undefined> {
    return this.#bars.bar(instrument, timeframe, startMs);
  }

  dailyBars(range: AnalyticsRange): Promise<DailyBar[]> {
    return this.#bars.dailyBars(range);
  }

  volumeBySymbol(range: AnalyticsRange): Promise<SymbolVolume[]> {
    return this.#bars.volumeBySymbol(range);
  }

  dailyReturns(range: AnalyticsRange): Promise<DailyReturn[]> {
    return this.#bars.dailyReturns(range);
  }

  correlation(range: AnalyticsRange & { minSample?: number }): Promise<Correlation[]> {
    return this.#bars.correlation(range);
  }

  refresh(part: AnalyticsPart): Promise<void> {
    return this.#bars.refresh(part);
  }

  retain(beforeMs: number): Promise<string[]> {
    return this.#bars.retain(beforeMs);
  }

  async ping(): Promise<void> {
    await this.#database`SELECT 1`;
  }

  async close(): Promise<void> {
    await this.#end();
  }

  async #readFlavour(): Promise<Flavour> {
    const sql = this.#database;
    const applied = await sql<{ version: number; name: string; checksum: string }[]>`
      SELECT version, name, checksum FROM schema_migrations ORDER BY version`;
    return chooseFlavour(await readMigrationSet(), applied, await hasTimescale(sql));
  }
}
