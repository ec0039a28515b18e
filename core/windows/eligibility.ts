/** Looks up what a trade may set, by venue, condition code and event date (SPEC WN-4). */
import { MAY } from './cells.ts';
import { ELIGIBILITY, type EligibilityRow } from './eligibility-table.ts';

interface Rule {
  fromMs: number;
  may: number;
}

/** Rules of one code text, newest first; the last one holds for all earlier times. */
export type Rules = readonly Rule[];

const EVERYTHING: Rules = [{ fromMs: Number.NEGATIVE_INFINITY, may: MAY.everything }];
/** Code texts kept per venue; hostile tapes may hold any number of them. */
const CACHE_ENTRIES = 4_096;

export class Eligibility {
  readonly #venues = new Map<string, Map<string, Rules>>();
  readonly #caches = new Map<string, Map<string, Rules>>();

  constructor(table: Readonly<Record<string, readonly EligibilityRow[]>> = ELIGIBILITY) {
    for (const [venue, rows] of Object.entries(table)) {
      const codes = new Map<string, Rule[]>();
      for (const [code, openHighLow, last, volume, from] of rows) {
        const may = (openHighLow ? MAY.openHighLow : 0) | (last ? MAY.last : 0) | (volume ? MAY.volume : 0);
        const rules = codes.get(code) ?? [];
        rules.push({ fromMs: Date.parse(`${from}T00:00:00Z`), may });
        codes.set(code, rules);
      }
      for (const rules of codes.values()) rules.sort((a, b) => b.fromMs - a.fromMs);
      this.#venues.set(venue, codes);
    }
  }

  /** Rules of a condition text as the venue printed it; undefined: everything, always. */
  rules(venue: string, conditions: string): Rules | undefined {
    if (conditions === '') return undefined;
    const codes = this.#venues.get(venue);
    if (codes === undefined) return undefined;
    let cache = this.#caches.get(venue);
    if (cache === undefined || cache.size >= CACHE_ENTRIES) this.#caches.set(venue, (cache = new Map()));
    let rules = cache.get(conditions);
    if (rules === undefined) {
      rules = combine(codes, conditions);
      cache.set(conditions, rules);
    }
    return rules === EVERYTHING ? undefined : rules;
  }

  /** Set of MAY bits of a trade at `eventMs`. */
  may(venue: string, conditions: string, eventMs: number): number {
    const rules = this.rules(venue, conditions);
    return rules === undefined ? MAY.everything : mayAt(rules, eventMs);
  }
}

export function mayAt(rules: Rules, eventMs: number): number {
  for (const rule of rules) if (eventMs >= rule.fromMs) return rule.may;
  return MAY.everything;
}

function combine(codes: ReadonlyMap<string, Rules>, conditions: string): Rules {
  const whole = codes.get(conditions);
  if (whole !== undefined) return whole;
  const parts: Rules[] = [];
  for (const code of conditions) {
    const rules = codes.get(code);
    if (rules !== undefined) parts.push(rules);
  }
  if (parts.length === 0) return EVERYTHING;
  const times = [...new Set(parts.flatMap((rules) => rules.map((rule) => rule.fromMs)))].sort((a, b) => b - a);
  const rules = times.map((fromMs) => ({
    fromMs,
    may: parts.reduce((may, part) => may & mayAt(part, fromMs), MAY.everything as number),
  }));
  // A boundary at which nothing changes is none.
  return rules.filter((rule, i) => rule.may !== rules[i + 1]?.may);
}
