import { expect, it } from 'vitest';
import { crc32, crcBy, crcTable } from '#shared/crc32.ts';
import { utf8Encode } from '#shared/text.ts';

it('TK-4 gives the published check value of CRC-32/ISO-HDLC, whole and in parts', () => {
  const bytes = utf8Encode('123456789');
  expect(crc32(bytes)).toBe(0xcbf43926);
  expect(crc32(bytes, 5, 9, crc32(bytes, 0, 5))).toBe(0xcbf43926);
});

it('TK-4 gives the published check value of CRC-32C', () => {
  expect(crcBy(crcTable(0x82f63b78), utf8Encode('123456789'))).toBe(0xe3069283);
});

it('TK-4 is the same wherever the bytes lie, in a Buffer too', () => {
  const memory = new Uint8Array(300).map((_, i) => i * 31);
  const expected = crc32(memory.slice(7, 207));
  for (let shift = 0; shift < 9; shift++) {
    const elsewhere = new Uint8Array(400);
    elsewhere.set(memory.subarray(7, 207), 50 + shift);
    expect(crc32(elsewhere, 50 + shift, 250 + shift)).toBe(expected);
    expect(crc32(elsewhere.subarray(50 + shift, 250 + shift))).toBe(expected);
    expect(crc32(Buffer.from(elsewhere.buffer), 50 + shift, 250 + shift)).toBe(expected);
  }
});
