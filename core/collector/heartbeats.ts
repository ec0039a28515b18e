/** When idle partitions are told what time it is (SPEC TK-7, WN-5). Pure: the caller brings the time. */
import { NO_TIME, type QuoteColumns, type TradeColumns } from '#shared/ticks.ts';
import { partitionOf } from '#shared/topics.ts';

export interface Heartbeat {
  topic: string;
  partition: number;
  venue: string;
  eventMs: number;
}

interface VenueTime {
  /** Newest event time at the exchange, and when it was taken in. */
  eventMs: number;
  atMs: number;
  connected: boolean;
  /** By `topic/partition`: when a tick or heartbeat of the venue last went there. */
  readonly lastMs: Map<string, number>;
}

export class Heartbeats {
  readonly #partitions: number;
  readonly #intervalMs: number;
  readonly #topics: readonly string[];
  readonly #venues = new Map<string, VenueTime>();

  constructor(topics: readonly string[], partitions: number, intervalMs: number) {
    this.#topics = topics;
    this.#partitions = partitions;
    this.#intervalMs = intervalMs;
  }

  /** Takes note of a batch that goes to `topic`. Receive times are another clock's and do not count. */
  ticks(topic: string, ticks: TradeColumns | QuoteColumns, nowMs: number): void {
    const venues = ticks.instruments.values.map((instrument) => {
      const venue = this.#venue(instrument.slice(0, instrument.indexOf(':')));
      venue.lastMs.set(`${topic}/${partitionOf(instrument, this.#partitions)}`, nowMs);
      return venue;
    });
    for (let i = 0; i < ticks.length; i++) {
      const venue = venues[ticks.instrument[i] as number] as VenueTime;
      const eventMs = ticks.eventMs[i] as number;
      if (eventMs !== NO_TIME && eventMs > venue.eventMs) {
        venue.eventMs = eventMs;
        venue.atMs = nowMs;
      }
    }
  }

  /** A venue whose connection is down has no time: what it would have said is not known. */
  connection(venue: string, connected: boolean): void {
    this.#venue(venue).connected = connected;
  }

  /** What is due now. Each is taken as sent. */
  due(nowMs: number): Heartbeat[] {
    const due: Heartbeat[] = [];
    for (const [name, venue] of this.#venues) {
      if (!venue.connected || venue.eventMs === Number.NEGATIVE_INFINITY) continue;
      const eventMs = venue.eventMs + Math.max(0, nowMs - venue.atMs);
      for (const topic of this.#topics) {
        for (let partition = 0; partition < this.#partitions; partition++) {
          const place = `${topic}/${partition}`;
          if (nowMs - (venue.lastMs.get(place) ?? Number.NEGATIVE_INFINITY) < this.#intervalMs) continue;
          venue.lastMs.set(place, nowMs);
          due.push({ topic, partition, venue: name, eventMs });
        }
      }
    }
    return due;
  }

  #venue(name: string): VenueTime {
    const known = this.#venues.get(name);
    if (known !== undefined) return known;
    const venue: VenueTime = {
      eventMs: Number.NEGATIVE_INFINITY,
      atMs: 0,
      connected: true,
      lastMs: new Map<string, number>(),
    };
    this.#venues.set(name, venue);
    return venue;
  }
}
