/**
 * Child process: opens many raw WebSocket clients on one URL, sends each one message, and counts what comes. It does not decode,
 * so that it takes less of the machine than what it measures. Told by argv, answers by IPC.
 *
 *   argv: url, clients, message to send behind the handshake ('' for none)
 *   in:   'count' → out: {type:'count', frames, bytes, open}      in: 'stop' → exits
 */
import { connect, type Socket } from 'node:net';
import { randomBytes } from 'node:crypto';

const [address = '', count = '0', message = ''] = process.argv.slice(2);
const url = new URL(address);
const totals = { frames: 0, bytes: 0, open: 0 };
const sockets: Socket[] = [];

/** A text frame from a client: masked, with a mask of zeros. */
function textFrame(text: string): Buffer {
  const body = Buffer.from(text);
  const head =
    body.length < 126
      ? Buffer.from([0x81, 0x80 | body.length])
      : Buffer.from([0x81, 0xfe, body.length >> 8, body.length & 255]);
  return Buffer.concat([head, Buffer.alloc(4), body]);
}

function open(): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = connect(Number(url.port), url.hostname);
    sockets.push(socket);
    let upgraded = false;
    let rest: Buffer = Buffer.alloc(0);
    /** Bytes of the current frame that are still to come. */
    let skip = 0;
    socket.on('error', reject);
    socket.on('connect', () => {
      socket.write(
        `GET ${url.pathname}${url.search} HTTP/1.1\r\nHost: ${url.host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${randomBytes(16).toString('base64')}\r\n\r\n`,
      );
    });
    socket.on('data', (chunk: Buffer) => {
      let data: Buffer = rest.length > 0 ? Buffer.concat([rest, chunk]) : chunk;
      rest = Buffer.alloc(0);
      if (!upgraded) {
        const end = data.indexOf('\r\n\r\n');
        if (end < 0) {
          rest = data;
          return;
        }
        upgraded = true;
        totals.open++;
        data = data.subarray(end + 4);
        if (message !== '') socket.write(textFrame(message));
        resolve();
      }
      let at = 0;
      while (at < data.length) {
        if (skip > 0) {
          const step = Math.min(skip, data.length - at);
          skip -= step;
          at += step;
          continue;
        }
        const left = data.length - at;
        const short = left >= 2 ? (data[at + 1] as number) & 127 : 0;
        const head = short < 126 ? 2 : short === 126 ? 4 : 10;
        if (left < head) {
          rest = data.subarray(at);
          return;
        }
        const length =
          short < 126 ? short : short === 126 ? data.readUInt16BE(at + 2) : Number(data.readBigUInt64BE(at + 2));
        totals.frames++;
        totals.bytes += head + length;
        at += head;
        skip = length;
      }
    });
    socket.on('close', () => {
      if (upgraded) totals.open--;
    });
  });
}

process.on('message', (command) => {
  if (command === 'stop') process.exit(0);
  process.send?.({ type: 'count', ...totals });
});
process.on('disconnect', () => process.exit(0));

for (let opened = 0; opened < Number(count); opened += 50) {
  await Promise.all(Array.from({ length: Math.min(50, Number(count) - opened) }, () => open()));
}
process.send?.({ type: 'ready' });
