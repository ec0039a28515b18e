/** CRC-32 (ISO-HDLC, polynomial 0xEDB88320), sixteen bytes a step. */

/** TABLE[k * 256 + b]: what byte b contributes when k bytes follow it. */
const TABLE = crcTable(0xedb88320);

/** Tables of another reflected polynomial, for `crcBy`. */
export function crcTable(polynomial: number): Int32Array {
  const table = new Int32Array(16 * 256);
  for (let n = 0; n < 256; n++) {
    let c = n;
    for (let k = 0; k < 8; k++) c = c & 1 ? (c >>> 1) ^ polynomial : c >>> 1;
    table[n] = c;
  }
  for (let i = 256; i < table.length; i++) {
    const previous = table[i - 256] as number;
    table[i] = (previous >>> 8) ^ (table[previous & 255] as number);
  }
  return table;
}

/**
 * CRC of `bytes[from..to)` as an unsigned 32-bit number. `seed` continues an earlier CRC. Needs a little-endian host, as every one
 * that this runs on is.
 */
export function crc32(bytes: Uint8Array, from = 0, to = bytes.length, seed = 0): number {
  return crcBy(TABLE, bytes, from, to, seed);
}

/** As crc32, by the tables of `crcTable`. */
export function crcBy(table: Int32Array, bytes: Uint8Array, from = 0, to = bytes.length, seed = 0): number {
  let c = ~seed;
  let at = from;
  const steps = (to - from) >> 4;
  if (steps > 0) {
    // Not `slice`: a Buffer's is a view.
    const aligned = (bytes.byteOffset + from) % 4 === 0 ? bytes : new Uint8Array(bytes.subarray(from, to));
    const offset = aligned === bytes ? bytes.byteOffset + from : 0;
    c = update(table, new Int32Array(aligned.buffer, offset, steps * 4), c);
    at += steps * 16;
  }
  for (; at < to; at++) c = (c >>> 8) ^ (table[(c ^ (bytes[at] as number)) & 255] as number);
  return ~c >>> 0;
}

function update(t: Int32Array, words: Int32Array, state: number): number {
  let c = state;
  for (let i = 0; i < words.length; i += 4) {
    const w0 = c ^ (words[i] as number);
    const w1 = words[i + 1] as number;
    const w2 = words[i + 2] as number;
    const w3 = words[i + 3] as number;
    c =
      (t[3840 + (w0 & 255)] as number) ^
      (t[3584 + ((w0 >>> 8) & 255)] as number) ^
      (t[3328 + ((w0 >>> 16) & 255)] as number) ^
      (t[3072 + (w0 >>> 24)] as number) ^
      (t[2816 + (w1 & 255)] as number) ^
      (t[2560 + ((w1 >>> 8) & 255)] as number) ^
      (t[2304 + ((w1 >>> 16) & 255)] as number) ^
      (t[2048 + (w1 >>> 24)] as number) ^
      (t[1792 + (w2 & 255)] as number) ^
      (t[1536 + ((w2 >>> 8) & 255)] as number) ^
      (t[1280 + ((w2 >>> 16) & 255)] as number) ^
      (t[1024 + (w2 >>> 24)] as number) ^
      (t[768 + (w3 & 255)] as number) ^
      (t[512 + ((w3 >>> 8) & 255)] as number) ^
      (t[256 + ((w3 >>> 16) & 255)] as number) ^
      (t[w3 >>> 24] as number);
  }
  return c;
}
