/** Records of the dead-letter topic: a msgpack map with source, line, reason and the first characters of what was refused (SPEC MD-9, TK-6). */
import { Packr } from 'msgpackr';
import * as v from 'valibot';

const packr = new Packr({ useRecords: false });

const deadLetterSchema = v.object({
  /** File or feed; for log records `topic:partition`. */
  source: v.string(),
  /** 1-based line or message number; for log records the offset. */
  line: v.number(),
  reason: v.string(),
  excerpt: v.string(),
});
export type DeadLetter = v.InferOutput<typeof deadLetterSchema>;

export function encodeDeadLetter({ source, line, reason, excerpt }: DeadLetter): Uint8Array {
  return packr.pack({ source, line, reason, excerpt });
}

/** undefined when the bytes are no dead letter. Never throws. */
export function decodeDeadLetter(bytes: Uint8Array): DeadLetter | undefined {
  try {
    const result = v.safeParse(deadLetterSchema, packr.unpack(bytes));
    return result.success ? result.output : undefined;
  } catch {
    return undefined;
  }
}
