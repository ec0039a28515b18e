/** Durable Object of one hub: platform events in, HubCore's decisions out. Its name is `p<partition>`. */
import { Server, type Connection, type ConnectionContext } from 'partyserver';
import { BEACON, BEACON_REPLY } from '#shared/protocol/beacon.ts';
import type { Env } from '../env.ts';
import { HubCore } from './hub-core.ts';

/** Paths by which the gateway and the rooms say who comes. */
export const HUB_PATH = { relay: '/relay', room: '/room' } as const;

export function hubName(partition: number): string {
  return `p${partition}`;
}

interface HubAttachment {
  role: 'relay' | 'room';
}
type HubConnection = Connection<HubAttachment>;

export class Hub extends Server<Env> {
  static override options = { hibernate: true };

  readonly #sockets = new Map<string, HubConnection>();
  #core: HubCore | undefined;

  override onStart(): void {
    this.ctx.setWebSocketAutoResponse(new WebSocketRequestResponsePair(BEACON, BEACON_REPLY));
    const core = this.#makeCore();
    const ids = { relay: [] as string[], room: [] as string[] };
    for (const connection of this.getConnections<HubAttachment>()) {
      const role = connection.state?.role;
      if (role === undefined) continue;
      this.#sockets.set(connection.id, connection);
      ids[role].push(connection.id);
    }
    core.revive(ids.relay, ids.room);
  }

  override onConnect(connection: HubConnection, context: ConnectionContext): void {
    const role = new URL(context.request.url).pathname === HUB_PATH.relay ? 'relay' : 'room';
    connection.setState({ role });
    this.#sockets.set(connection.id, connection);
    if (role === 'relay') this.#made.relayConnected(connection.id);
    else this.#made.roomConnected(connection.id);
  }

  override onMessage(connection: HubConnection, message: string | ArrayBuffer | ArrayBufferView): void {
    if (typeof message === 'string') return;
    const bytes = ArrayBuffer.isView(message)
      ? new Uint8Array(message.buffer, message.byteOffset, message.byteLength)
      : new Uint8Array(message);
    if (connection.state?.role === 'relay') this.#made.relayMessage(connection.id, bytes);
    else this.#made.roomMessage(connection.id, bytes);
  }

  override onClose(connection: HubConnection): void {
    this.#gone(connection);
  }

  override onError(connection: HubConnection): void {
    this.#gone(connection);
  }

  get #made(): HubCore {
    return this.#core ?? this.#makeCore();
  }

  #makeCore(): HubCore {
    this.#core = new HubCore(Number(this.name.slice(1)), {
      send: (id, bytes) => {
        try {
          this.#sockets.get(id)?.send(bytes);
        } catch {
          this.#sockets.delete(id);
        }
      },
      close: (id, reason) => this.#sockets.get(id)?.close(1008, reason),
    });
    return this.#core;
  }

  #gone(connection: HubConnection): void {
    this.#sockets.delete(connection.id);
    this.#made.closed(connection.id);
  }
}
