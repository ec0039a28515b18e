/** Sets of topics: sorted lists that are shared by everyone who has the same one. */
import { CHANNELS, isChannel, type Channel } from '#shared/protocol/channels.ts';
import { topicKey } from '#shared/protocol/topic-state.ts';
import { isVenue, parseInstrumentId, partitionOf } from '#shared/topics.ts';

/** Keys `channel|symbol`, sorted, no two equal. */
export type TopicList = readonly string[];
export const NO_TOPICS: TopicList = [];

export function symbolOf(key: string): string {
  return key.slice(key.indexOf('|') + 1);
}

export function channelOf(key: string): Channel {
  return key.slice(0, key.indexOf('|')) as Channel;
}

export function partitionOfKey(key: string, partitions: number): number {
  return partitionOf(symbolOf(key), partitions);
}

/** A symbol that may stand in a subscription: an instrument, or `venue:*` (SPEC SU-4). */
export function isSubscribable(symbol: string): boolean {
  return parseInstrumentId(symbol) !== undefined || (symbol.endsWith(':*') && isVenue(symbol.slice(0, -2)));
}

export type Product =
  | { ok: true; keys: string[] }
  | { ok: false; code: 'unknown_channel' | 'bad_message'; message: string };

/** Every channel of every symbol, or what is wrong with one of them. */
export function topicProduct(channels: readonly string[], symbols: readonly string[]): Product {
  const unknown = channels.find((channel) => !isChannel(channel));
  if (unknown !== undefined)
    return { ok: false, code: 'unknown_channel', message: `There is no channel ${JSON.stringify(unknown)}.` };
  const wrong = symbols.find((symbol) => !isSubscribable(symbol));
  if (wrong !== undefined)
    return { ok: false, code: 'bad_message', message: `${JSON.stringify(wrong)} is no symbol; one is venue:SYMBOL.` };
  return {
    ok: true,
    keys: channels.flatMap((channel) => symbols.map((symbol) => topicKey(channel as Channel, symbol))),
  };
}

export function union(a: TopicList, b: Iterable<string>): TopicList {
  const all = new Set(a);
  for (const key of b) all.add(key);
  return all.size === a.length ? a : [...all].sort();
}

export function without(a: TopicList, b: Iterable<string>): TopicList {
  const gone = new Set(b);
  const rest = a.filter((key) => !gone.has(key));
  return rest.length === a.length ? a : rest;
}

/** The set as `subscribed` tells it: channels with their symbols. */
export function groupByChannel(topics: TopicList): { channel: string; symbols: string[] }[] {
  const groups = new Map<string, string[]>();
  for (const key of topics) {
    const channel = channelOf(key);
    const symbols = groups.get(channel);
    if (symbols === undefined) groups.set(channel, [symbolOf(key)]);
    else symbols.push(symbolOf(key));
  }
  return [...groups].map(([channel, symbols]) => ({ channel, symbols }));
}

/** Short text of a set, for a socket's attachment: `symbol` and a hexadecimal mask of channels, by turns. */
export function packTopics(topics: TopicList): string {
  const masks = new Map<string, number>();
  for (const key of topics) {
    const symbol = symbolOf(key);
    masks.set(symbol, (masks.get(symbol) ?? 0) | (1 << CHANNELS.indexOf(channelOf(key))));
  }
  return [...masks].map(([symbol, mask]) => `${symbol},${mask.toString(16)}`).join(',');
}

export function unpackTopics(text: string): TopicList {
  if (text === '') return NO_TOPICS;
  const parts = text.split(',');
  const keys: string[] = [];
  for (let i = 0; i + 1 < parts.length; i += 2) {
    const mask = Number.parseInt(parts[i + 1] ?? '', 16);
    CHANNELS.forEach((channel, bit) => {
      if ((mask & (1 << bit)) !== 0) keys.push(topicKey(channel, parts[i] as string));
    });
  }
  return keys.sort();
}

/** One list object per set, so that ten thousand equal watchlists cost one. */
export class TopicLists {
  readonly #byText = new Map<string, WeakRef<string[]>>();

  share(topics: TopicList): TopicList {
    if (topics.length === 0) return NO_TOPICS;
    const text = topics.join('\n');
    const known = this.#byText.get(text)?.deref();
    if (known !== undefined) return known;
    if (this.#byText.size > 10_000)
      for (const [old, ref] of this.#byText) if (ref.deref() === undefined) this.#byText.delete(old);
    this.#byText.set(text, new WeakRef(topics as string[]));
    return topics;
  }
}
