import { useEffect, useRef, type ReactNode } from 'react';
import type { SymbolInfo } from '#shared/market.ts';
import type { Fields } from '../../client/topic.ts';
import { useHot, useWatch } from '../data/hooks.ts';
import { useSession } from '../data/session.ts';
import { clockTime, decimal } from '../format.ts';
import { Panel, write } from './panel.tsx';

const ROWS = 80;
const SIDES = ['', 'buy', 'sell'] as const;
const ACTIONS = [undefined, 'cancel', 'correction'] as const;

/** The newest trades, newest first. The rows are made once; their texts move. */
export function TapePanel({ info }: { info: SymbolInfo }): ReactNode {
  const { symbol, sizeScale } = info;
  const { places } = useSession();
  const body = useRef<HTMLTableSectionElement>(null);
  const shown = useRef<(Fields | undefined)[]>([]);
  useWatch(['trades', 'quotes', 'stats'], [symbol]);
  useEffect(() => {
    shown.current = [];
  }, [symbol]);

  useHot('trades', symbol, ({ rows }) => {
    const table = body.current;
    if (!table) return;
    const shownPlaces = places.see(symbol, rows.at(-1)?.['price']);
    for (let i = 0; i < ROWS; i++) {
      const trade = rows[rows.length - 1 - i];
      if (shown.current[i] === trade && trade !== undefined) continue;
      shown.current[i] = trade;
      const line = table.rows[i];
      if (line) show(line, trade, shownPlaces, sizeScale);
    }
  });

  return (
    <Panel label="Trades" sources={[['trades', symbol]]}>
      <div className="tape" tabIndex={0} role="region" aria-label="Newest trades">
        <table>
          <thead>
            <tr>
              <th scope="col" title="Exchange time">
                Time, UTC
              </th>
              <th scope="col" className="num">
                Price
              </th>
              <th scope="col" className="num">
                Size
              </th>
              <th scope="col" title="Side of the taker">
                Taker
              </th>
            </tr>
          </thead>
          <tbody ref={body}>
            {Array.from({ length: ROWS }, (_, i) => (
              <tr key={i} hidden>
                <td className="muted" />
                <td className="num" />
                <td className="num" />
                <td />
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </Panel>
  );
}

function show(line: HTMLTableRowElement, trade: Fields | undefined, places: number, sizeScale: number): void {
  line.hidden = trade === undefined;
  const [time, price, size, taker] = line.cells;
  if (!trade || !time || !price || !size || !taker) return;
  const side = SIDES[Number(trade['side'])] ?? '';
  const action = ACTIONS[Number(trade['action'])];
  const colour = side === 'buy' ? 'up' : side === 'sell' ? 'down' : '';
  write(time, clockTime(Number(trade['eventMs'])));
  write(price, decimal(trade['price'], places));
  price.className = `num ${colour}`;
  write(size, decimal(trade['size'], Math.min(4, sizeScale)));
  write(taker, action ?? side);
  taker.className = colour;
  if (action) line.dataset['action'] = action;
  else delete line.dataset['action'];
}
