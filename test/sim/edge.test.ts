/** The live path under drops, evictions and restarts: who was away ends with what is true. */
import { expect, it } from 'vitest';
import { CHANNELS, channelSpec, type Channel } from '#shared/protocol/channels.ts';
import type { PartitionState } from '#shared/protocol/state.ts';
import type { Row } from '#shared/protocol/topic-state.ts';
import { TIMEFRAME_MS, type Timeframe } from '#shared/timeframes.ts';
import { partitionOf } from '#shared/topics.ts';
import { EdgeSim, SimClient, type Random } from '../support/edge-sim.ts';
import { rng } from '../support/rng.ts';

const SYMBOLS = ['v:A', 'v:B', 'w:C', 'w:D', 'w:E'];
const SEEDS = Number(process.env['EDGETAPE_SIM_SEEDS'] ?? 500);
const FIRST = Number(process.env['EDGETAPE_SIM_FIRST_SEED'] ?? 1);

class Market {
  readonly #random: Random;
  readonly #scales = new Map<string, { priceScale: number; sizeScale: number }>();

  constructor(random: Random) {
    this.#random = random;
  }

  publish(sim: EdgeSim): void {
    const channel = this.#pick(CHANNELS);
    const symbol = this.#pick(SYMBOLS);
    const scales = this.#scales.get(symbol) ?? { priceScale: 2, sizeScale: 0 };
    if (this.#random() < 0.01 && scales.priceScale < 5) scales.priceScale++;
    this.#scales.set(symbol, scales);
    sim.sequencers[partitionOf(symbol, sim.partitions)]?.publish(
      channel,
      symbol,
      scales,
      this.#row(channel, sim.clock.nowMs()),
    );
  }

  #row(channel: Channel, nowMs: number): Row {
    const { kind, fields } = channelSpec(channel);
    return fields.map((field, i) => {
      if (kind === 'bars' && i === 0) {
        const length = TIMEFRAME_MS[channel.slice('bars.'.length) as Timeframe];
        return (Math.floor(nowMs / length) - Math.floor(this.#random() * 3)) * length;
      }
      if (field.name === 'eventMs') return nowMs - Math.floor(this.#random() * 20);
      if (kind === 'bars' && field.name === 'state') return Math.floor(this.#random() * 3);
      if (kind === 'events' && i !== 0 && i !== 1) return Math.floor(this.#random() * 3);
      if (this.#random() < 0.02) return null;
      return this.#random() < 0.02 ? '99999999999999999999' : Math.floor(this.#random() * 1_000);
    });
  }

  #pick<T>(list: readonly T[]): T {
    return list[Math.floor(this.#random() * list.length)] as T;
  }
}

function disturb(sim: EdgeSim, random: Random): void {
  const client = sim.clients[Math.floor(random() * sim.clients.length)];
  const room = sim.rooms[Math.floor(random() * sim.rooms.length)];
  const partition = Math.floor(random() * sim.partitions);
  const pick = (): string[] => SYMBOLS.filter(() => random() < 0.4);
  const channels = CHANNELS.filter(() => random() < 0.4);
  const symbols = pick();
  const dice = random();
  if (client === undefined || room === undefined) return;
  if (dice < 0.25) client.cut();
  else if (dice < 0.35) room.cutLink(partition);
  else if (dice < 0.45) sim.hubs[partition]?.relay?.end();
  else if (dice < 0.53) sim.hubs[partition]?.evict();
  else if (dice < 0.61) room.evict();
  else if (dice < 0.64) sim.restartRelay();
  else if (dice < 0.78 && channels.length > 0 && symbols.length > 0)
    client.act(client.feed.handle({ type: 'subscribe', channels, symbols }));
  else if (dice < 0.86 && channels.length > 0 && symbols.length > 0)
    client.act(client.feed.handle({ type: 'unsubscribe', channels, symbols }));
  else if (dice < 0.94)
    client.act(
      client.feed.handle({ type: 'conflate', conflateMs: [0, 50, 250, 1_000][Math.floor(random() * 4)] ?? 0 }),
    );
  else if (client.frozen) client.thaw();
  else client.frozen = true;
}

/** What a client must hold of its topics, from the truth. */
function content(state: PartitionState | undefined, keys: ReadonlySet<string>): unknown[] {
  return [...(state?.topics.values() ?? [])]
    .filter((topic) => topic.known && keys.has(topic.key))
    .sort((a, b) => (a.key < b.key ? -1 : 1))
    .map((topic) => ({
      key: topic.key,
      checksum: topic.checksum(),
      bars: topic.bars.length,
      trades: topic.newestTrades().length,
    }));
}

interface Outcome {
  mismatches: number;
  gaps: number;
  skips: number;
  connections: number;
  stale: number;
}

function run(seed: number): Outcome {
  const random = rng(seed);
  const sim = new EdgeSim(random);
  const market = new Market(random);
  const conflations = [0, 50, 250, 1_000];
  for (let i = 0; i < 4; i++) {
    const client = new SimClient(sim, i % 2 === 0 ? 'msgpack' : 'json', conflations[i] ?? 0);
    sim.clients.push(client);
    client.act(
      client.feed.handle({
        type: 'subscribe',
        channels: ['quotes', 'trades', 'bars.1m'],
        symbols: SYMBOLS.slice(0, 3),
      }),
    );
    client.connect(i % 2);
  }
  for (let step = 0; step < 120; step++) {
    for (let n = Math.floor(random() * 6); n > 0; n--) market.publish(sim);
    if (random() < 0.7) sim.flush();
    if (random() < 0.2) disturb(sim, random);
    sim.clock.advance(Math.floor(random() * 60));
  }
  for (const client of sim.clients) client.thaw();
  sim.flush();
  sim.clock.advance(20_000);
  for (const client of sim.clients) {
    // The set of the last answer is the client's own affair; what the room believes is what it must hold.
    const session = sim.rooms
      .flatMap((room) => [...room.core.sessions.values()])
      .find((s) => s.id === client.connection);
    expect(session, `seed ${seed}: client has a session`).toBeDefined();
    const keys = new Set(session?.topics);
    for (const [p, sequencer] of sim.sequencers.entries()) {
      const held = client.receiver.partitions.get(p);
      expect(content(held, keys), `seed ${seed}, partition ${p}, ${client.encoding}`).toEqual(
        content(sequencer.state, keys),
      );
    }
  }
  const sum = (name: 'checksumMismatches' | 'gaps' | 'skips' | 'connections' | 'faults'): number =>
    sim.clients.reduce((total, client) => total + client.feed.counters[name], 0);
  expect(sum('faults'), `seed ${seed}: messages that did not decode`).toBe(0);
  return {
    mismatches: sum('checksumMismatches'),
    gaps: sum('gaps'),
    skips: sum('skips'),
    connections: sum('connections'),
    stale: sim.rooms.reduce((total, room) => total + room.core.counters.stale, 0),
  };
}

it(
  `SQ-5 CF-2 CK-1 live path: ${SEEDS} seeded runs of drops, evictions and restarts end in the truth`,
  { timeout: 300_000 },
  () => {
    const total: Outcome = { mismatches: 0, gaps: 0, skips: 0, connections: 0, stale: 0 };
    for (let seed = FIRST; seed < FIRST + SEEDS; seed++) {
      const result = run(seed);
      for (const name of Object.keys(total) as (keyof Outcome)[]) total[name] += result[name];
      expect(result.mismatches, `seed ${seed}: states found wrong by checksum`).toBe(0);
    }
    console.log(`simulated ${SEEDS} runs from seed ${FIRST}: ${JSON.stringify(total)}`);
  },
);
