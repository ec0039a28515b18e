/** Dead letters to and from the columns of sql/clickhouse. Pure. */
import { int64At, type NativeBlock } from './native-reader.ts';
import { NativeWriter } from './native-writer.ts';
import type { DeadLetterRow } from './stores.ts';

/** @param batchId hash of the batch's token, two words */
export function deadLetterBlock(rows: readonly DeadLetterRow[], batchId: Uint32Array): NativeWriter {
  const block = new NativeWriter(rows.length);
  block.uint32(
    'partition',
    rows.map((row) => row.partition),
  );
  block.int64(
    'offset',
    rows.map((row) => row.offset),
    'UInt64',
  );
  block.int64(
    'appended',
    rows.map((row) => row.timestampMs),
    "DateTime64(3, 'UTC')",
  );
  block.lowCardinality(
    'source',
    rows.map((row) => row.source),
  );
  block.int64(
    'line',
    rows.map((row) => row.line),
    'UInt64',
  );
  block.lowCardinality(
    'reason',
    rows.map((row) => row.reason),
  );
  block.strings(
    'excerpt',
    rows.map((row) => row.excerpt),
  );
  const words = new Uint32Array(rows.length * 2);
  for (let at = 0; at < words.length; at += 2) words.set(batchId, at);
  block.raw('batch', 'UInt64', words);
  return block;
}

export const DEAD_LETTER_SELECT = 'partition, offset, appended, source, line, reason, excerpt';

export function readDeadLetters(block: NativeBlock): DeadLetterRow[] {
  const [offset, appended, line] = [block.words('offset'), block.words('appended'), block.words('line')];
  const [source, reason] = [block.dictionary('source'), block.dictionary('reason')];
  const excerpt = block.strings('excerpt');
  return Array.from({ length: block.rows }, (_, i) => ({
    partition: block.numbers('partition')[i] as number,
    offset: int64At(offset, i * 2),
    timestampMs: int64At(appended, i * 2),
    source: source.keys[source.indices[i] as number] as string,
    line: int64At(line, i * 2),
    reason: reason.keys[reason.indices[i] as number] as string,
    excerpt: excerpt[i] as string,
  }));
}
