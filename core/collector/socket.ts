/** Port of a client WebSocket, and its adapter on the runtime's own one. */

interface SocketEvents {
  open(): void;
  message(text: string): void;
  /** Once, whether it was ever open or not. Nothing comes after it. */
  close(reason: string): void;
}

export interface Socket {
  /** Ends the connection; `close` is still called. */
  close(): void;
}

export type OpenSocket = (url: string, events: SocketEvents) => Socket;

/** How long a closing handshake may take before the connection counts as closed. */
const CLOSE_WAIT_MS = 2_000;

export const openRuntimeSocket: OpenSocket = (url, events) => {
  const socket = new WebSocket(url);
  let fault = '';
  let closed = false;
  const close = (reason: string): void => {
    if (closed) return;
    closed = true;
    events.close(reason);
  };
  socket.addEventListener('open', () => {
    if (!closed) events.open();
  });
  socket.addEventListener('message', ({ data }: { data: unknown }) => {
    if (!closed) events.message(typeof data === 'string' ? data : '');
  });
  socket.addEventListener('error', (event) => {
    fault = 'message' in event && typeof event.message === 'string' ? event.message : 'connection failed';
  });
  socket.addEventListener('close', ({ code, reason }) => close(fault || reason || `closed with code ${code}`));
  return {
    close: () => {
      socket.close();
      // A peer that is gone does not answer the handshake; the feed does not wait for it.
      setTimeout(() => close('closed'), CLOSE_WAIT_MS).unref();
    },
  };
};
