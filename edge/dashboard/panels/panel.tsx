import { useRef, type ReactNode } from 'react';
import { usePulse, useStatus } from '../data/hooks.ts';
import { useSession } from '../data/session.ts';
import { age, delay } from '../format.ts';

export interface PanelProps {
  label: string;
  /** What stands at the left of the head. */
  head?: ReactNode;
  /** Topics whose newest data the freshness speaks of. */
  sources: readonly (readonly [channel: string, symbol: string])[];
  className?: string;
  children: ReactNode;
}

/** Without data for this long a panel is shaded if the connection is not live, ms. */
const STALE_MS = 3_000;
/** Event times further back than this are a recording's, and no delay. */
const RECORDED_MS = 3_600_000;

/** A framed part of the page that says how old its newest data is and how long that was on its way. */
export function Panel({ label, head, sources, className = '', children }: PanelProps): ReactNode {
  const { client } = useSession();
  const { phase } = useStatus();
  const panel = useRef<HTMLElement>(null);
  const text = useRef<HTMLSpanElement>(null);

  usePulse((nowMs) => {
    let newestMs = Number.NaN;
    for (const [channel, symbol] of sources) {
      const { receivedAtMs } = client.topic(channel, symbol).getSnapshot();
      if (!(receivedAtMs <= newestMs) && !Number.isNaN(receivedAtMs)) newestMs = receivedAtMs;
    }
    const sinceMs = nowMs - newestMs;
    const stale = phase !== 'live' && !(sinceMs < STALE_MS);
    if (panel.current) panel.current.dataset['fresh'] = stale ? 'stale' : 'live';
    if (text.current) describe(text.current, sinceMs, stale, sources[0]?.[0]);
  });

  function describe(target: HTMLElement, sinceMs: number, stale: boolean, channel: string | undefined): void {
    if (Number.isNaN(sinceMs)) {
      write(target, stale ? 'no connection' : 'no data yet', '');
      return;
    }
    const delays = channel === undefined ? undefined : client.delays(channel);
    const fromVenue = delays !== undefined && Math.abs(delays.venueToClient.p50Ms) < RECORDED_MS;
    const p50Ms = (fromVenue ? delays.venueToClient.p50Ms : delays?.edgeToClient.p50Ms) ?? Number.NaN;
    const way = Number.isNaN(p50Ms) ? '' : ` · ${delay(p50Ms)}`;
    const path = fromVenue
      ? 'from exchange time to this screen'
      : 'from the edge to this screen (exchange times are recorded ones)';
    const since = stale ? `stale ${age(sinceMs)}` : sinceMs < 10_000 ? age(sinceMs) : `quiet ${age(sinceMs)}`;
    write(target, `${since}${way}`, `Newest data received ${age(sinceMs)} ago. Median delay ${delay(p50Ms)} ${path}.`);
  }

  return (
    <section ref={panel} className={`panel ${className}`} aria-label={label}>
      <header className="panel-head">
        {head ?? <h2>{label}</h2>}
        <span ref={text} className="freshness" />
      </header>
      <div className="panel-body">{children}</div>
    </section>
  );
}

/** Touches the page only when something changed. */
export function write(target: HTMLElement, text: string, title?: string): void {
  if (target.textContent !== text) target.textContent = text;
  if (title !== undefined && target.title !== title) target.title = title;
}

export interface NoticeProps {
  title: string;
  children: ReactNode;
  retry?: () => void;
}

/** Says what is missing and what to do about it. */
export function Notice({ title, children, retry }: NoticeProps): ReactNode {
  return (
    <div className="notice" role="status">
      <strong>{title}</strong>
      {children}
      {retry && (
        <div>
          <button type="button" onClick={retry}>
            Try again
          </button>
        </div>
      )}
    </div>
  );
}
