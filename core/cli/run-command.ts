/** `edgetape run`: roles of the core over Kafka, until the process is asked to stop. */
import type { Config } from '../config.ts';
import { ConfigError } from '../option-kinds.ts';
import { ROLES, startRoles, type Role } from '../run/roles.ts';
import type { CliIo } from './io.ts';
import { loggerOf } from './log-output.ts';

/** Exit code 0 after a stop in good order or at the end of the sources, 1 when a part failed. */
export async function runCommand(given: string, config: Config, io: CliIo): Promise<number> {
  const roles = rolesOf(given);
  if (config.brokers.length === 0)
    throw new ConfigError('"edgetape run" needs --brokers HOST:PORT; "edgetape dev" runs everything without Kafka.');
  if (roles.has('relay') && (config.edgeUrl === '' || config.relaySecret === ''))
    throw new ConfigError('The relay needs --edge-url and --relay-secret.');
  if (roles.has('query') && !roles.has('sink') && config.clickhouseUrl === '')
    throw new ConfigError(
      'The query role needs --clickhouse-url, or the sink beside it ("run sink,query"): the built-in store can be read only by the process that fills it.',
    );
  const logger = loggerOf(config, io).child({ client: config.clientId });
  const { stop } = io;
  const stopped = new Promise<undefined>((resolve) => {
    if (stop.aborted) resolve(undefined);
    else stop.addEventListener('abort', () => resolve(undefined), { once: true });
  });
  const running = await startRoles({ config, roles, clock: io.clock, logger, random: Math.random, stop });
  await io.stdout.write(
    `running ${[...roles].join(', ')} over ${config.brokers.join(',')}${running.serves.map((url) => `, serving ${url}`).join('')}\n`,
  );
  const failure = await Promise.race([running.failed, stopped, running.ended.then(() => undefined)]);
  if (failure !== undefined)
    await io.stderr.write(
      `edgetape: ${failure.service} cannot go on: ${failure.error instanceof Error ? failure.error.message : String(failure.error)}. Stopping the rest.\n`,
    );
  const unfinished = await running.stop();
  if (unfinished.length > 0) await io.stderr.write(`Not ended in good order: ${unfinished.join(', ')}.\n`);
  return failure === undefined && unfinished.length === 0 ? 0 : 1;
}

/** Throws ConfigError for a role that does not exist. */
export function rolesOf(given: string): ReadonlySet<Role> {
  const roles = new Set<Role>();
  for (const name of given.split(',')) {
    const role = ROLES.find((candidate) => candidate === name.trim());
    if (role === undefined) throw new ConfigError(`There is no role "${name}": there are ${ROLES.join(', ')}.`);
    roles.add(role);
  }
  return roles;
}
