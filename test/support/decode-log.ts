/** What stands in a log's tick topics, in readable form, for assertions. */
import { decodeControl, type ControlEvent } from '#shared/control.ts';
import { formatPrinted } from '#shared/decimal.ts';
import { formatNanos } from '#shared/event-time.ts';
import { decodeFrame } from '#shared/frame.ts';
import { decodeTradeId, NO_TIME, SIDE_NAMES, type QuoteColumns, type TradeColumns } from '#shared/ticks.ts';

/** A tick as the line of a tape, with what the log adds. */
export interface LoggedTick {
  kind: 'trades' | 'quotes';
  arrival: number;
  instrument: string;
  /** In the tape's own columns. */
  line: string;
  /** Scales at which the values are kept, as `price/size`. */
  scales: string;
}

export function tapeLine(ticks: TradeColumns | QuoteColumns, i: number): string {
  const [venue, symbol] = (ticks.instruments.values[ticks.instrument[i] as number] as string).split(':');
  const head = [time(ticks.eventMs, ticks.eventSubNs, i), time(ticks.recvMs, ticks.recvSubNs, i), venue, symbol];
  if (!('price' in ticks)) {
    const bid = decimal(ticks.bidPrice, ticks.bidPriceDecimals, ticks.bidPricePrinted, i);
    const bidSize = decimal(ticks.bidSize, ticks.bidSizeDecimals, ticks.bidSizePrinted, i);
    const ask = decimal(ticks.askPrice, ticks.askPriceDecimals, ticks.askPricePrinted, i);
    const askSize = decimal(ticks.askSize, ticks.askSizeDecimals, ticks.askSizePrinted, i);
    return [...head, bid, bidSize, ask, askSize].join(',');
  }
  return [
    ...head,
    decimal(ticks.price, ticks.priceDecimals, ticks.pricePrinted, i),
    decimal(ticks.size, ticks.sizeDecimals, ticks.sizePrinted, i),
    SIDE_NAMES[ticks.side[i] as 0 | 1 | 2],
    decodeTradeId(ticks.tradeId[i] as number, ticks.strings),
    ticks.strings.values[ticks.conditions[i] as number],
  ].join(',');
}

function time(ms: Float64Array, subNs: Float64Array, i: number): string {
  return ms[i] === NO_TIME ? '' : formatNanos(ms[i] as number, subNs[i] as number);
}

function decimal(mantissa: Float64Array, decimals: Uint8Array, printed: Uint8Array, i: number): string {
  const value = mantissa[i] as number;
  return Number.isNaN(value) ? '' : formatPrinted(value, decimals[i] as number, printed[i] as number);
}

/** Ticks and control events of records, in log order. Throws when a record is neither. */
export function decodeRecords(values: Iterable<Uint8Array>): { ticks: LoggedTick[]; control: ControlEvent[] } {
  const ticks: LoggedTick[] = [];
  const control: ControlEvent[] = [];
  for (const value of values) {
    const event = decodeControl(value);
    if (event !== undefined) {
      control.push(event);
      continue;
    }
    const frame = decodeFrame(value);
    if (!frame.ok) throw new Error(`A record of the log does not decode: ${frame.fault}`);
    const columns = frame.kind === 'trades' ? frame.trades : frame.quotes;
    for (let i = 0; i < columns.length; i++) {
      ticks.push({
        kind: frame.kind,
        arrival: columns.arrival[i] as number,
        instrument: columns.instruments.values[columns.instrument[i] as number] as string,
        line: tapeLine(columns, i),
        scales: scalesOf(columns, i),
      });
    }
  }
  return { ticks, control };
}

function scalesOf(columns: TradeColumns | QuoteColumns, i: number): string {
  return 'price' in columns
    ? `${columns.priceDecimals[i]}/${columns.sizeDecimals[i]}`
    : `${columns.bidPriceDecimals[i]}/${columns.bidSizeDecimals[i]}`;
}
