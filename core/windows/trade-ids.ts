/**
 * Duplicates by integer trade id (SPEC WN-10): the highest id so far, and the ranges below it that never came. Venues that start
 * their ids anew, or hand them out in no order, are looked up exactly in the tail instead.
 */

/** Ranges [from, to] of ids that are missing, ascending and apart. */
export class MissingIds {
  readonly from: number[] = [];
  readonly to: number[] = [];

  add(from: number, to: number): void {
    this.from.push(from);
    this.to.push(to);
  }

  /** Takes `id` out; false when it was not missing. */
  take(id: number): boolean {
    let low = 0;
    let high = this.from.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >>> 1;
      if ((this.from[middle] as number) <= id) low = middle;
      else high = middle - 1;
    }
    const from = this.from[low];
    const to = this.to[low];
    if (from === undefined || to === undefined || id < from || id > to) return false;
    if (from === to) {
      this.from.splice(low, 1);
      this.to.splice(low, 1);
    } else if (id === from) this.from[low] = id + 1;
    else if (id === to) this.to[low] = id - 1;
    else {
      this.from.splice(low, 1, from, id + 1);
      this.to.splice(low, 1, id - 1, to);
    }
    return true;
  }

  has(id: number): boolean {
    return this.from.some((from, i) => id >= from && id <= (this.to[i] as number));
  }

  clear(): void {
    this.from.length = 0;
    this.to.length = 0;
  }

  /** Forgets the lower half; returns the id below which nothing is known any more. */
  forgetHalf(): number {
    const count = this.from.length >>> 1;
    this.from.splice(0, count);
    this.to.splice(0, count);
    return this.from[0] as number;
  }
}
