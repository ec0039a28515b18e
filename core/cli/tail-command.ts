/** `edgetape tail`: finds the running instance and hands over to the client's terminal view. */
import type { Config } from '../config.ts';
import { holderOf } from '../dev/data-dir.ts';
import { CliError, type CliIo } from './io.ts';

export interface TailArguments {
  url: string | undefined;
  symbols: string[];
  channels: string[];
  format: string | undefined;
}

/** What the terminal view of the client SDK takes; it lives with the SDK, outside the core. */
interface TailModule {
  tail(options: {
    url: string;
    symbols: string[];
    channels: string[];
    format: 'table' | 'json';
    signal: AbortSignal;
    stdout: NodeJS.WriteStream;
  }): Promise<number>;
}

const DEFAULT_CHANNELS = ['quotes', 'trades', 'stats'];

export async function tailCommand(given: TailArguments, config: Config, io: CliIo): Promise<number> {
  const { format = io.stdout.isTty ? 'table' : 'json' } = given;
  if (format !== 'table' && format !== 'json')
    throw new CliError(`--format must be table or json, not "${format}".`, 2);
  const url = given.url ?? holderOf(config.dataDir)?.url ?? `http://127.0.0.1:${config.port}`;
  const symbols = given.symbols.length > 0 ? given.symbols : await allSymbols(url);
  const module = (await import(TAIL_MODULE)) as TailModule;
  const channels = given.channels.length > 0 ? given.channels : DEFAULT_CHANNELS;
  return module.tail({ url, symbols, channels, format, signal: io.stop, stdout: process.stdout });
}

/** By its public name: the core does not import the edge. */
const TAIL_MODULE = 'edgetape/client/tail';

async function allSymbols(url: string): Promise<string[]> {
  let response: Response;
  try {
    response = await fetch(`${url}/v1/symbols`);
  } catch {
    throw new CliError(`Nothing answers at ${url}. Start an instance with "edgetape dev", or name one with --url.`);
  }
  if (!response.ok)
    throw new CliError(`${url} answered ${response.status} to /v1/symbols; is it an Edgetape instance?`);
  const { symbols } = (await response.json()) as { symbols: { symbol: string }[] };
  if (symbols.length === 0)
    throw new CliError(`${url} knows no instrument yet. Wait a moment, or name one with --symbol.`);
  return symbols.map(({ symbol }) => symbol);
}
