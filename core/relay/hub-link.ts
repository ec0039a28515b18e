/** One connection from the relay to the hub of one partition: dials, keeps dialling, sends what the hub lacks (DESIGN §3.8). */
import type { Clock } from '#shared/clock.ts';
import type { Position } from '#shared/position.ts';
import { BEACON, BEACON_REPLY } from '#shared/protocol/beacon.ts';
import { LinkDecoder, LinkEncoder } from '#shared/protocol/relay.ts';
import type { StreamUpdate } from '#shared/protocol/state.ts';
import type { Logger } from '../ops/logger.ts';

/** The part of a WebSocket that a link needs. */
export interface LinkSocket {
  readonly bufferedAmount: number;
  send(data: string | Uint8Array<ArrayBuffer>): void;
  close(): void;
}

export interface LinkEvents {
  open(): void;
  message(data: string | Uint8Array): void;
  /** Once, whatever ended it; also when it never opened. */
  close(reason: string): void;
}

/** Opens a socket to the hub's URL with the relay's credentials. */
export type Dial = (events: LinkEvents) => LinkSocket;

export interface HubLinkOptions {
  partition: number;
  dial: Dial;
  clock: Clock;
  logger: Logger;
  /** 0 to 1. */
  random: () => number;
  /** What a hub at `have` lacks, undefined when nothing. */
  owed: (have: Position | undefined) => StreamUpdate | undefined;
  /** Bytes that may wait in the socket before updates are held back. */
  maxBufferedBytes?: number;
}

const RETRY_MIN_MS = 250;
const RETRY_MAX_MS = 5_000;
const PROBE_MS = 5_000;
const SILENCE_MS = 15_000;
const MAX_BUFFERED_BYTES = 4_194_304;

type State = 'waiting' | 'dialling' | 'greeting' | 'live' | 'behind' | 'closed';

export class HubLink {
  readonly #options: HubLinkOptions;
  readonly #maxBuffered: number;
  #state: State = 'waiting';
  #socket: LinkSocket | undefined;
  #encoder = new LinkEncoder();
  #decoder = new LinkDecoder();
  /** What the hub holds once it has read everything sent to it. */
  #sent: Position | undefined;
  #attempt = 0;
  #heardMs = 0;
  #generation = 0;
  #cancel: (() => void) | undefined;
  /** Times the link was opened; frames and bytes sent. */
  readonly counters = { connects: 0, frames: 0, bytes: 0, heldBack: 0 };

  constructor(options: HubLinkOptions) {
    this.#options = options;
    this.#maxBuffered = options.maxBufferedBytes ?? MAX_BUFFERED_BYTES;
  }

  get state(): State {
    return this.#state;
  }

  /** Position of what was handed to the socket; undefined while there is none. */
  get sent(): Position | undefined {
    return this.#state === 'live' || this.#state === 'behind' ? this.#sent : undefined;
  }

  get drained(): boolean {
    return this.#state === 'live' && this.#socket?.bufferedAmount === 0;
  }

  open(): void {
    if (this.#state !== 'waiting') return;
    const generation = ++this.#generation;
    const mine = (): boolean => generation === this.#generation;
    this.#state = 'dialling';
    this.#encoder = new LinkEncoder();
    this.#decoder = new LinkDecoder();
    this.#heardMs = this.#options.clock.nowMs();
    this.#probe();
    this.#socket = this.#options.dial({
      open: () => {
        if (!mine()) return;
        this.#state = 'greeting';
        this.counters.connects++;
      },
      message: (data) => {
        if (mine()) this.#message(data);
      },
      close: (reason) => {
        if (mine()) this.#lost(reason);
      },
    });
  }

  /** Sends what a window brought, or holds it back while the hub cannot take it; nothing is lost by that. */
  send(update: StreamUpdate): void {
    if (this.#state === 'behind' && (this.#socket?.bufferedAmount ?? 0) < this.#maxBuffered / 4)
      this.#catchUp(this.#sent);
    else if (this.#state === 'live') {
      if ((this.#socket?.bufferedAmount ?? 0) > this.#maxBuffered) {
        this.#state = 'behind';
        this.counters.heldBack++;
        this.#options.logger.warn('Hub takes updates too slowly, holding them back', {
          partition: this.#options.partition,
        });
      } else this.#frame(update);
    }
  }

  close(): void {
    this.#generation++;
    this.#state = 'closed';
    this.#cancel?.();
    this.#socket?.close();
  }

  #message(data: string | Uint8Array): void {
    this.#heardMs = this.#options.clock.nowMs();
    if (typeof data === 'string') {
      if (data !== BEACON_REPLY) this.#fail('the hub sent text');
      return;
    }
    const message = this.#decoder.read(data);
    if (message === undefined) this.#fail('the hub sent what is no link message');
    else if (message.type === 'hello') {
      this.#attempt = 0;
      // A hub that says hello again has lost its memory, the dictionary included.
      this.#encoder = new LinkEncoder();
      this.#options.logger.info('Hub connected', {
        partition: this.#options.partition,
        hubEpoch: message.position?.epoch,
        hubSeq: message.position?.seq,
      });
      this.#catchUp(message.position);
    }
  }

  #catchUp(have: Position | undefined): void {
    this.#state = 'live';
    this.#sent = have;
    const owed = this.#options.owed(have);
    if (owed !== undefined) this.#frame(owed);
  }

  #frame(update: StreamUpdate): void {
    const bytes = this.#encoder.frame(update);
    this.#socket?.send(bytes as Uint8Array<ArrayBuffer>);
    this.#sent = { epoch: update.epoch, seq: update.seq };
    this.counters.frames++;
    this.counters.bytes += bytes.length;
  }

  #fail(reason: string): void {
    const socket = this.#socket;
    this.#lost(reason);
    socket?.close();
  }

  #lost(reason: string): void {
    if (this.#state === 'closed') return;
    this.#generation++;
    this.#state = 'waiting';
    this.#socket = undefined;
    this.#cancel?.();
    const ceiling = Math.min(RETRY_MAX_MS, RETRY_MIN_MS * 1.7 ** this.#attempt++);
    const delayMs = Math.round(ceiling * (0.5 + 0.5 * this.#options.random()));
    this.#options.logger.warn('Hub connection ended', { partition: this.#options.partition, reason, retryMs: delayMs });
    this.#cancel = this.#options.clock.schedule(delayMs, () => this.open());
  }

  #probe(): void {
    this.#cancel?.();
    this.#cancel = this.#options.clock.schedule(PROBE_MS, () => {
      if (this.#options.clock.nowMs() - this.#heardMs > SILENCE_MS) {
        this.#fail('nothing was heard from the hub');
        return;
      }
      if (this.#state !== 'dialling') this.#socket?.send(BEACON);
      this.#probe();
    });
  }
}
