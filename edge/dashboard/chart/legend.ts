/** The line above the candles: the exact numbers of one bar. Pure. */
import { dateTime, decimal } from '../format.ts';
import type { ChartBar } from './bar-book.ts';

export interface LegendEntry {
  key: string;
  label: string;
  value: string;
  title?: string;
}

/** Places of a VWAP that are read at a glance; the title has all of them. */
const VWAP_EXTRA_PLACES = 2;

export function legendOf(bar: ChartBar, places: number): LegendEntry[] {
  const price = (value: string | null): string => decimal(value, places);
  const [whole = '', fraction = ''] = (bar.vwap ?? '').split('.');
  const short =
    bar.vwap === null ? null : [whole, fraction.slice(0, places + VWAP_EXTRA_PLACES)].filter(Boolean).join('.');
  return [
    { key: 'time', label: '', value: `${dateTime(bar.startMs)} UTC` },
    { key: 'open', label: 'O', value: price(bar.open) },
    { key: 'high', label: 'H', value: price(bar.high) },
    { key: 'low', label: 'L', value: price(bar.low) },
    { key: 'close', label: 'C', value: price(bar.close) },
    { key: 'volume', label: 'V', value: decimal(bar.volume) },
    { key: 'vwap', label: 'VWAP', value: decimal(short, places), title: bar.vwap ?? '' },
    { key: 'trades', label: 'trades', value: decimal(bar.tradeCount) },
    { key: 'state', label: '', value: stateText(bar) },
  ];
}

/** `revised ×2`: two changes since the bar was first final (SPEC WN-7). */
export function stateText(bar: ChartBar): string {
  return bar.state === 'revised' ? `revised ×${bar.revision - 1}` : bar.state;
}
