/** Named limits, each with its unit. A limit that a client can meet is sent to it in `welcome` (SPEC SU-7). */
export const LIMITS = {
  /** Ticks in one log frame. */
  frameTicks: 500,
  /** Bytes of one log frame; a larger one is dead-lettered unread. */
  frameBytes: 1_048_576,
  /** Characters of one tape line; a longer one is rejected without being kept in memory. */
  tapeLineChars: 65_536,
  /** The same for a line of a raw capture: a REST depth snapshot is one line. */
  captureLineChars: 1_048_576,
  /** Characters of a rejected line that the dead-letter topic keeps. */
  deadLetterChars: 512,
  /** Characters of a venue, a symbol, a trade id or a condition code. */
  nameChars: 64,
  /** Bytes of one message from a client. */
  clientMessageBytes: 16_384,
  /** Messages a client may send in any 10 s. */
  clientMessagesPer10s: 100,
  /** (channel, symbol) pairs one client may hold. */
  subscriptionsPerClient: 1_000,
  /** Symbols in one subscribe message. */
  symbolsPerMessage: 500,
  /** Connections in one room. */
  connectionsPerRoom: 4_000,
  /** Rows in one answer of the REST API. */
  restRows: 10_000,
  /** Longest time range of one REST query that is not cut by a limit, in bars. */
  restBars: 10_000,
} as const;
