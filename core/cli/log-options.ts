/** The `log` commands: their options and help. */
import { ConfigError } from '../option-kinds.ts';
import type { CliIo } from './io.ts';
import { addConfigOptions, BROKER_KEYS, configOf, limitOf, type Define, type Given, type Run } from './options.ts';

export function addLog(command: Define, run: Run, io: CliIo): void {
  const log = command('log', 'Look into the log, in the data folder or on Kafka.', [
    'log topics --data-dir DIR',
    'log cat --topic trades --partition 0 --limit 3',
    'log lag --brokers localhost:9092',
    'log dlq --brokers localhost:9092 --replay',
  ]);
  const keys = ['dataDir', ...BROKER_KEYS] as const;
  addConfigOptions(log.command('topics').description('List topics, partitions and offsets.'), keys).action(
    run(async (given) => (await import('./log-command.ts')).logTopicsCommand(configOf(given, io.env), io)),
  );
  const cat = log.command('cat').description('Print records as JSON, one a line.');
  cat
    .option('--topic <TOPIC>', 'one topic; all of them when left out')
    .option('--partition <N>', 'one partition; all of them when left out')
    .option('--from <OFFSET>', 'first offset', '0')
    .option('--limit <N>', 'most records that are printed');
  addConfigOptions(cat, keys);
  cat.action(
    run(async (given) => {
      const options = {
        topic: textOf(given, 'topic'),
        partition: whole('--partition', given['partition']),
        from: whole('--from', given['from']) ?? 0,
        limit: limitOf(textOf(given, 'limit')) ?? Infinity,
      };
      return (await import('./log-command.ts')).logCatCommand(configOf(given, io.env), options, io);
    }),
  );
  const lag = log
    .command('lag')
    .description('How far windows and sink are behind, by group, topic and partition, in offsets and in time.')
    .option('--all', 'also those that are not behind')
    .option('--format <FORMAT>', 'table, or json, one object a line', 'table');
  addConfigOptions(lag, keys).action(
    run(async (given) => {
      const options = { all: given['all'] !== undefined, json: formatOf(given) === 'json' };
      return (await import('./log-lag-command.ts')).logLagCommand(configOf(given, io.env), options, io);
    }),
  );
  const dlq = log
    .command('dlq')
    .description('List what was refused, one JSON object a line.')
    .option('--replay', 'put back the records that can be read now (each once, behind the end of their partition)')
    .option('--limit <N>', 'most letters that are listed');
  addConfigOptions(dlq, keys).action(
    run(async (given) => {
      const options = { replay: given['replay'] !== undefined, limit: limitOf(textOf(given, 'limit')) ?? Infinity };
      return (await import('./log-dlq-command.ts')).logDlqCommand(configOf(given, io.env), options, io);
    }),
  );
}

function textOf(given: Given, name: string): string | undefined {
  const text = given[name];
  return typeof text === 'string' ? text : undefined;
}

function formatOf(given: Given): 'table' | 'json' {
  const text = textOf(given, 'format') ?? 'table';
  if (text !== 'table' && text !== 'json') throw new ConfigError(`--format must be table or json, not "${text}".`);
  return text;
}

function whole(flag: string, text: string | string[] | undefined): number | undefined {
  if (typeof text !== 'string') return undefined;
  if (!/^\d{1,15}$/.test(text)) throw new ConfigError(`${flag} must be a whole number from 0, not "${text}".`);
  return Number(text);
}
