/** What the log keeps of a partition's windows: a version byte, the next offset of `trades`, then the engine's snapshot. */

const STATE_VERSION = 1;
const HEADER_BYTES = 9;

export interface PartitionState {
  /** Offset of the first record of `trades` that the engine had not seen. */
  nextTrades: number;
  engine: Uint8Array;
}

export function encodePartitionState({ nextTrades, engine }: PartitionState): Uint8Array {
  const bytes = new Uint8Array(HEADER_BYTES + engine.length);
  bytes[0] = STATE_VERSION;
  new DataView(bytes.buffer).setFloat64(1, nextTrades, true);
  bytes.set(engine, HEADER_BYTES);
  return bytes;
}

/** Throws RangeError when the bytes are of another version. */
export function decodePartitionState(bytes: Uint8Array): PartitionState {
  if (bytes[0] !== STATE_VERSION || bytes.length <= HEADER_BYTES) {
    throw new RangeError(
      `Windows' state is of version ${bytes[0] ?? 'none'}; this build reads version ${STATE_VERSION}`,
    );
  }
  const nextTrades = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength).getFloat64(1, true);
  return { nextTrades, engine: bytes.subarray(HEADER_BYTES) };
}
