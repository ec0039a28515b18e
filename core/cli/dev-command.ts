/** `edgetape dev`: the whole product here, until it is asked to stop. */
import type { Config } from '../config.ts';
import { startStack, type Stack } from '../dev/stack.ts';
import type { CliIo } from './io.ts';
import { loggerOf } from './log-output.ts';

/** Exit code 0 after a stop in good order, 1 when a part failed. */
export async function devCommand(config: Config, io: CliIo): Promise<number> {
  const logger = loggerOf(config, io);
  const { stop } = io;
  await io.stderr.write('edgetape is starting\n');
  const starting = startStack({ config, clock: io.clock, logger, random: Math.random });
  const stack = await starting;
  await io.stdout.write(greeting(stack, config));
  const reason = await Promise.race([stack.failed, aborted(stop)]);
  if (reason === undefined)
    await io.stderr.write('Stopping: taking nothing new, keeping what there is. Ctrl-C again ends at once.\n');
  else {
    const { service, error } = reason;
    await io.stderr.write(
      `edgetape: ${service} cannot go on: ${error instanceof Error ? error.message : String(error)}. Stopping the rest.\n`,
    );
  }
  const unfinished = await stack.stop();
  if (unfinished.length > 0)
    await io.stderr.write(
      `Not ended in good order: ${unfinished.join(', ')}. Nothing that was acknowledged is lost; the next start goes on from the log.\n`,
    );
  else await io.stderr.write('Stopped. The next start goes on from here.\n');
  return reason === undefined && unfinished.length === 0 ? 0 : 1;
}

function greeting(stack: Stack, config: Config): string {
  const what = stack.simulated
    ? 'a SIMULATED market; name a tape with --tape or a feed with --feed'
    : [...config.tape, ...config.feed.map(({ venue, symbols }) => `${venue}:${symbols.join(',')}`)].join(', ');
  return `\n  Edgetape   ${stack.url}\n  showing    ${what}\n  API        ${stack.url}/docs\n  data in    ${config.dataDir}\n\n  Ctrl-C stops; the next start goes on from here.\n\n`;
}

function aborted(signal: AbortSignal): Promise<undefined> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve(undefined);
    else signal.addEventListener('abort', () => resolve(undefined), { once: true });
  });
}
