/**
 * Checksums of held state (SPEC CK-1, CK-2). They are taken over decimal text, so that they are the same whatever scale a
 * receiver holds its integers at, and whether it was told in JSON or in MessagePack.
 */
import { channelSpec, type Channel, type WireValue } from './channels.ts';
import { wireText, scaleOf, type TopicScales } from './wire-value.ts';

const FNV_OFFSET = 0x811c9dc5;
const FNV_PRIME = 0x01000193;
/** Rolling hash of a trades topic that has seen no trade. */
export const EMPTY_HASH = 0;

/** FNV-1a 32 over the UTF-16 units of `text` (all of it is ASCII), unsigned. `seed` continues an earlier hash. */
export function fnv1a(text: string, seed = FNV_OFFSET): number {
  let hash = seed;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), FNV_PRIME);
  return hash >>> 0;
}

/** The values of a row as decimal text, joined by ','; absent ones are empty. */
export function rowText(channel: Channel, row: readonly WireValue[], scales: TopicScales): string {
  const { fields } = channelSpec(channel);
  let text = '';
  for (let i = 0; i < fields.length; i++) {
    const field = fields[i];
    if (i > 0) text += ',';
    if (field !== undefined) text += wireText(row[i] ?? null, scaleOf(field.scale, scales));
  }
  return text;
}

/** Rolling hash after one more trade. */
export function rollHash(hash: number, channel: Channel, row: readonly WireValue[], scales: TopicScales): number {
  return (Math.imul(hash, FNV_PRIME) ^ fnv1a(rowText(channel, row, scales))) >>> 0;
}

/** Hash of one topic: `content` is the text of its values, or its rolling hash in decimal. */
export function topicHash(channel: Channel, symbol: string, content: string): number {
  return fnv1a(`${channel}|${symbol}|${content}`);
}
