/**
 * Topics as an application sees them. Frames are decoded as they come; listeners hear of it once a frame, and a value is made
 * into text only when somebody looks at it.
 */
import { channelSpec, isChannel, type ChannelKind } from '#shared/protocol/channels.ts';
import type { PartitionState, StreamUpdate } from '#shared/protocol/state.ts';
import type { Row, TopicInfo, TopicState } from '#shared/protocol/topic-state.ts';
import { scaleOf, wireText } from '#shared/protocol/wire-value.ts';
import type { FrameScheduler } from './platform.ts';
import type { Fields, FieldValue, Topic, TopicSnapshot } from './topic.ts';

const NO_ROWS: readonly Fields[] = [];

export class TopicStore {
  readonly #partitions: ReadonlyMap<number, PartitionState>;
  readonly #frames: FrameScheduler;
  readonly #views = new Map<string, TopicView>();
  readonly #dirty = new Set<TopicView>();
  readonly #times = new Map<string, TopicTimes>();
  #scheduled = false;

  constructor(partitions: ReadonlyMap<number, PartitionState>, frames: FrameScheduler) {
    this.#partitions = partitions;
    this.#frames = frames;
  }

  /** The same object for the same channel and symbol. */
  topic(channel: string, symbol: string): Topic {
    const key = `${channel}|${symbol}`;
    const known = this.#views.get(key);
    if (known) return known;
    const view = new TopicView(channel, symbol, this.#timesOf(key), () => this.#find(key));
    this.#views.set(key, view);
    return view;
  }

  /** Notes what an update changed; listeners are called at the next frame. */
  changed(update: StreamUpdate, receivedAtMs: number): void {
    for (const { info } of update.topics) {
      const key = `${info.channel}|${info.symbol}`;
      const times = this.#timesOf(key);
      times.version++;
      times.receivedAtMs = receivedAtMs;
      times.frameTimeMs = update.timeMs;
      const view = this.#views.get(key);
      if (view) this.#dirty.add(view);
    }
    if (this.#scheduled || this.#dirty.size === 0) return;
    this.#scheduled = true;
    this.#frames(() => this.#publish());
  }

  #timesOf(key: string): TopicTimes {
    let times = this.#times.get(key);
    if (times === undefined) {
      times = { version: 0, receivedAtMs: Number.NaN, frameTimeMs: Number.NaN };
      this.#times.set(key, times);
    }
    return times;
  }

  #publish(): void {
    this.#scheduled = false;
    const views = [...this.#dirty];
    this.#dirty.clear();
    for (const view of views) view.publish();
  }

  #find(key: string): TopicState | undefined {
    for (const partition of this.#partitions.values()) {
      const topic = partition.topics.get(key);
      if (topic) return topic;
    }
    return undefined;
  }
}

/** When a topic changed last; kept for topics that nobody looks at yet, too. */
interface TopicTimes {
  version: number;
  receivedAtMs: number;
  frameTimeMs: number;
}

class TopicView implements Topic {
  readonly channel: string;
  readonly symbol: string;
  readonly #kind: ChannelKind;
  readonly #find: () => TopicState | undefined;
  readonly #listeners = new Set<() => void>();
  #rows = new WeakMap<Row, Fields>();
  #rowsInfo: TopicInfo | undefined;
  readonly #times: Readonly<TopicTimes>;
  #snapshot: TopicSnapshot | undefined;

  constructor(channel: string, symbol: string, times: Readonly<TopicTimes>, find: () => TopicState | undefined) {
    this.channel = channel;
    this.symbol = symbol;
    this.#times = times;
    this.#kind = isChannel(channel) ? channelSpec(channel).kind : 'state';
    this.#find = find;
  }

  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  readonly getSnapshot = (): TopicSnapshot => {
    this.#snapshot ??= this.#build(this.#find());
    return this.#snapshot;
  };

  publish(): void {
    this.#snapshot = undefined;
    for (const listener of this.#listeners) listener();
  }

  #build(topic: TopicState | undefined): TopicSnapshot {
    return {
      kind: this.#kind,
      fields: topic?.values === undefined ? undefined : namedFields(topic.info, topic.values),
      rows: topic === undefined || this.#kind === 'state' ? NO_ROWS : this.#namedRows(topic),
      ...this.#times,
    };
  }

  #namedRows(topic: TopicState): readonly Fields[] {
    const { info } = topic;
    if (info.priceScale !== this.#rowsInfo?.priceScale || info.sizeScale !== this.#rowsInfo.sizeScale) {
      this.#rows = new WeakMap();
      this.#rowsInfo = info;
    }
    const rows = this.#kind === 'bars' ? topic.bars.map((bar) => bar.row) : topic.newestTrades();
    return rows.map((row) => {
      const known = this.#rows.get(row);
      if (known) return known;
      const named = namedFields(info, row);
      this.#rows.set(row, named);
      return named;
    });
  }
}

/** A row by field names, decimals as text. */
export function namedFields(info: TopicInfo, row: Row): Fields {
  const named: Record<string, FieldValue> = {};
  channelSpec(info.channel).fields.forEach((field, i) => {
    const value = row[i] ?? null;
    named[field.name] = value === null || field.scale === 0 ? value : wireText(value, scaleOf(field.scale, info));
  });
  return named;
}
