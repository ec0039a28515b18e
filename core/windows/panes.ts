/** Panes of one second, for the rolling 30 s figures. */
import { MAY } from './cells.ts';
import { addTwo } from './limbs.ts';
import { type EngineState, HOT, HOT_SIZE, type Instrument, PANE_SIZE, PANES } from './state.ts';

/** Offset of the pane of `ms`, emptied when it still held an older second; -1 when it holds a newer one. */
export function paneAt(panes: Float64Array, index: number, ms: number): number {
  const second = Math.floor(ms / 1000);
  const at = (index * PANES + (second & (PANES - 1))) * PANE_SIZE;
  const held = panes[at] as number;
  if (held === second) return at;
  if (held > second) return -1;
  panes[at] = second;
  panes.fill(0, at + 1, at + PANE_SIZE);
  return at;
}

/** Adds a trade (`sign` 1) or takes it out (-1). Price and size as printed, with their places. */
export function addToPane(
  state: EngineState,
  instrument: Instrument,
  ms: number,
  may: number,
  values: { price: number; priceDecimals: number; size: number; sizeDecimals: number },
  sign: 1 | -1,
): void {
  if ((may & MAY.volume) === 0) return;
  const { panes } = state;
  const at = paneAt(panes, instrument.index, ms);
  if (at < 0) return;
  const b = instrument.index * HOT_SIZE;
  const price = values.price * 10 ** ((state.hot[b + HOT.priceScale] as number) - values.priceDecimals);
  const size = values.size * 10 ** ((state.hot[b + HOT.sizeScale] as number) - values.sizeDecimals);
  panes[at + 1] = (panes[at + 1] as number) + sign;
  if (sign === 1) addTwo(panes, at + 2, size);
  else subtractTwo(panes, at + 2, size);
  panes[at + 4] = (panes[at + 4] as number) + sign * price * size;
  panes[at + 5] = (panes[at + 5] as number) + sign * price;
}

function subtractTwo(a: Float64Array, at: number, value: number): void {
  const rest = BigInt(a[at + 1] as number) * (1n << 52n) + BigInt(a[at] as number) - BigInt(value);
  const kept = rest < 0n ? 0n : rest;
  a[at] = Number(kept & ((1n << 52n) - 1n));
  a[at + 1] = Number(kept >> 52n);
}
