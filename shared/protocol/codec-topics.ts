/** The dictionary of a packed message: which topic an id stands for, and its scales (layout: codec.ts). */
import { MAX_DECIMALS } from '../decimal.ts';
import { LIMITS } from '../limits.ts';
import { isChannel } from './channels.ts';
import { PackFault, type PackReader, type PackWriter } from './msgpack.ts';
import type { TopicInfo } from './topic-state.ts';

/** Elements of one entry. */
export const TOPIC_ELEMENTS = 5;
const MAX_SYMBOL_CHARS = LIMITS.nameChars * 2 + 1;

export function writeTopic(writer: PackWriter, info: TopicInfo): void {
  writer.number(info.id);
  writer.string(info.channel);
  writer.string(info.symbol);
  writer.number(info.priceScale);
  writer.number(info.sizeScale);
}

/** Throws a PackFault when the bytes hold no dictionary. */
export function readTopics(reader: PackReader): Map<number, TopicInfo> {
  const elements = reader.arrayHeader();
  if (elements % TOPIC_ELEMENTS !== 0) throw new PackFault('bad dictionary');
  const topics = new Map<number, TopicInfo>();
  for (let i = 0; i < elements; i += TOPIC_ELEMENTS) {
    const id = reader.count(Number.MAX_SAFE_INTEGER);
    const channel = reader.string(32);
    if (!isChannel(channel)) throw new PackFault('unknown channel');
    const symbol = reader.string(MAX_SYMBOL_CHARS);
    topics.set(id, {
      id,
      channel,
      symbol,
      priceScale: reader.count(MAX_DECIMALS),
      sizeScale: reader.count(MAX_DECIMALS),
    });
  }
  return topics;
}
