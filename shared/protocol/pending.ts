/**
 * What waits for the end of a conflation window (SPEC CF-2): of states and provisional bars the newest form, of trades, final
 * and revised bars every row.
 */
import { channelSpec } from './channels.ts';
import { topicKey, type Row, type TopicDelta } from './topic-state.ts';
import { rescaleRow } from './wire-value.ts';

const BAR_START = 0;
const BAR_STATE = 10;
const PROVISIONAL = 0;

interface Waiting {
  delta: TopicDelta;
  rows: Row[];
  seqs: number[];
}

export class PendingDeltas {
  readonly #waiting = new Map<string, Waiting>();

  get size(): number {
    return this.#waiting.size;
  }

  /** Adds what happened behind everything added so far; scales may have grown since. @param seq where `delta` names none. */
  add(delta: TopicDelta, seq: number): void {
    const key = topicKey(delta.info.channel, delta.info.symbol);
    let waiting = this.#waiting.get(key);
    if (waiting === undefined || delta.reset) {
      waiting = { delta: { ...delta }, rows: [], seqs: [] };
      this.#waiting.set(key, waiting);
    }
    if (waiting.delta.info !== delta.info) {
      const old = waiting.delta.info;
      const move = (row: Row): Row => rescaleRow(delta.info.channel, row, old, delta.info);
      waiting.rows = waiting.rows.map(move);
      if (waiting.delta.values !== undefined) waiting.delta.values = move(waiting.delta.values);
      waiting.delta.info = delta.info;
    }
    if (delta.values !== undefined) {
      waiting.delta.values = delta.values;
      waiting.delta.seqs = delta.seqs ?? [seq];
    }
    const bars = channelSpec(delta.info.channel).kind === 'bars';
    delta.rows?.forEach((row, i) => {
      const rowSeq = delta.seqs?.[i] ?? seq;
      const replaced = bars ? waiting.rows.findLastIndex((old) => old[BAR_START] === row[BAR_START]) : -1;
      if (replaced >= 0 && waiting.rows[replaced]?.[BAR_STATE] === PROVISIONAL) {
        waiting.rows[replaced] = row;
        waiting.seqs[replaced] = rowSeq;
      } else {
        waiting.rows.push(row);
        waiting.seqs.push(rowSeq);
      }
    });
  }

  /** What waited, by topic; then nothing waits. */
  take(): TopicDelta[] {
    const deltas: TopicDelta[] = [];
    for (const { delta, rows, seqs } of this.#waiting.values()) {
      deltas.push(rows.length === 0 ? delta : { ...delta, rows, seqs });
    }
    this.#waiting.clear();
    return deltas;
  }
}
