/** Records of the log that are no ticks: msgpack maps, one record each, on every partition of `trades` and `quotes` (SPEC TK-7). */
import { Packr } from 'msgpackr';
import * as v from 'valibot';

const packr = new Packr({ useRecords: false });

export const CONTROL_MARK = 0xc1;

export const controlSchema = v.variant('type', [
  /** The venue's time has come to `eventMs` without a tick saying so: an idle partition may advance (SPEC WN-5). */
  v.object({ type: v.literal('heartbeat'), venue: v.string(), eventMs: v.number() }),
  /** The source has ended (a tape): every open window of these venues becomes final. */
  v.object({ type: v.literal('end_of_source'), venues: v.array(v.string()) }),
  /** Trade ids `from..to` of the instrument never came. */
  v.object({ type: v.literal('gap'), instrument: v.string(), from: v.number(), to: v.number(), atMs: v.number() }),
  /** The venue's connection broke or came back. */
  v.object({
    type: v.literal('connection'),
    venue: v.string(),
    state: v.picklist(['connected', 'disconnected']),
    atMs: v.number(),
    reason: v.string(),
  }),
]);
export type ControlEvent = v.InferOutput<typeof controlSchema>;

export function encodeControl(event: ControlEvent): Uint8Array {
  const body = packr.pack(event);
  const bytes = new Uint8Array(body.length + 1);
  bytes[0] = CONTROL_MARK;
  bytes.set(body, 1);
  return bytes;
}

export function isControl(bytes: Uint8Array): boolean {
  return bytes[0] === CONTROL_MARK;
}

/** undefined when the bytes are no control event. */
export function decodeControl(bytes: Uint8Array): ControlEvent | undefined {
  if (!isControl(bytes)) return undefined;
  try {
    const result = v.safeParse(controlSchema, packr.unpack(bytes.subarray(1)));
    return result.success ? result.output : undefined;
  } catch {
    return undefined;
  }
}
