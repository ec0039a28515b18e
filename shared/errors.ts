/** The closed list of error codes (SPEC ER-1). REST sends them as RFC 9457 problems, sockets as `error` messages. */

export const ERRORS = {
  bad_request: { status: 400, retryable: false, title: 'The request cannot be read' },
  bad_range: { status: 400, retryable: false, title: 'The time range cannot be served' },
  bad_cursor: { status: 400, retryable: false, title: 'The cursor is not one of ours, or belongs to another query' },
  bad_message: { status: 400, retryable: false, title: 'The message does not fit the protocol' },
  unsupported_version: { status: 400, retryable: false, title: 'The protocol version is not served here' },
  unauthorized: { status: 401, retryable: false, title: 'Credentials are missing or not valid' },
  forbidden: { status: 403, retryable: false, title: 'Not allowed' },
  not_found: { status: 404, retryable: false, title: 'There is nothing here' },
  unknown_symbol: { status: 404, retryable: false, title: 'No such instrument' },
  unknown_channel: { status: 404, retryable: false, title: 'No such channel' },
  method_not_allowed: { status: 405, retryable: false, title: 'The method is not served here' },
  too_large: { status: 413, retryable: false, title: 'Larger than the limit' },
  too_many_subscriptions: { status: 429, retryable: false, title: 'More subscriptions than the limit' },
  rate_limited: { status: 429, retryable: true, title: 'Too many requests' },
  internal: { status: 500, retryable: true, title: 'Something went wrong here' },
  unavailable: { status: 503, retryable: true, title: 'Not available at the moment' },
} as const satisfies Record<string, { status: number; retryable: boolean; title: string }>;

export type ErrorCode = keyof typeof ERRORS;

/** WebSocket close codes. 4000..4099: come back (with the position); 4100..4199: do not (SPEC ER-4). */
export const CLOSE = {
  shutdown: 4000,
  tooSlow: 4001,
  full: 4002,
  internal: 4003,
  badMessage: 4100,
  unauthorized: 4101,
  tooManyMessages: 4102,
  unsupportedVersion: 4103,
} as const;

export function mayReconnect(closeCode: number): boolean {
  return closeCode < 4100 || closeCode > 4199;
}

/** An error whose code may be shown to a client; its message must hold nothing internal. */
export class EdgetapeError extends Error {
  readonly code: ErrorCode;

  constructor(code: ErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.name = 'EdgetapeError';
    this.code = code;
  }
}
