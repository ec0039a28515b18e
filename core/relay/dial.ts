/** Dials hubs with Node's own WebSocket, which takes headers. */
import type { Dial } from './hub-link.ts';

/** @param edgeUrl http(s) or ws(s) URL of the gateway */
export function relayUrl(edgeUrl: string, partition: number): string {
  const url = new URL(`/relay/${partition}`, edgeUrl);
  url.protocol = url.protocol === 'https:' || url.protocol === 'wss:' ? 'wss:' : 'ws:';
  return url.href;
}

export function webSocketDial(edgeUrl: string, secret: string, partition: number): Dial {
  return (events) => {
    const socket = new WebSocket(relayUrl(edgeUrl, partition), { headers: { authorization: `Bearer ${secret}` } });
    socket.binaryType = 'arraybuffer';
    socket.addEventListener('open', () => events.open());
    socket.addEventListener('message', (event) => {
      const data = event.data as string | ArrayBuffer;
      events.message(typeof data === 'string' ? data : new Uint8Array(data));
    });
    let ended = false;
    const end = (reason: string): void => {
      if (ended) return;
      ended = true;
      events.close(reason);
    };
    socket.addEventListener('error', () => end('the connection failed'));
    socket.addEventListener('close', (event) => end(`closed with ${event.code}`));
    return socket;
  };
}
