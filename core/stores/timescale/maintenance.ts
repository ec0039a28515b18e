/**
 * Keeps what the analytics database derives level with its bars, and drops what is too old. Runs beside the core; a database that is
 * away is tried again at the next turn, and how old its figures are is told.
 */
import type { Clock } from '#shared/clock.ts';
import type { Logger } from '../../ops/logger.ts';
import type { Service } from '../../service.ts';
import type { AnalyticsPart, AnalyticsStore } from '../analytics.ts';

export interface MaintenanceOptions {
  store: Pick<AnalyticsStore, 'refresh' | 'retain'>;
  clock: Clock;
  logger: Logger;
  /** Daily bars, volumes and returns (1 min). */
  refreshMs?: number;
  /** The whole matrix of correlations (1 h). */
  correlationMs?: number;
  /** How long bars are kept (2 years of 365 days); undefined keeps them all, as a replay of an old tape needs. */
  keepMs?: number | undefined;
  /** How often old ones are looked for (1 day). */
  retainMs?: number;
}

export interface MaintenanceStatus {
  /** When each part was last brought level, ms; undefined when not yet. */
  refreshedMs: Partial<Record<AnalyticsPart, number>>;
  errors: number;
}

export const KEEP_MS = 2 * 365 * 86_400_000;

export class AnalyticsMaintenance implements Service {
  readonly name = 'analytics-maintenance';
  readonly #options: MaintenanceOptions;
  readonly #refreshedMs: Partial<Record<AnalyticsPart, number>> = {};
  readonly #stopped = Promise.withResolvers<void>();
  readonly #cancels = new Set<() => void>();
  #stopping = false;
  #errors = 0;
  /** Jobs run one after the other: they want the same tables. */
  #queue: Promise<void> = Promise.resolve();

  constructor(options: MaintenanceOptions) {
    this.#options = options;
  }

  async run(): Promise<void> {
    const { refreshMs = 60_000, correlationMs = 3_600_000, retainMs = 86_400_000, keepMs } = this.#options;
    this.#every(refreshMs, 'derived', () => this.#refresh('derived'));
    this.#every(correlationMs, 'correlation', () => this.#refresh('correlation'));
    if (keepMs !== undefined) this.#every(retainMs, 'retention', () => this.#retain(keepMs));
    await this.#stopped.promise;
    await this.#queue;
  }

  async drain(): Promise<void> {
    this.#stopping = true;
    for (const cancel of this.#cancels) cancel();
    this.#cancels.clear();
    this.#stopped.resolve();
    await this.#queue;
  }

  status(): MaintenanceStatus {
    return { refreshedMs: { ...this.#refreshedMs }, errors: this.#errors };
  }

  /** Now, and again `everyMs` after each end. */
  #every(everyMs: number, what: string, job: () => Promise<void>): void {
    if (this.#stopping) return;
    this.#queue = this.#queue.then(async () => {
      if (this.#stopping) return;
      try {
        await job();
      } catch (error) {
        this.#errors++;
        const message = error instanceof Error ? error.message : String(error);
        this.#options.logger.warn('Maintenance of the analytics store failed; it is tried again', { what, message });
      }
      if (this.#stopping) return;
      const cancel = this.#options.clock.schedule(everyMs, () => {
        this.#cancels.delete(cancel);
        this.#every(everyMs, what, job);
      });
      this.#cancels.add(cancel);
    });
  }

  async #refresh(part: AnalyticsPart): Promise<void> {
    await this.#options.store.refresh(part);
    this.#refreshedMs[part] = this.#options.clock.nowMs();
  }

  async #retain(keepMs: number): Promise<void> {
    const dropped = await this.#options.store.retain(this.#options.clock.nowMs() - keepMs);
    if (dropped.length > 0) this.#options.logger.info('Dropped old bars', { partitions: dropped.join(' ') });
  }
}
