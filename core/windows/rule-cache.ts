import type { TradeColumns } from '#shared/ticks.ts';
import { MAY } from './cells.ts';
import { mayAt, type Rules } from './eligibility.ts';
import type { EngineState } from './state.ts';

/** What the condition codes of a batch allow, looked up once a batch. */
export class RuleCache {
  /** By venue · codes + code: MAY bits, or -1 when not known yet or dependent on the date. */
  fixed = new Int8Array(64);
  #state: EngineState | undefined;
  #trades: TradeColumns | undefined;

  begin(state: EngineState, trades: TradeColumns): this {
    this.#state = state;
    this.#trades = trades;
    const size = state.venues.length * trades.strings.values.length;
    if (this.fixed.length < size) this.fixed = new Int8Array(size * 2);
    this.fixed.fill(-1, 0, size);
    return this;
  }

  may(venue: number, code: number, ms: number): number {
    const state = this.#state as EngineState;
    const { values } = (this.#trades as TradeColumns).strings;
    const rules: Rules | undefined = state.eligibility.rules(state.venues[venue] as string, values[code] as string);
    const may = rules === undefined ? MAY.everything : mayAt(rules, ms);
    if (rules === undefined || rules.length === 1) this.fixed[venue * values.length + code] = may;
    return may;
  }
}
