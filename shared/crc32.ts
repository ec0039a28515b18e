/** CRC-32 (ISO-HDLC, polynomial 0xEDB88320), four bytes a step. */

const TABLES = buildTables();

function buildTables(): Uint32Array[] {
  const tables = [new Uint32Array(256), new Uint32Array(256), new Uint32Array(256), new Uint32Array(256)];
  const [t0, t1, t2, t3] = tables as [Uint32Array, Uint32Array, Uint32Array, Uint32Array];
  for (let n = 0; n < 256; n++) {
    let c = n;
    for (let k = 0; k < 8; k++) c = c & 1 ? (c >>> 1) ^ 0xedb88320 : c >>> 1;
    t0[n] = c;
  }
  for (let n = 0; n < 256; n++) {
    t1[n] = ((t0[n] ?? 0) >>> 8) ^ (t0[(t0[n] ?? 0) & 255] ?? 0);
    t2[n] = ((t1[n] ?? 0) >>> 8) ^ (t0[(t1[n] ?? 0) & 255] ?? 0);
    t3[n] = ((t2[n] ?? 0) >>> 8) ^ (t0[(t2[n] ?? 0) & 255] ?? 0);
  }
  return tables;
}

/** CRC of `bytes[from..to)` as an unsigned 32-bit number. `seed` continues an earlier CRC. */
export function crc32(bytes: Uint8Array, from = 0, to = bytes.length, seed = 0): number {
  const [t0, t1, t2, t3] = TABLES as [Uint32Array, Uint32Array, Uint32Array, Uint32Array];
  let c = ~seed;
  let at = from;
  for (const end = to - 3; at < end; at += 4) {
    c ^=
      (bytes[at] as number) |
      ((bytes[at + 1] as number) << 8) |
      ((bytes[at + 2] as number) << 16) |
      ((bytes[at + 3] as number) << 24);
    c =
      (t3[c & 255] as number) ^
      (t2[(c >>> 8) & 255] as number) ^
      (t1[(c >>> 16) & 255] as number) ^
      (t0[c >>> 24] as number);
  }
  for (; at < to; at++) c = (c >>> 8) ^ (t0[(c ^ (bytes[at] as number)) & 255] as number);
  return ~c >>> 0;
}
