/**
 * The public JSON forms of market data: what the REST API sends (SPEC QY-1, QY-6). Types are inferred from the schemas.
 *
 * - `symbol` is always `venue:SYMBOL`, as on the sockets; `venue` and `ticker` are its parts.
 * - Prices, sizes and sums are decimal strings, exact and without padding zeros; null where there is none.
 * - `…Ms` are integer milliseconds since 1970-01-01 UTC, `…Ns` integer nanoseconds as strings.
 * - `asOfMs` is the server's time when the answer was put together.
 */
import * as v from 'valibot';
import { ERRORS, type ErrorCode } from './errors.ts';
import { TIMEFRAMES } from './timeframes.ts';

/** Gives a schema its name in the OpenAPI document. */
function named<const S extends v.GenericSchema>(ref: string, schema: S) {
  return v.pipe(schema, v.metadata({ ref }));
}

const DECIMAL = /^-?\d+(\.\d+)?$/;
const NANOS = /^\d{1,19}$/;

export const decimalSchema = v.pipe(v.string(), v.regex(DECIMAL), v.metadata({ examples: ['36.23'] }));
const nullableDecimal = v.nullable(decimalSchema);
const count = v.pipe(v.number(), v.integer(), v.minValue(0));
export const timeMsSchema = v.pipe(v.number(), v.integer(), v.metadata({ examples: [1394398800000] }));
const nullableTimeMs = v.nullable(timeMsSchema);
export const timeNsSchema = v.pipe(v.string(), v.regex(NANOS), v.metadata({ examples: ['1394398800000000000'] }));
const nullableFraction = v.nullable(v.number());
export const symbolIdSchema = v.pipe(v.string(), v.maxLength(129), v.metadata({ examples: ['asx:BHP'] }));
export const timeframeSchema = v.pipe(v.picklist(TIMEFRAMES), v.metadata({ examples: ['1m'] }));
export const barStateSchema = v.pipe(
  v.picklist(['provisional', 'final', 'revised']),
  v.metadata({ examples: ['final'] }),
);

/** One instrument and how much of it is stored. */
export const symbolSchema = named(
  'Symbol',
  v.object({
    symbol: symbolIdSchema,
    venue: v.pipe(v.string(), v.metadata({ examples: ['asx'] })),
    ticker: v.pipe(v.string(), v.metadata({ examples: ['BHP'] })),
    /** Whether a simulator makes it (SPEC MD-12). */
    simulated: v.boolean(),
    /** Most decimal places seen of prices and of sizes (SPEC MD-3). */
    priceScale: count,
    sizeScale: count,
    firstEventMs: nullableTimeMs,
    lastEventMs: nullableTimeMs,
    trades: count,
    quotes: count,
  }),
);
export type SymbolInfo = v.InferOutput<typeof symbolSchema>;

/** One trade, cancel or correction, as the venue sent it. */
export const tradeSchema = named(
  'Trade',
  v.object({
    symbol: symbolIdSchema,
    /** Place in the order of arrival, over all symbols. */
    arrival: count,
    eventNs: timeNsSchema,
    /** null where the source gives no receive time. */
    recvNs: v.nullable(timeNsSchema),
    price: decimalSchema,
    size: decimalSchema,
    /** The aggressor; null where the venue does not say. */
    side: v.nullable(v.picklist(['buy', 'sell'])),
    tradeId: v.nullable(v.string()),
    conditions: v.string(),
    action: v.picklist(['trade', 'cancel', 'correction']),
  }),
);
export type TradeView = v.InferOutput<typeof tradeSchema>;

/** Best bid and ask, as the venue sent them. */
export const quoteSchema = named(
  'Quote',
  v.object({
    symbol: symbolIdSchema,
    arrival: count,
    /** null where the venue gives no event time. */
    eventNs: v.nullable(timeNsSchema),
    recvNs: v.nullable(timeNsSchema),
    bidPrice: nullableDecimal,
    bidSize: nullableDecimal,
    askPrice: nullableDecimal,
    askSize: nullableDecimal,
  }),
);
export type QuoteView = v.InferOutput<typeof quoteSchema>;

/** One bar. Prices are null while no trade of the window may set one (SPEC WN-4). */
export const barSchema = named(
  'Bar',
  v.object({
    symbol: symbolIdSchema,
    timeframe: timeframeSchema,
    startMs: timeMsSchema,
    open: nullableDecimal,
    high: nullableDecimal,
    low: nullableDecimal,
    close: nullableDecimal,
    volume: decimalSchema,
    buyVolume: decimalSchema,
    sellVolume: decimalSchema,
    /** Half-even at 12 places (SPEC WN-9). */
    vwap: nullableDecimal,
    tradeCount: count,
    state: barStateSchema,
    revision: count,
  }),
);
export type BarView = v.InferOutput<typeof barSchema>;

export const profileRowSchema = named(
  'ProfileRow',
  v.object({
    price: decimalSchema,
    volume: decimalSchema,
    buyVolume: decimalSchema,
    sellVolume: decimalSchema,
    tradeCount: count,
    isPoc: v.boolean(),
    inValueArea: v.boolean(),
  }),
);

/** Volume by price of five minutes (SPEC WN-11). */
export const profileSchema = named(
  'Profile',
  v.object({
    symbol: symbolIdSchema,
    startMs: timeMsSchema,
    state: barStateSchema,
    revision: count,
    rows: v.array(profileRowSchema),
  }),
);
export type ProfileView = v.InferOutput<typeof profileSchema>;

/** Running figures of one instrument. Fractions are JSON numbers; null = not known yet. */
export const statsSchema = named(
  'Stats',
  v.object({
    symbol: symbolIdSchema,
    eventMs: nullableTimeMs,
    lastPrice: nullableDecimal,
    spread: nullableDecimal,
    spreadBps: nullableFraction,
    vwap30s: nullableFraction,
    average30s: nullableFraction,
    volume30s: decimalSchema,
    trades30s: count,
    /** √Σr² of 1-minute log returns over the last 30 minutes; a fraction, not annualised (SPEC WN-12). */
    realisedVolatility: nullableFraction,
    change: nullableDecimal,
    changeFraction: nullableFraction,
    dayOpen: nullableDecimal,
    dayHigh: nullableDecimal,
    dayLow: nullableDecimal,
    dayVolume: decimalSchema,
    dayTrades: count,
  }),
);
export type StatsView = v.InferOutput<typeof statsSchema>;

export const lastTradeSchema = v.object({
  eventMs: timeMsSchema,
  price: decimalSchema,
  size: decimalSchema,
  side: v.nullable(v.picklist(['buy', 'sell'])),
});
export const lastQuoteSchema = v.object({
  eventMs: timeMsSchema,
  bidPrice: nullableDecimal,
  bidSize: nullableDecimal,
  askPrice: nullableDecimal,
  askSize: nullableDecimal,
});
/** What is known of one instrument now. */
export const lastSchema = named(
  'Last',
  v.object({
    symbol: symbolIdSchema,
    trade: v.nullable(lastTradeSchema),
    quote: v.nullable(lastQuoteSchema),
    stats: v.nullable(statsSchema),
  }),
);
export type LastView = v.InferOutput<typeof lastSchema>;

/** A page of a list: `next` continues it (SPEC QY-2); null at the end. */
const page = { asOfMs: timeMsSchema, next: v.nullable(v.string()) };

export const symbolsResponseSchema = named('SymbolsAnswer', v.object({ ...page, symbols: v.array(symbolSchema) }));
export const symbolResponseSchema = named('SymbolAnswer', v.object({ asOfMs: timeMsSchema, ...symbolSchema.entries }));
export const lastResponseSchema = named('LastAnswer', v.object({ ...page, last: v.array(lastSchema) }));
export const tradesResponseSchema = named('TradesAnswer', v.object({ ...page, trades: v.array(tradeSchema) }));
export const quotesResponseSchema = named('QuotesAnswer', v.object({ ...page, quotes: v.array(quoteSchema) }));
export const barsResponseSchema = named(
  'BarsAnswer',
  v.object({
    ...page,
    symbol: symbolIdSchema,
    timeframe: timeframeSchema,
    bars: v.array(barSchema),
  }),
);
export const profileResponseSchema = named(
  'ProfileAnswer',
  v.object({ ...page, symbol: symbolIdSchema, profiles: v.array(profileSchema) }),
);
export const statsResponseSchema = named('StatsAnswer', v.object({ asOfMs: timeMsSchema, ...statsSchema.entries }));

/** Whether the service can answer, and how old what it answers with is. `stale`: it answers, with old data (SPEC ST-4). */
export const healthResponseSchema = named(
  'HealthAnswer',
  v.object({
    asOfMs: timeMsSchema,
    status: v.picklist(['ok', 'stale', 'starting', 'down']),
    live: v.boolean(),
    ready: v.boolean(),
    uptimeMs: count,
    dependencies: v.array(
      v.object({
        name: v.string(),
        state: v.picklist(['up', 'down', 'starting']),
        /** How long the last check took, ms; null when it did not answer. */
        checkMs: v.nullable(v.number()),
        detail: v.optional(v.string()),
      }),
    ),
    /** Per part, how far it is behind the log. */
    lag: v.array(
      v.object({
        part: v.string(),
        /** Age of the oldest record it has not taken yet, ms; 0 when it has all. */
        lagMs: count,
        records: count,
      }),
    ),
    /** Least watermark over the venues that are connected, and how old the newest tick is; null when nothing came yet. */
    watermarkMs: nullableTimeMs,
    dataAgeMs: v.nullable(v.number()),
  }),
);
export type HealthView = v.InferOutput<typeof healthResponseSchema>;

export const venueStatusSchema = named(
  'VenueStatus',
  v.object({
    venue: v.string(),
    state: v.picklist(['connected', 'disconnected', 'ended']),
    simulated: v.boolean(),
    eventMs: nullableTimeMs,
    watermarkMs: nullableTimeMs,
    gaps: count,
    late: count,
    duplicates: count,
  }),
);

/** What comes in from where, and what was counted apart (SPEC WN-8, MD-9). */
export const statusResponseSchema = named(
  'StatusAnswer',
  v.object({
    asOfMs: timeMsSchema,
    version: v.string(),
    protocol: count,
    startedAtMs: timeMsSchema,
    simulated: v.boolean(),
    venues: v.array(venueStatusSchema),
    counts: v.object({
      read: count,
      acceptedTrades: count,
      acceptedQuotes: count,
      rejected: v.record(v.string(), count),
      reordered: count,
      late: count,
      tooLate: count,
      duplicate: count,
      cancelled: count,
      corrected: count,
      unknownReference: count,
    }),
  }),
);
export type StatusView = v.InferOutput<typeof statusResponseSchema>;

/** RFC 9457 (SPEC ER-2). */
export const problemSchema = named(
  'Problem',
  v.object({
    type: v.string(),
    title: v.string(),
    status: v.pipe(v.number(), v.integer()),
    detail: v.string(),
    code: v.picklist(Object.keys(ERRORS) as [ErrorCode, ...ErrorCode[]]),
    retryable: v.boolean(),
    errors: v.optional(v.array(v.object({ pointer: v.string(), detail: v.string() }))),
  }),
);
export type Problem = v.InferOutput<typeof problemSchema>;
