/** The topics a client wants, and how they are cut into messages. Pure. */
import { LIMITS } from '#shared/limits.ts';

/** Every channel with every symbol. */
export interface TopicGroup {
  channels: string[];
  symbols: string[];
}

const CHANNELS_PER_MESSAGE = 16;
/** Leaves room for the envelope and for 64 positions inside the byte limit of one message. */
const SYMBOL_CHARS_PER_MESSAGE = LIMITS.clientMessageBytes / 2;

export class SubscriptionSet {
  readonly #channels = new Map<string, Set<string>>();

  /** Adds every channel with every symbol; returns those that are new. */
  add(channels: readonly string[], symbols: readonly string[]): TopicGroup[] {
    return group(channels, (channel) => {
      const held = this.#channels.get(channel) ?? new Set<string>();
      this.#channels.set(channel, held);
      const fresh = symbols.filter((symbol) => !held.has(symbol));
      for (const symbol of fresh) held.add(symbol);
      return fresh;
    });
  }

  /** Removes; returns those that were there. */
  remove(channels: readonly string[], symbols: readonly string[]): TopicGroup[] {
    return group(channels, (channel) => {
      const held = this.#channels.get(channel);
      const gone = symbols.filter((symbol) => held?.delete(symbol) === true);
      if (held?.size === 0) this.#channels.delete(channel);
      return gone;
    });
  }

  hasAny(channels: readonly string[], symbols: readonly string[]): boolean {
    return channels.some((channel) => symbols.some((symbol) => this.#channels.get(channel)?.has(symbol) === true));
  }

  /** The topics (`channel|symbol`) that `among` lets through; all of them when left out. */
  groups(among: (key: string) => boolean = () => true): TopicGroup[] {
    return group([...this.#channels.keys()], (channel) =>
      [...(this.#channels.get(channel) ?? [])].filter((symbol) => among(`${channel}|${symbol}`)),
    );
  }
}

/** Puts channels that have the same symbols into one group. */
function group(channels: readonly string[], symbolsOf: (channel: string) => string[]): TopicGroup[] {
  const groups = new Map<string, TopicGroup>();
  for (const channel of new Set(channels)) {
    const symbols = [...new Set(symbolsOf(channel))];
    if (symbols.length === 0) continue;
    const key = symbols.toSorted().join('\n');
    const same = groups.get(key);
    if (same) same.channels.push(channel);
    else groups.set(key, { channels: [channel], symbols });
  }
  return [...groups.values()];
}

/** Cuts groups so that each fits into one message (SPEC SU-7). */
export function chunkTopics(groups: readonly TopicGroup[]): TopicGroup[] {
  const chunks: TopicGroup[] = [];
  for (const { channels, symbols } of groups) {
    for (let at = 0; at < channels.length; at += CHANNELS_PER_MESSAGE) {
      const some = channels.slice(at, at + CHANNELS_PER_MESSAGE);
      for (const part of chunkSymbols(symbols)) chunks.push({ channels: some, symbols: part });
    }
  }
  return chunks;
}

function chunkSymbols(symbols: readonly string[]): string[][] {
  const parts: string[][] = [];
  let part: string[] = [];
  let chars = 0;
  for (const symbol of symbols) {
    if (part.length === LIMITS.symbolsPerMessage || chars + symbol.length + 3 > SYMBOL_CHARS_PER_MESSAGE) {
      parts.push(part);
      part = [];
      chars = 0;
    }
    part.push(symbol);
    chars += symbol.length + 3;
  }
  if (part.length > 0) parts.push(part);
  return parts;
}
