/** Opaque cursors (SPEC QY-2): a position together with a hash of the query that it belongs to. */
import { createHash } from 'node:crypto';
import { RequestError } from './problem.ts';

const VERSION = 1;
const MAX_CHARS = 512;

/** Continue behind this: an arrival number, a window start in ms, or a symbol. */
export type CursorPosition = number | string;

/** @param query the parameters that decide which rows there are and in which order; `limit` and the cursor are none of them */
export function encodeCursor(query: string, position: CursorPosition): string {
  const body = JSON.stringify([VERSION, position]);
  return Buffer.from(`${seal(query, body)}${body}`).toString('base64url');
}

/** Throws `bad_cursor` for anything that `encodeCursor` did not make for this query. */
export function decodeCursor(query: string, cursor: string, kind: 'number' | 'string'): CursorPosition {
  const text = cursor.length <= MAX_CHARS ? Buffer.from(cursor, 'base64url').toString() : '';
  const body = text.slice(SEAL_CHARS);
  const position = text.slice(0, SEAL_CHARS) === seal(query, body) ? read(body) : undefined;
  // base64url leaves bits over that decode to the same bytes: only the canonical text is ours.
  if (position === undefined || typeof position !== kind || encodeCursor(query, position) !== cursor) {
    const detail = 'Use the cursor as it came, with the same other parameters; begin without a cursor if they changed.';
    throw new RequestError('bad_cursor', detail, [{ pointer: '/query/cursor', detail: 'not a cursor of this query' }]);
  }
  return position;
}

const SEAL_CHARS = 16;

function seal(query: string, body: string): string {
  return createHash('sha256').update(query).update('\n').update(body).digest('hex').slice(0, SEAL_CHARS);
}

function read(body: string): CursorPosition | undefined {
  try {
    const parsed: unknown = JSON.parse(body);
    if (!Array.isArray(parsed) || parsed.length !== 2 || parsed[0] !== VERSION) return undefined;
    const position: unknown = parsed[1];
    if (typeof position === 'string') return position;
    return typeof position === 'number' && Number.isFinite(position) ? position : undefined;
  } catch {
    return undefined;
  }
}
