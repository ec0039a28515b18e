import { expect, it } from 'vitest';
import { MAY } from './cells.ts';
import { Eligibility } from './eligibility.ts';
import { ELIGIBILITY } from './eligibility-table.ts';

const eligibility = new Eligibility();
const in2020 = Date.UTC(2020, 0, 2);

it('WN-4 the same letter means different things on different tapes', () => {
  expect(eligibility.may('sip_cta', 'B', in2020)).toBe(MAY.volume);
  expect(eligibility.may('sip_utp', 'B', in2020)).toBe(MAY.everything);
  expect(eligibility.may('sip_utp', 'W', in2020)).toBe(MAY.volume);
});

it('WN-4 a rule holds from its date on', () => {
  expect(eligibility.may('sip_utp', 'V', Date.UTC(2015, 6, 26, 23, 59))).toBe(MAY.everything);
  expect(eligibility.may('sip_utp', 'V', Date.UTC(2015, 6, 27))).toBe(MAY.volume);
  expect(eligibility.may('sip_cta', '7', Date.UTC(2014, 0, 1))).toBe(MAY.everything);
});

it('WN-4 codes written together allow what each of them allows', () => {
  expect(eligibility.may('sip_utp', '@FTI', in2020)).toBe(MAY.volume);
  expect(eligibility.may('sip_cta', ' P ', in2020)).toBe(MAY.openHighLow | MAY.volume);
  expect(eligibility.may('sip_cta', 'M', in2020)).toBe(0);
  expect(eligibility.may('sip_cta', '9I', in2020)).toBe(0);
});

it('WN-4 a code or venue that is not listed counts in everything', () => {
  expect(eligibility.may('sip_cta', '@ F', in2020)).toBe(MAY.everything);
  expect(eligibility.may('asx', '1:X:40', in2020)).toBe(MAY.everything);
  expect(eligibility.may('binance_usdm', 'MARKET', in2020)).toBe(MAY.everything);
});

it('WN-4 whatever may set last may set high and low', () => {
  for (const rows of Object.values(ELIGIBILITY))
    for (const [, openHighLow, last] of rows) expect(openHighLow || !last).toBe(true);
});
