/**
 * `npm run chaos -- --kills N --seed S`: replays a tape through a cluster on this machine while its processes and its broker are
 * killed, paused, stopped, added and removed. At the end nothing may be lost, doubled or wrong; else it ends with 1.
 */
import { parseArgs } from 'node:util';
import { hasData, TAPES } from '../support/data.ts';
import { kafkaMissing } from '../support/kafka.ts';
import { runChaos } from './run.ts';

const USAGE = `Usage: npm run chaos -- [--kills N] [--seed S] [--tape FILE]... [--speed X] [--windows N] [--partitions N]
                        [--gap-ms MS] [--drain-timeout-s S] [--keep]

  --kills N             kill -9 of processes and of the broker (default 20)
  --seed S              the schedule follows from it (default: made up, and printed)
  --tape FILE           trades; several times for several (default: the recorded crypto tape, else a made-up one)
  --speed X             times recorded speed (default: so that the tape lasts as long as the schedule)
  --windows N           windows processes at the start (default 3)
  --partitions N        partitions of the log (default 6)
  --gap-ms MS           middle of the pauses between actions (default 1500)
  --drain-timeout-s S   how long all may take to come through at the end (default 180)
  --keep                keep logs and data, and say where they are`;

const { values } = parseArgs({
  options: {
    kills: { type: 'string', default: '20' },
    seed: { type: 'string', default: String(Math.floor(Math.random() * 1e9)) },
    tape: { type: 'string', multiple: true, default: hasData ? [TAPES.cryptoTrades] : [] },
    speed: { type: 'string' },
    windows: { type: 'string', default: '3' },
    partitions: { type: 'string', default: '6' },
    'gap-ms': { type: 'string', default: '1500' },
    'drain-timeout-s': { type: 'string', default: '180' },
    keep: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
});

if (values.help) {
  console.log(USAGE);
  process.exit(0);
}
if (kafkaMissing !== undefined) {
  console.error(kafkaMissing);
  process.exit(2);
}
const result = await runChaos({
  seed: number('seed'),
  kills: number('kills'),
  tapes: values.tape,
  ...(values.speed === undefined ? {} : { speed: Number(values.speed) }),
  windows: number('windows'),
  partitions: number('partitions'),
  gapMs: number('gap-ms'),
  drainTimeoutMs: number('drain-timeout-s') * 1_000,
  keep: values.keep,
  say: (line) => console.log(line),
});
const { verdict } = result;
console.log(
  `seed ${values.seed}: ${result.kills} kills, ${result.actions} actions, ${result.duringTape} of them while the tape ran`,
);
for (const end of result.ownEnds) console.log(`ended by itself: ${end}`);
for (const exit of result.badExits) console.log(`did not stop in good order: ${exit}`);
for (const example of verdict.examples) console.log(example);
console.log(`through ${(result.drainMs / 1000).toFixed(1)} s after the last action`);
console.log(
  `${verdict.trades} trades: ${verdict.lost} lost, ${verdict.duplicated} duplicated, ${verdict.displaced} displaced; ` +
    `${verdict.bars} bars: ${verdict.wrongBars} wrong; ${verdict.profileRows} profile rows: ${verdict.wrongProfileRows} wrong`,
);
if (values.keep) console.log(`logs and data: ${result.folder}`);
process.exit(result.clean ? 0 : 1);

function number(name: 'seed' | 'kills' | 'windows' | 'partitions' | 'gap-ms' | 'drain-timeout-s'): number {
  const value = Number(values[name]);
  if (Number.isFinite(value) && value >= 0) return value;
  console.error(`--${name} must be a number, not "${values[name]}".\n\n${USAGE}`);
  process.exit(2);
}
