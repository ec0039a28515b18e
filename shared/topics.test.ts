import { expect, it } from 'vitest';
import { parseInstrumentId, partitionOf } from '#shared/topics.ts';

it('MD-2 takes an instrument apart and refuses what is none', () => {
  expect(parseInstrumentId('binance_coinm:BTCUSD_PERP')).toEqual({ venue: 'binance_coinm', symbol: 'BTCUSD_PERP' });
  for (const bad of ['', ':', 'asx:', ':BHP', 'ASX:BHP', 'asx:BHP:X', 'asx:B HP', 'asx', `asx:${'A'.repeat(65)}`]) {
    expect(parseInstrumentId(bad), bad).toBeUndefined();
  }
});

it('LG-3 a symbol keeps its partition: these values are part of the stored format', () => {
  expect(['asx:BHP', 'asx:RIO', 'binance_spot:BTCUSDT', 'simulated:AAPL'].map((id) => partitionOf(id, 100)))
    .toMatchInlineSnapshot(`
    [
      55,
      35,
      47,
      31,
    ]
  `);
});
