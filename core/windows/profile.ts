/** Point of control and value area of a volume profile (SPEC WN-11). */
import type { ProfileRow } from '#shared/bars.ts';

export interface ValueArea {
  /** Index of the point of control, -1 when there is no volume. */
  poc: number;
  /** First and last row (inclusive) of the value area. */
  low: number;
  high: number;
  volume: bigint;
}

/**
 * Point of control: the row with the most volume; ties: nearest to the middle of the price range, then the lower price.
 * Value area: from there on takes the larger of the two rows next to it (ties: the upper) until it holds ≥ 70 %.
 * @param rows by rising price
 */
export function valueArea(rows: readonly Pick<ProfileRow, 'price' | 'volume'>[]): ValueArea {
  let total = 0n;
  let poc = -1;
  const twiceMiddle = (rows[0]?.price ?? 0) + (rows.at(-1)?.price ?? 0);
  for (let i = 0; i < rows.length; i++) {
    const row = rows[i] as ProfileRow;
    total += row.volume;
    if (row.volume === 0n) continue;
    const best = rows[poc];
    if (best === undefined || row.volume > best.volume) poc = i;
    else if (row.volume === best.volume && distance(row.price, twiceMiddle) < distance(best.price, twiceMiddle))
      poc = i;
  }
  if (poc < 0) return { poc, low: 0, high: -1, volume: 0n };
  let low = poc;
  let high = poc;
  let volume = (rows[poc] as ProfileRow).volume;
  while (volume * 10n < total * 7n) {
    const below = rows[low - 1]?.volume;
    const above = rows[high + 1]?.volume;
    if (above !== undefined && (below === undefined || above >= below)) {
      volume += above;
      high++;
    } else {
      volume += below ?? 0n;
      low--;
    }
  }
  return { poc, low, high, volume };
}

/** Twice the distance from the middle, exact: prices are integers below 2^53. */
function distance(price: number, twiceMiddle: number): bigint {
  const d = BigInt(price) * 2n - BigInt(twiceMiddle);
  return d < 0n ? -d : d;
}
