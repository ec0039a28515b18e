/**
 * Binance messages, from JSON to ticks. Pure: the recorded raw captures and the live streams both go through here.
 *
 * Evidence, per channel (combined streams, `{"stream": "<symbol>@<channel>", "data": {…}}`):
 *
 * | channel | spot | USD-margined futures | coin-margined futures |
 * |---|---|---|---|
 * | `@trade` | `T` time of the trade, `t` id, `p`, `q`, `m`, `M` | the same without `M`, `X` kind of match (`MARKET`) | as USD-margined |
 * | `@bookTicker` | no `e`, no time at all | `e`, `T` transaction time, `E` | as USD-margined, and `ps` the pair |
 *
 * `m` says that the buyer was the maker, so the aggressor sold. `@aggTrade` repeats trades in another grouping and depth is
 * not taken in: both are passed over, not refused.
 */
import { decimalSink, parseDecimal, type DecimalFault, type DecimalSink } from '#shared/decimal.ts';
import { MAX_EVENT_MS, MIN_EVENT_MS } from '#shared/event-time.ts';
import { LIMITS } from '#shared/limits.ts';
import { ACTION, NO_TIME, SIDE, type QuoteColumns, type TradeColumns } from '#shared/ticks.ts';
import { instrumentId, isSymbol } from '#shared/topics.ts';

export const BINANCE_MARKETS = ['spot', 'usdm', 'coinm'] as const;
export type BinanceMarket = (typeof BINANCE_MARKETS)[number];

export function binanceVenue(market: BinanceMarket): string {
  return `binance_${market}`;
}

/** What became of a message: `ignored` is one that says nothing we take in, `rejected` one that should and does not. */
export type MapResult = { kind: 'trade' | 'quote' | 'ignored' } | { kind: 'rejected'; reason: string };

/** Where mapped ticks go. */
export interface TickTarget {
  trades: TradeColumns;
  quotes: QuoteColumns;
}

const TRADE: MapResult = { kind: 'trade' };
const QUOTE: MapResult = { kind: 'quote' };
const IGNORED: MapResult = { kind: 'ignored' };
/** Event types of streams that are known and not taken in. */
const IGNORED_EVENTS: ReadonlySet<unknown> = new Set([
  'depthUpdate',
  'aggTrade',
  'kline',
  '24hrTicker',
  '24hrMiniTicker',
  'markPriceUpdate',
  'forceOrder',
]);
/** Coin-margined contracts are quoted in USD, not in a coin worth a dollar: BTCUSD_PERP, BTCUSD_240927. */
const COIN_MARGINED = /(?<!B)USD_(?:PERP|\d{6})$/;

/**
 * Appends what `message` (a parsed combined-stream message) says to `into`. Never throws, whatever the JSON.
 * @param market of the connection or file; undefined finds it by the message
 */
export function mapBinance(
  message: unknown,
  market: BinanceMarket | undefined,
  recvMs: number,
  recvSubNs: number,
  into: TickTarget,
): MapResult {
  if (!isRecord(message)) return rejected('not_an_object');
  const { stream } = message;
  if (stream === undefined) return isRestSnapshot(message) || isReply(message) ? IGNORED : rejected('unknown_message');
  const { data } = message;
  if (typeof stream !== 'string' || !isRecord(data)) return rejected('unknown_message');
  const channel = stream.slice(stream.indexOf('@') + 1);
  if (channel === 'trade') return mapTrade(data, market, recvMs, recvSubNs, into.trades);
  if (channel === 'bookTicker') return mapQuote(data, market, recvMs, recvSubNs, into.quotes);
  return channel.startsWith('depth') || IGNORED_EVENTS.has(data['e']) ? IGNORED : rejected('unknown_message');
}

function mapTrade(
  data: Record<string, unknown>,
  market: BinanceMarket | undefined,
  recvMs: number,
  recvSubNs: number,
  trades: TradeColumns,
): MapResult {
  const { s: symbol, T: time, t: id, p: price, q: size, m: buyerIsMaker, X: match } = data;
  const timeFault = faultOfTime(time);
  if (timeFault !== undefined) return rejected(timeFault);
  if (typeof symbol !== 'string' || !isSymbol(symbol)) return rejected('bad_symbol');
  if (!Number.isSafeInteger(id) || (id as number) < 0) return rejected('bad_trade_id');
  if (typeof buyerIsMaker !== 'boolean') return rejected('bad_side');
  const conditions = match === undefined ? '' : match;
  if (typeof conditions !== 'string' || conditions.length > LIMITS.nameChars) return rejected('bad_conditions');
  const priceFault = readPositive(price, PRICE);
  if (priceFault !== undefined) return rejected(priceFault);
  const sizeFault = readPositive(size, SIZE);
  if (sizeFault !== undefined) return rejected(sizeFault);
  const found = market ?? (COIN_MARGINED.test(symbol) ? 'coinm' : 'M' in data || match === undefined ? 'spot' : 'usdm');
  const i = trades.length++;
  trades.instrument[i] = trades.instruments.intern(instrumentId(binanceVenue(found), symbol));
  trades.action[i] = ACTION.trade;
  trades.side[i] = buyerIsMaker ? SIDE.sell : SIDE.buy;
  trades.eventMs[i] = time as number;
  trades.eventSubNs[i] = 0;
  trades.recvMs[i] = recvMs;
  trades.recvSubNs[i] = recvSubNs;
  trades.price[i] = PRICE.mantissa;
  trades.priceDecimals[i] = PRICE.decimals;
  trades.pricePrinted[i] = PRICE.printed;
  trades.size[i] = SIZE.mantissa;
  trades.sizeDecimals[i] = SIZE.decimals;
  trades.sizePrinted[i] = SIZE.printed;
  trades.tradeId[i] = id as number;
  trades.conditions[i] = trades.strings.intern(conditions);
  return TRADE;
}

function mapQuote(
  data: Record<string, unknown>,
  market: BinanceMarket | undefined,
  recvMs: number,
  recvSubNs: number,
  quotes: QuoteColumns,
): MapResult {
  const { s: symbol, T: time, b: bid, B: bidSize, a: ask, A: askSize } = data;
  if (typeof symbol !== 'string' || !isSymbol(symbol)) return rejected('bad_symbol');
  if (time !== undefined) {
    const timeFault = faultOfTime(time);
    if (timeFault !== undefined) return rejected(timeFault);
  } else if (recvMs === NO_TIME) return rejected('missing_column_value');
  const fault =
    readNotNegative(bid, PRICE) ??
    readNotNegative(bidSize, SIZE) ??
    readNotNegative(ask, ASK_PRICE) ??
    readNotNegative(askSize, ASK_SIZE);
  if (fault !== undefined) return rejected(fault);
  const found = market ?? ('ps' in data || COIN_MARGINED.test(symbol) ? 'coinm' : time === undefined ? 'spot' : 'usdm');
  const i = quotes.length++;
  quotes.instrument[i] = quotes.instruments.intern(instrumentId(binanceVenue(found), symbol));
  quotes.eventMs[i] = time === undefined ? NO_TIME : (time as number);
  quotes.eventSubNs[i] = 0;
  quotes.recvMs[i] = recvMs;
  quotes.recvSubNs[i] = recvSubNs;
  quotes.bidPrice[i] = PRICE.mantissa;
  quotes.bidPriceDecimals[i] = PRICE.decimals;
  quotes.bidPricePrinted[i] = PRICE.printed;
  quotes.bidSize[i] = SIZE.mantissa;
  quotes.bidSizeDecimals[i] = SIZE.decimals;
  quotes.bidSizePrinted[i] = SIZE.printed;
  quotes.askPrice[i] = ASK_PRICE.mantissa;
  quotes.askPriceDecimals[i] = ASK_PRICE.decimals;
  quotes.askPricePrinted[i] = ASK_PRICE.printed;
  quotes.askSize[i] = ASK_SIZE.mantissa;
  quotes.askSizeDecimals[i] = ASK_SIZE.decimals;
  quotes.askSizePrinted[i] = ASK_SIZE.printed;
  return QUOTE;
}

/** Instrument and id of a trade message, readable or not: a trade that is refused is no gap in the ids. */
export function binanceTradeId(
  message: unknown,
  market: BinanceMarket,
): { instrument: string; id: number } | undefined {
  const data = isRecord(message) ? message['data'] : undefined;
  if (!isRecord(data) || data['e'] !== 'trade') return undefined;
  const { s: symbol, t: id } = data;
  if (typeof symbol !== 'string' || !isSymbol(symbol) || !Number.isSafeInteger(id)) return undefined;
  return { instrument: instrumentId(binanceVenue(market), symbol), id: id as number };
}

// Scratch of one call: filled and read again before it returns.
const PRICE = decimalSink();
const SIZE = decimalSink();
const ASK_PRICE = decimalSink();
const ASK_SIZE = decimalSink();

function rejected(reason: string): MapResult {
  return { kind: 'rejected', reason };
}

function faultOfTime(time: unknown): string | undefined {
  if (typeof time !== 'number' || !Number.isSafeInteger(time)) return 'not_a_time';
  if (time < MIN_EVENT_MS) return 'before_1970';
  return time < MAX_EVENT_MS ? undefined : 'after_2100';
}

function readNotNegative(value: unknown, out: DecimalSink): string | undefined {
  if (typeof value !== 'string') return 'not_a_decimal';
  const fault: DecimalFault | undefined = parseDecimal(value, out);
  if (fault !== undefined) return fault === 'empty' ? 'missing_column_value' : fault;
  return out.mantissa >= 0 ? undefined : 'not_positive';
}

function readPositive(value: unknown, out: DecimalSink): string | undefined {
  return readNotNegative(value, out) ?? (out.mantissa > 0 ? undefined : 'not_positive');
}

/** The REST depth snapshot that a recorder writes between its messages. */
function isRestSnapshot(message: Record<string, unknown>): boolean {
  return 'lastUpdateId' in message && Array.isArray(message['bids']) && Array.isArray(message['asks']);
}

/** Answer to a subscription. */
function isReply(message: Record<string, unknown>): boolean {
  return 'result' in message && 'id' in message;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
