/**
 * A room's side of one partition: what it wants of the hub, what it holds of it, and how it comes back after a break
 * (SPEC SQ-3). Knows nothing of listeners.
 */
import { LinkDecoder, encodeInterest } from '#shared/protocol/relay.ts';
import { missedBehind, PartitionState, type StreamUpdate } from '#shared/protocol/state.ts';
import { SERVER_RETENTION, topicKey, type TopicDelta } from '#shared/protocol/topic-state.ts';

export type UpstreamEvent =
  /** Continues what is held, and was applied to it. */
  | { type: 'update'; update: StreamUpdate }
  /** About to replace what is held of its topics; `restart`: of all topics. Apply it with `accept`. */
  | { type: 'snapshot'; update: StreamUpdate; restart: boolean; request: number }
  /** Brought what was missed for the request; was applied. */
  | { type: 'catchup'; update: StreamUpdate; request: number }
  | { type: 'nothing' }
  /** The link is of no use and should be closed. */
  | { type: 'broken' };

export class Upstream {
  readonly partition: number;
  readonly head: PartitionState;
  /** Requests up to this one are answered. */
  answered = 0;
  readonly #send: (bytes: Uint8Array) => void;
  /** Listeners per topic, and the request that asked for it. */
  readonly #wanted = new Map<string, { listeners: number; request: number }>();
  #toAdd: string[] = [];
  #toRemove: string[] = [];
  #request = 0;
  /** The request that was made because of a gap; what comes before its answer does not fit. */
  #resync = 0;
  #open = false;
  #decoder = new LinkDecoder();

  constructor(partition: number, send: (bytes: Uint8Array) => void) {
    this.partition = partition;
    this.#send = send;
    this.head = new PartitionState(partition, SERVER_RETENTION);
  }

  get wantedTopics(): number {
    return this.#wanted.size;
  }

  retain(key: string): void {
    const wanted = this.#wanted.get(key);
    if (wanted !== undefined) wanted.listeners++;
    else {
      this.#wanted.set(key, { listeners: 1, request: Number.POSITIVE_INFINITY });
      this.#toAdd.push(key);
    }
  }

  /** Returns whether nobody wants it any longer. */
  release(key: string): boolean {
    const wanted = this.#wanted.get(key);
    if (wanted === undefined || --wanted.listeners > 0) return false;
    this.#wanted.delete(key);
    this.#toRemove.push(key);
    this.head.drop([key]);
    return true;
  }

  /** Whether the hub has answered for all of `keys`, with what it holds or with nothing. */
  ready(keys: readonly string[]): boolean {
    return (
      keys.every((key) => (this.#wanted.get(key)?.request ?? 0) <= this.answered) && this.head.position() !== undefined
    );
  }

  /** Asks how far the hub is: behind the answer (see `answered`) nothing it knew is missing. Returns the request. */
  ask(): number {
    const request = ++this.#request;
    const position = this.head.position();
    if (this.#open && position !== undefined) {
      this.#send(encodeInterest({ request, position, replace: false, add: [], remove: [] }));
    }
    return request;
  }

  /** Tells the hub what changed since the last time. Changes made while the link is closed wait for `opened`. */
  sendInterest(): void {
    const add = this.#toAdd.filter((key) => this.#wanted.get(key)?.request === Number.POSITIVE_INFINITY);
    const remove = this.#toRemove.filter((key) => !this.#wanted.has(key));
    this.#toAdd = [];
    this.#toRemove = [];
    if (add.length === 0 && remove.length === 0) return;
    const request = ++this.#request;
    for (const key of add) this.#mark(key, request);
    if (this.#open) this.#send(encodeInterest({ request, position: undefined, replace: false, add, remove }));
  }

  /** The link is new: says everything. What is held is asked to be continued, the rest is asked for anew. */
  opened(): void {
    this.#open = true;
    this.#decoder = new LinkDecoder();
    this.sayAll();
  }

  sayAll(): void {
    if (!this.#open) return;
    this.#toAdd = [];
    this.#toRemove = [];
    const position = this.head.position();
    const held: string[] = [];
    const fresh: string[] = [];
    for (const [key, { request }] of this.#wanted)
      (position !== undefined && request <= this.answered ? held : fresh).push(key);
    this.#send(encodeInterest({ request: ++this.#request, position, replace: true, add: held, remove: [] }));
    if (fresh.length === 0) return;
    const request = ++this.#request;
    for (const key of fresh) this.#mark(key, request);
    this.#send(encodeInterest({ request, position: undefined, replace: false, add: fresh, remove: [] }));
  }

  closed(): void {
    this.#open = false;
  }

  message(bytes: Uint8Array): UpstreamEvent {
    const message = this.#decoder.read(bytes);
    if (message === undefined || message.type === 'undescribed') return { type: 'broken' };
    if (message.type === 'lost') {
      this.sayAll();
      return { type: 'nothing' };
    }
    if (message.type !== 'frame') return { type: 'nothing' };
    const { request } = message;
    const update = { ...message.update, topics: message.update.topics.filter((delta) => this.#takes(delta)) };
    if (update.kind === 'snapshot') {
      return { type: 'snapshot', update, restart: update.epoch !== this.head.epoch, request };
    }
    const continuity = this.head.judge(update);
    if (continuity === 'duplicate') return { type: 'nothing' };
    if (continuity === 'gap') {
      if (this.#resync <= this.answered) {
        this.#resync = this.#request + 1;
        this.sayAll();
      }
      return { type: 'nothing' };
    }
    if (update.kind === 'update') {
      this.head.apply(update);
      return { type: 'update', update };
    }
    // Asked twice from the same position, it is answered twice.
    const missed = missedBehind(update, this.head.seq);
    if (missed.seq > this.head.seq) this.head.apply(missed);
    this.answered = Math.max(this.answered, request);
    return { type: 'catchup', update: missed, request };
  }

  /** Takes over a snapshot. */
  accept(update: StreamUpdate, request: number): void {
    this.head.apply(update);
    this.answered = Math.max(this.answered, request);
  }

  #mark(key: string, request: number): void {
    const wanted = this.#wanted.get(key);
    if (wanted !== undefined) wanted.request = request;
  }

  /** What was on its way for a topic that was let go, or is asked for again, is not its newest form. */
  #takes({ info, reset }: TopicDelta): boolean {
    const wanted = this.#wanted.get(topicKey(info.channel, info.symbol));
    return wanted !== undefined && (reset || wanted.request <= this.answered);
  }
}
