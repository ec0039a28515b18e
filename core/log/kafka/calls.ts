/** Requests to whichever node answers for them, repeated while the cluster is moving or away. */
import type { Clock } from '#shared/clock.ts';
import type { Logger } from '../../ops/logger.ts';
import { LogError } from '../log-error.ts';
import { faultOf, type Fault } from './faults.ts';
import type { BrokerApi } from './broker-api.ts';
import type { CoordinatorKind, Lanes, Wire } from './internals.ts';

export interface CallsOptions {
  wire: Wire;
  clock: Clock;
  logger: Logger;
}

const BUSY_MS = [1, 1, 2, 3, 5, 10, 20, 50];
const AWAY_MS = [5, 10, 20, 50, 100, 200, 500];
/**
 * Answers that may come from a node that is coming up or going down, and may be meant: asked for that long, ms. A topic that is not
 * there may be one that the node has not heard of yet.
 */
const PATIENCE_MS: Readonly<Record<string, number>> = { UNKNOWN_TOPIC_OR_PARTITION: 5_000, UNKNOWN: 30_000 };
/** Every that many fruitless attempts, one line in the log. */
const ATTEMPTS_PER_LINE = 20;

export class Calls {
  readonly wire: Wire;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #coordinators = new Map<string, number>();
  #refreshing: Promise<void> | undefined;
  #closed = false;

  constructor({ wire, clock, logger }: CallsOptions) {
    this.wire = wire;
    this.#clock = clock;
    this.#logger = logger;
  }

  close(): void {
    this.#closed = true;
  }

  /** At the node that leads the partition. Rejects with LogError `unknown_partition` when nobody knows it. */
  leader<T>(
    lanes: Lanes,
    topic: string,
    partition: number,
    call: (broker: BrokerApi, node: number) => Promise<T>,
  ): Promise<T> {
    return this.repeat(`leader of ${topic}-${partition}`, lanes, () => this.leaderOf(topic, partition), call);
  }

  /** At the coordinator of a group or of a transactional id. */
  coordinator<T>(
    lanes: Lanes,
    kind: CoordinatorKind,
    id: string,
    call: (broker: BrokerApi, node: number) => Promise<T>,
  ): Promise<T> {
    const key = `${kind}:${id}`;
    const find = async (fault: Fault | undefined): Promise<number> => {
      const known = fault === 'moved' || fault === 'down' ? undefined : this.#coordinators.get(key);
      const node = known ?? (await this.wire.coordinator(kind, id));
      this.#coordinators.set(key, node);
      return node;
    };
    return this.repeat(`coordinator of ${id}`, lanes, find, call);
  }

  async repeat<T>(
    what: string,
    lanes: Lanes,
    find: (fault: Fault | undefined) => number | Promise<number>,
    call: (broker: BrokerApi, node: number) => Promise<T>,
  ): Promise<T> {
    let fault: Fault | undefined;
    let doubtedSinceMs: number | undefined;
    for (let attempt = 0; ; attempt++) {
      if (this.#closed) throw new LogError('closed', 'The log is closed.');
      let node: number | undefined;
      try {
        node = await find(fault);
        return await call(await lanes.to(node), node);
      } catch (error) {
        fault = faultOf(error);
        if (fault !== 'busy' && fault !== 'moved' && fault !== 'down') throw error;
        const patienceMs = PATIENCE_MS[(error as { type?: string }).type ?? ''];
        if (patienceMs !== undefined) {
          doubtedSinceMs ??= this.#clock.nowMs();
          if (this.#clock.nowMs() - doubtedSinceMs > patienceMs) throw error;
        }
        if (fault === 'down' && node !== undefined) lanes.cut(node);
        if ((attempt + 1) % ATTEMPTS_PER_LINE === 0)
          this.#logger.warn('still waiting for the broker', { what, attempts: attempt + 1, error: String(error) });
        const delays = fault === 'busy' ? BUSY_MS : AWAY_MS;
        await this.pause(delays[Math.min(attempt, delays.length - 1)] as number);
        if (fault !== 'busy') await this.refresh().catch(() => undefined);
      }
    }
  }

  /** Looks at the cluster again; those who ask at the same time share one look. */
  refresh(): Promise<void> {
    this.#refreshing ??= this.wire.refresh().finally(() => {
      this.#refreshing = undefined;
    });
    return this.#refreshing;
  }

  pause(delayMs: number): Promise<void> {
    return new Promise((resolve) => {
      this.#clock.schedule(delayMs, resolve);
    });
  }

  /** Throws LogError `unknown_partition`, or a fault that calls for another look at the cluster. */
  leaderOf(topic: string, partition: number): number {
    const node = this.wire.leader(topic, partition);
    if (node !== undefined) return node;
    const partitions = this.wire.topics().get(topic);
    if (partitions === undefined || partition >= partitions || partition < 0)
      throw new LogError('unknown_partition', `The log has no partition ${partition} of topic "${topic}".`);
    throw new NoLeaderError(topic, partition);
  }
}

class NoLeaderError extends Error {
  readonly type = 'LEADER_NOT_AVAILABLE';

  constructor(topic: string, partition: number) {
    super(`Partition ${partition} of ${topic} has no leader`);
    this.name = 'NoLeaderError';
  }
}
