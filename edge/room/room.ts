/** Durable Object of one room: sockets, event streams and timers in, RoomCore's decisions out. */
import { getServerByName, Server, type Connection, type ConnectionContext } from 'partyserver';
import { CLOSE } from '#shared/errors.ts';
import { LIMITS } from '#shared/limits.ts';
import { BEACON, BEACON_REPLY } from '#shared/protocol/beacon.ts';
import { count, type Env } from '../env.ts';
import { problem } from '../gateway/problem.ts';
import { random, systemClock } from '../platform.ts';
import { HUB_PATH, hubName } from '../hub/hub.ts';
import { logEvent } from '../log.ts';
import { readSseRequest, readStreamRequest } from './connect.ts';
import type { Encoding } from './frames.ts';
import { receive } from './messages.ts';
import { RoomCore } from './room-core.ts';
import type { Session, Sink } from './session.ts';
import { openSse } from './sse.ts';
import { unpackTopics } from './topic-list.ts';

/** What survives of a connection: SPEC SU-5 is kept up from it when the room's memory is lost. */
interface RoomAttachment {
  /** JSON of encoding, class and topics; undefined when it is too long to be kept. */
  record: string | undefined;
}
type RoomConnection = Connection<RoomAttachment>;

/** Room for partyserver's own part in the platform's 16 KB. */
const MAX_RECORD_CHARS = 12_000;

export class Room extends Server<Env> {
  static override options = { hibernate: true };

  readonly #links = new Map<number, WebSocket>();
  /** Counts dials and hang-ups by partition: a socket that comes too late is of no use. */
  readonly #dials = new Map<number, number>();
  #core: RoomCore | undefined;

  override onStart(): void {
    this.ctx.setWebSocketAutoResponse(new WebSocketRequestResponsePair(BEACON, BEACON_REPLY));
    for (const connection of this.getConnections<RoomAttachment>()) this.#restore(connection);
  }

  override onConnect(connection: RoomConnection, context: ConnectionContext): void {
    const request = readStreamRequest(new URL(context.request.url).searchParams);
    if (!request.ok) {
      connection.close(
        request.code === 'unsupported_version' ? CLOSE.unsupportedVersion : CLOSE.badMessage,
        request.message,
      );
      return;
    }
    if (this.#made.sessions.size >= LIMITS.connectionsPerRoom) {
      connection.close(CLOSE.full, 'the room is full');
      return;
    }
    this.#made.welcome(this.#join(connection, request.encoding, request.conflateMs));
  }

  override onMessage(connection: RoomConnection, message: string | ArrayBuffer | ArrayBufferView): void {
    const session = this.#made.sessions.get(connection.id);
    if (session === undefined) return;
    try {
      receive(this.#made, session, typeof message === 'string' ? message : bytesOf(message));
    } catch (error) {
      logEvent('error', 'A client message failed', { error: String(error) });
      connection.close(CLOSE.internal, 'something went wrong here');
      this.#made.leave(session);
    }
  }

  override onClose(connection: RoomConnection): void {
    this.#leave(connection.id);
  }

  override onError(connection: RoomConnection): void {
    this.#leave(connection.id);
  }

  override onRequest(request: Request): Response {
    const url = new URL(request.url);
    const sse = readSseRequest(url.searchParams, request.headers.get('last-event-id'));
    if (!sse.ok) return problem(sse.code, sse.message);
    if (this.#made.sessions.size >= LIMITS.connectionsPerRoom) return problem('unavailable', 'The room is full.');
    const { response, sink } = openSse(() => this.#leave(id), systemClock);
    const id = crypto.randomUUID();
    const session = this.#made.join(id, 'sse', sink, sse.conflateMs);
    request.signal.addEventListener('abort', () => this.#leave(id));
    this.#made.welcome(session);
    this.#made.subscribe(session, sse.keys, sse.positions, 0);
    return response;
  }

  get #made(): RoomCore {
    this.#core ??= new RoomCore(count('HUB_PARTITIONS', this.env.HUB_PARTITIONS, 1_024), {
      clock: systemClock,
      random,
      dial: (partition) => void this.#dial(partition),
      sendLink: (partition, bytes) => {
        try {
          this.#links.get(partition)?.send(bytes);
        } catch {
          this.#hangUp(partition);
          this.#core?.linkClosed(partition);
        }
      },
      hangUp: (partition) => this.#hangUp(partition),
    });
    return this.#core;
  }

  #join(connection: RoomConnection, encoding: Encoding, conflateMs: number): Session {
    const sink: Sink = {
      send: (frame) => {
        try {
          connection.send(frame);
        } catch {
          // Closing: onClose follows and takes the session out.
        }
      },
      close: (code, reason) => connection.close(code, reason),
      drainedMs: () => this.ctx.getWebSocketAutoResponseTimestamp(connection)?.getTime(),
      save: (record) => {
        connection.setState({ record: record.length > MAX_RECORD_CHARS ? undefined : record });
      },
    };
    return this.#made.join(connection.id, encoding, sink, conflateMs);
  }

  /** The room's memory was lost, the socket was not. */
  #restore(connection: RoomConnection): void {
    const record = connection.state?.record;
    if (record === undefined) {
      connection.close(CLOSE.shutdown, 'the room was moved');
      return;
    }
    const { e, w, t } = JSON.parse(record) as { e: Encoding; w: number; t: string };
    const session = this.#join(connection, e, w);
    this.#made.restore(session, unpackTopics(t));
  }

  #leave(id: string): void {
    const session = this.#made.sessions.get(id);
    if (session !== undefined) this.#made.leave(session);
  }

  async #dial(partition: number): Promise<void> {
    const dial = (this.#dials.get(partition) ?? 0) + 1;
    this.#dials.set(partition, dial);
    try {
      const hub = await getServerByName(this.env.HUB, hubName(partition));
      const response = await hub.fetch(`http://hub${HUB_PATH.room}`, { headers: { upgrade: 'websocket' } });
      const socket = response.webSocket;
      if (socket === null) throw new Error(`the hub answered ${response.status}`);
      socket.binaryType = 'arraybuffer';
      socket.accept();
      if (this.#dials.get(partition) !== dial) {
        socket.close(1000, 'not needed any more');
        return;
      }
      this.#links.set(partition, socket);
      socket.addEventListener('message', (event) => {
        if (this.#links.get(partition) !== socket || typeof event.data === 'string') return;
        this.#made.linkMessage(partition, bytesOf(event.data));
      });
      const end = (): void => {
        if (this.#links.get(partition) !== socket) return;
        this.#links.delete(partition);
        this.#made.linkClosed(partition);
      };
      socket.addEventListener('close', end);
      socket.addEventListener('error', end);
      this.#made.linkOpened(partition);
    } catch (error) {
      logEvent('warn', 'A hub cannot be reached', { partition, error: String(error) });
      if (this.#dials.get(partition) === dial) this.#made.linkClosed(partition);
    }
  }

  #hangUp(partition: number): void {
    this.#dials.set(partition, (this.#dials.get(partition) ?? 0) + 1);
    const socket = this.#links.get(partition);
    this.#links.delete(partition);
    try {
      socket?.close(1000, 'done');
    } catch {
      // Gone already.
    }
  }
}

function bytesOf(data: ArrayBuffer | ArrayBufferView): Uint8Array {
  return ArrayBuffer.isView(data)
    ? new Uint8Array(data.buffer, data.byteOffset, data.byteLength)
    : new Uint8Array(data);
}
