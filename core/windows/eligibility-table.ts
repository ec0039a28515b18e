/**
 * What a trade with a given condition code may set (SPEC WN-4), as data.
 *
 * Rows for the US consolidated tapes (sip_cta: tapes A and B, sip_utp: tape C) after the consolidated processing guidelines, as
 * Polygon's glossary of conditions and indicators summarises them. Not compared with the CTS and UTDF specifications cell by cell; I, Z,
 * and 9 were written without a listing at hand. Contingent (V) and qualified contingent (7) trades may set no price since the last
 * week of July 2015 (UTP Vendor Alert 2015-4, which gives no day: its Monday is taken; the CTA was expected to change with it).
 * "Last only if it is the only qualifying last" (the guidelines' notes) is written as high/low without last: a bar's close comes from
 * such a trade only while no other trade has set it.
 */

/** [condition code, may set open/high/low, may set last, counts in volume, first UTC date of the rule]. */
export type EligibilityRow = readonly [
  code: string,
  openHighLow: boolean,
  last: boolean,
  volume: boolean,
  from: string,
];

const ALWAYS = '1970-01-01';

const COMMON: readonly EligibilityRow[] = [
  ['C', false, false, true, ALWAYS], // cash sale
  ['H', false, false, true, ALWAYS], // price variation
  ['I', false, false, true, ALWAYS], // odd lot
  ['M', false, false, false, ALWAYS], // market centre official close
  ['N', false, false, true, ALWAYS], // next day
  ['P', true, false, true, ALWAYS], // prior reference price
  ['Q', false, false, false, ALWAYS], // market centre official open
  ['R', true, false, true, ALWAYS], // seller
  ['T', false, false, true, ALWAYS], // extended hours
  ['U', false, false, true, ALWAYS], // extended hours, out of sequence
  ['V', true, true, true, ALWAYS], // stock option trade
  ['V', false, false, true, '2015-07-27'], // contingent trade
  ['Z', true, false, true, ALWAYS], // sold, out of sequence
  ['4', true, false, true, ALWAYS], // derivatively priced
  ['7', false, false, true, '2015-07-27'], // qualified contingent trade
  ['9', true, true, false, ALWAYS], // corrected consolidated close
];

/** Codes of a venue may be written together (`@FTI`); a trade may then set what each of them lets it set. */
export const ELIGIBILITY: Readonly<Record<string, readonly EligibilityRow[]>> = {
  sip_cta: [
    ...COMMON,
    ['B', false, false, true, ALWAYS], // average price trade
  ],
  sip_utp: [
    ...COMMON,
    ['W', false, false, true, ALWAYS], // average price trade
    ['G', true, false, true, ALWAYS], // bunched sold
  ],
};
