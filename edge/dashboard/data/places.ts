/**
 * How many decimal places a symbol's prices are shown with: as many as the longest seen, so that columns stand still. A venue may
 * print more (61837.63000000) than ever carry information.
 */

export class Places {
  readonly #most = new Map<string, number>();

  /** Takes in decimals as sent, without padding zeros; returns the places to show the symbol's prices with. */
  see(symbol: string, ...values: readonly unknown[]): number {
    let most = this.#most.get(symbol) ?? 0;
    for (const value of values) {
      if (typeof value !== 'string') continue;
      const point = value.indexOf('.');
      if (point >= 0) most = Math.max(most, value.length - point - 1);
    }
    this.#most.set(symbol, most);
    return most;
  }
}
