import { describe, expect, it } from 'vitest';
import { tailLines, type Moves, type TailHead, type TailRow } from './tail-table.ts';
import type { TopicSnapshot } from './topic.ts';

const EMPTY: TopicSnapshot = {
  kind: 'state',
  fields: undefined,
  rows: [],
  version: 0,
  receivedAtMs: Number.NaN,
  frameTimeMs: Number.NaN,
};
const HEAD: TailHead = {
  phase: 'live',
  url: 'http://h',
  simulated: true,
  edgeP50Ms: 3,
  venueP50Ms: 4.25,
  conflateMs: 50,
};

function row(symbol: string, lastPrice: string): TailRow {
  const fields = { lastPrice, changeFraction: '-0.0123', spreadBps: '0.8', vwap30s: '100.123456789', dayVolume: '12' };
  return {
    symbol,
    stats: { ...EMPTY, fields, receivedAtMs: 9_000 },
    quotes: { ...EMPTY, fields: { bidPrice: '100.1', askPrice: '100.2' } },
    trades: EMPTY,
    bars: undefined,
  };
}

describe('tail table', () => {
  const plain = { width: 120, height: 24, colour: false };

  it('MD-12 shows state, label and delay in the first line, then one line a symbol', () => {
    const lines = tailLines(
      HEAD,
      [row('simulated:A', '100.5'), { ...row('simulated:B', ''), stats: EMPTY }],
      9_400,
      new Map(),
      plain,
    );
    expect(lines[0]).toBe('live  SIMULATED  http://h  exchange → here p50 4.3 ms  window 50 ms');
    expect(lines[1]).toMatch(/^SYMBOL +LAST +CHANGE +BID +ASK +SPREAD bp +VWAP 30 s +DAY VOLUME +AGE$/u);
    expect(lines[2]).toMatch(/^simulated:A +100\.5 +-1\.23% +100\.1 +100\.2 +0\.80 +100\.123456 +12 +0\.4 s$/u);
    expect(lines[3]).toContain('–');
  });

  it('points the way the price moved and keeps pointing while it stands', () => {
    const moves: Moves = new Map();
    const last = (price: string): string => tailLines(HEAD, [row('s:A', price)], 9_000, moves, plain)[2] ?? '';
    expect(last('100')).not.toMatch(/[▲▼]/u);
    expect(last('101')).toContain('▲ 101');
    expect(last('101')).toContain('▲ 101');
    expect(last('99.5')).toContain('▼ 99.5');
  });

  it('gives up columns, not symbols, on a narrow terminal, and says how many lines are missing', () => {
    const rows = Array.from({ length: 30 }, (_, i) => row(`simulated:SYMBOL${i}`, '1'));
    const lines = tailLines(HEAD, rows, 9_000, new Map(), { width: 40, height: 10, colour: false });
    expect(lines.length).toBeLessThanOrEqual(10);
    for (const line of lines.slice(0, -1)) expect(line.length).toBeLessThanOrEqual(40);
    expect(lines.at(-1)).toBe('… 24 more; name some with --symbol');
  });

  it('says edge instead of exchange where the event times are a recording', () => {
    expect(tailLines({ ...HEAD, venueP50Ms: 1e11 }, [], 0, new Map(), plain)[0]).toContain('edge → here p50 3.0 ms');
  });
});
