/** The one connection of the page, and what the panels need of it. */
import { createContext, use } from 'react';
import { connect, type EdgetapeClient } from '../../client/client.ts';
import { systemClock } from '../../client/platform.ts';
import { Places } from './places.ts';
import { Pulse } from './pulse.ts';
import { Watcher } from './watch.ts';

export interface Session {
  client: EdgetapeClient;
  watcher: Watcher;
  /** Beats while the page is visible: ages and delays are written on it. */
  pulse: Pulse;
  places: Places;
}

const PULSE_MS = 250;
const CONFLATE_MS = 50;

/** `?encoding=json` shows readable frames in the browser's network tools. */
export function openSession(): Session {
  const encoding = new URLSearchParams(location.search).get('encoding') === 'json' ? 'json' : 'msgpack';
  const url = new URL('/v1/stream', location.origin);
  url.protocol = location.protocol === 'https:' ? 'wss:' : 'ws:';
  const client = connect({ url: url.href, encoding, conflateMs: CONFLATE_MS });
  return {
    client,
    watcher: new Watcher(client, systemClock),
    pulse: new Pulse(systemClock, PULSE_MS),
    places: new Places(),
  };
}

const SessionContext = createContext<Session | undefined>(undefined);
export const SessionProvider = SessionContext;

export function useSession(): Session {
  const session = use(SessionContext);
  if (session === undefined) throw new Error('useSession outside of a SessionProvider');
  return session;
}
