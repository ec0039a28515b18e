/** `edgetape replay --brokers`: tapes into a log on Kafka, and what came of the rows; windows and stores are other processes'. */
import type { Config } from '../config.ts';
import { tapeSource } from '../dev/sources.ts';
import { createSupervisor } from '../ops/supervisor.ts';
import { createCollectorRole } from '../run/collector-role.ts';
import { openLog, partitionsOf, specsOf } from '../run/kafka.ts';
import { CliError, type CliIo } from './io.ts';
import { loggerOf } from './log-output.ts';
import { showProgress } from './progress.ts';
import { collectorLines } from './summary.ts';

const INTERRUPTED = 130;

export async function replayKafkaCommand(files: readonly string[], config: Config, io: CliIo): Promise<number> {
  const logger = loggerOf(config, io);
  const { totalBytes } = await tapeSource(files, config.speed, io.clock);
  const log = await openLog(config, { clock: io.clock, logger });
  try {
    const partitions = await partitionsOf(log, config);
    await log.ensureTopics(specsOf(config, partitions));
    const collector = createCollectorRole({
      log,
      openSources: async () => [await tapeSource(files, config.speed, io.clock)],
      partitions,
      clock: io.clock,
      logger,
      owner: `${config.clientId} ${process.pid} ${io.clock.nowMs()}`,
    });
    const supervisor = createSupervisor({ clock: io.clock, logger });
    const stopProgress = showProgress(
      { totalBytes, bytesRead: () => collector.progress().bytesRead, rows: () => collector.summary().read },
      io,
    );
    const startedMs = io.clock.nowMs();
    const cpuAtStart = io.cpuSeconds();
    const stopped = new Promise<void>((resolve) => io.stop.addEventListener('abort', () => resolve(), { once: true }));
    await Promise.race([supervisor.start(collector), stopped]);
    stopProgress();
    await supervisor.drain([{ name: 'collector', drain: () => collector.drain() }], config.drainTimeoutMs);
    const failure = supervisor.failure();
    if (failure !== undefined)
      throw new CliError(
        `The replay stopped: ${failure.error instanceof Error ? failure.error.message : String(failure.error)}`,
      );
    if (io.stop.aborted) {
      await io.stderr.write('Stopped; what was read is kept. Run the same command again to go on from there.\n');
      return INTERRUPTED;
    }
    if (collector.taken().length > 0) throw new CliError('Another process plays the same files into this log now.');
    const lines = [
      ...collectorLines(collector.summary()),
      `elapsed    ${((io.clock.nowMs() - startedMs) / 1_000).toFixed(2)} s, CPU ${(io.cpuSeconds() - cpuAtStart).toFixed(2)} s`,
    ];
    await io.stdout.write(`${lines.join('\n')}\n`);
    return 0;
  } finally {
    await log.close();
  }
}
