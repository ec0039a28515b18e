/** Quotes of a recorded tape as rows of the wire, for benches and tests of the edge. */
import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { decimalSink, parseDecimal, rescale } from '#shared/decimal.ts';
import type { Row, TopicInfo } from '#shared/protocol/topic-state.ts';

export interface TapeQuote {
  info: TopicInfo;
  /** When it was received; event time where the tape has no receive times. */
  atMs: number;
  row: Row;
  /** As exchanges print it: symbol, bid, bid size, ask, ask size. */
  printed: readonly string[];
}

/** The first `limit` quotes, all at the scales of the whole tape. */
export function readQuotes(file: string, limit = Number.POSITIVE_INFINITY): TapeQuote[] {
  const lines = gunzipSync(readFileSync(file)).toString('utf8').trimEnd().split('\n').slice(1);
  const sink = decimalSink();
  const scales = new Map<string, { priceScale: number; sizeScale: number }>();
  const parsed = lines.map((line) => {
    const [eventNs = '', recvNs = '', venue = '', symbol = '', ...fields] = line.split(',');
    const id = `${venue}:${symbol}`;
    const scale = scales.get(id) ?? { priceScale: 0, sizeScale: 0 };
    scales.set(id, scale);
    const values = fields.map((field, i) => {
      if (parseDecimal(field, sink) !== undefined) return { mantissa: Number.NaN, decimals: 0 };
      const name = i % 2 === 0 ? 'priceScale' : 'sizeScale';
      scale[name] = Math.max(scale[name], sink.decimals);
      return { mantissa: sink.mantissa, decimals: sink.decimals };
    });
    return { id, symbol, eventNs, recvNs, values, fields };
  });
  const infos = new Map<string, TopicInfo>();
  return parsed.slice(0, limit).map(({ id, symbol, eventNs, recvNs, values, fields }) => {
    const { priceScale = 0, sizeScale = 0 } = scales.get(id) ?? {};
    const info = infos.get(id) ?? { id: infos.size, channel: 'quotes' as const, symbol: id, priceScale, sizeScale };
    infos.set(id, info);
    const row: (number | null)[] = values.map(({ mantissa, decimals }, i) =>
      Number.isNaN(mantissa) ? null : rescale(mantissa, decimals, i % 2 === 0 ? priceScale : sizeScale),
    );
    const eventMs = Math.floor(Number((eventNs === '' ? recvNs : eventNs).slice(0, -6)));
    row.push(eventMs);
    return { info, row, atMs: recvNs === '' ? eventMs : Number(recvNs.slice(0, -6)), printed: [symbol, ...fields] };
  });
}
