/** Measured delays of frames, overall and by channel. */
import { channelSpec } from '#shared/protocol/channels.ts';
import type { StreamUpdate } from '#shared/protocol/state.ts';
import type { TopicDelta } from '#shared/protocol/topic-state.ts';
import { ClockOffset, DelayWindow, type ClockEstimate, type DelaySummary } from './latency.ts';

export interface Delays {
  /** Venue's event time of the newest tick in a frame → decoded here. On a recorded tape it is the tape's age. */
  venueToClient: DelaySummary;
  /** The edge's time of a frame → decoded here. */
  edgeToClient: DelaySummary;
}

interface Windows {
  venue: DelayWindow;
  edge: DelayWindow;
}

const CHANNEL_SAMPLES = 128;

export class DelayMeter {
  readonly clock = new ClockOffset();
  readonly #all = windows(512);
  readonly #channels = new Map<string, Windows>();

  /** A live update was decoded at `receivedAtMs`. Snapshots and catchups are old by nature and not counted. */
  measure(update: StreamUpdate, receivedAtMs: number): void {
    const { offsetMs } = this.clock.estimate();
    if (update.kind !== 'update' || Number.isNaN(offsetMs)) return;
    const serverMs = receivedAtMs + offsetMs;
    const edgeMs = Math.max(0, serverMs - update.timeMs);
    this.#all.edge.add(edgeMs);
    let newestMs = Number.NEGATIVE_INFINITY;
    for (const delta of update.topics) {
      const { channel } = delta.info;
      const eventMs = newestEvent(delta);
      newestMs = Math.max(newestMs, eventMs);
      const own = this.#channels.get(channel) ?? windows(CHANNEL_SAMPLES);
      this.#channels.set(channel, own);
      own.edge.add(edgeMs);
      own.venue.add(serverMs - eventMs);
    }
    this.#all.venue.add(serverMs - newestMs);
  }

  summary(): Delays & { clock: ClockEstimate } {
    return {
      venueToClient: this.#all.venue.summary(),
      edgeToClient: this.#all.edge.summary(),
      clock: this.clock.estimate(),
    };
  }

  channel(channel: string): Delays | undefined {
    const own = this.#channels.get(channel);
    return own && { venueToClient: own.venue.summary(), edgeToClient: own.edge.summary() };
  }

  /** The next connection may be another way through the network. */
  clear(): void {
    this.clock.clear();
    this.#all.edge.clear();
    this.#all.venue.clear();
    this.#channels.clear();
  }
}

function windows(capacity: number): Windows {
  return { venue: new DelayWindow(capacity), edge: new DelayWindow(capacity) };
}

/** Event time of the newest tick in the delta, ms; -Infinity where the channel has none. */
function newestEvent(delta: TopicDelta): number {
  const at = channelSpec(delta.info.channel).fields.findIndex((field) => field.name === 'eventMs');
  const row = delta.values ?? delta.rows?.at(-1);
  const value = at < 0 ? undefined : row?.[at];
  return typeof value === 'number' ? value : Number.NEGATIVE_INFINITY;
}
