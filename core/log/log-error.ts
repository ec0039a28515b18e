/** Why a log refuses: each message is a sentence that says what to do. */
export type LogErrorCode =
  | 'in_use'
  | 'not_a_log'
  | 'newer_schema'
  | 'partition_count'
  | 'unknown_partition'
  | 'closed'
  | 'fenced'
  | 'too_large'
  | 'corrupt'
  | 'unavailable';

export class LogError extends Error {
  readonly code: LogErrorCode;

  constructor(code: LogErrorCode, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = 'LogError';
    this.code = code;
  }
}
