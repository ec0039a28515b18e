/** Both ends of the edge, as tests need them: a relay that says what it is told to, and a client that keeps its state. */
import { SELF } from 'cloudflare:test';
import { PartitionState, type StreamUpdate } from '#shared/protocol/state.ts';
import { StreamReceiver, type ControlMessage, type Received } from '#shared/protocol/receiver.ts';
import { LinkDecoder, LinkEncoder } from '#shared/protocol/relay.ts';
import { SERVER_RETENTION, type Row, type TopicDelta, type TopicInfo } from '#shared/protocol/topic-state.ts';
import { channelSpec, type Channel } from '#shared/protocol/channels.ts';
import { partitionOf } from '#shared/topics.ts';

export const PARTITIONS = 2;
export const ORIGIN = 'https://edge.test';

export async function openSocket(path: string, headers: Record<string, string> = {}): Promise<WebSocket> {
  const response = await SELF.fetch(`${ORIGIN}${path}`, { headers: { upgrade: 'websocket', ...headers } });
  const socket = response.webSocket;
  if (socket === null) throw new Error(`no socket: ${response.status} ${await response.text()}`);
  socket.binaryType = 'arraybuffer';
  return socket;
}

/** Waits for the condition, a turn of the event loop at a time. */
export async function until(condition: () => boolean, what: string, ms = 8_000): Promise<void> {
  const endMs = Date.now() + ms;
  while (!condition()) {
    if (Date.now() > endMs) throw new Error(`never came: ${what}`);
    await new Promise((resolve) => {
      setTimeout(resolve, 5);
    });
  }
}

/** The core's side: one link per partition, absolute truth of each. */
export class TestRelay {
  readonly states: PartitionState[];
  readonly #infos = new Map<string, TopicInfo>();
  #sockets: WebSocket[] = [];
  #encoders: LinkEncoder[] = [];
  hellos = 0;

  constructor(epoch: number) {
    this.states = Array.from({ length: PARTITIONS }, (_, partition) => {
      const state = new PartitionState(partition, SERVER_RETENTION);
      state.apply({ kind: 'snapshot', partition, epoch, seqFrom: 0, seq: 0, timeMs: Date.now(), topics: [] });
      return state;
    });
  }

  async connect(): Promise<void> {
    this.#encoders = this.states.map(() => new LinkEncoder());
    this.#sockets = await Promise.all(
      this.states.map(async (state, partition) => {
        const socket = await openSocket(`/relay/${partition}`, { authorization: 'Bearer test-secret' });
        const decoder = new LinkDecoder();
        socket.addEventListener('message', (event) => {
          if (typeof event.data === 'string') return;
          const message = decoder.read(new Uint8Array(event.data as ArrayBuffer));
          if (message?.type !== 'hello') return;
          this.hellos++;
          this.#encoders[partition] = new LinkEncoder();
          this.#send(state.catchup(message.position) ?? state.snapshot(undefined, true));
        });
        socket.accept();
        return socket;
      }),
    );
    const before = this.hellos;
    await until(() => this.hellos >= before, 'hello of the hubs');
  }

  disconnect(): void {
    for (const socket of this.#sockets) socket.close(1000, 'gone');
    this.#sockets = [];
  }

  publish(channel: Channel, symbol: string, row: Row): void {
    const state = this.states[partitionOf(symbol, PARTITIONS)] as PartitionState;
    const key = `${channel}|${symbol}`;
    const info = this.#infos.get(key) ?? { id: this.#infos.size, channel, symbol, priceScale: 2, sizeScale: 0 };
    this.#infos.set(key, info);
    const seq = state.seq + 1;
    const delta: TopicDelta =
      channelSpec(channel).kind === 'state'
        ? { info, reset: false, values: row, seqs: [seq] }
        : { info, reset: false, rows: [row], seqs: [seq] };
    const update: StreamUpdate = {
      kind: 'update',
      partition: state.partition,
      epoch: state.epoch,
      seqFrom: seq,
      seq,
      timeMs: Date.now(),
      topics: [delta],
    };
    state.apply(update);
    this.#send(update);
  }

  #send(update: StreamUpdate): void {
    const bytes = this.#encoders[update.partition]?.frame(update);
    if (bytes !== undefined) this.#sockets[update.partition]?.send(bytes);
  }
}

export class TestClient {
  readonly receiver: StreamReceiver;
  readonly received: Received[] = [];
  readonly texts: string[] = [];
  closed: { code: number; reason: string } | undefined;
  #socket: WebSocket | undefined;
  #id = 0;

  constructor(receiver = new StreamReceiver()) {
    this.receiver = receiver;
  }

  async open(query = ''): Promise<this> {
    const socket = await openSocket(`/v1/stream${query}`);
    this.#socket = socket;
    socket.addEventListener('message', (event) => {
      if (typeof event.data !== 'string')
        this.received.push(...this.receiver.binary(new Uint8Array(event.data as ArrayBuffer)));
      else {
        this.texts.push(event.data);
        if (event.data !== 'k') this.received.push(this.receiver.text(event.data));
      }
    });
    socket.addEventListener('close', (event) => {
      this.closed = { code: event.code, reason: event.reason };
    });
    socket.accept();
    return this;
  }

  raw(data: string | Uint8Array): void {
    this.#socket?.send(data);
  }

  send(message: Record<string, unknown>): number {
    const id = ++this.#id;
    this.raw(JSON.stringify({ id, ...message }));
    return id;
  }

  subscribe(channels: readonly Channel[], symbols: readonly string[]): void {
    const positions = this.receiver.positions();
    this.send({ type: 'subscribe', channels, symbols, ...(positions.length > 0 ? { positions } : {}) });
  }

  control<T extends ControlMessage['type']>(type: T): Extract<ControlMessage, { type: T }>[] {
    return this.received.flatMap((r) =>
      r.type === 'control' && r.message.type === type ? [r.message] : [],
    ) as Extract<ControlMessage, { type: T }>[];
  }

  streams(kind: StreamUpdate['kind']): StreamUpdate[] {
    return this.received.flatMap((r) => (r.type === 'stream' && r.update.kind === kind ? [r.update] : []));
  }

  /** Whether it holds exactly what the relay published of its topics. */
  holds(relay: TestRelay, keys: readonly string[]): boolean {
    return relay.states.every((state) => {
      const held = this.receiver.partitions.get(state.partition);
      const mine = keys.filter((key) => state.topics.has(key));
      return mine.length === 0 || (held?.epoch === state.epoch && held.checksum(mine) === state.checksum(mine));
    });
  }

  close(): void {
    this.#socket?.close(1000, 'done');
  }
}
