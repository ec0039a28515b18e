import { describe, expect, it } from 'vitest';
import type { Clock } from '#shared/clock.ts';
import { BarBook, type ChartBar } from './chart/bar-book.ts';
import { legendOf } from './chart/legend.ts';
import { Places } from './data/places.ts';
import { Watcher } from './data/watch.ts';
import { age, clockTime, compact, decimal, delay, percent, rounded, signed } from './format.ts';

describe('format', () => {
  it('MD-1 groups decimals and never rounds one', () => {
    expect(decimal('61837.6', 2)).toBe('61,837.60');
    expect(decimal('-1234567.123456789012')).toBe('−1,234,567.123456789012');
    expect(decimal('0.00000001')).toBe('0.00000001');
    expect(decimal(null)).toBe('–');
    expect(signed('5')).toBe('+5');
    expect(signed('0', 2)).toBe('0.00');
  });

  it('shortens what only informs', () => {
    expect([percent(0.0123), percent('-0.5', 1), percent(0.000001), percent(null)]).toEqual([
      '+1.23%',
      '−50.0%',
      '0.00%',
      '–',
    ]);
    expect([compact('1234567'), compact('999'), compact('0.01234'), compact(null)]).toEqual([
      '1.23M',
      '999',
      '0.0123',
      '–',
    ]);
    expect([rounded('100.126', 2), rounded(null, 2)]).toEqual(['100.13', '–']);
    expect([age(40), age(12_000), age(180_000), age(7_200_000)]).toEqual(['0.1 s', '12 s', '3 min', '2 h']);
    expect([delay(4.16), delay(38.2), delay(1_240)]).toEqual(['4.2 ms', '38 ms', '1.24 s']);
    expect(clockTime(1_394_398_800_123)).toBe('21:00:00.123');
  });
});

function bar(startMs: number, change: Partial<ChartBar> = {}): ChartBar {
  return {
    startMs,
    open: '1',
    high: '2',
    low: '1',
    close: '2',
    volume: '3',
    vwap: '1.5',
    tradeCount: 2,
    state: 'provisional',
    revision: 0,
    ...change,
  };
}

describe('bar book', () => {
  it('ST-3 keeps the higher revision, then the higher trade count', () => {
    const book = new BarBook();
    expect(book.merge([bar(60_000), bar(0)]).map(({ startMs }) => startMs)).toEqual([0, 60_000]);
    expect(book.merge([bar(0)])).toEqual([]);
    expect(book.merge([bar(0, { tradeCount: 1, close: '9' })])).toEqual([]);
    expect(book.merge([bar(0, { state: 'final', revision: 1 })])).toHaveLength(1);
    expect(book.merge([bar(0, { tradeCount: 50 })])).toEqual([]);
    expect(book.merge([bar(0, { state: 'revised', revision: 2, tradeCount: 1 })])).toHaveLength(1);
    expect(book.get(0)).toMatchObject({ state: 'revised', tradeCount: 1 });
  });

  it('reads rows of the stream once', () => {
    const book = new BarBook();
    const row = {
      startMs: 0,
      open: null,
      high: null,
      low: null,
      close: null,
      volume: '0',
      vwap: null,
      tradeCount: 1,
      state: 2,
      revision: 3,
    };
    expect(book.mergeRows([row])).toMatchObject([{ open: null, state: 'revised', revision: 3 }]);
    expect(book.mergeRows([row])).toEqual([]);
  });

  it('WN-7 the legend counts the changes since the bar was first final, and prints exact decimals', () => {
    const legend = legendOf(bar(0, { state: 'revised', revision: 3, vwap: '1.123456789012', volume: '12345.6789' }), 2);
    const value = (key: string): string | undefined => legend.find((entry) => entry.key === key)?.value;
    expect(value('state')).toBe('revised ×2');
    expect(value('volume')).toBe('12,345.6789');
    expect(value('vwap')).toBe('1.1234');
    expect(legend.find((entry) => entry.key === 'vwap')?.title).toBe('1.123456789012');
  });
});

describe('places', () => {
  it('MD-1 shows as many places as the longest price seen, and never fewer again', () => {
    const places = new Places();
    expect(places.see('a:X')).toBe(0);
    expect(places.see('a:X', '61837.63', '1', null)).toBe(2);
    expect(places.see('a:X', '5.1')).toBe(2);
    expect(places.see('a:Y', '0.00000001')).toBe(8);
  });
});

describe('watcher', () => {
  /** Time by hand. */
  class Hand implements Clock {
    #now = 0;
    #due: { atMs: number; callback: () => void }[] = [];
    nowMs = (): number => this.#now;
    schedule = (delayMs: number, callback: () => void): (() => void) => {
      const entry = { atMs: this.#now + delayMs, callback };
      this.#due.push(entry);
      return () => {
        this.#due = this.#due.filter((each) => each !== entry);
      };
    };
    pass(ms: number): void {
      const end = this.#now + ms;
      for (;;) {
        const [next] = this.#due.filter(({ atMs }) => atMs <= end).sort((a, b) => a.atMs - b.atMs);
        if (!next) break;
        this.#due = this.#due.filter((each) => each !== next);
        this.#now = next.atMs;
        next.callback();
      }
      this.#now = end;
    }
  }

  it('SU-2 subscribes for the first watcher, unsubscribes a while after the last, in few messages', () => {
    const clock = new Hand();
    const said: string[] = [];
    const watcher = new Watcher(
      {
        subscribe: (channels, symbols) => said.push(`+ ${channels.join()} ${symbols.join()}`),
        unsubscribe: (channels, symbols) => said.push(`- ${channels.join()} ${symbols.join()}`),
      },
      clock,
    );
    const ends = ['a', 'b'].map((symbol) => watcher.watch(['stats', 'quotes'], [symbol]));
    const again = watcher.watch(['stats'], ['a']);
    clock.pass(50);
    expect(said.splice(0)).toEqual(['+ stats,quotes a,b']);
    for (const end of ends) end();
    clock.pass(1_000);
    watcher.watch(['quotes'], ['b']);
    clock.pass(3_000);
    expect(said.splice(0)).toEqual(['- quotes a', '- stats b']);
    again();
    again();
    clock.pass(3_000);
    expect(said).toEqual(['- stats a']);
  });
});
