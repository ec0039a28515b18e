/** Whether `value` is an integer that a double holds exactly: false for NaN, infinities and fractions. */
export function isInteger(value: number): boolean {
  return Number.isSafeInteger(value);
}
