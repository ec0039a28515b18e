/** Channels and the fields of their states (SPEC SU-1, CK-2). A topic is one channel of one symbol. */
import { TIMEFRAMES } from '../timeframes.ts';

export const CHANNELS = [
  'quotes',
  'trades',
  'stats',
  'status',
  ...TIMEFRAMES.map((tf) => `bars.${tf}` as const),
] as const;
export type Channel = (typeof CHANNELS)[number];

/** state: latest values, may be conflated; events: every row counts; bars: latest values by window start (SPEC CF-2). */
export type ChannelKind = 'state' | 'events' | 'bars';

/** How a field's integer is read: at the instrument's price or size scale, at a fixed number of places, or as it is. */
export type FieldScale = 'price' | 'size' | number;

export interface FieldSpec {
  name: string;
  scale: FieldScale;
}

export interface ChannelSpec {
  kind: ChannelKind;
  fields: readonly FieldSpec[];
}

const BAR_FIELDS: readonly FieldSpec[] = [
  { name: 'startMs', scale: 0 },
  { name: 'open', scale: 'price' },
  { name: 'high', scale: 'price' },
  { name: 'low', scale: 'price' },
  { name: 'close', scale: 'price' },
  { name: 'volume', scale: 'size' },
  { name: 'buyVolume', scale: 'size' },
  { name: 'sellVolume', scale: 'size' },
  { name: 'vwap', scale: 12 },
  { name: 'tradeCount', scale: 0 },
  /** 0 provisional, 1 final, 2 revised. */
  { name: 'state', scale: 0 },
  { name: 'revision', scale: 0 },
];

const SPECS: Readonly<Record<'quotes' | 'trades' | 'stats' | 'status', ChannelSpec>> = {
  quotes: {
    kind: 'state',
    fields: [
      { name: 'bidPrice', scale: 'price' },
      { name: 'bidSize', scale: 'size' },
      { name: 'askPrice', scale: 'price' },
      { name: 'askSize', scale: 'size' },
      { name: 'eventMs', scale: 0 },
    ],
  },
  trades: {
    kind: 'events',
    fields: [
      { name: 'price', scale: 'price' },
      { name: 'size', scale: 'size' },
      /** 0 unknown, 1 buy, 2 sell: the aggressor. */
      { name: 'side', scale: 0 },
      { name: 'eventMs', scale: 0 },
      /** 0 trade, 1 cancel, 2 correction. */
      { name: 'action', scale: 0 },
    ],
  },
  stats: {
    kind: 'state',
    fields: [
      { name: 'eventMs', scale: 0 },
      { name: 'lastPrice', scale: 'price' },
      { name: 'spread', scale: 'price' },
      { name: 'spreadBps', scale: 4 },
      { name: 'vwap30s', scale: 8 },
      { name: 'average30s', scale: 8 },
      { name: 'volume30s', scale: 'size' },
      { name: 'trades30s', scale: 0 },
      { name: 'realisedVolatility', scale: 8 },
      { name: 'change', scale: 'price' },
      { name: 'changeFraction', scale: 8 },
      { name: 'dayOpen', scale: 'price' },
      { name: 'dayHigh', scale: 'price' },
      { name: 'dayLow', scale: 'price' },
      { name: 'dayVolume', scale: 'size' },
      { name: 'dayTrades', scale: 0 },
    ],
  },
  /** One topic a venue, under the symbol `venue:*`. */
  status: {
    kind: 'state',
    fields: [
      /** 0 disconnected, 1 connected, 2 ended. */
      { name: 'state', scale: 0 },
      { name: 'simulated', scale: 0 },
      { name: 'eventMs', scale: 0 },
      { name: 'watermarkMs', scale: 0 },
      { name: 'gaps', scale: 0 },
      { name: 'late', scale: 0 },
      { name: 'duplicates', scale: 0 },
    ],
  },
};

const BAR_SPEC: ChannelSpec = { kind: 'bars', fields: BAR_FIELDS };

export function isChannel(text: string): text is Channel {
  return (CHANNELS as readonly string[]).includes(text);
}

export function channelSpec(channel: Channel): ChannelSpec {
  return channel.startsWith('bars.') ? BAR_SPEC : SPECS[channel as 'quotes' | 'trades' | 'stats' | 'status'];
}

/** A field value on the wire: an integer, a decimal string of one that is larger than 2^53 - 1, or null where it is not known. */
export type WireValue = number | string | null;
