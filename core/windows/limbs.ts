/**
 * Exact sums of integers in float64 arrays (SPEC MD-1). A sum is lo + hi·2^52 (+ top·2^104), each limb an integer below 2^52,
 * so that adding is plain float addition without rounding. Products past 2^52 take the BigInt path.
 */

export const LIMB = 4_503_599_627_370_496; // 2^52
const LIMB_BIG = 1n << 52n;
const MASK = LIMB_BIG - 1n;

/** Adds an integer 0 ≤ value < 2^53 to the two-limb sum at `at`. */
export function addTwo(a: Float64Array, at: number, value: number): void {
  if (value >= LIMB) {
    value -= LIMB;
    a[at + 1] = (a[at + 1] as number) + 1;
  }
  const lo = (a[at] as number) + value;
  if (lo >= LIMB) {
    a[at] = lo - LIMB;
    a[at + 1] = (a[at + 1] as number) + 1;
  } else a[at] = lo;
}

/** Adds price·size, integers below 2^53, to the three-limb sum at `at`. */
export function addProduct(a: Float64Array, at: number, price: number, size: number): void {
  const product = price * size;
  if (product < LIMB) {
    const lo = (a[at] as number) + product;
    if (lo >= LIMB) {
      a[at] = lo - LIMB;
      carryUp(a, at + 1, 1);
    } else a[at] = lo;
    return;
  }
  writeThree(a, at, readThree(a, at) + BigInt(price) * BigInt(size));
}

function carryUp(a: Float64Array, at: number, carry: number): void {
  const hi = (a[at] as number) + carry;
  if (hi >= LIMB) {
    a[at] = hi - LIMB;
    a[at + 1] = (a[at + 1] as number) + 1;
  } else a[at] = hi;
}

/** dst += src, two limbs. */
export function mergeTwo(dst: Float64Array, d: number, src: Float64Array, s: number): void {
  let lo = (dst[d] as number) + (src[s] as number);
  let hi = (dst[d + 1] as number) + (src[s + 1] as number);
  if (lo >= LIMB) {
    lo -= LIMB;
    hi += 1;
  }
  dst[d] = lo;
  dst[d + 1] = hi;
}

/** dst += src, three limbs. */
export function mergeThree(dst: Float64Array, d: number, src: Float64Array, s: number): void {
  let lo = (dst[d] as number) + (src[s] as number);
  let hi = (dst[d + 1] as number) + (src[s + 1] as number);
  let top = (dst[d + 2] as number) + (src[s + 2] as number);
  if (lo >= LIMB) {
    lo -= LIMB;
    hi += 1;
  }
  if (hi >= LIMB) {
    hi -= LIMB;
    top += 1;
  }
  dst[d] = lo;
  dst[d + 1] = hi;
  dst[d + 2] = top;
}

export function readTwo(a: Float64Array, at: number): bigint {
  const lo = a[at] as number;
  const hi = a[at + 1] as number;
  return hi === 0 ? BigInt(lo) : BigInt(hi) * LIMB_BIG + BigInt(lo);
}

export function readThree(a: Float64Array, at: number): bigint {
  const top = a[at + 2] as number;
  const low = readTwo(a, at);
  return top === 0 ? low : (BigInt(top) << 104n) + low;
}

/** Values up to 2^105. */
export function writeTwo(a: Float64Array, at: number, value: bigint): void {
  a[at] = Number(value & MASK);
  a[at + 1] = Number(value >> 52n);
}

/** Values up to 2^157. */
export function writeThree(a: Float64Array, at: number, value: bigint): void {
  a[at] = Number(value & MASK);
  a[at + 1] = Number((value >> 52n) & MASK);
  a[at + 2] = Number(value >> 104n);
}
