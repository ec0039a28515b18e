/** Dead letters to and from the columns of sql/clickhouse. Pure. */
import type { NativeBlock } from './native-reader.ts';
import { int64At } from './native-reader.ts';
import { NativeWriter } from './native-writer.ts';
import type { DeadLetterRow } from './stores.ts';

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
  block.strings(
    'key',
    rows.map((row) => row.key),
  );
  block.bytes(
    'record',
    rows.map((row) => row.value),
  );
  const words = new Uint32Array(rows.length * 2);
  for (let at = 0; at < words.length; at += 2) words.set(batchId, at);
  block.raw('batch', 'UInt64', words);
  return block;
}

export const DEAD_LETTER_SELECT = 'partition, offset, appended, key, record';

export function readDeadLetters(block: NativeBlock): DeadLetterRow[] {
  const [offset, appended] = [block.words('offset'), block.words('appended')];
  const [key, record] = [block.strings('key'), block.strings('record')];
  return Array.from({ length: block.rows }, (_, i) => ({
    partition: block.numbers('partition')[i] as number,
    offset: int64At(offset, i * 2),
    timestampMs: int64At(appended, i * 2),
    key: key[i] as string,
    value: Buffer.from(record[i] as string, 'utf8'),
  }));
}
