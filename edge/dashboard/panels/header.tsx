import { useRef, type ReactNode } from 'react';
import { usePulse, useStatus, useTopic, useWatch } from '../data/hooks.ts';
import { useSession } from '../data/session.ts';
import { useUi } from '../data/ui-state.ts';
import { age, dateTime, delay } from '../format.ts';
import { write } from './panel.tsx';

/** No message for this long means that what is shown is old, ms; heartbeats come every 2 s. */
const SILENT_MS = 5_000;
const RECORDED_MS = 3_600_000;

export function Header({ venues }: { venues: readonly string[] }): ReactNode {
  const theme = useUi((state) => state.theme);
  const toggleTheme = useUi((state) => state.toggleTheme);
  useWatch(
    ['status'],
    venues.map((venue) => `${venue}:*`),
  );
  return (
    <header className="header">
      <h1 className="brand">
        <Mark />
        Edgetape
      </h1>
      <Connection />
      <ul className="venues" aria-label="Venues">
        {venues.map((venue) => (
          <Venue key={venue} venue={venue} />
        ))}
      </ul>
      <div className="header-end">
        <Latency />
        <a className="muted" href="/docs">
          API
        </a>
        <button
          type="button"
          className="icon-button"
          onClick={toggleTheme}
          aria-label={theme === 'dark' ? 'Use the light theme' : 'Use the dark theme'}
          title={theme === 'dark' ? 'Light theme' : 'Dark theme'}
        >
          {theme === 'dark' ? <Sun /> : <Moon />}
        </button>
      </div>
    </header>
  );
}

function Connection(): ReactNode {
  const status = useStatus();
  const { client } = useSession();
  const pill = useRef<HTMLSpanElement>(null);
  usePulse((nowMs) => {
    const target = pill.current;
    if (!target) return;
    const { lastHeardMs } = client.metrics();
    const silentMs = nowMs - lastHeardMs;
    const state =
      status.phase === 'live' && silentMs > SILENT_MS
        ? 'stale'
        : status.phase === 'connecting' && status.everLive
          ? 'reconnecting'
          : status.phase;
    const since = state === 'stale' || state === 'reconnecting' ? ` ${age(silentMs)}` : '';
    target.dataset['state'] = state;
    write(target, `${state}${since}`, status.reason ?? '');
  });
  return <span ref={pill} className="pill" role="status" data-testid="connection" data-state={status.phase} />;
}

const FEED_STATES = ['disconnected', 'connected', 'ended'] as const;

function Venue({ venue }: { venue: string }): ReactNode {
  const { fields } = useTopic('status', `${venue}:*`);
  const state = FEED_STATES[Number(fields?.['state'] ?? -1)];
  const simulated = fields === undefined ? venue === 'simulated' : Number(fields['simulated']) === 1;
  const watermarkMs = Number(fields?.['watermarkMs'] ?? Number.NaN);
  const counts = `gaps ${fields?.['gaps'] ?? 0}, late ${fields?.['late'] ?? 0}, duplicates ${fields?.['duplicates'] ?? 0}`;
  const title = `${venue}: ${state ?? 'no status yet'}. Complete to ${dateTime(watermarkMs)} UTC (exchange time). Counted: ${counts}.`;
  return (
    <li className="venue" title={title}>
      {simulated ? <span className="badge">SIMULATED</span> : <span>{venue}</span>}
      <span className={state === 'disconnected' ? 'down' : ''}>
        {state === undefined ? 'feed unknown' : `feed ${state}`}
      </span>
    </li>
  );
}

function Latency(): ReactNode {
  const { client } = useSession();
  const text = useRef<HTMLElement>(null);
  const label = useRef<HTMLSpanElement>(null);
  usePulse(() => {
    if (!text.current || !label.current) return;
    const { venueToClient, edgeToClient, clock } = client.metrics();
    const fromVenue = venueToClient.samples > 0 && Math.abs(venueToClient.p50Ms) < RECORDED_MS;
    const shown = fromVenue ? venueToClient : edgeToClient;
    write(label.current, fromVenue ? 'exchange → screen' : 'edge → screen');
    const known = Number.isNaN(clock.roundTripMs) ? '' : ` Clocks compared to ±${delay(clock.roundTripMs / 2)}.`;
    const title = `Newest ${shown.samples} frames. Worst ${delay(shown.maxMs)}. Edge to screen alone: ${delay(edgeToClient.p50Ms)}.${known}`;
    write(text.current, `${delay(shown.p50Ms)} / ${delay(shown.p99Ms)}`, title);
  });
  return (
    <span className="meter" data-testid="latency">
      <span ref={label}>exchange → screen</span>
      <b ref={text} />
      <span>p50 / p99</span>
    </span>
  );
}

function Mark(): ReactNode {
  return (
    <svg width="20" height="20" viewBox="0 0 20 20" aria-hidden="true">
      <g fill="var(--up)">
        <rect x="1.5" y="8" width="4" height="7" rx="1" />
        <rect x="3" y="5" width="1" height="13" />
        <rect x="8" y="4" width="4" height="8" rx="1" />
        <rect x="9.5" y="1.5" width="1" height="13.5" />
      </g>
      <g fill="var(--down)">
        <rect x="14.5" y="7" width="4" height="6" rx="1" />
        <rect x="16" y="4.5" width="1" height="11" />
      </g>
    </svg>
  );
}

function Sun(): ReactNode {
  return (
    <svg
      width="16"
      height="16"
      viewBox="0 0 16 16"
      fill="none"
      stroke="currentColor"
      strokeWidth="1.5"
      strokeLinecap="round"
      aria-hidden="true"
    >
      <circle cx="8" cy="8" r="3" />
      <path d="M8 1.2v1.3M8 13.5v1.3M1.2 8h1.3M13.5 8h1.3M3.2 3.2l.9.9M11.900 11.900l.9.9M12.800 3.2l-.9.9M4.100 11.900l-.9.9" />
    </svg>
  );
}

function Moon(): ReactNode {
  return (
    <svg
      width="16"
      height="16"
      viewBox="0 0 16 16"
      fill="none"
      stroke="currentColor"
      strokeWidth="1.5"
      strokeLinejoin="round"
      aria-hidden="true"
    >
      <path d="M13.5 9.800A6 6 0 0 1 6.2 2.5a6 6 0 1 0 7.3 7.3Z" />
    </svg>
  );
}
