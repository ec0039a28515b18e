/** Worker thread: a client that tells when each trade was decoded. A trade is known by its size, which the sender counts up. */
import { parentPort, workerData } from 'node:worker_threads';
import { connect } from '../../edge/client/client.ts';
import { systemClock } from '../../edge/client/platform.ts';

/** What the worker is given. */
export interface ReaderTask {
  url: string;
  symbols: string[];
  conflateMs: number;
}

/** What it says: that it is live, then pairs of (size as sent, time when decoded in ms since 1970). */
export type ReaderNews = { type: 'live' } | { type: 'decoded'; trades: [number, number][] };

const { url, symbols, conflateMs } = workerData as ReaderTask;
const say = (news: ReaderNews): void => parentPort?.postMessage(news, []);
const client = connect({
  url,
  conflateMs,
  onStatus: ({ phase }) => {
    if (phase === 'live') say({ type: 'live' });
  },
});
client.subscribe(['trades', 'quotes', 'stats', 'bars.1m'], symbols);
client.onUpdate((update) => {
  if (update.kind !== 'update') return;
  const atMs = systemClock.nowMs();
  const trades: [number, number][] = [];
  for (const { info, rows } of update.topics) {
    if (info.channel === 'trades') for (const row of rows ?? []) trades.push([Number(row[1]), atMs]);
  }
  if (trades.length > 0) say({ type: 'decoded', trades });
});
