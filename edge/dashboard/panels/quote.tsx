import { useRef, type ReactNode, type RefObject } from 'react';
import type { SymbolInfo } from '#shared/market.ts';
import { useHot } from '../data/hooks.ts';
import { useSession } from '../data/session.ts';
import { clockTime, decimal, rounded } from '../format.ts';
import { directionOf, flash } from './flash.ts';
import { Panel, write } from './panel.tsx';

/** Best bid and ask as the venue sent them. */
export function QuotePanel({ info }: { info: SymbolInfo }): ReactNode {
  const { symbol } = info;
  const { places } = useSession();
  const bid = useRef<HTMLElement>(null);
  const ask = useRef<HTMLElement>(null);
  const bidSize = useRef<HTMLSpanElement>(null);
  const askSize = useRef<HTMLSpanElement>(null);
  const spread = useRef<HTMLElement>(null);
  const time = useRef<HTMLElement>(null);
  const before = useRef<{ bid?: string; ask?: string }>({});

  function price(target: RefObject<HTMLElement | null>, side: 'bid' | 'ask', value: unknown): void {
    if (!target.current) return;
    const text = typeof value === 'string' ? value : undefined;
    write(target.current, decimal(text, places.see(symbol, text)));
    if (text === undefined) return;
    const direction = directionOf(before.current[side], text);
    before.current[side] = text;
    if (direction) flash(target.current, direction);
  }

  useHot('quotes', symbol, ({ fields }) => {
    price(bid, 'bid', fields?.['bidPrice']);
    price(ask, 'ask', fields?.['askPrice']);
    if (bidSize.current) write(bidSize.current, `size ${decimal(fields?.['bidSize'])}`);
    if (askSize.current) write(askSize.current, `size ${decimal(fields?.['askSize'])}`);
    if (time.current) write(time.current, clockTime(Number(fields?.['eventMs'] ?? Number.NaN)));
  });
  useHot('stats', symbol, ({ fields }) => {
    if (spread.current)
      write(spread.current, `${decimal(fields?.['spread'])} (${rounded(fields?.['spreadBps'], 2)} bp)`);
  });

  return (
    <Panel label="Quote" sources={[['quotes', symbol]]}>
      <div className="quote">
        <div className="quote-side">
          <span>Bid</span>
          <b ref={bid} className="flash" />
          <span ref={bidSize} />
        </div>
        <div className="quote-side">
          <span>Ask</span>
          <b ref={ask} className="flash" />
          <span ref={askSize} />
        </div>
      </div>
      <dl className="facts">
        <div className="wide">
          <dt>Spread</dt>
          <dd ref={spread} />
        </div>
        <div className="wide" title="Exchange time where the venue gives one, else the time of receipt">
          <dt>Venue time, UTC</dt>
          <dd ref={time} />
        </div>
      </dl>
    </Panel>
  );
}
