/** Adapter: the bytes of a file, unpacked where it is gzip (found by content, not by name), with flat memory. */
import { open, type FileHandle } from 'node:fs/promises';
import { createGunzip, type Gunzip } from 'node:zlib';

const PLAIN_CHUNK_BYTES = 262_144;
/** Compressed bytes handed to zlib at once: they unpack to at most about a thousand times as many. */
const PACKED_CHUNK_BYTES = 16_384;
const UNPACKED_CHUNK_BYTES = 131_072;

/** Why a file ended before its end. */
export class BrokenGzip extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'BrokenGzip';
  }
}

export interface FileBytes {
  /** Bytes of the file (as it lies on disk) taken in so far. */
  readonly bytesRead: number;
  /** The next bytes; undefined at the end. Throws BrokenGzip after the last good byte of a broken file. */
  next(): Promise<Uint8Array | undefined>;
  close(): Promise<void>;
}

export async function openFileBytes(path: string): Promise<FileBytes> {
  const file = await open(path, 'r');
  const magic = new Uint8Array(2);
  const { bytesRead } = await file.read(magic, 0, 2, 0);
  return bytesRead === 2 && magic[0] === 0x1f && magic[1] === 0x8b ? new GzipBytes(file) : new PlainBytes(file);
}

/** Reads one chunk ahead of its caller. */
class PlainBytes implements FileBytes {
  readonly #file: FileHandle;
  readonly #chunkBytes: number;
  #position = 0;
  #ahead: Promise<Uint8Array | undefined>;

  constructor(file: FileHandle, chunkBytes = PLAIN_CHUNK_BYTES) {
    this.#file = file;
    this.#chunkBytes = chunkBytes;
    this.#ahead = this.#read();
  }

  get bytesRead(): number {
    return this.#position;
  }

  async next(): Promise<Uint8Array | undefined> {
    const chunk = await this.#ahead;
    if (chunk !== undefined) this.#ahead = this.#read();
    return chunk;
  }

  async close(): Promise<void> {
    await this.#ahead.catch(() => undefined);
    await this.#file.close();
  }

  async #read(): Promise<Uint8Array | undefined> {
    const { bytesRead, buffer } = await this.#file.read(
      new Uint8Array(this.#chunkBytes),
      0,
      this.#chunkBytes,
      this.#position,
    );
    this.#position += bytesRead;
    return bytesRead === 0 ? undefined : buffer.subarray(0, bytesRead);
  }
}

/**
 * zlib drops what it unpacked in the call in which it meets a fault. The call is therefore repeated byte by byte on a
 * second unpacker, so that everything before the fault comes out.
 */
class GzipBytes implements FileBytes {
  readonly #file: FileHandle;
  readonly #packed: PlainBytes;
  readonly #unpacker = new Unpacker();
  readonly #ready: Uint8Array[] = [];
  #unpackedBytes = 0;
  #packedBytes = 0;
  #ahead: Promise<void>;
  #ended = false;
  #fault: string | undefined;

  constructor(file: FileHandle) {
    this.#file = file;
    this.#packed = new PlainBytes(file, PACKED_CHUNK_BYTES);
    this.#ahead = this.#unpack();
  }

  get bytesRead(): number {
    return this.#packedBytes;
  }

  async next(): Promise<Uint8Array | undefined> {
    for (;;) {
      await this.#ahead;
      const chunk = this.#ready.shift();
      if (chunk !== undefined) {
        if (this.#ready.length === 0 && !this.#ended) this.#ahead = this.#unpack();
        return chunk;
      }
      if (this.#fault !== undefined) throw new BrokenGzip(this.#fault);
      if (this.#ended) return undefined;
      this.#ahead = this.#unpack();
    }
  }

  async close(): Promise<void> {
    await this.#ahead.catch(() => undefined);
    this.#unpacker.close();
    await this.#packed.close();
  }

  async #unpack(): Promise<void> {
    const before = this.#packedBytes;
    const chunk = await this.#packed.next();
    this.#packedBytes += chunk?.length ?? 0;
    const out = chunk === undefined ? await this.#unpacker.end() : await this.#unpacker.write(chunk);
    this.#ready.push(...out);
    for (const part of out) this.#unpackedBytes += part.length;
    this.#ended = chunk === undefined;
    const { fault } = this.#unpacker;
    if (fault === undefined) return;
    this.#ended = true;
    this.#fault = fault;
    if (chunk !== undefined) this.#ready.push(...(await this.#rescue(before, chunk)));
  }

  /** What the faulty chunk holds before its fault, beyond what came out already. */
  async #rescue(before: number, chunk: Uint8Array): Promise<Uint8Array[]> {
    const unpacker = new Unpacker();
    const found: Uint8Array[] = [];
    let skip = this.#unpackedBytes;
    const take = (parts: readonly Uint8Array[]): void => {
      for (const part of parts) {
        if (part.length > skip) found.push(part.subarray(skip));
        skip = Math.max(0, skip - part.length);
      }
    };
    try {
      for (let at = 0; at < before && unpacker.fault === undefined;) {
        const length = Math.min(PACKED_CHUNK_BYTES, before - at);
        const { bytesRead, buffer } = await this.#file.read(new Uint8Array(length), 0, length, at);
        if (bytesRead === 0) return found;
        at += bytesRead;
        take(await unpacker.write(buffer.subarray(0, bytesRead)));
      }
      for (let at = 0; at < chunk.length && unpacker.fault === undefined; at++) {
        take(await unpacker.write(chunk.subarray(at, at + 1)));
      }
    } finally {
      unpacker.close();
    }
    return found;
  }
}

/** zlib's stream as calls: bytes in, bytes out, a fault instead of an event. */
class Unpacker {
  fault: string | undefined;
  readonly #gunzip: Gunzip = createGunzip({ chunkSize: UNPACKED_CHUNK_BYTES });
  #out: Uint8Array[] = [];
  #settle: () => void = () => {};

  constructor() {
    this.#gunzip.on('data', (chunk: Buffer) => {
      this.#out.push(chunk);
    });
    this.#gunzip.on('error', (error: Error) => {
      this.fault = error.message;
      this.#settle();
    });
    this.#gunzip.on('end', () => this.#settle());
  }

  async write(chunk: Uint8Array): Promise<Uint8Array[]> {
    await new Promise<void>((resolve) => {
      this.#settle = resolve;
      this.#gunzip.write(chunk, () => resolve());
    });
    return this.#take();
  }

  async end(): Promise<Uint8Array[]> {
    await new Promise<void>((resolve) => {
      this.#settle = resolve;
      this.#gunzip.end();
    });
    return this.#take();
  }

  close(): void {
    this.#gunzip.removeAllListeners();
    this.#gunzip.on('error', () => {});
    this.#gunzip.destroy();
  }

  #take(): Uint8Array[] {
    const out = this.#out;
    this.#out = [];
    return out;
  }
}
