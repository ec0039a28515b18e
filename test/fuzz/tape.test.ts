/** Tapes with bytes changed at random: every line is a row, a rejection or nothing, and none stops the tape. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, expect, it } from 'vitest';
import { openTapeSource } from '../../core/collector/tape.ts';
import { TapeError } from '../../core/collector/tape-schema.ts';
import { tapeLine } from '../support/decode-log.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { rng } from '../support/rng.ts';

const folder = mkdtempSync(join(tmpdir(), 'edgetape-fuzz-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const TRADES = 'ts_event_ns,ts_recv_ns,venue,symbol,price,size,side,trade_id,conditions,action\n';
const CAPTURE =
  '1723161254087896568 {"stream":"btcusdt@trade","data":{"e":"trade","s":"BTCUSDT","t":1,"p":"61837.63","q":"0.02","T":1723161255342,"m":true}}\n';

function content(kind: 'trades' | 'capture', random: () => number): { bytes: Buffer; headerBytes: number } {
  const lines = Array.from({ length: 200 }, (_, i) =>
    kind === 'capture'
      ? CAPTURE
      : `1394400000${String(i).padStart(9, '0')},,asx,S${i % 5},${(1 + random() * 50).toFixed(2)},${i + 1},buy,"x${i}",0,\n`,
  );
  const head = kind === 'capture' ? CAPTURE : TRADES;
  return { bytes: Buffer.from(head + lines.join('')), headerBytes: head.length };
}

const LIKELY = [10, 13, 34, 44, 46, 45, 48, 57, 0, 255, 128, 32];

const first = Number(process.env['EDGETAPE_TEST_SEED'] ?? 1);

it.each(Array.from({ length: 60 }, (_, i) => first + i))(
  'MD-9 plays a spoilt tape to its end (seed %i)',
  async (seed) => {
    const random = rng(seed);
    const { bytes, headerBytes } = content(seed % 3 === 0 ? 'capture' : 'trades', random);
    for (let k = Math.floor(random() * 200); k > 0; k--) {
      const at = headerBytes + Math.floor(random() * (bytes.length - headerBytes));
      bytes[at] =
        random() < 0.5 ? (LIKELY[Math.floor(random() * LIKELY.length)] as number) : Math.floor(random() * 256);
    }
    const packed = seed % 2 === 0 ? gzipSync(bytes) : bytes;
    if (seed % 4 === 0) packed[20 + Math.floor(random() * (packed.length - 20))] = Math.floor(random() * 256);
    const path = join(folder, `${seed}.tape`);
    writeFileSync(path, packed);
    let accepted = 0;
    let rejected = 0;
    let read = 0;
    const opened = openTapeSource({ paths: [path], speed: 'max', clock: new ManualClock() });
    // A spoilt gzip may have lost its header; it is then refused as a whole, in words.
    const source = await opened.catch((error: unknown) => {
      if (seed % 4 === 0 && error instanceof TapeError) return undefined;
      throw error;
    });
    if (source === undefined) return;
    for await (const batch of source.batches(undefined, new AbortController().signal)) {
      const { trades } = batch;
      for (let i = 0; i < (trades?.length ?? 0); i++)
        if (trades !== undefined) expect(tapeLine(trades, i)).not.toContain('undefined');
      accepted += trades?.length ?? 0;
      rejected += batch.rejections.length;
      read += batch.rowsRead;
    }
    expect(accepted + rejected).toBeLessThanOrEqual(read);
    if (seed % 4 !== 0) expect(read).toBeGreaterThan(150);
  },
);
