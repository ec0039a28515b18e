/** The command line: commands, their options and help. What they do stands in the `*-command.ts` files. */
import { Command, CommanderError } from 'commander';
import { optionsTable, type OptionKey } from '../config.ts';
import { ConfigError } from '../option-kinds.ts';
import { systemClock } from '../ops/system-clock.ts';
import { version } from '../ops/version.ts';
import { sentenceOf } from './errors.ts';
import { CliError, streamOut, type CliIo } from './io.ts';
import { addLog } from './log-options.ts';
import {
  addConfigOptions,
  addReadOptions,
  BROKER_KEYS,
  configOf,
  readOptionsOf,
  urlOf,
  type Define,
  type Given,
  type ReadOptionName,
  type Run,
} from './options.ts';
import type { Kind } from './rows.ts';
import { stopSignal } from './stop-signal.ts';

const STORE_KEYS: readonly OptionKey[] = [
  'dataDir',
  'clickhouseUrl',
  'clickhouseUser',
  'clickhousePassword',
  'clickhouseDatabase',
];
const LOG_KEYS: readonly OptionKey[] = ['logLevel', 'logFormat'];

/** Runs one command. Resolves with the exit code: 0, 1 for data that cannot be worked with, 2 for wrong usage, 130 interrupted. */
export async function main(argv: readonly string[], io: CliIo = processIo()): Promise<number> {
  let code = 0;
  const program = build(io, (result) => (code = result));
  try {
    await program.parseAsync([...argv], { from: 'user' });
    return code;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
    await io.stderr.write(`edgetape: ${sentenceOf(error, io.env)}\n`);
    if (error instanceof ConfigError) return 2;
    return error instanceof CliError ? error.exitCode : 1;
  }
}

function build(io: CliIo, done: (code: number) => void): Command {
  const program = new Command('edgetape');
  program
    .description('Real-time market analytics from exchange to screen: exact bars, volume profiles and statistics.')
    .version(version(), '--version', 'print the version')
    .helpOption('-h, --help', 'print this help')
    .helpCommand('help [command]', 'print the help of a command')
    .showHelpAfterError('Run with --help to see what there is.')
    .exitOverride()
    .configureOutput({
      writeOut: (text) => void io.stdout.write(text),
      writeErr: (text) => void io.stderr.write(text),
      outputError: (text, write) => write(text.replace(/^error: /, 'edgetape: ')),
      getOutHelpWidth: () => Math.min(io.stdout.columns, 120),
      getErrHelpWidth: () => Math.min(io.stderr.columns, 120),
    })
    .addHelpText('after', EXAMPLES);
  const command = (name: string, description: string, examples: readonly string[]): Command =>
    program
      .command(name)
      .description(description)
      .addHelpText('after', `\nExamples:\n${examples.map((example) => `  $ edgetape ${example}\n`).join('')}`);
  const run =
    (work: (given: Given, ...args: string[]) => Promise<number>) =>
    async (...args: unknown[]): Promise<void> => {
      const given = args.at(-2) as Given;
      done(await work(given, ...(args.slice(0, -2) as string[])));
    };

  addDev(command, run, io);
  addRun(command, run, io);
  addReplay(command, run, io);
  addTail(command, run, io);
  addReads(command, run, io);
  addLog(command, run, io);
  addConfigOptions(
    command(
      'migrate',
      "Bring the store's schema up to date; with --brokers, create the topics and say where the cluster differs.",
      ['migrate --data-dir DIR', 'migrate --dry-run', 'migrate --brokers localhost:9092 --partitions 16 --replicas 3'],
    ),
    [...STORE_KEYS, ...BROKER_KEYS, 'partitions'],
  )
    .option('--dry-run', 'Only say what would be applied.')
    .action(
      run(async (given) => {
        const config = configOf(given, io.env);
        const dryRun = given['dryRun'] !== undefined;
        const { migrateCommand, migrateTopicsCommand } = await import('./migrate-command.ts');
        return config.brokers.length > 0
          ? migrateTopicsCommand(config, dryRun, io)
          : migrateCommand(config, dryRun, io);
      }),
    );
  addConfigOptions(
    command('doctor', 'Check what the product needs, and say what to do.', [
      'doctor',
      'doctor --data-dir DIR --port 8787',
      'doctor --options-table',
    ]),
    [...STORE_KEYS, 'host', 'port'],
  )
    .option('--options-table', 'Print the table of all options, in Markdown, and nothing else.')
    .action(
      run(async (given) => {
        if (given['optionsTable'] !== undefined) {
          await io.stdout.write(optionsTable());
          return 0;
        }
        return (await import('./doctor-command.ts')).doctorCommand(configOf(given, io.env), io);
      }),
    );
  return program;
}

/** Commands that print rows or a summary say only what is wrong; `dev` tells what it does. */
const QUIET = { logLevel: 'warn' } as const;

function addDev(command: Define, run: Run, io: CliIo): void {
  const dev = command(
    'dev',
    'Run the whole product here: core, edge, dashboard. With no tape and no feed it shows a simulated market.',
    [
      'dev',
      'dev --tape trades.csv.gz --tape quotes.csv.gz --speed 20',
      'dev --feed binance:btcusdt,ethusdt',
      'dev --seed 7 --rate 2000 --port 0',
    ],
  );
  addConfigOptions(dev, [
    'tape',
    'feed',
    'feedUrl',
    'speed',
    'seed',
    'rate',
    'host',
    'port',
    'corePort',
    'edge',
    'partitions',
    ...STORE_KEYS,
    'relaySecret',
    'requestTimeoutMs',
    'drainTimeoutMs',
    ...LOG_KEYS,
  ]);
  dev.action(run(async (given) => (await import('./dev-command.ts')).devCommand(configOf(given, io.env), io)));
}

function addRun(command: Define, run: Run, io: CliIo): void {
  const roles = command(
    'run',
    'Run roles of the core over Kafka: collector, windows, sink, query, relay. Any number of processes of each.',
    [
      'run windows --brokers localhost:9092',
      'run sink,query --brokers localhost:9092 --data-dir DIR --port 8787',
      'run collector --brokers localhost:9092 --feed binance:btcusdt',
    ],
  );
  roles.argument('<roles>', 'one or more roles, parted by commas');
  addConfigOptions(roles, [
    ...BROKER_KEYS,
    'partitions',
    'sessionTimeoutMs',
    'bufferMb',
    'healthPort',
    'tape',
    'feed',
    'feedUrl',
    'speed',
    'seed',
    'rate',
    'host',
    'port',
    ...STORE_KEYS,
    'edgeUrl',
    'relaySecret',
    'requestTimeoutMs',
    'drainTimeoutMs',
    ...LOG_KEYS,
  ]);
  roles.action(
    run(async (given, names = '') => (await import('./run-command.ts')).runCommand(names, configOf(given, io.env), io)),
  );
}

function addReplay(command: Define, run: Run, io: CliIo): void {
  const replay = command(
    'replay',
    'Play tapes into a data folder and print what came of them. Started again with the same files it goes on where it stopped.',
    [
      'replay trades.csv.gz --data-dir DIR',
      'replay trades.csv.gz quotes.csv.gz --data-dir DIR --speed max',
      'replay raw/*.jsonl.gz --data-dir DIR --partitions 1',
    ],
  );
  replay.argument('<files...>', 'tapes: CSV or raw captures, plain or gzip; several are merged by time');
  const defaults = { speed: 'max', ...QUIET } as const;
  addConfigOptions(
    replay,
    ['speed', 'partitions', ...STORE_KEYS, ...BROKER_KEYS, 'drainTimeoutMs', ...LOG_KEYS],
    defaults,
  );
  replay.action(
    run(async (given, files) => {
      const config = configOf(given, io.env, defaults);
      const tapes = files as unknown as string[];
      return config.brokers.length > 0
        ? (await import('./replay-kafka-command.ts')).replayKafkaCommand(tapes, config, io)
        : (await import('./replay-command.ts')).replayCommand(tapes, config, io);
    }),
  );
}

function addTail(command: Define, run: Run, io: CliIo): void {
  const tail = command('tail', 'Show live market data of a running instance in the terminal.', [
    'tail',
    'tail --symbol simulated:ACME --channel trades',
    'tail --url http://127.0.0.1:8787 --format json',
  ]);
  tail
    .option(
      '--url <URL>',
      'address of the instance (default: the one that runs on the data folder, else http://127.0.0.1:8787)',
    )
    .option('--symbol <VENUE:SYMBOL>', 'an instrument; may be given several times (default: all there are)', collect)
    .option(
      '--channel <CHANNEL>',
      'quotes, trades, stats, bars.1m …; may be given several times (default: quotes, trades, stats)',
      collect,
    )
    .option(
      '--format <FORMAT>',
      'table, redrawn in place, or json, one object a line (default: table on a terminal, else json)',
    );
  addConfigOptions(tail, ['dataDir']);
  tail.action(
    run(async (given) => {
      const url = urlOf(typeof given['url'] === 'string' ? given['url'] : undefined);
      return (await import('./tail-command.ts')).tailCommand(
        {
          url,
          symbols: list(given['symbol']),
          channels: list(given['channel']),
          format: given['format'] as string | undefined,
        },
        configOf(given, io.env),
        io,
      );
    }),
  );
}

function addReads(command: Define, run: Run, io: CliIo): void {
  const read = (
    kind: Kind,
    description: string,
    names: readonly ReadOptionName[],
    examples: readonly string[],
  ): void => {
    const reading = addConfigOptions(addReadOptions(command(kind, description, examples), names, kind), STORE_KEYS);
    if (kind === 'trades')
      reading.option('--with-action', 'Add the column `action` to CSV: trade, cancel or correction.');
    reading.action(
      run(async (given) => {
        const options = readOptionsOf(given, kind);
        return (await import('./read-command.ts')).readCommand(
          kind,
          { ...options, withAction: given['withAction'] !== undefined },
          configOf(given, io.env),
          io,
        );
      }),
    );
  };
  const range: ReadOptionName[] = ['symbol', 'from', 'to', 'limit', 'format', 'url'];
  read(
    'bars',
    'Print bars, by venue, symbol and start.',
    ['symbol', 'tf', 'from', 'to', 'limit', 'format', 'url'],
    [
      'bars --symbol asx:BHP --tf 1m --format csv',
      'bars --tf 1d',
      'bars --symbol asx:BHP --from 2014-03-10T00:00:00Z --to 2014-03-11 --format json',
    ],
  );
  read(
    'profile',
    'Print volume profiles: volume by price in windows of five minutes.',
    ['symbol', 'tf', 'from', 'to', 'limit', 'format', 'url'],
    ['profile --symbol asx:BHP --tf 5m --format csv'],
  );
  read('trades', 'Print trades as they came in, in the order of arrival.', range, [
    'trades --symbol asx:BHP --limit 20',
    'trades --format csv > tape.csv',
  ]);
  read('quotes', 'Print best bids and asks as they came in, in the order of arrival.', range, [
    'quotes --symbol asx:BHP --limit 20',
  ]);
  read(
    'symbols',
    'Print the instruments that are stored.',
    ['symbol', 'limit', 'format', 'url'],
    ['symbols', 'symbols --url http://127.0.0.1:8787 --format json'],
  );
}

function collect(text: string, before: string[] | undefined): string[] {
  return [...(before ?? []), text];
}

function list(given: string | string[] | undefined): string[] {
  return Array.isArray(given) ? given : [];
}

const EXAMPLES = `
Examples:
  $ edgetape dev                                                    a simulated market on the screen
  $ edgetape dev --tape trades.csv.gz --tape quotes.csv.gz --speed 20
  $ edgetape replay trades.csv.gz --data-dir DIR --speed max        a tape into a data folder
  $ edgetape bars --data-dir DIR --symbol asx:BHP --tf 1m --format csv
  $ edgetape tail                                                   a live table in the terminal

Every option has an environment name; "edgetape doctor --options-table" lists them all.
`;

/** The process around us. */
function processIo(): CliIo {
  const clock = systemClock();
  let stop: AbortSignal | undefined;
  return {
    stdout: streamOut(process.stdout),
    stderr: streamOut(process.stderr),
    env: process.env,
    clock,
    // Only commands that can stop in good order take the signals over; the others end at once, as usual.
    get stop() {
      stop ??= stopSignal(process, clock, () => process.exit(130));
      return stop;
    },
    cpuSeconds() {
      const { user, system } = process.cpuUsage();
      return (user + system) / 1e6;
    },
    terminal: process.stderr,
  };
}
