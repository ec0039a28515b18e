/**
 * Puts records back that were refused and can be read now (SPEC TK-6). A record is put back once, behind the end of its partition, in
 * one transaction with a note of its position. It must have been refused by everyone who reads its topic: one that the store took and
 * the windows did not, or the other way round, would count twice.
 */
import { isControl } from '#shared/control.ts';
import { decodeFrame } from '#shared/frame.ts';
import { TOPICS } from '#shared/topics.ts';
import { utf8Encode } from '#shared/text.ts';
import type { DeadLetter } from './dead-letter.ts';
import type { Log } from './log.ts';

const STORE = 'put-back';

/** `put_back`, or why it was not. */
export type PutBack = 'put_back' | 'before' | 'gone' | 'still_unreadable' | 'read_by_some';

interface Place {
  topic: string;
  partition: number;
  offset: number;
}

/** Letters of records of tick topics by position, with how many there are of each; rows of tapes and feeds are no records. */
export function refusedRecords(letters: readonly DeadLetter[]): Map<string, Place & { letters: number }> {
  const places = new Map<string, Place & { letters: number }>();
  for (const { source, line } of letters) {
    const [, topic, partition] = /^([a-z0-9-]+):(\d+)$/.exec(source) ?? [];
    if (topic !== TOPICS.trades && topic !== TOPICS.quotes) continue;
    const key = `${source}:${line}`;
    const known = places.get(key);
    if (known !== undefined) known.letters++;
    else places.set(key, { topic, partition: Number(partition), offset: line, letters: 1 });
  }
  return places;
}

/** Windows and sink read every tick topic. */
const READERS = 2;

/** Resolves with what became of each position. Two processes that do this at the same time do not put a record back twice. */
export async function putBack(log: Log, letters: readonly DeadLetter[]): Promise<Map<string, PutBack>> {
  await log.fence(STORE);
  const before = new Set((await log.listState(STORE)).map(({ key }) => key));
  const outcomes = new Map<string, PutBack>();
  for (const [key, { topic, partition, offset, letters: count }] of refusedRecords(letters)) {
    if (before.has(key)) {
      outcomes.set(key, 'before');
      continue;
    }
    const [record] = await log.read(topic, partition, offset, { maxRecords: 1, maxBytes: 1 });
    if (record?.offset !== offset) outcomes.set(key, 'gone');
    else if (isControl(record.value) || !readable(topic, record.value)) outcomes.set(key, 'still_unreadable');
    else if (count < READERS) outcomes.set(key, 'read_by_some');
    else {
      const transaction = await log.transaction(STORE);
      transaction.append(topic, partition, record.value, record.key);
      transaction.putState(STORE, key, utf8Encode('1'));
      await transaction.commit();
      outcomes.set(key, 'put_back');
    }
  }
  return outcomes;
}

function readable(topic: string, value: Uint8Array): boolean {
  const frame = decodeFrame(value);
  return frame.ok && frame.kind === (topic === TOPICS.trades ? 'trades' : 'quotes');
}
