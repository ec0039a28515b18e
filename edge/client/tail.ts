/** `edgetape tail`: live market data in a terminal, as a table redrawn in place, or as JSON lines. */
import { connect, type EdgetapeClient } from './client.ts';
import { systemClock } from './platform.ts';
import { tailLines, type Moves, type TailHead, type TailRow } from './tail-table.ts';
import { namedFields } from './topic-store.ts';

/** As much of `process.stdout` as is needed. */
export interface TailOutput {
  isTTY?: boolean;
  columns?: number;
  rows?: number;
  write(text: string): boolean;
  on(event: 'error', listener: (error: Error) => void): unknown;
  off(event: 'error', listener: (error: Error) => void): unknown;
}

export interface TailOptions {
  /** Address of the instance, `http(s)://host:port`. */
  url: string;
  /** `venue:SYMBOL` each. */
  symbols: readonly string[];
  channels: readonly string[];
  /** table: redrawn at most ten times a second where `stdout` is a terminal, else once every ten seconds, line by line. */
  format: 'table' | 'json';
  /** Ends it. */
  signal: AbortSignal;
  stdout: TailOutput;
  /** Terminal colours; default: where `stdout` is a terminal. */
  colour?: boolean;
}

const REDRAW_MS = 100;
const PLAIN_MS = 10_000;
const WINDOW_MS = 100;
const CURSOR_HOME = '\u001B[H';
const CLEAR_LINE = '\u001B[K';
const CLEAR_BELOW = '\u001B[J';
const ENTER = '\u001B[?1049h\u001B[?25l';
const LEAVE = '\u001B[?25h\u001B[?1049l';

/** Runs until the signal, or until the reader of `stdout` is gone (0), or the server turns the client away for good (1). */
export async function tail(options: TailOptions): Promise<number> {
  const { format, stdout } = options;
  const done = Promise.withResolvers<number>();
  const stop = (): void => done.resolve(0);
  if (options.signal.aborted) return 0;
  options.signal.addEventListener('abort', stop, { once: true });
  stdout.on('error', stop);
  let refusal: string | undefined;
  const client = connect({
    url: streamUrl(options.url),
    // A line a change in JSON, so that nothing is left out; a screen is read ten times a second at most.
    conflateMs: format === 'json' ? 0 : WINDOW_MS,
    onStatus: ({ phase, reason }) => {
      if (phase !== 'closed') return;
      refusal ??= reason ?? 'the server closed the connection for good';
      done.resolve(options.signal.aborted ? 0 : 1);
    },
    onRefused: ({ code, message }) => {
      refusal = `${code}: ${message}`;
      done.resolve(1);
    },
  });
  client.subscribe(options.channels, options.symbols);
  const end = format === 'json' ? jsonLines(client, stdout) : drawTable(client, options);
  const code = await done.promise;
  end();
  client.close();
  options.signal.removeEventListener('abort', stop);
  const error = refusal ?? 'ended';
  if (code !== 0) stdout.write(`${format === 'json' ? JSON.stringify({ error }) : error}\n`);
  stdout.off('error', stop);
  return code;
}

function streamUrl(base: string): string {
  const url = new URL('/v1/stream', base);
  url.protocol = url.protocol === 'https:' ? 'wss:' : 'ws:';
  return url.href;
}

/** One object a change: channel, symbol, the fields, how it came (`snapshot`, `catchup`, `update`), and when. */
function jsonLines(client: EdgetapeClient, stdout: TailOutput): () => void {
  return client.onUpdate((update, receivedAtMs) => {
    const { kind, partition, seq, timeMs } = update;
    for (const { info, values, rows } of update.topics) {
      const { channel, symbol } = info;
      const head = {
        channel,
        symbol,
        kind,
        partition,
        seq,
        edgeTimeMs: timeMs,
        receivedAtMs: Math.round(receivedAtMs),
      };
      for (const row of values === undefined ? (rows ?? []) : [values]) {
        stdout.write(`${JSON.stringify({ ...head, ...namedFields(info, row) })}\n`);
      }
    }
  });
}

function drawTable(client: EdgetapeClient, options: TailOptions): () => void {
  const { stdout } = options;
  const onTerminal = stdout.isTTY === true;
  const moves: Moves = new Map();
  const barsChannel = options.channels.find((channel) => channel.startsWith('bars.'));
  const rows = options.symbols.map((symbol): (() => TailRow) => {
    const stats = client.topic('stats', symbol);
    const quotes = client.topic('quotes', symbol);
    const trades = client.topic('trades', symbol);
    const bars = barsChannel === undefined ? undefined : client.topic(barsChannel, symbol);
    return () => ({
      symbol,
      stats: stats.getSnapshot(),
      quotes: quotes.getSnapshot(),
      trades: trades.getSnapshot(),
      bars: bars?.getSnapshot(),
    });
  });
  const size = { width: 120, height: Number.POSITIVE_INFINITY, colour: options.colour ?? onTerminal };
  let cancel: () => void = () => undefined;
  const draw = (): void => {
    cancel = systemClock.schedule(onTerminal ? REDRAW_MS : PLAIN_MS, draw);
    const now = onTerminal ? { ...size, width: stdout.columns ?? 80, height: stdout.rows ?? 24 } : size;
    const lines = tailLines(
      headOf(client, options),
      rows.map((row) => row()),
      systemClock.nowMs(),
      moves,
      now,
    );
    if (onTerminal) stdout.write(`${CURSOR_HOME}${lines.map((line) => line + CLEAR_LINE).join('\n')}${CLEAR_BELOW}`);
    else stdout.write(`${lines.join('\n')}\n\n`);
  };
  if (onTerminal) stdout.write(ENTER);
  cancel = systemClock.schedule(onTerminal ? 0 : REDRAW_MS * 5, draw);
  return () => {
    cancel();
    if (onTerminal) stdout.write(LEAVE);
  };
}

function headOf(client: EdgetapeClient, options: TailOptions): TailHead {
  const { phase, everLive, conflateMs } = client.status();
  const { edgeToClient, venueToClient } = client.metrics();
  return {
    phase: phase === 'connecting' && everLive ? 'reconnecting' : phase,
    url: options.url,
    simulated: options.symbols.some((symbol) => symbol.startsWith('simulated:')),
    edgeP50Ms: edgeToClient.p50Ms,
    venueP50Ms: venueToClient.p50Ms,
    conflateMs,
  };
}
