/** What waits for the next transaction, and how it is cut into log records. */
import type { Bar, Profile, Stats } from '#shared/bars.ts';
import { TIMEFRAMES } from '#shared/timeframes.ts';
import { aggregatesTopic, TOPICS } from '#shared/topics.ts';
import { type DeadLetter, encodeDeadLetter } from '../log/dead-letter.ts';
import type { LogTransaction } from '../log/log.ts';
import type { WindowChanges } from './changes.ts';
import { encodeBars, encodeProfiles, encodeStats } from './records.ts';

const BARS_PER_RECORD = 500;
const ROWS_PER_RECORD = 5_000;

export class Outbox {
  /** Final and revised ones, in the order in which they came to be. */
  #bars: Bar[] = [];
  #profiles: Profile[] = [];
  #letters: DeadLetter[] = [];
  /** Newest form of what is still open; written at longer intervals. */
  readonly #openBars = new Map<string, Bar>();
  readonly #openProfiles = new Map<string, Profile>();
  readonly #stats = new Map<string, Stats>();

  add({ bars, profiles, stats }: Pick<WindowChanges, 'bars' | 'profiles' | 'stats'>): void {
    for (const bar of bars) {
      const key = `${bar.instrument} ${bar.timeframe} ${bar.startMs}`;
      if (bar.state === 'provisional') this.#openBars.set(key, bar);
      else {
        this.#openBars.delete(key);
        this.#bars.push(bar);
      }
    }
    for (const profile of profiles) {
      const key = `${profile.instrument} ${profile.startMs}`;
      if (profile.state === 'provisional') this.#openProfiles.set(key, profile);
      else {
        this.#openProfiles.delete(key);
        this.#profiles.push(profile);
      }
    }
    for (const entry of stats) this.#stats.set(entry.instrument, entry);
  }

  letter(letter: DeadLetter): void {
    this.#letters.push(letter);
  }

  get hasOpen(): boolean {
    return this.#openBars.size > 0 || this.#openProfiles.size > 0 || this.#stats.size > 0;
  }

  /** Appends everything; what is still open only when `open`. */
  write(transaction: LogTransaction, partition: number, open: boolean): void {
    if (open) {
      this.#bars.push(...this.#openBars.values());
      this.#profiles.push(...this.#openProfiles.values());
      for (const entry of this.#stats.values()) {
        transaction.append(TOPICS.statistics, partition, encodeStats([entry]), entry.instrument);
      }
      this.#openBars.clear();
      this.#openProfiles.clear();
      this.#stats.clear();
    }
    for (const timeframe of TIMEFRAMES) {
      const bars = this.#bars.filter((bar) => bar.timeframe === timeframe);
      for (let from = 0; from < bars.length; from += BARS_PER_RECORD) {
        const record = encodeBars(bars.slice(from, from + BARS_PER_RECORD));
        transaction.append(aggregatesTopic(timeframe), partition, record);
      }
    }
    for (let from = 0; from < this.#profiles.length;) {
      let to = from;
      let rows = 0;
      while (to < this.#profiles.length && (to === from || rows < ROWS_PER_RECORD)) {
        rows += (this.#profiles[to] as Profile).rows.length;
        to++;
      }
      transaction.append(TOPICS.volumeProfile, partition, encodeProfiles(this.#profiles.slice(from, to)));
      from = to;
    }
    for (const letter of this.#letters)
      transaction.append(TOPICS.deadLetter, 0, encodeDeadLetter(letter), letter.source);
    this.#bars = [];
    this.#profiles = [];
    this.#letters = [];
  }
}
