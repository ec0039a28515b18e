/** Cuts: which records of the log make one batch of the store (SPEC ST-2). Pure. */
import { Packr } from 'msgpackr';
import * as v from 'valibot';
import type { BatchToken } from './stores.ts';

/** Records first..last of one partition, both included. */
export interface CutPart {
  topic: string;
  partition: number;
  first: number;
  last: number;
}

const packr = new Packr({ useRecords: false });
const cutSchema = v.array(v.object({ topic: v.string(), partition: v.number(), first: v.number(), last: v.number() }));

/** `topic:partition:first-last`, parts joined by commas in the order of the cut. */
export function cutToken(parts: readonly CutPart[]): BatchToken {
  return parts.map(({ topic, partition, first, last }) => `${topic}:${partition}:${first}-${last}`).join(',');
}

export function encodeCut(parts: readonly CutPart[]): Uint8Array {
  return packr.pack(parts.map(({ topic, partition, first, last }) => ({ topic, partition, first, last })));
}

/** Throws when the bytes are no cut: the state is our own. */
export function decodeCut(bytes: Uint8Array): CutPart[] {
  return v.parse(cutSchema, packr.unpack(bytes));
}
