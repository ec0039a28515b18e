/**
 * Who gets which units, decided by the group's leader. Sticky: who has a unit keeps it while the shares stay even. In two rounds, as
 * KIP-429: a unit that is to move is first taken away from its owner, and given out only when that one has come back without it. Pure.
 */
import { utf8Decode, utf8Encode } from '#shared/text.ts';

export interface GroupMemberView {
  id: string;
  owned: readonly number[];
}

export function planUnits(units: number, members: readonly GroupMemberView[]): Map<string, number[]> {
  const sorted = [...members].sort((a, b) => b.owned.length - a.owned.length || (a.id < b.id ? -1 : 1));
  const owner = new Map<number, string>();
  for (const { id, owned } of sorted)
    for (const unit of owned) if (unit >= 0 && unit < units && !owner.has(unit)) owner.set(unit, id);
  const shares = new Map<string, number[]>();
  const quota = new Map<string, number>();
  sorted.forEach(({ id }, rank) => {
    const most = Math.floor(units / sorted.length) + (rank < units % sorted.length ? 1 : 0);
    quota.set(id, most);
    const mine = [...owner].filter(([, holder]) => holder === id).map(([unit]) => unit);
    shares.set(id, mine.sort((a, b) => a - b).slice(0, most));
  });
  for (let unit = 0; unit < units; unit++) {
    if (owner.has(unit)) continue;
    // Counted with what is still on its way to it: those who wait for a unit to be taken from another one have room left anyway.
    const needy = sorted
      .map(({ id }) => ({ id, room: (quota.get(id) ?? 0) - (shares.get(id)?.length ?? 0) }))
      .reduce((best, candidate) => (candidate.room > best.room ? candidate : best));
    shares.get(needy.id)?.push(unit);
  }
  return shares;
}

export function encodeUnits(units: readonly number[]): Buffer {
  return Buffer.from(utf8Encode(JSON.stringify(units)));
}

/** Nothing where the bytes are not ours. */
export function decodeUnits(bytes: Uint8Array | null | undefined): number[] {
  if (bytes === null || bytes === undefined || bytes.length === 0) return [];
  try {
    const value: unknown = JSON.parse(utf8Decode(bytes));
    return Array.isArray(value) ? value.filter((unit): unit is number => Number.isInteger(unit)) : [];
  } catch {
    return [];
  }
}
