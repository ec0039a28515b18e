/** Where ticks come from, by the configuration: tapes and feeds that are named, else the simulator. */
import { existsSync, statSync } from 'node:fs';
import type { Clock } from '#shared/clock.ts';
import type { Config } from '../config.ts';
import type { Speed } from '../option-kinds.ts';
import { openBinanceFeed } from '../collector/binance-feed.ts';
import { createSimulator } from '../collector/simulator.ts';
import type { Source } from '../collector/source.ts';
import { openTapeSource } from '../collector/tape.ts';
import type { Logger } from '../ops/logger.ts';

/** Rejects with a sentence about the first file that is not there or is no tape. */
export async function tapeSource(paths: readonly string[], speed: Speed, clock: Clock): Promise<Source> {
  for (const path of paths) {
    if (!existsSync(path)) throw new Error(`There is no file ${path}.`);
    if (!statSync(path).isFile()) throw new Error(`${path} is no file. Name the tapes in it one by one.`);
  }
  return openTapeSource({ paths, speed, clock });
}

export async function sourcesOf(config: Config, clock: Clock, logger: Logger, random: () => number): Promise<Source[]> {
  const sources: Source[] = [];
  if (config.tape.length > 0) sources.push(await tapeSource(config.tape, config.speed, clock));
  const feedUrl = config.feedUrl === '' ? {} : { baseUrl: config.feedUrl };
  for (const { venue, symbols } of config.feed)
    sources.push(openBinanceFeed({ venue, symbols, clock, logger, random, ...feedUrl }));
  if (sources.length === 0) sources.push(createSimulator({ seed: config.seed, rate: config.rate, clock }));
  return sources;
}
