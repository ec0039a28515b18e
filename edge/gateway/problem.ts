/** Errors of the gateway as RFC 9457 problems (SPEC ER-2, ER-3). */
import { ERRORS, type ErrorCode } from '#shared/errors.ts';

export function problem(code: ErrorCode, detail: string, headers: Record<string, string> = {}): Response {
  const { status, title, retryable } = ERRORS[code];
  const body = { type: `/errors/${code}`, title, status, detail, code, retryable };
  return new Response(JSON.stringify(body), {
    status,
    headers: { 'content-type': 'application/problem+json', 'cache-control': 'no-store', ...headers },
  });
}
