/** `edgetape replay`: tapes through the whole core, and what came of them. */
import { setFlagsFromString } from 'node:v8';
import type { Config } from '../config.ts';
import { openBase } from '../dev/embedded.ts';
import { createPipeline } from '../dev/pipeline.ts';
import { tapeSource } from '../dev/sources.ts';
import { createSupervisor } from '../ops/supervisor.ts';
import { CliError, type CliIo } from './io.ts';
import { loggerOf } from './log-output.ts';
import { showProgress } from './progress.ts';
import { countBars, summaryLines } from './summary.ts';

/**
 * A replay of a second or two would spend a third of one core on V8's last compiler for code that is nearly done. With this, only
 * what runs much longer goes there; measured on the ASX tape: 0.75 instead of 1.0 CPU-seconds, and no loss on a million trades.
 */
const LATE_OPTIMISATION = '--invocation-count-for-turbofan=200000';

/** Exit code of a command that was interrupted. */
const INTERRUPTED = 130;

export async function replayCommand(files: readonly string[], config: Config, io: CliIo): Promise<number> {
  setFlagsFromString(LATE_OPTIMISATION);
  const logger = loggerOf(config, io);
  const source = await tapeSource(files, config.speed, io.clock);
  const base = await openBase(config, { command: 'replay', clock: io.clock, logger });
  try {
    const supervisor = createSupervisor({ clock: io.clock, logger });
    const pipeline = createPipeline({
      log: base.log,
      store: base.store,
      sources: [source],
      partitions: config.partitions,
      live: undefined,
      bulk: config.speed === 'max',
      clock: io.clock,
      logger,
    });
    const { collector } = pipeline;
    const stopProgress = showProgress(
      { totalBytes: source.totalBytes, bytesRead: () => source.bytesRead(), rows: () => collector.summary().read },
      io,
    );
    // From the first row read to the last one stored; opening the folder is not part of it.
    const startedMs = io.clock.nowMs();
    const cpuAtStart = io.cpuSeconds();
    const ended = pipeline.start(supervisor);
    const stopped = new Promise<'stopped'>((resolve) =>
      io.stop.addEventListener('abort', () => resolve('stopped'), { once: true }),
    );
    let outcome: 'done' | 'stopped';
    let elapsedMs = 0;
    let cpuSeconds = 0;
    try {
      outcome = await supervisor.unlessFailed(Promise.race([ended.then(() => 'done' as const), stopped]));
      if (outcome === 'done') await supervisor.unlessFailed(Promise.race([pipeline.caughtUp(), stopped]));
      elapsedMs = io.clock.nowMs() - startedMs;
      cpuSeconds = io.cpuSeconds() - cpuAtStart;
    } finally {
      stopProgress();
      await supervisor.drain(pipeline.drainSteps(supervisor), config.drainTimeoutMs);
    }
    const failure = supervisor.failure();
    if (failure !== undefined)
      throw new CliError(
        `The replay stopped: ${failure.error instanceof Error ? failure.error.message : String(failure.error)}`,
      );
    if (io.stop.aborted) {
      await io.stderr.write('Stopped; what was read is kept. Run the same command again to go on from there.\n');
      return INTERRUPTED;
    }
    const stored = pipeline.sink.rows();
    const lines = summaryLines({
      collector: collector.summary(),
      counts: pipeline.windows.counts(),
      bars: await countBars(base.store),
      trades: stored['trades'] ?? 0,
      quotes: stored['quotes'] ?? 0,
      elapsedMs,
      cpuSeconds,
    });
    await io.stdout.write(`${lines.join('\n')}\n`);
    return 0;
  } finally {
    await base.close();
  }
}
