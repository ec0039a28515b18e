/** An event stream as a sink: unlike a socket it shows its backlog, so that it needs no beacon. */
import type { Clock } from '#shared/clock.ts';
import { utf8Encode } from '#shared/text.ts';
import type { Sink } from './session.ts';

/** Bytes that may wait in the stream; behind this, the listener counts as slow. */
const HIGH_WATER_BYTES = 65_536;
/** A stream that has this much waiting is given up. */
const MAX_WAITING_BYTES = 4_194_304;

/** @param gone called once when the listener has left */
export function openSse(gone: () => void, clock: Clock): { response: Response; sink: Sink } {
  let controller: ReadableStreamDefaultController<Uint8Array> | undefined;
  let drainedMs = clock.nowMs();
  const end = (): void => {
    if (controller === undefined) return;
    controller = undefined;
    gone();
  };
  const body = new ReadableStream<Uint8Array>(
    {
      start(made) {
        controller = made;
      },
      cancel: end,
    },
    new ByteLengthQueuingStrategy({ highWaterMark: HIGH_WATER_BYTES }),
  );
  const sink: Sink = {
    send(frame) {
      if (typeof frame !== 'string' || controller === undefined) return;
      controller.enqueue(utf8Encode(frame));
      if ((controller.desiredSize ?? 0) < HIGH_WATER_BYTES - MAX_WAITING_BYTES) sink.close(0, 'too slow');
    },
    close() {
      controller?.close();
      end();
    },
    drainedMs() {
      if ((controller?.desiredSize ?? 0) > 0) drainedMs = clock.nowMs();
      return drainedMs;
    },
    save() {
      // An event stream ends with the room's memory; the listener comes back with its Last-Event-ID.
    },
  };
  const headers = {
    'content-type': 'text/event-stream; charset=utf-8',
    'cache-control': 'no-store',
    'x-accel-buffering': 'no',
  };
  return { response: new Response(body, { headers }), sink };
}
