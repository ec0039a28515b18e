/** Scales of instruments (SPEC MD-3): one price scale and one size scale each, which only grow. */
import { POW10 } from '#shared/decimal.ts';
import { ACTION, type QuoteColumns, type TradeColumns } from '#shared/ticks.ts';

/** Places that a source pads its first number to are taken as the scale, up to this many. */
const SEED_PLACES = 8;
/** A value this many times the last one must still fit. */
const HEADROOM = 1_000;
/** Instruments of one source. Beyond, rows of further ones are refused: memory and cursor stay bounded. */
const MAX_INSTRUMENTS = 100_000;

/** One of an instrument's two scales. */
interface Axis {
  /** Places; -1 when none was seen yet. */
  scale: number;
  /** Last value above zero, as mantissa at `scale`; 0 when none was seen yet. */
  last: number;
}

export interface InstrumentScales {
  readonly instrument: string;
  readonly price: Axis;
  readonly size: Axis;
  /** Whether a trade has come: quotes do not set the last values from then on. */
  traded: boolean;
}

/** JSON form: instrument → [price scale, last price, size scale, last size, traded 0|1]. */
export type NormaliserState = Record<string, [number, number, number, number, number]>;

export type ScaleFault = 'too_precise' | 'too_large' | 'too_many_instruments';

export class Normaliser {
  readonly #instruments = new Map<string, InstrumentScales>();

  constructor(state: NormaliserState = {}) {
    for (const [instrument, [priceScale, lastPrice, sizeScale, lastSize, traded]] of Object.entries(state)) {
      this.#instruments.set(instrument, {
        instrument,
        price: { scale: priceScale, last: lastPrice },
        size: { scale: sizeScale, last: lastSize },
        traded: traded === 1,
      });
    }
  }

  state(): NormaliserState {
    const state: NormaliserState = {};
    for (const { instrument, price, size, traded } of this.#instruments.values()) {
      state[instrument] = [price.scale, price.last, size.scale, size.last, traded ? 1 : 0];
    }
    return state;
  }

  /** Scales of the instrument, made when new; undefined when there are too many. */
  scales(instrument: string): InstrumentScales | undefined {
    const known = this.#instruments.get(instrument);
    if (known !== undefined) return known;
    if (this.#instruments.size >= MAX_INSTRUMENTS) return undefined;
    const scales = { instrument, price: { scale: -1, last: 0 }, size: { scale: -1, last: 0 }, traded: false };
    this.#instruments.set(instrument, scales);
    return scales;
  }
}

/** Moves trade `i` to the scales of its instrument, growing them where needed. Changes nothing when it gives a fault. */
export function normaliseTrade(scales: InstrumentScales, trades: TradeColumns, i: number): ScaleFault | undefined {
  const { price: priceAxis, size: sizeAxis } = scales;
  const price = trades.price[i] as number;
  const size = trades.size[i] as number;
  if (trades.action[i] === ACTION.cancel && price === 0 && size === 0) return undefined;
  const priceDecimals = trades.priceDecimals[i] as number;
  const sizeDecimals = trades.sizeDecimals[i] as number;
  const priceScale = scaleWith(priceAxis, price, priceDecimals, trades.pricePrinted[i] as number, Number.NaN, 0, 0);
  const sizeScale = scaleWith(sizeAxis, size, sizeDecimals, trades.sizePrinted[i] as number, Number.NaN, 0, 0);
  if (priceScale < 0 || sizeScale < 0) return 'too_precise';
  const scaledPrice = price * (POW10[priceScale - priceDecimals] as number);
  const scaledSize = size * (POW10[sizeScale - sizeDecimals] as number);
  if (scaledPrice > Number.MAX_SAFE_INTEGER || scaledSize > Number.MAX_SAFE_INTEGER) return 'too_large';
  trades.price[i] = scaledPrice;
  trades.priceDecimals[i] = priceScale;
  trades.size[i] = scaledSize;
  trades.sizeDecimals[i] = sizeScale;
  advance(priceAxis, priceScale, scaledPrice);
  advance(sizeAxis, sizeScale, scaledSize);
  scales.traded = true;
  return undefined;
}

/** Moves quote `i` to the scales of its instrument, growing them where needed. Changes nothing when it gives a fault. */
export function normaliseQuote(scales: InstrumentScales, quotes: QuoteColumns, i: number): ScaleFault | undefined {
  const { price: priceAxis, size: sizeAxis } = scales;
  const bid = quotes.bidPrice[i] as number;
  const bidDecimals = quotes.bidPriceDecimals[i] as number;
  const ask = quotes.askPrice[i] as number;
  const askDecimals = quotes.askPriceDecimals[i] as number;
  const priceScale = scaleWith(
    priceAxis,
    bid,
    bidDecimals,
    quotes.bidPricePrinted[i] as number,
    ask,
    askDecimals,
    quotes.askPricePrinted[i] as number,
  );
  const bidSize = quotes.bidSize[i] as number;
  const bidSizeDecimals = quotes.bidSizeDecimals[i] as number;
  const askSize = quotes.askSize[i] as number;
  const askSizeDecimals = quotes.askSizeDecimals[i] as number;
  const sizeScale = scaleWith(
    sizeAxis,
    bidSize,
    bidSizeDecimals,
    quotes.bidSizePrinted[i] as number,
    askSize,
    askSizeDecimals,
    quotes.askSizePrinted[i] as number,
  );
  if (priceScale < 0 || sizeScale < 0) return 'too_precise';
  const scaledBid = bid * (POW10[priceScale - bidDecimals] as number);
  const scaledAsk = ask * (POW10[priceScale - askDecimals] as number);
  // An absent size is NaN, stays NaN, and is not larger than anything.
  const scaledBidSize = bidSize * (POW10[sizeScale - bidSizeDecimals] as number);
  const scaledAskSize = askSize * (POW10[sizeScale - askSizeDecimals] as number);
  const most = Number.MAX_SAFE_INTEGER;
  if (scaledBid > most || scaledAsk > most || scaledBidSize > most || scaledAskSize > most) return 'too_large';
  quotes.bidPrice[i] = scaledBid;
  quotes.bidPriceDecimals[i] = priceScale;
  quotes.askPrice[i] = scaledAsk;
  quotes.askPriceDecimals[i] = priceScale;
  quotes.bidSize[i] = scaledBidSize;
  quotes.bidSizeDecimals[i] = bidSize === bidSize ? sizeScale : 0;
  quotes.askSize[i] = scaledAskSize;
  quotes.askSizeDecimals[i] = askSize === askSize ? sizeScale : 0;
  advance(priceAxis, priceScale, scales.traded ? 0 : scaledBid > 0 ? scaledBid : scaledAsk);
  if (bidSize === bidSize || askSize === askSize)
    advance(sizeAxis, sizeScale, scales.traded ? 0 : scaledBidSize > 0 ? scaledBidSize : scaledAskSize);
  return undefined;
}

function advance(axis: Axis, scale: number, value: number): void {
  if (value > 0) axis.last = value;
  else if (axis.scale >= 0 && scale > axis.scale) axis.last *= POW10[scale - axis.scale] as number;
  axis.scale = scale;
}

/**
 * The scale after the values a and b (NaN = absent) were seen; -1 when it would grow so far that a thousand times the last
 * value does not fit any more. The first numbers take the places they were padded to, as far as they leave that headroom.
 */
function scaleWith(
  axis: Axis,
  a: number,
  aDecimals: number,
  aPrinted: number,
  b: number,
  bDecimals: number,
  bPrinted: number,
): number {
  const decimals = aDecimals > bDecimals ? aDecimals : bDecimals;
  if (decimals <= axis.scale) return axis.scale;
  if (axis.last > 0) return fits(axis.last, decimals - axis.scale) ? decimals : -1;
  const reference = Math.max(atScale(a, aDecimals, decimals), atScale(b, bDecimals, decimals));
  if (!fits(reference, 0)) return decimals === 0 ? 0 : -1;
  if (axis.scale >= 0) return decimals;
  const printed = Math.min(SEED_PLACES, Math.max(aPrinted, bPrinted));
  let seeded = decimals;
  while (seeded < printed && fits(reference, seeded + 1 - decimals)) seeded++;
  return seeded;
}

/** The mantissa at `scale`, 0 when absent. */
function atScale(mantissa: number, decimals: number, scale: number): number {
  return mantissa === mantissa ? mantissa * (POW10[scale - decimals] as number) : 0;
}

function fits(value: number, morePlaces: number): boolean {
  return value * (POW10[morePlaces] as number) * HEADROOM <= Number.MAX_SAFE_INTEGER;
}
