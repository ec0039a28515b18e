import { describe, expect, it } from 'vitest';
import { LIMITS } from '#shared/limits.ts';
import { chunkTopics, SubscriptionSet } from './subscriptions.ts';

describe('subscriptions', () => {
  it('SU-1 tells what is new and what is gone, channels with equal symbols together', () => {
    const set = new SubscriptionSet();
    expect(set.add(['quotes', 'trades'], ['a:X', 'a:Y'])).toEqual([
      { channels: ['quotes', 'trades'], symbols: ['a:X', 'a:Y'] },
    ]);
    expect(set.add(['quotes', 'stats'], ['a:X', 'a:Z'])).toEqual([
      { channels: ['quotes'], symbols: ['a:Z'] },
      { channels: ['stats'], symbols: ['a:X', 'a:Z'] },
    ]);
    expect(set.remove(['trades', 'bars.1m'], ['a:X', 'a:Q'])).toEqual([{ channels: ['trades'], symbols: ['a:X'] }]);
    expect(set.hasAny(['trades'], ['a:Y'])).toBe(true);
    expect(set.hasAny(['trades'], ['a:X'])).toBe(false);
  });

  it('SU-7 cuts messages to the symbols and bytes that a server takes', () => {
    const symbols = Array.from({ length: 1_200 }, (_, i) => `venue:SYMBOL-${i}`);
    const chunks = chunkTopics([{ channels: ['quotes'], symbols }]);
    expect(chunks.flatMap((chunk) => chunk.symbols)).toEqual(symbols);
    for (const chunk of chunks) {
      expect(chunk.symbols.length).toBeLessThanOrEqual(LIMITS.symbolsPerMessage);
      expect(JSON.stringify({ type: 'subscribe', id: 1, ...chunk }).length).toBeLessThan(
        LIMITS.clientMessageBytes - 4_096,
      );
    }
  });
});
