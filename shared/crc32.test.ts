import { expect, it } from 'vitest';
import { crc32 } from '#shared/crc32.ts';
import { utf8Encode } from '#shared/text.ts';

it('TK-4 gives the published check value of CRC-32/ISO-HDLC, whole and in parts', () => {
  const bytes = utf8Encode('123456789');
  expect(crc32(bytes)).toBe(0xcbf43926);
  expect(crc32(bytes, 5, 9, crc32(bytes, 0, 5))).toBe(0xcbf43926);
});
