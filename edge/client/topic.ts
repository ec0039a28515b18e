/** What an application sees of a topic: stable snapshots that change only when something changed. */
import type { ChannelKind } from '#shared/protocol/channels.ts';

/** Decimals are strings at their full value, counts and times numbers, null where a value is not known. */
export type FieldValue = string | number | null;
export type Fields = Readonly<Record<string, FieldValue>>;

/** The same object until the topic changes, so that it can be handed to `useSyncExternalStore` and compared by identity. */
export interface TopicSnapshot {
  kind: ChannelKind;
  /** The latest values of a state channel; undefined before the first, and for the other kinds. */
  fields: Fields | undefined;
  /** Trades oldest first, or bars by rising start; a row that did not change is the same object as before. */
  rows: readonly Fields[];
  /** Rises with every change. For trades also the number of rows ever seen, so that a reader knows how many are new. */
  version: number;
  /** Local time when the newest change was decoded, ms; NaN before the first. */
  receivedAtMs: number;
  /** The server's time of the frame that carried it, ms; NaN before the first. */
  frameTimeMs: number;
}

export interface Topic {
  readonly channel: string;
  readonly symbol: string;
  /** Calls back after a change, at most once a frame. Returns the end of it. */
  readonly subscribe: (listener: () => void) => () => void;
  readonly getSnapshot: () => TopicSnapshot;
}
