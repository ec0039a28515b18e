/** The socket under the feed: partysocket reconnects, with jitter and never before the time that a server asked for. */
import ReconnectingWebSocket from 'partysocket/ws';
import type { Clock } from '#shared/clock.ts';

export interface SocketHandlers {
  opened(): void;
  binary(bytes: Uint8Array): void;
  text(text: string): void;
  lost(closeCode: number, reason: string): void;
}

export interface SocketOptions {
  /** Called before every attempt, so that tokens and settings are fresh. */
  url: () => Promise<string>;
  clock: Clock;
  /** A number in [0, 1), for jitter. */
  random: () => number;
  handlers: SocketHandlers;
  /** Shortest wait before a reconnect, to which up to three times as much is added, and the longest; default 250 and 15,000 ms. */
  delaysMs?: { min: number; max: number };
  /** WebSocket class to use instead of the global one. */
  WebSocket?: unknown;
}

export interface Socket {
  /** false when there is no open connection; nothing is queued. */
  send(data: string): boolean;
  /** Drops the connection, if there is one, and opens another, not before `afterMs`. */
  reconnect(afterMs: number): void;
  close(): void;
}

const MIN_DELAY_MS = 250;
const JITTER = 3;
const MAX_DELAY_MS = 15_000;
const GROW = 1.6;
const CONNECT_TIMEOUT_MS = 8_000;
const MIN_UPTIME_MS = 3_000;
const OPEN = 1;

export function openSocket(options: SocketOptions): Socket {
  const { clock, handlers, random } = options;
  const { min, max } = options.delaysMs ?? { min: MIN_DELAY_MS, max: MAX_DELAY_MS };
  const jitterMs = min * JITTER;
  let notBeforeMs = 0;
  const url = async (): Promise<string> => {
    const waitMs = notBeforeMs - clock.nowMs();
    if (waitMs > 0) await new Promise<void>((resolve) => clock.schedule(waitMs, resolve));
    return options.url();
  };
  const socket = new ReconnectingWebSocket(url, null, {
    // Read before every attempt: two clients that lost the same server do not come back in step.
    get minReconnectionDelay() {
      return min + random() * jitterMs;
    },
    maxReconnectionDelay: max,
    reconnectionDelayGrowFactor: GROW,
    connectionTimeout: CONNECT_TIMEOUT_MS,
    minUptime: MIN_UPTIME_MS,
    maxEnqueuedMessages: 0,
    WebSocket: options.WebSocket ?? globalThis.WebSocket,
  });
  socket.binaryType = 'arraybuffer';
  socket.onopen = () => handlers.opened();
  socket.onmessage = (event: MessageEvent) => {
    const data: unknown = event.data;
    if (typeof data === 'string') handlers.text(data);
    else if (data instanceof ArrayBuffer) handlers.binary(new Uint8Array(data));
    else if (ArrayBuffer.isView(data)) handlers.binary(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
  };
  socket.onclose = (event) => handlers.lost(event.code, event.reason);
  return {
    send(data) {
      if (socket.readyState !== OPEN) return false;
      socket.send(data);
      return true;
    },
    reconnect(afterMs) {
      // Jitter on top: the server's offset is the same for all that it told at once.
      notBeforeMs = clock.nowMs() + afterMs + (afterMs > 0 ? random() * jitterMs : 0);
      socket.reconnect();
    },
    close: () => socket.close(),
  };
}
