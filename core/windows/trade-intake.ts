/**
 * The hot path: a batch of trades into accumulators, panes and profile rows. What is rare (another minute, a late trade, a cancel,
 * a wider scale) leaves the loop through a method.
 */
import { MAX_DECIMALS, POW10 } from '#shared/decimal.ts';
import { MAX_EVENT_MS } from '#shared/event-time.ts';
import { PANE_MS } from '#shared/timeframes.ts';
import { ACTION, NO_TRADE_ID, type TradeColumns } from '#shared/ticks.ts';
import { ignoreRow, isNewId, isNewText } from './admit.ts';
import { amend, count, markOf, tradeKey } from './amend.ts';
import { CELL, FLAG, isBefore, MAY, writePlace } from './cells.ts';
import type { RefusedTick } from './changes.ts';
import { trimTail } from './drain.ts';
import { addProduct, addTwo } from './limbs.ts';
import { addToPane, paneAt } from './panes.ts';
import { cellAt, ensureProfile, flush, type PlacedTrade, type Placement, placeTrade } from './place-trades.ts';
import { FREE_ROW, hashOf, ProfileTable, ROW } from './profile-table.ts';
import { settle } from './rebuild.ts';
import { RuleCache } from './rule-cache.ts';
import { type EngineState, HOT, HOT_SIZE, inMemory, type Instrument, MINUTE_MS } from './state.ts';
import { positionOf, type TailBatch } from './tail.ts';

const UNUSED = new ProfileTable(-1);

export class TradeIntake {
  readonly #state: EngineState;
  /** Profile of each instrument's newest minute. */
  readonly #profiles: ProfileTable[] = [];
  /** Rows of those profiles, taken anew whenever a table may have changed them. */
  readonly #tables: Float64Array[] = [];
  #amended = new Uint8Array(0);
  readonly #rules = new RuleCache();

  /** @param state may hold instruments already, as after a restore. */
  constructor(state: EngineState) {
    this.#state = state;
    this.indices([]);
    for (const instrument of state.instruments) {
      const b = instrument.index * HOT_SIZE;
      if (instrument.amendments.size > 0) this.#amended[instrument.index] = 1;
      const startMs = state.hot[b] as number;
      if (Number.isFinite(startMs)) this.#profiles[instrument.index] = ensureProfile(instrument, startMs);
    }
  }

  /** Index of each named instrument, made where it is new. */
  indices(names: readonly string[]): Int32Array {
    const result = new Int32Array(names.length);
    for (let k = 0; k < names.length; k++) result[k] = this.#state.instrument(names[k] as string).index;
    const count = this.#state.instruments.length;
    while (this.#profiles.length < count) {
      this.#profiles.push(UNUSED);
      this.#tables.push(UNUSED.rows);
    }
    for (let k = 0; k < result.length; k++) {
      const x = result[k] as number;
      this.#refreshTable(x);
    }
    if (this.#amended.length < count) {
      const wider = new Uint8Array(count * 2);
      wider.set(this.#amended);
      this.#amended = wider;
    }
    return result;
  }

  take(trades: TradeColumns, offset: number): void {
    const state = this.#state;
    const indices = this.indices(trades.instruments.values);
    const batch: TailBatch = { trades, offset, instruments: indices, until: [] };
    state.tail.push(batch);
    const { hot, panes, watermarks } = state;
    const profiles = this.#profiles;
    const amended = this.#amended;
    const venues = new Int32Array(indices.length);
    for (let k = 0; k < indices.length; k++) venues[k] = (state.instruments[indices[k] as number] as Instrument).venue;
    const { instrument, action, side, eventMs, eventSubNs, price, priceDecimals, size, sizeDecimals } = trades;
    const { tradeId, conditions, arrival } = trades;
    const rules = this.#rules.begin(state, trades);
    const codes = trades.strings.values.length;
    const tables = this.#tables;
    let accepted = 0;
    let reordered = 0;
    for (let i = 0, n = trades.length; i < n; i++) {
      const local = instrument[i] as number;
      const x = indices[local] as number;
      const b = x * HOT_SIZE;
      const ms = eventMs[i] as number;
      if (action[i] !== ACTION.trade) {
        this.#amend(x, batch, i);
        continue;
      }
      let p = price[i] as number;
      let q = size[i] as number;
      if (!(p > 0 && q > 0 && ms >= 0 && ms < MAX_EVENT_MS) || Math.floor(p) !== p || Math.floor(q) !== q) {
        this.#refuse(x, batch, i, 'not_a_tick');
        continue;
      }
      const pd = priceDecimals[i] as number;
      const sd = sizeDecimals[i] as number;
      if (pd > (hot[b + HOT.priceScale] as number) || sd > (hot[b + HOT.sizeScale] as number)) {
        if (!this.#grow(x, pd, sd, p, q)) {
          this.#refuse(x, batch, i, 'too_precise');
          continue;
        }
      }
      const ps = hot[b + HOT.priceScale] as number;
      const ss = hot[b + HOT.sizeScale] as number;
      if (pd !== ps) p *= POW10[ps - pd] as number;
      if (sd !== ss) q *= POW10[ss - sd] as number;
      if (!(p <= Number.MAX_SAFE_INTEGER && q <= Number.MAX_SAFE_INTEGER)) {
        this.#refuse(x, batch, i, 'too_large');
        continue;
      }
      if (p > (hot[b + HOT.maxPrice] as number)) hot[b + HOT.maxPrice] = p;
      if (q > (hot[b + HOT.maxSize] as number)) hot[b + HOT.maxSize] = q;
      const v = venues[local] as number;
      if (ms > (watermarks[v] as number)) watermarks[v] = ms;
      const sub = eventSubNs[i] as number;
      const arrived = arrival[i] as number;
      const id = tradeId[i] as number;
      let seq = arrived;
      if (id >= 0) {
        seq = id;
        if (id === (hot[b + HOT.highId] as number) + 1 && ms >= (hot[b + HOT.runMs] as number))
          hot[b + HOT.highId] = id;
        else if (!isNewId(state, state.instruments[x] as Instrument, batch, i)) continue;
      } else if (id !== NO_TRADE_ID && !isNewText(state, state.instruments[x] as Instrument, batch, i)) continue;
      accepted++;
      if (amended[x] !== 0 && this.#meetsAmendment(x, batch, i)) continue;
      const code = conditions[i] as number;
      let may: number = MAY.everything;
      if (code !== 0) {
        may = rules.fixed[v * codes + code] as number;
        if (may < 0) may = rules.may(v, code, ms);
      }
      let older = false;
      const newest = hot[b + HOT.newestMs] as number;
      if (ms > newest) {
        hot[b + HOT.newestMs] = ms;
        hot[b + HOT.newestSub] = sub;
      } else if (ms < newest || sub < (hot[b + HOT.newestSub] as number)) older = true;
      else hot[b + HOT.newestSub] = sub;
      if (may === 0) continue;
      let s = side[i] as number;
      if (s > 2) s = 0;
      if (ms - (hot[b] as number) >= MINUTE_MS)
        this.#newMinute(state.instruments[x] as Instrument, ms, positionOf(offset, i));
      const sinceStart = ms - (hot[b] as number);
      if (
        sinceStart < 0 ||
        sinceStart >= MINUTE_MS ||
        (watermarks[v] as number) >= (hot[b + HOT.openUntil] as number)
      ) {
        const t = { may, side: s, price: p, size: q, ms, sub, seq, arrival: arrived };
        const owner = state.instruments[x] as Instrument;
        const placement = this.#place(owner, t, positionOf(offset, i));
        if (placement !== 'in_time') countLate(state, v, placement);
        else if (older) reordered++;
        addToPane(
          state,
          owner,
          ms,
          may,
          {
            price: p,
            priceDecimals: hot[b + HOT.priceScale] as number,
            size: q,
            sizeDecimals: hot[b + HOT.sizeScale] as number,
          },
          1,
        );
        continue;
      }
      if (older) reordered++;
      // From here on what addTrade of cells.ts does, written out: a call would box every number.
      if ((may & MAY.openHighLow) !== 0) {
        if (p > (hot[b + CELL.high] as number)) hot[b + CELL.high] = p;
        if (p < (hot[b + CELL.low] as number)) hot[b + CELL.low] = p;
        if (isBefore(ms, sub, seq, arrived, hot, b + CELL.openPlace)) {
          hot[b + CELL.open] = p;
          writePlace(hot, b + CELL.openPlace, ms, sub, seq, arrived);
        }
        const rank = (may & MAY.last) === 0 ? 0 : 1;
        const held = hot[b + CELL.closeRank] as number;
        if (rank > held || (rank === held && !isBefore(ms, sub, seq, arrived, hot, b + CELL.closePlace))) {
          hot[b + CELL.close] = p;
          hot[b + CELL.closeRank] = rank;
          writePlace(hot, b + CELL.closePlace, ms, sub, seq, arrived);
        }
      }
      if ((may & MAY.volume) === 0) {
        hot[b + CELL.others] = (hot[b + CELL.others] as number) + 1;
        continue;
      }
      hot[b + CELL.trades] = (hot[b + CELL.trades] as number) + 1;
      addTwo(hot, b + CELL.volume + s * 2, q);
      addProduct(hot, b + CELL.pv, p, q);
      const inPane = ms - (hot[b + HOT.paneMs] as number);
      let pane = hot[b + HOT.paneAt] as number;
      if (!(inPane >= 0 && inPane < PANE_MS)) {
        pane = paneAt(panes, x, ms);
        if (inPane >= PANE_MS) {
          hot[b + HOT.paneMs] = ms - (ms % PANE_MS);
          hot[b + HOT.paneAt] = pane;
        }
      }
      if (pane >= 0) {
        panes[pane + 1] = (panes[pane + 1] as number) + 1;
        addTwo(panes, pane + 2, q);
        panes[pane + 4] = (panes[pane + 4] as number) + p * q;
        panes[pane + 5] = (panes[pane + 5] as number) + p;
      }
      const rows = tables[x] as Float64Array;
      const mask = rows.length - ROW;
      let at = hashOf(p) & mask;
      while (rows[at] !== p && rows[at] !== FREE_ROW) at = (at + ROW) & mask;
      if (rows[at] !== p) {
        (profiles[x] as ProfileTable).add(p, q, s);
        tables[x] = (profiles[x] as ProfileTable).rows;
      } else {
        rows[at + 1] = (rows[at + 1] as number) + 1;
        addTwo(rows, at + 2 + s * 2, q);
      }
    }
    state.counts.accepted += accepted;
    state.counts.reordered += reordered;
    if (trades.length > 0) state.noteArrival(arrival[trades.length - 1] as number);
    noteUntil(state, batch);
    if (state.tail.rows > state.options.maxTailTrades * 1.25) this.#trim();
  }

  #grow(x: number, priceDecimals: number, sizeDecimals: number, price: number, size: number): boolean {
    const state = this.#state;
    const instrument = state.instruments[x] as Instrument;
    if (priceDecimals > MAX_DECIMALS || sizeDecimals > MAX_DECIMALS) return false;
    flush(state, instrument);
    const grown = state.grow(instrument, priceDecimals, sizeDecimals, price, size);
    this.#refreshTable(x);
    return grown;
  }

  #place(instrument: Instrument, trade: PlacedTrade, position: number): Placement {
    this.#settleFirst(instrument, trade.ms, position);
    const placement = placeTrade(this.#state, instrument, trade);
    this.#refreshTable(instrument.index);
    return placement;
  }

  /** Rebuilds what waits for it, before its cells are given away or a trade comes that memory cannot take in full. */
  #settleFirst(instrument: Instrument, ms: number, position: number): void {
    const { rebuild } = instrument;
    if (rebuild.size === 0) return;
    let oldest = ms;
    for (const minute of rebuild) if (minute < oldest) oldest = minute;
    const { latenessMs } = this.#state.options;
    if (!inMemory(0, oldest, this.#state.watermark(instrument), latenessMs)) settle(this.#state, instrument, position);
    this.#refreshTable(instrument.index);
  }

  #refreshTable(x: number): void {
    this.#tables[x] = (this.#profiles[x] as ProfileTable).rows;
  }

  #newMinute(instrument: Instrument, ms: number, position: number): void {
    const state = this.#state;
    const b = instrument.index * HOT_SIZE;
    this.#settleFirst(instrument, ms, position);
    flush(state, instrument);
    const startMs = Math.floor(ms / MINUTE_MS) * MINUTE_MS;
    const { graceMs } = state.options;
    state.hot[b] = startMs;
    const held = cellAt(state, instrument, 0, ms);
    const ended =
      state.cells[held.at] === startMs && ((state.cells[held.at + CELL.flags] as number) & FLAG.ended) !== 0;
    state.hot[b + HOT.openUntil] = ended ? Number.NEGATIVE_INFINITY : startMs + MINUTE_MS + graceMs;
    if (state.watermark(instrument) < (state.hot[b + HOT.openUntil] as number)) {
      instrument.nextMs = Math.min(instrument.nextMs, startMs + MINUTE_MS + graceMs);
      const profile = ensureProfile(instrument, ms);
      this.#profiles[instrument.index] = profile;
      this.#tables[instrument.index] = profile.rows;
    }
  }

  #refuse(x: number, batch: TailBatch, row: number, reason: RefusedTick['reason']): void {
    const instrument = (this.#state.instruments[x] as Instrument).name;
    this.#state.counts.rejected++;
    this.#state.refused.push({ offset: batch.offset, row, instrument, reason });
    ignoreRow(this.#state, batch, row);
  }

  #amend(x: number, batch: TailBatch, row: number): void {
    const state = this.#state;
    const instrument = state.instruments[x] as Instrument;
    const ms = batch.trades.eventMs[row] as number;
    this.#settleFirst(instrument, ms, positionOf(batch.offset, row));
    if (!(ms >= 0 && ms < MAX_EVENT_MS) || !amend(state, instrument, batch, row))
      this.#refuse(x, batch, row, 'not_a_tick');
    this.#amended[x] = instrument.amendments.size > 0 ? 1 : 0;
    this.#refreshTable(x);
  }

  /** A trade whose cancel or correction came first. True when it counts nowhere, or was placed here. */
  #meetsAmendment(x: number, batch: TailBatch, row: number): boolean {
    const state = this.#state;
    const instrument = state.instruments[x] as Instrument;
    const { trades } = batch;
    const key = tradeKey(trades, row);
    const amendment = key === undefined ? undefined : instrument.amendments.get(key);
    if (amendment === undefined || !Number.isNaN(amendment.tradeMs)) return false;
    const ms = trades.eventMs[row] as number;
    amendment.tradeMs = ms;
    amendment.tradeSub = trades.eventSubNs[row] as number;
    amendment.search = false;
    count(state, amendment);
    state.tail.marks.set(positionOf(batch.offset, row), markOf(amendment));
    if (amendment.cancel) return true;
    const b = x * HOT_SIZE;
    const may = state.eligibility.may(state.venues[instrument.venue] as string, amendment.conditions, ms);
    if (may === 0) return true;
    const id = trades.tradeId[row] as number;
    const arrival = trades.arrival[row] as number;
    const side = trades.side[row] as number;
    const placement = this.#place(
      instrument,
      {
        may,
        side: side > 2 ? 0 : side,
        price: amendment.price * 10 ** ((state.hot[b + HOT.priceScale] as number) - amendment.priceDecimals),
        size: amendment.size * 10 ** ((state.hot[b + HOT.sizeScale] as number) - amendment.sizeDecimals),
        ms,
        sub: trades.eventSubNs[row] as number,
        seq: id >= 0 ? id : arrival,
        arrival,
      },
      positionOf(batch.offset, row),
    );
    if (placement !== 'in_time') countLate(state, instrument.venue, placement);
    if (ms > (state.hot[b + HOT.newestMs] as number)) state.hot[b + HOT.newestMs] = ms;
    addToPane(state, instrument, ms, may, amendment, 1);
    return true;
  }

  /** Rebuilds must be done before the trades they need are let go. */
  #trim(): void {
    for (const instrument of this.#state.instruments) settle(this.#state, instrument);
    trimTail(this.#state);
  }

  /** A batch of the log's tail, read again after a restore: its trades can be found, nothing is counted. */
  takeAgain(trades: TradeColumns, offset: number): void {
    const state = this.#state;
    const batch: TailBatch = { trades, offset, instruments: this.indices(trades.instruments.values), until: [] };
    state.tail.push(batch);
    noteUntil(state, batch);
    for (let row = 0; row < trades.length; row++) {
      const id = trades.tradeId[row] as number;
      if (id >= NO_TRADE_ID || trades.action[row] !== ACTION.trade) continue;
      const position = positionOf(offset, row);
      if (state.tail.marks.get(position)?.kind === 'ignored') continue;
      const x = batch.instruments[trades.instrument[row] as number] as number;
      (state.instruments[x] as Instrument).positions.set(tradeKey(trades, row) as string, position);
    }
  }
}

function countLate(state: EngineState, venue: number, placement: 'late' | 'too_late'): void {
  if (placement === 'late') state.counts.late++;
  else state.counts.tooLate++;
  state.late[venue] = (state.late[venue] as number) + 1;
}

function noteUntil(state: EngineState, batch: TailBatch): void {
  for (const index of batch.instruments) {
    const { venue } = state.instruments[index] as Instrument;
    if (!batch.until.some((entry) => entry.venue === venue))
      batch.until.push({ venue, ms: state.watermarks[venue] as number });
  }
}
