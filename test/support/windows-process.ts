/**
 * The windows over Kafka in a process of their own, to be measured or killed: `windows-process.ts BROKER PREFIX PARTITIONS`.
 * Says `ready` when the log is open, and `caught up {json}` when everything that was in it has gone through and is committed.
 */
import { openKafkaLog } from '../../core/log/kafka.ts';
import { silentLogger } from '../../core/ops/logger.ts';
import { systemClock } from '../../core/ops/system-clock.ts';
import type { TickHistory } from '../../core/windows/changes.ts';
import { createWindows } from '../../core/windows/pipeline.ts';

export interface CaughtUp {
  ticks: number;
  wallMs: number;
  /** Processor time of the whole process, all threads, since the log was opened, and since the process began. */
  cpuMs: number;
  processCpuMs: number;
  maxRssMb: number;
}

/** The backlog holds nothing too late. */
const NO_HISTORY: TickHistory = {
  trades: () => {
    throw new Error('no history here');
  },
  bar: async () => undefined,
  profile: async () => undefined,
};

const [broker = '', prefix = '', partitions = '1'] = process.argv.slice(2);
const clock = systemClock();
const log = await openKafkaLog({ brokers: [broker], clientId: 'windows', clock, prefix });
const windows = createWindows({
  log,
  partitions: Number(partitions),
  history: NO_HISTORY,
  clock,
  logger: silentLogger,
});
process.stdout.write('ready\n');
const startedMs = performance.now();
const cpu = process.cpuUsage();
windows.run().catch((error: unknown) => {
  process.stderr.write(`${String(error)}\n`);
  process.exit(1);
});
await windows.caughtUp();
const used = process.cpuUsage(cpu);
const whole = process.cpuUsage();
const result: CaughtUp = {
  ticks: windows.counts().accepted,
  wallMs: performance.now() - startedMs,
  cpuMs: (used.user + used.system) / 1_000,
  processCpuMs: (whole.user + whole.system) / 1_000,
  maxRssMb: process.resourceUsage().maxRSS / 1_024,
};
process.stdout.write(`caught up ${JSON.stringify(result)}\n`);
process.on('SIGTERM', () => {
  void windows
    .drain()
    .then(() => log.close())
    .then(() => process.exit(0));
});
