import { expect, it } from 'vitest';
import { encodeTrades } from '#shared/frame.ts';
import { tradeColumns } from '#shared/ticks.ts';
import { TOPICS } from '#shared/topics.ts';
import { ManualClock } from '../../test/support/manual-clock.ts';
import { MemoryLog } from '../../test/support/memory-log.ts';
import { putBack } from './put-back.ts';

const frame = encodeTrades(tradeColumns(0));
const letter = (line: number, source = 'trades:0') => ({ source, line, reason: 'unknown_version', excerpt: '' });

it('TK-6 puts a record back once, when it can be read now and everyone had refused it', async () => {
  const log = new MemoryLog(new ManualClock());
  await log.ensureTopics([{ name: TOPICS.trades, partitions: 1 }]);
  const transaction = await log.transaction('test');
  for (const value of [frame, Uint8Array.of(9, 9), frame]) transaction.append(TOPICS.trades, 0, value);
  await transaction.commit();
  const letters = [letter(0), letter(0), letter(1), letter(1), letter(2), letter(7), letter(4, 'tape.csv')];
  expect(Object.fromEntries(await putBack(log, letters))).toEqual({
    'trades:0:0': 'put_back',
    'trades:0:1': 'still_unreadable',
    'trades:0:2': 'read_by_some',
    'trades:0:7': 'gone',
  });
  expect((await log.bounds(TOPICS.trades, 0)).end).toBe(4);
  expect((await putBack(log, letters)).get('trades:0:0')).toBe('before');
  expect((await log.bounds(TOPICS.trades, 0)).end).toBe(4);
});
