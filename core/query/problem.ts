/** Errors as RFC 9457 problems (SPEC ER-1..ER-3). */
import { EdgetapeError, ERRORS, type ErrorCode } from '#shared/errors.ts';
import type { Problem } from '#shared/market.ts';

export interface Fault {
  /** JSON pointer to what is wrong: `/query/limit`, `/path/symbol`. */
  pointer: string;
  detail: string;
}

/** An error that names the parts of the request that are wrong. */
export class RequestError extends EdgetapeError {
  readonly faults: readonly Fault[];

  constructor(code: ErrorCode, message: string, faults: readonly Fault[] = []) {
    super(code, message);
    this.name = 'RequestError';
    this.faults = faults;
  }
}

export const PROBLEM_TYPE = 'application/problem+json';

/** What a client may know of `error`: nothing of one that is not ours. */
export function toProblem(error: unknown): Problem {
  const code: ErrorCode = error instanceof EdgetapeError ? error.code : 'internal';
  const { status, title, retryable } = ERRORS[code];
  const problem: Problem = {
    type: `/errors/${code}`,
    title,
    status,
    detail: error instanceof EdgetapeError ? error.message : 'The error was written down here; asking again may help.',
    code,
    retryable,
  };
  if (error instanceof RequestError && error.faults.length > 0) problem.errors = [...error.faults];
  return problem;
}
