/** Child process: the usual first version of a quote server. One JSON frame per tick per client, over `ws`. IPC: {type:'port'}. */
import { WebSocketServer } from 'ws';

const server = new WebSocketServer({ port: 0, host: '127.0.0.1' });
let tick = 0;
let stopped = false;

process.on('message', (message: { type: string; symbols: number; periodMs: number }) => {
  if (message.type !== 'start') process.exit(0);
  const everyMs = message.periodMs;
  let dueMs = performance.now();
  const round = (): void => {
    if (stopped) return;
    for (let symbol = 0; symbol < message.symbols; symbol++) {
      tick++;
      const quote = {
        u: tick,
        s: `SYMBOL${symbol}`,
        b: `${100 + (tick % 7)}.25`,
        B: '120.5',
        a: `${101 + (tick % 7)}.75`,
        A: '80.25',
      };
      for (const client of server.clients) client.send(JSON.stringify(quote));
    }
    dueMs += everyMs;
    if (performance.now() > dueMs) {
      dueMs = performance.now();
      setImmediate(round);
    } else setTimeout(round, dueMs - performance.now());
  };
  round();
});
process.on('disconnect', () => {
  stopped = true;
  process.exit(0);
});
server.on('listening', () => {
  const address = server.address();
  process.send?.({ type: 'port', port: typeof address === 'object' && address !== null ? address.port : 0 });
});
