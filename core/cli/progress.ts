/** Progress of a replay on stderr: a bar on a terminal, a line every few seconds elsewhere. */
import { Presets, SingleBar } from 'cli-progress';
import type { Clock } from '#shared/clock.ts';
import type { CliIo } from './io.ts';
import { number } from './summary.ts';

export interface ProgressView {
  /** Bytes of the sources that were read, and in all; undefined when nobody knows. */
  bytesRead(): number;
  totalBytes: number | undefined;
  rows(): number;
}

const BAR_INTERVAL_MS = 200;
const LINE_INTERVAL_MS = 3_000;

/** Shows it until the returned function is called. */
export function showProgress(view: ProgressView, io: CliIo): () => void {
  return io.stderr.isTty ? bar(view, io) : lines(view, io);
}

function every(intervalMs: number, clock: Clock, show: () => void): () => void {
  let cancel = (): void => {};
  const again = (): void => {
    show();
    cancel = clock.schedule(intervalMs, again);
  };
  cancel = clock.schedule(intervalMs, again);
  return () => cancel();
}

function bar(view: ProgressView, io: CliIo): () => void {
  const single = new SingleBar(
    {
      stream: io.terminal,
      format: '{bar} {percentage} %  {rows} rows  {rate} rows/s',
      hideCursor: true,
      clearOnComplete: true,
      noTTYOutput: false,
    },
    Presets.shades_classic,
  );
  const startedMs = io.clock.nowMs();
  const rowsAtStart = view.rows();
  const payload = (): { rows: string; rate: string } => {
    const seconds = Math.max(0.001, (io.clock.nowMs() - startedMs) / 1000);
    return { rows: number(view.rows()), rate: number((view.rows() - rowsAtStart) / seconds) };
  };
  single.start(Math.max(1, view.totalBytes ?? 1), 0, payload());
  const stop = every(BAR_INTERVAL_MS, io.clock, () => single.update(view.bytesRead(), payload()));
  return () => {
    stop();
    single.stop();
  };
}

function lines(view: ProgressView, io: CliIo): () => void {
  return every(LINE_INTERVAL_MS, io.clock, () => void io.stderr.write(`${line(view)}\n`));
}

function line(view: ProgressView): string {
  const { totalBytes } = view;
  const share =
    totalBytes === undefined || totalBytes === 0
      ? ''
      : `, ${Math.min(100, (view.bytesRead() / totalBytes) * 100).toFixed(0)} % of the input`;
  return `${number(view.rows())} rows read${share}`;
}
