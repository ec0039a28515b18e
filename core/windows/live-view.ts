/** What the windows show at once, before anything is committed. One scale an instrument, which only grows. */
import type { Bar, Stats } from '#shared/bars.ts';
import type { ControlEvent } from '#shared/control.ts';
import { POW10, pow10Big } from '#shared/decimal.ts';
import { decodeTradeId, NO_TIME, type QuoteColumns, quoteTimeMs, type TradeColumns } from '#shared/ticks.ts';
import type { FeedStatus, LivePublisher } from '../relay/live.ts';
import type { VenueTime } from './window-engine.ts';

interface LiveScales {
  priceScale: number;
  sizeScale: number;
}

export class LiveView {
  readonly #live: LivePublisher;
  readonly #scales = new Map<string, LiveScales>();
  readonly #venues = new Map<string, { state: FeedStatus['state']; gaps: number; sent: string }>();
  /** Newest watermarks of each partition. */
  readonly #times = new Map<number, readonly VenueTime[]>();

  constructor(live: LivePublisher) {
    this.#live = live;
  }

  #scalesOf(instrument: string): LiveScales {
    let scales = this.#scales.get(instrument);
    if (scales === undefined) this.#scales.set(instrument, (scales = { priceScale: 0, sizeScale: 0 }));
    return scales;
  }

  /** @param isIgnored rows that count nowhere: duplicates, refused ones */
  trades(trades: TradeColumns, isIgnored: (row: number) => boolean): void {
    const scales = trades.instruments.values.map((name) => this.#scalesOf(name));
    for (let i = 0; i < trades.length; i++) {
      if (isIgnored(i)) continue;
      const local = trades.instrument[i] as number;
      const held = scales[local] as LiveScales;
      const priceDecimals = trades.priceDecimals[i] as number;
      const sizeDecimals = trades.sizeDecimals[i] as number;
      if (priceDecimals > held.priceScale) held.priceScale = priceDecimals;
      if (sizeDecimals > held.sizeScale) held.sizeScale = sizeDecimals;
      const price = (trades.price[i] as number) * (POW10[held.priceScale - priceDecimals] as number);
      const size = (trades.size[i] as number) * (POW10[held.sizeScale - sizeDecimals] as number);
      const fits = price <= Number.MAX_SAFE_INTEGER && size <= Number.MAX_SAFE_INTEGER;
      this.#live.trade({
        instrument: trades.instruments.values[local] as string,
        eventMs: trades.eventMs[i] as number,
        priceScale: fits ? held.priceScale : priceDecimals,
        sizeScale: fits ? held.sizeScale : sizeDecimals,
        price: fits ? price : (trades.price[i] as number),
        size: fits ? size : (trades.size[i] as number),
        side: trades.side[i] as number,
        tradeId: decodeTradeId(trades.tradeId[i] as number, trades.strings),
        conditions: trades.strings.values[trades.conditions[i] as number] ?? '',
        action: trades.action[i] as number,
      });
    }
  }

  /** Only the newest quote of each instrument of the batch: what conflation would keep (SPEC CF-2). */
  quotes(quotes: QuoteColumns): void {
    const newest = new Map<number, number>();
    for (let i = 0; i < quotes.length; i++) newest.set(quotes.instrument[i] as number, i);
    for (const [local, i] of newest) {
      const instrument = quotes.instruments.values[local] as string;
      const eventMs = quoteTimeMs(quotes, i);
      if (eventMs === NO_TIME) continue;
      const held = this.#scalesOf(instrument);
      const priceScale = Math.max(
        held.priceScale,
        quotes.bidPriceDecimals[i] as number,
        quotes.askPriceDecimals[i] as number,
      );
      const sizeScale = Math.max(
        held.sizeScale,
        quotes.bidSizeDecimals[i] as number,
        quotes.askSizeDecimals[i] as number,
      );
      held.priceScale = priceScale;
      held.sizeScale = sizeScale;
      this.#live.quote({
        instrument,
        eventMs,
        priceScale,
        sizeScale,
        bidPrice: at(quotes.bidPrice[i] as number, quotes.bidPriceDecimals[i] as number, priceScale),
        bidSize: at(quotes.bidSize[i] as number, quotes.bidSizeDecimals[i] as number, sizeScale),
        askPrice: at(quotes.askPrice[i] as number, quotes.askPriceDecimals[i] as number, priceScale),
        askSize: at(quotes.askSize[i] as number, quotes.askSizeDecimals[i] as number, sizeScale),
      });
    }
  }

  bar(bar: Bar): void {
    this.#live.bar(rescaledBar(bar, this.#widen(bar)));
  }

  stats(stats: Stats): void {
    const to = this.#widen(stats);
    const price = to.priceScale - stats.priceScale;
    const size = to.sizeScale - stats.sizeScale;
    if (price === 0 && size === 0) {
      this.#live.stats(stats);
      return;
    }
    const up = (mantissa: number): number => at(mantissa, stats.priceScale, to.priceScale);
    this.#live.stats({
      ...stats,
      ...to,
      lastPrice: up(stats.lastPrice),
      spread: up(stats.spread),
      change: up(stats.change),
      dayOpen: up(stats.dayOpen),
      dayHigh: up(stats.dayHigh),
      dayLow: up(stats.dayLow),
      volume30s: stats.volume30s * pow10Big(size),
      dayVolume: stats.dayVolume * pow10Big(size),
    });
  }

  #widen(value: LiveScales & { instrument: string }): LiveScales {
    const held = this.#scalesOf(value.instrument);
    held.priceScale = Math.max(held.priceScale, value.priceScale);
    held.sizeScale = Math.max(held.sizeScale, value.sizeScale);
    return { priceScale: held.priceScale, sizeScale: held.sizeScale };
  }

  /** Control events stand on every partition; partition 0 speaks for the gaps. */
  control(event: ControlEvent, partition: number): void {
    if (event.type === 'connection') this.#venue(event.venue).state = event.state;
    else if (event.type === 'end_of_source') for (const venue of event.venues) this.#venue(venue).state = 'ended';
    else if (event.type === 'gap' && partition === 0) {
      this.#venue(event.instrument.slice(0, event.instrument.indexOf(':'))).gaps += 1;
    }
  }

  #venue(name: string) {
    let venue = this.#venues.get(name);
    if (venue === undefined) this.#venues.set(name, (venue = { state: 'connected', gaps: 0, sent: '' }));
    return venue;
  }

  /** The partition is shown by another process from now on. */
  forget(partition: number): void {
    this.#times.delete(partition);
  }

  /** Publishes the state of the venues that changed. */
  status(partition: number, times: readonly VenueTime[]): void {
    this.#times.set(partition, times);
    const all = [...this.#times.values()].flat();
    for (const { venue: name } of times) {
      const venue = this.#venue(name);
      const of = all.filter((entry) => entry.venue === name && entry.watermarkMs >= 0);
      const marks = of.map((entry) => entry.watermarkMs);
      const status: FeedStatus = {
        venue: name,
        state: venue.state,
        simulated: name === 'simulated',
        eventMs: marks.length === 0 ? Number.NaN : marks.reduce((a, b) => Math.max(a, b)),
        watermarkMs: marks.length === 0 ? Number.NaN : marks.reduce((a, b) => Math.min(a, b)),
        gaps: venue.gaps,
        late: of.reduce((total, entry) => total + entry.late, 0),
        duplicates: of.reduce((total, entry) => total + entry.duplicates, 0),
      };
      const text = JSON.stringify(status);
      if (text === venue.sent) continue;
      venue.sent = text;
      this.#live.status(status);
    }
  }
}

/** Mantissa at `scale` places; NaN stays, and so does what does not fit. */
function at(mantissa: number, decimals: number, scale: number): number {
  return mantissa * (POW10[scale - decimals] as number);
}

function rescaledBar(bar: Bar, to: LiveScales): Bar {
  const price = to.priceScale - bar.priceScale;
  const size = to.sizeScale - bar.sizeScale;
  if (price === 0 && size === 0) return bar;
  const factor = POW10[price] as number;
  if (bar.high * factor > Number.MAX_SAFE_INTEGER) return bar;
  const sizeFactor = pow10Big(size);
  return {
    ...bar,
    ...to,
    open: bar.open * factor,
    high: bar.high * factor,
    low: bar.low * factor,
    close: bar.close * factor,
    volume: bar.volume * sizeFactor,
    buyVolume: bar.buyVolume * sizeFactor,
    sellVolume: bar.sellVolume * sizeFactor,
    pv: bar.pv * sizeFactor * pow10Big(price),
  };
}
