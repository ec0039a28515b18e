/** `edgetape log dlq`: what was refused, and putting back what can be read now. */
import { TOPICS } from '#shared/topics.ts';
import type { Config } from '../config.ts';
import { decodeDeadLetter, type DeadLetter } from '../log/dead-letter.ts';
import type { Log } from '../log/log.ts';
import { putBack } from '../log/put-back.ts';
import type { CliIo } from './io.ts';
import { withLog } from './log-command.ts';

interface PlacedLetter extends DeadLetter {
  offset: number;
  timestampMs: number;
}

const READ = { maxRecords: 256, maxBytes: 4_194_304 };

export function logDlqCommand(config: Config, options: { replay: boolean; limit: number }, io: CliIo): Promise<number> {
  return withLog(config, io, async (log) => {
    if (options.replay) {
      const all: DeadLetter[] = [];
      for await (const letter of letters(log)) all.push(letter);
      const counts = new Map<string, number>();
      for (const [place, outcome] of await putBack(log, all)) {
        counts.set(outcome, (counts.get(outcome) ?? 0) + 1);
        await io.stdout.write(`${JSON.stringify({ place, outcome })}\n`);
      }
      await io.stderr.write(
        `put back ${counts.get('put_back') ?? 0} of ${[...counts.values()].reduce((a, b) => a + b, 0)} records\n`,
      );
      return 0;
    }
    let left = options.limit;
    for await (const letter of letters(log)) {
      if (left-- <= 0 || io.stdout.closed) break;
      await io.stdout.write(`${JSON.stringify(letter)}\n`);
    }
    return 0;
  });
}

async function* letters(log: Log): AsyncGenerator<PlacedLetter> {
  const topic = (await log.topics()).find(({ name }) => name === TOPICS.deadLetter);
  for (let partition = 0; partition < (topic?.partitions ?? 0); partition++) {
    const { start, end } = await log.bounds(TOPICS.deadLetter, partition);
    for (let next = start; next < end;) {
      const records = await log.read(TOPICS.deadLetter, partition, next, READ);
      const last = records.at(-1);
      if (last === undefined) break;
      for (const { offset, timestampMs, value } of records) {
        const letter = decodeDeadLetter(value) ?? {
          source: TOPICS.deadLetter,
          line: offset,
          reason: 'bad_layout',
          excerpt: '',
        };
        yield { offset, timestampMs, ...letter };
      }
      next = last.offset + 1;
    }
  }
}
