/** Measured delays and the offset of the server's clock. Pure: every time is passed in. */

/** Percentiles over the newest samples. */
export interface DelaySummary {
  samples: number;
  /** Milliseconds; NaN without samples. */
  p50Ms: number;
  p99Ms: number;
  maxMs: number;
  lastMs: number;
}

/** A ring of the newest delays in ms. */
export class DelayWindow {
  readonly #ring: Float64Array;
  #next = 0;
  #count = 0;

  constructor(capacity = 512) {
    this.#ring = new Float64Array(capacity);
  }

  add(delayMs: number): void {
    if (!Number.isFinite(delayMs)) return;
    this.#ring[this.#next] = delayMs;
    this.#next = (this.#next + 1) % this.#ring.length;
    if (this.#count < this.#ring.length) this.#count++;
  }

  clear(): void {
    this.#next = 0;
    this.#count = 0;
  }

  summary(): DelaySummary {
    if (this.#count === 0)
      return { samples: 0, p50Ms: Number.NaN, p99Ms: Number.NaN, maxMs: Number.NaN, lastMs: Number.NaN };
    const sorted = this.#ring.slice(0, this.#count).sort();
    const at = (fraction: number): number =>
      sorted[Math.min(this.#count - 1, Math.ceil(fraction * this.#count) - 1)] ?? Number.NaN;
    const last = this.#ring[(this.#next + this.#ring.length - 1) % this.#ring.length] ?? Number.NaN;
    return { samples: this.#count, p50Ms: at(0.5), p99Ms: at(0.99), maxMs: at(1), lastMs: last };
  }
}

/** What is known of the difference between the server's clock and ours. */
export interface ClockEstimate {
  /** Server time minus local time, ms; NaN before the first answer. */
  offsetMs: number;
  /** Round trip of the sample in use, ms: the offset is off by at most half of it. NaN when only one-way times are known. */
  roundTripMs: number;
}

const PROBES_KEPT = 8;

/**
 * Estimates the server's clock as NTP does: of the newest probes the one with the shortest round trip wins, because the error
 * of a probe is at most half its round trip. Until a probe was answered, one-way server times bound the offset from below.
 */
export class ClockOffset {
  #probes: { offsetMs: number; roundTripMs: number }[] = [];
  #oneWay = Number.NaN;

  /** A ping sent at `sentMs` was answered at `receivedMs` (local) by a server whose clock showed `serverMs`. */
  probe(sentMs: number, serverMs: number, receivedMs: number): void {
    const roundTripMs = Math.max(0, receivedMs - sentMs);
    this.#probes.push({ offsetMs: serverMs - (sentMs + roundTripMs / 2), roundTripMs });
    if (this.#probes.length > PROBES_KEPT) this.#probes.shift();
  }

  /** A message stamped `serverMs` arrived at `receivedMs`: the true offset is at least the difference. */
  oneWay(serverMs: number, receivedMs: number): void {
    const offset = serverMs - receivedMs;
    if (!(offset <= this.#oneWay)) this.#oneWay = offset;
  }

  estimate(): ClockEstimate {
    let best: ClockEstimate | undefined;
    for (const probe of this.#probes) if (best === undefined || probe.roundTripMs < best.roundTripMs) best = probe;
    return best ?? { offsetMs: this.#oneWay, roundTripMs: Number.NaN };
  }

  /** Forgets everything: the next connection may end at another server. */
  clear(): void {
    this.#probes = [];
    this.#oneWay = Number.NaN;
  }
}
