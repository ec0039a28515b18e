/** What wrangler.toml (or the dev host) binds to the Worker. */
import type { Hub } from './hub/hub.ts';
import type { Room } from './room/room.ts';

export interface Env {
  HUB: DurableObjectNamespace<Hub>;
  ROOM: DurableObjectNamespace<Room>;
  /** The dashboard's files. */
  ASSETS: Fetcher;
  /** URL of the query server. */
  CORE_URL: string;
  /** What the relay proves itself with. */
  RELAY_SECRET: string;
  /** Number of hubs; the relay must be set to the same. */
  HUB_PARTITIONS: string;
  /** Number of rooms that share the clients. */
  ROOM_SHARDS: string;
}

/** A whole number from 1 to `max`; throws on a setting that is none. */
export function count(name: string, text: string, max: number): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1 || value > max)
    throw new Error(`${name} must be a whole number from 1 to ${max}`);
  return value;
}
