/** PostgreSQL over the network, with or without TimescaleDB, through postgres.js. */
import postgres from 'postgres';

export type PostgresSql = postgres.Sql;
export type PostgresTransaction = postgres.TransactionSql;

export interface PostgresOptions {
  /** `postgres://user:password@host:port/database?sslmode=…` */
  url: string;
  maxConnections?: number;
  /** The server breaks a statement off after this long, so that a call that was given up does not go on there. */
  statementTimeoutMs?: number;
  connectTimeoutMs?: number;
}

/** Connects when the first query comes. A connection that is lost is made again by the next one. */
export function openPostgres(options: PostgresOptions): PostgresSql {
  const { url, maxConnections = 8, statementTimeoutMs = 10_000, connectTimeoutMs = 5_000 } = options;
  return postgres(url, {
    max: maxConnections,
    connect_timeout: connectTimeoutMs / 1_000,
    onnotice: () => undefined,
    connection: {
      application_name: 'edgetape',
      TimeZone: 'UTC',
      // Ranges differ from call to call; a plan for all of them at once joins row by row where this one should not.
      plan_cache_mode: 'force_custom_plan',
      statement_timeout: statementTimeoutMs,
    },
  });
}

/** SQLSTATE of an error that PostgreSQL answered with; undefined for any other error. */
export function sqlState(error: unknown): string | undefined {
  return error instanceof postgres.PostgresError ? error.code : undefined;
}

/**
 * Whether an error speaks against the server. Data exceptions (22), violated constraints (23) and wrong statements (42) do not: it
 * answered, and asking again would not help.
 */
export function isPostgresFailure(error: unknown): boolean {
  const state = sqlState(error);
  return state === undefined || !/^(22|23|42)/.test(state);
}
