/**
 * Configuration (DESIGN §3.20): every option once, with environment name, flag, unit, default and prose. The typed values, the
 * `--help` texts, the README table and the sentences about bad values all come from here.
 */
import {
  choice,
  ConfigError,
  directory,
  type FeedSpec,
  httpUrl,
  integer,
  type OptionSpec,
  readFeeds,
  readSpeed,
  type Speed,
  text,
} from './option-kinds.ts';

export const OPTIONS = {
  dataDir: directory({
    env: 'EDGETAPE_DATA_DIR',
    flag: 'data-dir',
    defaultText: '.edgetape/data',
    prose: 'Folder that holds everything that is kept: log, store, edge state. Made when it is missing.',
  }),
  tape: {
    env: 'EDGETAPE_TAPE',
    flag: 'tape',
    placeholder: 'FILE',
    defaultText: '',
    repeat: true,
    separator: ',',
    prose:
      'Recorded tape to play (CSV or raw capture, plain or gzip). May be given several times; the files are merged by time.',
    read: (texts) => ({ value: [...texts] }),
  } satisfies OptionSpec<string[]>,
  feed: {
    env: 'EDGETAPE_FEED',
    flag: 'feed',
    placeholder: 'VENUE:SYMBOLS',
    defaultText: '',
    repeat: true,
    separator: ';',
    prose:
      'Live feed to take in, such as binance:btcusdt,ethusdt. Venues: binance (spot), binance_usdm, binance_coinm.',
    read: readFeeds,
  } satisfies OptionSpec<FeedSpec[]>,
  feedUrl: {
    env: 'EDGETAPE_FEED_URL',
    flag: 'feed-url',
    placeholder: 'URL',
    defaultText: '',
    prose: "Where the live feeds connect to instead of the venue's own address, such as wss://proxy.example:9443.",
    read(texts) {
      const given = texts.at(-1) ?? '';
      const fine = given === '' || (URL.canParse(given) && /^wss?:$/.test(new URL(given).protocol));
      return fine
        ? { value: given.replace(/\/+$/, '') }
        : { fault: `must be an address like wss://host:port, not "${given}"` };
    },
  } satisfies OptionSpec<string>,
  speed: {
    env: 'EDGETAPE_SPEED',
    flag: 'speed',
    placeholder: 'N|max',
    unit: '× recorded speed',
    defaultText: '1',
    prose: 'How fast tapes play: 1 as recorded, 20 twenty times that, max as fast as it goes.',
    read: (texts) => readSpeed(texts.at(-1) ?? ''),
  } satisfies OptionSpec<Speed>,
  seed: integer(
    {
      env: 'EDGETAPE_SEED',
      flag: 'seed',
      defaultText: '1',
      prose: 'Seed of the simulator: the same seed makes the same market.',
    },
    0,
    2 ** 32 - 1,
  ),
  rate: integer(
    {
      env: 'EDGETAPE_RATE',
      flag: 'rate',
      unit: 'ticks/s',
      defaultText: '300',
      prose: 'Ticks that the simulator makes a second, over all its symbols.',
    },
    1,
    1_000_000,
  ),
  partitions: integer(
    {
      env: 'EDGETAPE_PARTITIONS',
      flag: 'partitions',
      defaultText: '4',
      prose: 'Partitions of the log. Cannot be changed for a log that exists.',
    },
    1,
    1_000,
  ),
  host: text({
    env: 'EDGETAPE_HOST',
    flag: 'host',
    placeholder: 'ADDRESS',
    defaultText: '127.0.0.1',
    prose: 'Address to listen on.',
  }),
  port: integer(
    {
      env: 'EDGETAPE_PORT',
      flag: 'port',
      defaultText: '8787',
      prose: 'Port of the dashboard, the sockets and the REST API; 0 takes any free one.',
    },
    0,
    65_535,
  ),
  corePort: integer(
    {
      env: 'EDGETAPE_CORE_PORT',
      flag: 'core-port',
      defaultText: '0',
      prose: "Port of the core's own REST server, which the edge asks; 0 takes any free one.",
    },
    0,
    65_535,
  ),
  edge: choice(
    {
      env: 'EDGETAPE_EDGE',
      flag: 'edge',
      defaultText: 'embedded',
      prose: 'embedded runs the edge in this process; none serves REST alone.',
    },
    ['embedded', 'none'],
  ),
  relaySecret: text({
    env: 'EDGETAPE_RELAY_SECRET',
    flag: 'relay-secret',
    defaultText: '',
    secret: true,
    prose: "Secret by which the core's relay shows itself to the edge. Empty makes a new one for this run.",
  }),
  clickhouseUrl: httpUrl({
    env: 'EDGETAPE_CLICKHOUSE_URL',
    flag: 'clickhouse-url',
    defaultText: '',
    prose: 'ClickHouse server to keep market data in. Empty uses the one built in, in the data folder.',
  }),
  clickhouseUser: text({
    env: 'EDGETAPE_CLICKHOUSE_USER',
    flag: 'clickhouse-user',
    defaultText: 'default',
    prose: 'User on the ClickHouse server.',
  }),
  clickhousePassword: text({
    env: 'EDGETAPE_CLICKHOUSE_PASSWORD',
    flag: 'clickhouse-password',
    defaultText: '',
    secret: true,
    prose: 'Password on the ClickHouse server.',
  }),
  clickhouseDatabase: text({
    env: 'EDGETAPE_CLICKHOUSE_DATABASE',
    flag: 'clickhouse-database',
    defaultText: 'edgetape',
    prose: 'Database on the ClickHouse server.',
  }),
  requestTimeoutMs: integer(
    {
      env: 'EDGETAPE_REQUEST_TIMEOUT_MS',
      flag: 'request-timeout-ms',
      unit: 'ms',
      defaultText: '10000',
      prose: 'A REST request that takes longer is answered 503.',
    },
    100,
    600_000,
  ),
  drainTimeoutMs: integer(
    {
      env: 'EDGETAPE_DRAIN_TIMEOUT_MS',
      flag: 'drain-timeout-ms',
      unit: 'ms',
      defaultText: '20000',
      prose: 'How long a part may take to finish its work when the process is asked to stop.',
    },
    0,
    600_000,
  ),
  brokers: {
    env: 'EDGETAPE_BROKERS',
    flag: 'brokers',
    placeholder: 'HOST:PORT',
    defaultText: '',
    repeat: true,
    separator: ',',
    prose: 'Kafka brokers to keep the log on, several parted by commas. Empty keeps it in the data folder.',
    read(texts) {
      const brokers = texts.flatMap((given) => given.split(',')).filter((given) => given !== '');
      const wrong = brokers.find((given) => !/^[A-Za-z0-9._-]+:\d{1,5}$/.test(given));
      return wrong === undefined
        ? { value: brokers }
        : { fault: `must look like host:9092, several parted by commas, not "${wrong}"` };
    },
  } satisfies OptionSpec<string[]>,
  clientId: text({
    env: 'EDGETAPE_CLIENT_ID',
    flag: 'client-id',
    defaultText: 'edgetape',
    prose: 'Name of this process at the brokers.',
  }),
  logPrefix: text({
    env: 'EDGETAPE_LOG_PREFIX',
    flag: 'log-prefix',
    defaultText: '',
    prose:
      'Stands before the names of topics, groups and transactional ids on Kafka: several logs can share a cluster.',
  }),
  replicas: integer(
    {
      env: 'EDGETAPE_REPLICAS',
      flag: 'replicas',
      defaultText: '1',
      prose: 'Copies of each partition on Kafka; 3 in production.',
    },
    1,
    7,
  ),
  sessionTimeoutMs: integer(
    {
      env: 'EDGETAPE_SESSION_TIMEOUT_MS',
      flag: 'session-timeout-ms',
      unit: 'ms',
      defaultText: '6000',
      prose:
        'A process that the brokers have not heard of for so long loses its partitions to the others. Brokers take no less than 6000 unless they are told to (group.min.session.timeout.ms).',
    },
    500,
    600_000,
  ),
  bufferMb: integer(
    {
      env: 'EDGETAPE_BUFFER_MB',
      flag: 'buffer-mb',
      unit: 'MB',
      defaultText: '256',
      prose:
        'Disk that each live feed of "edgetape run collector" may fill, in the data folder, while the brokers take nothing; 0 keeps nothing on disk.',
    },
    0,
    1_000_000,
  ),
  healthPort: integer(
    {
      env: 'EDGETAPE_HEALTH_PORT',
      flag: 'health-port',
      defaultText: '0',
      prose: 'Port on which a process of "edgetape run" answers /livez, /readyz and /metrics; 0 answers nowhere.',
    },
    0,
    65_535,
  ),
  edgeUrl: {
    env: 'EDGETAPE_EDGE_URL',
    flag: 'edge-url',
    placeholder: 'URL',
    defaultText: '',
    prose: 'Gateway that the relay of "edgetape run" connects to.',
    read(texts) {
      const given = texts.at(-1) ?? '';
      const fine = given === '' || (URL.canParse(given) && /^(https?|wss?):$/.test(new URL(given).protocol));
      return fine ? { value: given } : { fault: `must be an address like https://edge.example, not "${given}"` };
    },
  } satisfies OptionSpec<string>,
  logLevel: choice(
    {
      env: 'EDGETAPE_LOG_LEVEL',
      flag: 'log-level',
      defaultText: 'info',
      prose: 'Least severe level that is logged.',
    },
    ['debug', 'info', 'warn', 'error', 'silent'],
  ),
  logFormat: choice(
    {
      env: 'EDGETAPE_LOG_FORMAT',
      flag: 'log-format',
      defaultText: 'auto',
      prose: 'json writes one object a line, text a readable line; auto is text on a terminal, json elsewhere.',
    },
    ['auto', 'json', 'text'],
  ),
};

export type OptionKey = keyof typeof OPTIONS;
type ValueOf<S> = S extends { read(texts: readonly string[]): infer R }
  ? R extends { value: infer T }
    ? T
    : never
  : never;
/** The typed, frozen values. */
export type Config = { readonly [K in OptionKey]: ValueOf<(typeof OPTIONS)[K]> };

export interface ConfigSources {
  /** Texts given by flag, by option key. */
  flags: Readonly<Partial<Record<OptionKey, string | readonly string[]>>>;
  env: Readonly<Record<string, string | undefined>>;
  /** Other defaults than the declared ones, for one command. */
  defaults?: Readonly<Partial<Record<OptionKey, string>>>;
}

/** Flag before environment before default. Throws ConfigError for the first value that cannot be used. */
export function resolveConfig(sources: ConfigSources): Config {
  const values: Partial<Record<OptionKey, unknown>> = {};
  for (const key of Object.keys(OPTIONS) as OptionKey[]) {
    const spec: OptionSpec<unknown> = OPTIONS[key];
    const { name, texts } = given(spec, sources.flags[key], sources.env[spec.env], sources.defaults?.[key]);
    const result = spec.read(texts);
    if ('fault' in result) throw new ConfigError(`${name} ${result.fault}.`);
    values[key] = result.value;
  }
  return Object.freeze(values) as Config;
}

function given(
  spec: OptionSpec<unknown>,
  flag: string | readonly string[] | undefined,
  env: string | undefined,
  fallback: string | undefined,
): { name: string; texts: string[] } {
  if (flag !== undefined) return { name: `--${spec.flag}`, texts: typeof flag === 'string' ? [flag] : [...flag] };
  if (env !== undefined && env !== '')
    return {
      name: spec.env,
      texts: spec.repeat ? env.split(spec.separator ?? ',').filter((part) => part !== '') : [env],
    };
  const value = fallback ?? spec.defaultText;
  return { name: `--${spec.flag}`, texts: spec.repeat && value === '' ? [] : [value] };
}

/** Names of the environment that begin with EDGETAPE_ and that no option has: most likely misspelt. */
export function unknownEnvironment(env: Readonly<Record<string, string | undefined>>): string[] {
  const known = new Set<string>(Object.values(OPTIONS).map((spec) => spec.env));
  return Object.keys(env).filter((name) => name.startsWith('EDGETAPE_') && !known.has(name));
}

/** The options as a Markdown table for the README. */
export function optionsTable(): string {
  const lines = ['| flag | environment | default | meaning |', '|---|---|---|---|'];
  for (const spec of Object.values(OPTIONS) as OptionSpec<unknown>[]) {
    const unit = spec.unit === undefined ? '' : ` (${spec.unit})`;
    const flag = `--${spec.flag} ${spec.placeholder}`.replaceAll('|', '\\|');
    lines.push(
      `| \`${flag}\` | \`${spec.env}\` | ${spec.defaultText === '' ? '' : `\`${spec.defaultText}\``}${unit} | ${spec.prose} |`,
    );
  }
  return `${lines.join('\n')}\n`;
}
