import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { LIMITS } from '#shared/limits.ts';
import { tapeLine } from '../../test/support/decode-log.ts';
import { ManualClock } from '../../test/support/manual-clock.ts';
import { rng } from '../../test/support/rng.ts';
import type { PlaySpeed } from './pacing.ts';
import type { Rejection, Source, SourceBatch } from './source.ts';
import { openTapeSource } from './tape.ts';

const TRADES = 'ts_event_ns,ts_recv_ns,venue,symbol,price,size,side,trade_id,conditions';
const QUOTES = 'ts_event_ns,ts_recv_ns,venue,symbol,bid_price,bid_size,ask_price,ask_size';
const T0 = 1_394_400_000_000;

const folder = mkdtempSync(join(tmpdir(), 'edgetape-tape-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
let files = 0;

function file(content: string | Uint8Array, name = 'tape.csv'): string {
  const path = join(mkdtempSync(join(folder, `${files++}-`)), name);
  writeFileSync(path, content);
  return path;
}

function tape(header: string, ...rows: string[]): string {
  return file([header, ...rows, ''].join('\n'));
}

function row(offsetMs: number, price = '36.5', size = '10', rest = ',,'): string {
  return `${T0 + offsetMs}000000,,asx,BHP,${price},${size},${rest}`;
}

interface Played {
  lines: string[];
  rejections: Rejection[];
  rowsRead: number;
  batches: number;
}

async function open(paths: string[], speed: PlaySpeed = 'max', clock = new ManualClock()): Promise<Source> {
  return openTapeSource({ paths, speed, clock });
}

/** Ticks of a batch in the order of arrival. */
function linesOf({ trades, quotes }: SourceBatch): string[] {
  const lines: string[] = [];
  for (const ticks of [trades, quotes])
    for (let i = 0; i < (ticks?.length ?? 0); i++)
      if (ticks !== undefined) lines[ticks.arrival[i] as number] = tapeLine(ticks, i);
  return lines;
}

async function play(paths: string[], cursor?: string): Promise<Played> {
  const played: Played = { lines: [], rejections: [], rowsRead: 0, batches: 0 };
  for await (const batch of (await open(paths)).batches(cursor, new AbortController().signal)) {
    played.lines.push(...linesOf(batch));
    played.rejections.push(...batch.rejections);
    played.rowsRead += batch.rowsRead;
    played.batches++;
  }
  return played;
}

const reasons = ({ rejections }: Played): string[] => rejections.map(({ line, reason }) => `${line} ${reason}`);

describe('header', () => {
  it('MD-9 finds columns in any order, leaves unknown ones alone, reads quoted names and a byte order mark', async () => {
    const path = file(
      `\uFEFF"note",size,price,"symbol",venue,ts_event_ns\r\n"a, ""b""",10,36.50,BHP,asx,${T0}000000\r\n`,
    );
    expect(await play([path])).toMatchObject({ lines: [`${T0}000000,,asx,BHP,36.50,10,,,`], rejections: [] });
  });

  it.each([
    ['a missing column', 'ts_event_ns,venue,symbol,price', /size.*found ts_event_ns, venue, symbol, price/],
    ['missing columns of quotes', 'ts_event_ns,venue,symbol,bid_price', /quotes without the column ask_price/],
    ['quotes without any time', 'venue,symbol,bid_price,ask_price', /without the column ts_event_ns/],
    ['a column twice', `${TRADES},price`, /price stands twice/],
    ['no tape', 'hello\nworld', /not a tape/],
    ['an empty file', '', /is empty/],
    ['bytes of something else', Uint8Array.from({ length: 5_000 }, (_, i) => (i * 7919) % 256), /not a tape/],
    ['an endless first line', 'x'.repeat(2_000_000), /not a tape/],
  ])('MD-9 refuses %s, naming the file', async (_, content, message) => {
    const path = file(content, 'some-tape.csv');
    const failure = await open([path]).catch((error: unknown) => error);
    expect(failure).toMatchObject({ name: 'TapeError' });
    expect(String(failure)).toMatch(message);
    expect(String(failure)).toContain('some-tape.csv');
    expect(String(failure)).not.toContain(folder);
  });

  it('MD-9 refuses a file that is not there, and a folder', async () => {
    await expect(open([join(folder, 'nowhere.csv')])).rejects.toThrow('nowhere.csv: there is no such file');
    await expect(open([folder])).rejects.toThrow('is a folder');
  });

  it('MD-9 takes a header without rows', async () => {
    expect(await play([file(TRADES)])).toMatchObject({ lines: [], rowsRead: 0 });
  });
});

describe('rows', () => {
  it('MD-6 MD-7 MD-9 are refused with line and reason, and every good row arrives', async () => {
    const bad: [string, string][] = [
      [row(1, 'NaN'), 'not_a_decimal'],
      [row(1, '-1'), 'not_positive'],
      [row(1, '0'), 'not_positive'],
      [row(1, '36.5', '0'), 'not_positive'],
      [row(1, '9'.repeat(400)), 'too_long'],
      [row(1, `0.${'3'.repeat(400)}`), 'too_long'],
      [row(1, '9'.repeat(20)), 'too_large'],
      [row(1, '0.1234567890123456789'), 'too_precise'],
      [row(1, ''), 'missing_column_value'],
      [row(1, '1e3'), 'not_a_decimal'],
      [row(1, ' 36.5'), 'not_a_decimal'],
      ['-1000000000,,asx,BHP,36.5,10,,,', 'before_1970'],
      ['4102444800000000000,,asx,BHP,36.5,10,,,', 'after_2100'],
      ['soon,,asx,BHP,36.5,10,,,', 'not_a_time'],
      [',,asx,BHP,36.5,10,,,', 'missing_column_value'],
      [`${T0}000000,later,asx,BHP,36.5,10,,,`, 'not_a_time'],
      [`${T0}000000,,asx,BHP,36.5`, 'wrong_column_count'],
      [`${T0}000000,,asx,BHP,36.5,10,,,,`, 'wrong_column_count'],
      [`${T0}000000,,ASX,BHP,36.5,10,,,`, 'bad_venue'],
      [`${T0}000000,,asx,B P,36.5,10,,,`, 'bad_symbol'],
      [`${T0}000000,,asx,,36.5,10,,,`, 'missing_column_value'],
      [`${T0}000000,,asx,${'B'.repeat(600)},36.5,10,,,`, 'too_long'],
      [row(1, '36.5', '10', 'maybe,,'), 'bad_side'],
      [row(1, '36.5', '10', `,${'x'.repeat(65)},`), 'too_long'],
      [row(1, '36.5', '10', `,,${'x'.repeat(65)}`), 'too_long'],
      [row(1, '36.5', '10', ',,"open'), 'unclosed_quote'],
      [row(1, '36.5', '10', `,,${'y'.repeat(LIMITS.tapeLineChars)}`), 'line_too_long'],
    ];
    const good = bad.map((_, i) => row(i, `36.${i + 10}`, '10', 'buy,7,0'));
    const path = tape(TRADES, ...bad.flatMap(([text], i) => [good[i] as string, text]));
    const played = await play([path]);
    expect(played.lines).toEqual(good);
    expect(reasons(played)).toEqual(bad.map(([, reason], i) => `${2 * i + 3} ${reason}`));
    expect(played.rejections[0]).toEqual({
      source: 'tape.csv',
      line: 3,
      reason: 'not_a_decimal',
      excerpt: bad[0]?.[0],
    });
    for (const { excerpt } of played.rejections) expect(excerpt.length).toBeLessThanOrEqual(LIMITS.deadLetterChars);
  });

  it('MD-9 refuses text that is not UTF-8, and nothing around it', async () => {
    const bytes = Buffer.from([TRADES, row(0), row(1, '36.5', '10', ',,#'), row(2), ''].join('\n'));
    bytes[bytes.indexOf('#')] = 0xff;
    const played = await play([file(bytes)]);
    expect(played.lines).toEqual([row(0), row(2)]);
    expect(reasons(played)).toEqual(['3 not_utf8']);
  });

  it('MD-3 refuses a row that is too precise beside the others, with its text', async () => {
    const rows = [row(0, '60000'), row(1, '60000.1234567890'), row(2, '60001')];
    const played = await play([tape(TRADES, ...rows)]);
    expect(played.lines).toEqual([rows[0], rows[2]]);
    expect(played.rejections).toEqual([{ source: 'tape.csv', line: 3, reason: 'too_precise', excerpt: rows[1] }]);
  });

  it('MD-10 reads cancels and corrections, which must name their trade', async () => {
    const path = tape(
      `${TRADES},action`,
      `${row(0, '36.5', '10', ',a1,0')},`,
      `${row(1, '36.6', '20', ',a1,0')},correction`,
      `${row(2, '', '', ',a1,')},cancel`,
      `${row(3, '36.5', '10', ',,')},cancel`,
      `${row(4, '', '10', ',a1,')},correction`,
      `${row(5)},undo`,
    );
    const actions: number[] = [];
    const ids: number[] = [];
    for await (const { trades } of (await open([path])).batches(undefined, new AbortController().signal)) {
      actions.push(...(trades?.action.subarray(0, trades.length) ?? []));
      ids.push(...(trades?.tradeId.subarray(0, trades.length) ?? []));
    }
    expect(actions).toEqual([0, 2, 1]);
    expect(new Set(ids).size).toBe(1);
    expect(reasons(await play([path]))).toEqual(['5 missing_column_value', '6 missing_column_value', '7 bad_action']);
  });

  it('MD-7 keeps crossed, locked and one-sided quotes, and quotes without sizes', async () => {
    const rows = [
      `${T0}000000,,asx,BHP,37.7,300,0.0,0`,
      `${T0}000000,,asx,BHP,37.8,300,37.7,5`,
      `,${T0}000001,asx,BHP,37.7,1,37.7,1`,
      `${T0}000000,,fxcm,EURUSD,1.39,,1.40,`,
    ];
    const played = await play([tape(QUOTES, ...rows, ',,asx,BHP,1,1,1,1', `${T0}000000,,asx,BHP,-1,1,1,1`)]);
    expect(played.lines.toSorted()).toEqual(rows.toSorted());
    expect(reasons(played)).toEqual(['6 missing_column_value', '7 not_positive']);
  });

  it('MD-4 come out as they were printed (property)', async () => {
    const decimal = fc.stringMatching(/^(0|[1-9][0-9]{0,4})(\.[0-9]{1,8})?$/).filter((text) => Number(text) > 0);
    const text = fc.stringMatching(/^[A-Za-z0-9:.]{0,20}$/);
    const line = fc
      .tuple(fc.nat({ max: 999_999_999 }), decimal, decimal, fc.constantFrom('', 'buy', 'sell'), text, text)
      .map(
        ([ns, price, size, side, id, code]) =>
          `${T0}${String(ns).padStart(6, '0').slice(0, 6)},,v,S,${price},${size},${side},${id},${code}`,
      );
    await fc.assert(
      fc.asyncProperty(fc.array(line, { minLength: 1, maxLength: 30 }), fc.boolean(), async (rows, packed) => {
        const content = Buffer.from([TRADES, ...rows].join('\n'));
        const played = await play([file(packed ? gzipSync(content) : content)]);
        const refused = new Set(played.rejections.map(({ line }) => line));
        expect(played.rejections.every(({ reason }) => reason.startsWith('too_'))).toBe(true);
        expect(played.lines).toEqual(rows.filter((_, i) => !refused.has(i + 2)));
      }),
      { numRuns: 100 },
    );
  });
});

describe('files', () => {
  it('MD-9 a broken gzip gives every row before the break, then says so once, and the other files go on', async () => {
    const rows = Array.from({ length: 20_000 }, (_, i) =>
      row(i * 10, (36 + (i % 100) / 100).toFixed(2), `${1 + (i % 977)}`),
    );
    const whole = gzipSync([TRADES, ...rows, ''].join('\n'));
    const other = tape(TRADES, row(5, '1'), row(500_000, '2'));
    const cut = file(whole.subarray(0, Math.floor(whole.length * 0.7)), 'cut.csv.gz');
    const played = await play([cut, other]);
    const own = played.lines.filter((line) => !line.includes(',1,10,') && !line.includes(',2,10,'));
    expect(own.length).toBeGreaterThan(10_000);
    expect(own).toEqual(rows.slice(0, own.length));
    expect(played.lines.length).toBe(own.length + 2);
    expect(reasons(played)).toEqual([`${own.length + 2} broken_gzip`]);
    expect(played.rejections[0]?.excerpt).toContain('unexpected end of file');

    const spoilt = Buffer.from(whole);
    spoilt.fill(0xff, Math.floor(whole.length * 0.6));
    const broken = await play([file(spoilt, 'spoilt.csv.gz')]);
    const before = broken.lines.findIndex((line, i) => line !== rows[i]);
    expect(before === -1 ? broken.lines.length : before).toBeGreaterThan(0.59 * rows.length);
    expect(broken.rejections.at(-1)?.reason).toBe('broken_gzip');

    const headless = await play([file(whole.subarray(0, 30), 'headless.csv.gz'), other]);
    expect(headless.lines).toHaveLength(2);
    expect(reasons(headless)).toEqual(['1 broken_gzip']);
  });

  it('MD-9 a line of 100 MB is passed over in constant memory and counted', async () => {
    const path = join(folder, 'long.csv');
    const chunk = Buffer.alloc(1_000_000, 'x');
    writeFileSync(path, `${TRADES}\n${row(0)}\n`);
    for (let i = 0; i < 100; i++) writeFileSync(path, chunk, { flag: 'a' });
    writeFileSync(path, `\n${row(1)}\n`, { flag: 'a' });
    const before = process.memoryUsage().arrayBuffers;
    let most = 0;
    const played: string[] = [];
    const refused: string[] = [];
    for await (const batch of (await open([path])).batches(undefined, new AbortController().signal)) {
      most = Math.max(most, process.memoryUsage().arrayBuffers - before);
      played.push(...linesOf(batch));
      refused.push(...batch.rejections.map(({ line, reason }) => `${line} ${reason}`));
    }
    expect(played).toEqual([row(0), row(1)]);
    expect(refused).toEqual(['3 line_too_long']);
    expect(most).toBeLessThan(60_000_000);
  });

  it('MD-9 finds the kind of a file by what is in it', async () => {
    const capture =
      '1723161254087896568 {"stream":"btcusdt@trade","data":{"e":"trade","E":1723161255343,"s":"BTCUSDT","t":3735683259,"p":"61837.63000000","q":"0.02000000","T":1723161255342,"m":true,"M":true}}\n';
    const line =
      '1723161255342000000,1723161254087896568,binance_spot,BTCUSDT,61837.63000000,0.02000000,sell,3735683259,';
    expect((await play([file(gzipSync(capture), 'plain-name.csv')])).lines).toEqual([line]);
    expect((await play([file(`${TRADES}\n${row(0)}\n`, 'tape.jsonl.gz')])).lines).toEqual([row(0)]);
    const odd = await play([
      file(`${capture}junk\n1723161254087896569 {"stream":\n1723161254087896569 {"a":1}\n${capture}`),
    ]);
    expect(odd.lines).toEqual([line, line]);
    expect(reasons(odd)).toEqual(['2 wrong_column_count', '3 not_json', '4 unknown_message']);
  });
});

describe('merge', () => {
  const seed = 20_241_121;

  /** Files with rows in and out of order, ties among them, and bad rows. */
  function made(): { paths: string[]; expected: string[] } {
    const random = rng(seed);
    const lanes = [0, 1, 2].map((lane) => {
      let at = 0;
      return Array.from({ length: 6_000 }, (_, i) => {
        at += Math.floor(random() * 3) - (random() < 0.05 ? 4 : 0);
        const bad = random() < 0.05;
        return { at, bad, text: row(at, bad ? 'bad' : `${lane + 1}.${i + 1}`, '10', `,,${lane}`) };
      });
    });
    const waiting = lanes.map((rows) => rows.filter(({ bad }) => !bad));
    const expected: string[] = [];
    for (;;) {
      let oldest: { at: number; text: string }[] | undefined;
      for (const rows of waiting) {
        const [next] = rows;
        if (next !== undefined && (oldest?.[0] === undefined || next.at < oldest[0].at)) oldest = rows;
      }
      const next = oldest?.shift();
      if (next === undefined) break;
      expected.push(next.text);
    }
    return { paths: lanes.map((rows) => tape(TRADES, ...rows.map(({ text }) => text))), expected };
  }

  it(`MD-11 goes by time, ties by the order of naming, each file in its own order (seed ${seed})`, async () => {
    const { paths, expected } = made();
    const played = await play(paths);
    expect(played.lines).toEqual(expected);
    expect(played.rowsRead).toBe(18_000);
    expect(played.lines.length + played.rejections.length).toBe(18_000);
  });

  it(`MD-11 LG-6 goes on from any cursor as if it had never stopped (seed ${seed})`, async () => {
    const { paths } = made();
    const lines: string[] = [];
    const rejections: Rejection[] = [];
    const cuts: { cursor: string; lines: number; rejections: number }[] = [];
    for await (const batch of (await open(paths)).batches(undefined, new AbortController().signal)) {
      lines.push(...linesOf(batch));
      rejections.push(...batch.rejections);
      cuts.push({ cursor: batch.cursor, lines: lines.length, rejections: rejections.length });
    }
    expect(cuts.length).toBeGreaterThan(3);
    for (const cut of cuts) {
      const rest = await play(paths, cut.cursor);
      expect(rest.lines).toEqual(lines.slice(cut.lines));
      expect(rest.rejections).toEqual(rejections.slice(cut.rejections));
    }
  });

  it('LG-6 a cursor behind a broken end does not report the break again', async () => {
    const whole = gzipSync([TRADES, row(0), row(1), 'x'.repeat(100), ''].join('\n'));
    const path = file(whole.subarray(0, whole.length - 9));
    let cursor: string | undefined;
    for await (const batch of (await open([path])).batches(undefined, new AbortController().signal))
      cursor = batch.cursor;
    expect((await play([path])).rejections.at(-1)?.reason).toBe('broken_gzip');
    expect(await play([path], cursor)).toMatchObject({ lines: [], rejections: [], rowsRead: 0 });
  });
});

describe('pacing', () => {
  it('MD-11 plays at a multiple of recorded speed, with the same rows, and cuts long silences short', async () => {
    const clock = new ManualClock();
    const rows = [row(0), row(1_000, '36.6'), row(2_000, '36.7'), row(86_400_000, '36.8')];
    const source = await open([tape(TRADES, ...rows)], 10, clock);
    const seen: [number, string][] = [];
    const start = clock.nowMs();
    const playing = (async () => {
      for await (const batch of source.batches(undefined, new AbortController().signal))
        for (const line of linesOf(batch)) seen.push([clock.nowMs() - start, line]);
    })();
    const turn = (): Promise<'turn'> => new Promise((resolve) => setImmediate(() => resolve('turn')));
    while ((await Promise.race([playing, turn()])) === 'turn') {
      if (clock.nextMs !== undefined) clock.advance(clock.nextMs - clock.nowMs());
    }
    expect(seen.map(([, line]) => line)).toEqual(rows);
    expect(seen.map(([ms]) => ms)).toEqual([0, 100, 200, 60_200]);
  });
});
