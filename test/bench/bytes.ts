/**
 * Bytes per quote update before framing, on recorded tapes: our MessagePack stream beside Binance-style JSON and msgpackr.
 * `batch of n`: every quote of the tape, n updates under one head. `50 ms`: the newest quote of each symbol a window, as a
 * room sends it. The head is counted in both; `blocks` leaves it out.
 */
import { Packr } from 'msgpackr';
import { baseTime, encodeBlock, writeMessage, type Block } from '#shared/protocol/codec.ts';
import { PackWriter } from '#shared/protocol/msgpack.ts';
import { PartitionState, type Header } from '#shared/protocol/state.ts';
import type { TopicDelta } from '#shared/protocol/topic-state.ts';
import { hasData, TAPES } from '../support/data.ts';
import { readQuotes, type TapeQuote } from '../support/quote-tape.ts';

const BATCHES = [20, 50];
const WINDOW_MS = 50;

interface Count {
  updates: number;
  bytes: number;
  blockBytes: number;
  json: number;
  msgpackr: number;
  encodeMs: number;
}

const packr = new Packr({ useRecords: true });

class Meter {
  readonly count: Count = { updates: 0, bytes: 0, blockBytes: 0, json: 0, msgpackr: 0, encodeMs: 0 };
  readonly #held = new PartitionState(0);
  readonly #writer = new PackWriter(65_536);
  readonly #epoch: number;
  #seq = 0;

  constructor(quotes: readonly TapeQuote[]) {
    // The core was started an hour before the tape.
    this.#epoch = Math.floor((quotes[0]?.atMs ?? 0) / 1_000) - 3_600;
    const first = new Map<string, TapeQuote>();
    for (const quote of quotes) if (!first.has(quote.info.symbol)) first.set(quote.info.symbol, quote);
    const topics = [...first.values()].map(({ info, row }): TopicDelta => ({ info, reset: true, values: row }));
    this.#held.apply({ kind: 'snapshot', partition: 0, epoch: this.#epoch, seqFrom: 0, seq: 0, timeMs: 0, topics });
  }

  /** One message of these quotes, in order. */
  message(quotes: readonly TapeQuote[], timeMs: number): void {
    const started = performance.now();
    const deltas = quotes.map(({ info, row }): TopicDelta => ({ info, reset: false, values: row }));
    const baseMs = baseTime(deltas, timeMs);
    const header: Header = {
      kind: 'update',
      partition: 0,
      epoch: this.#epoch,
      seqFrom: this.#seq + 1,
      seq: this.#seq + quotes.length,
      timeMs,
    };
    const blocks: Block[] = [];
    for (const delta of deltas) {
      const block = encodeBlock('update', delta, this.#held.topics.get(`quotes|${delta.info.symbol}`), baseMs);
      if (block !== undefined) blocks.push(block);
      this.#held.apply({ ...header, topics: [delta] });
    }
    this.#writer.clear();
    writeMessage(this.#writer, header, baseMs, blocks);
    this.count.encodeMs += performance.now() - started;
    this.#seq = header.seq;
    this.count.updates += quotes.length;
    this.count.bytes += this.#writer.length;
    this.count.blockBytes += blocks.reduce((sum, block) => sum + block.bytes.length, 0);
    quotes.forEach((quote, i) => this.#baselines(quote, this.#seq - quotes.length + i));
  }

  #baselines({ printed: [s, b, B, a, A], row }: TapeQuote, u: number): void {
    this.count.json += JSON.stringify({ u, s, b, B, a, A }).length;
    this.count.msgpackr += packr.pack({ s, t: row[4], b: Number(b), B: Number(B), a: Number(a), A: Number(A) }).length;
  }
}

function unconflated(quotes: readonly TapeQuote[], size: number): Count {
  const meter = new Meter(quotes);
  for (let at = 0; at < quotes.length; at += size) {
    const batch = quotes.slice(at, at + size);
    meter.message(batch, batch.at(-1)?.atMs ?? 0);
  }
  return meter.count;
}

function conflated(quotes: readonly TapeQuote[]): Count {
  const meter = new Meter(quotes);
  let newest = new Map<string, TapeQuote>();
  let closesMs = 0;
  const close = (): void => {
    if (newest.size > 0) meter.message([...newest.values()], closesMs);
    newest = new Map();
  };
  for (const quote of quotes) {
    if (quote.atMs >= closesMs) {
      close();
      closesMs = quote.atMs + WINDOW_MS;
    }
    newest.set(quote.info.symbol, quote);
  }
  close();
  return meter.count;
}

export async function run(): Promise<void> {
  if (!hasData) return;
  const tapes = { 'crypto 2024-08-08': TAPES.cryptoQuotes, 'asx 2014-03-10': TAPES.asxQuotes };
  console.log('tape               form          updates  ours  blocks  json  msgpackr  ratio to json  ns an update');
  for (const [name, file] of Object.entries(tapes)) {
    const quotes = readQuotes(file);
    for (const [form, count] of [
      ...BATCHES.map((size) => [`batch of ${size}`, unconflated(quotes, size)] as const),
      [`${WINDOW_MS} ms`, conflated(quotes)],
    ] as const) {
      const per = (bytes: number): string => (bytes / count.updates).toFixed(2);
      console.log(
        [
          name.padEnd(18),
          form.padEnd(12),
          String(count.updates).padStart(8),
          per(count.bytes).padStart(5),
          per(count.blockBytes).padStart(7),
          per(count.json).padStart(6),
          per(count.msgpackr).padStart(8),
          `${(count.json / count.bytes).toFixed(1)}×`.padStart(10),
          ((count.encodeMs * 1e6) / count.updates).toFixed(0).padStart(10),
        ].join(' '),
      );
    }
  }
  console.log(
    'six and four symbols only: a 50 ms frame holds few updates, so its head of about 24 bytes weighs; more symbols a frame approach `blocks`',
  );
}
